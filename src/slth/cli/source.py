"""Where a command's network and target come from: a random draw, or arrays in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from slth.doors import read_network
from slth.errors import InvalidInput
from slth.network import Readout, ReLUNetwork, neuron, random_network


@Parameter(name="*")
@dataclass(frozen=True)
class Source:
    """The network and the target.

    Parameters
    ----------
    d
        Input dimension of the random network.
    width
        Hidden units of the random network.
    seed
        Seed of the random network.
    readout
        "linear" or "relu".
    net
        A network file (.npz), instead of a random network. --readout relu puts a ReLU on its
        output, and on that of a target's file.
    target
        The target neuron's weights, e.g. --target 0.6,0.8 (scaled to unit norm), or a network
        file as above. Default: the first coordinate axis.
    """

    d: int = 2
    width: int = 60
    seed: int = 0
    readout: Readout = "linear"
    net: Path | None = None
    target: Annotated[str | None, Parameter(negative=())] = None

    def network(self) -> ReLUNetwork:
        """The network to prune."""
        if self.net is not None:
            return _relu_network(self.net, self.readout)
        return random_network(self.d, self.width, self.seed, self.readout)

    def target_for(self, net: ReLUNetwork) -> ReLUNetwork:
        """The target to approximate."""
        if self.target is None:
            return neuron(np.eye(net.d)[0])
        if self.target.endswith(".npz"):
            return _relu_network(Path(self.target), self.readout)
        try:
            weights = [float(part) for part in self.target.split(",")]
        except ValueError:
            raise InvalidInput(
                "target is not a list of numbers",
                got=repr(self.target),
                expected="numbers separated by commas, or a file name ending in .npz",
                fix="For example: --target 0.6,0.8",
            ) from None
        return neuron(weights, normalize=True)


def _relu_network(path: Path, readout: Readout) -> ReLUNetwork:
    """The network of a file, in which a readout that is asked for must be its own."""
    net = ReLUNetwork.of(read_network(path))
    if readout == "relu" and net.readout == "linear":
        return ReLUNetwork(net.hidden, net.output, readout)
    return net
