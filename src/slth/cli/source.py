"""Where a command's network and target come from: a random draw, or arrays in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from slth.cli.models import read_model
from slth.cli.numbers import Whole
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
        "linear" (default) or "relu", of the random network. A file states its own.
    net
        A network file (.npz, .onnx, ...) of one hidden layer, one output and no biases, instead
        of a random network.
    target
        The target neuron's weights, e.g. --target 0.6,0.8 (scaled to unit norm), or a network
        file as above. Default: the first coordinate axis.
    layers
        The architecture of `net` if it is a state of dense layers: 4,8,relu,1.
    target_layers
        The same for `target`.
    """

    d: Whole = 2
    width: Whole = 60
    seed: Whole = 0
    readout: Readout | None = None
    net: Path | None = None
    target: Annotated[str | None, Parameter(negative=())] = None
    layers: str | None = None
    target_layers: str | None = None

    def network(self) -> ReLUNetwork:
        """The network to prune."""
        if self.net is not None:
            return _relu_network(self.net, self.layers, self.readout)
        _require_none("layers", self.layers, "--net FILE")
        return random_network(self.d, self.width, self.seed, self.readout or "linear")

    def target_for(self, net: ReLUNetwork) -> ReLUNetwork:
        """The target to approximate."""
        if self.target is not None and Path(self.target).suffix.lower() in _NETWORK_FILES:
            return _relu_network(Path(self.target), self.target_layers, self.readout)
        _require_none("target-layers", self.target_layers, "--target FILE")
        if self.target is None:
            return neuron(np.eye(net.d)[0])
        try:
            weights = [float(part) for part in self.target.split(",")]
        except ValueError:
            raise InvalidInput(
                "target is not a list of numbers",
                got=repr(self.target),
                expected="numbers separated by commas, or a network file",
                fix="For example: --target 0.6,0.8",
            ) from None
        return neuron(weights, normalize=True)


def _require_none(option: str, layers: str | None, file: str) -> None:
    if layers is not None:
        raise InvalidInput(
            "an architecture without a file",
            got=f"--{option} {layers}",
            expected=f"{file} beside it",
            fix="Name the file, or leave the architecture out.",
        )


def _relu_network(path: Path, layers: str | None, readout: Readout | None) -> ReLUNetwork:
    """The network of a file. A readout that is asked for must be its own: another would make it
    another network."""
    net = ReLUNetwork.of(read_model(path, layers))
    if readout not in (None, net.readout):
        raise InvalidInput(
            "readout of a network file",
            got=f"--readout {readout} for {path}, whose network has the readout {net.readout}",
            expected="the file's own",
            fix="Leave --readout out, or write the file with that readout "
            "(slth.write_network keeps it).",
        )
    return net


# What may be a file among targets; anything else is read as numbers.
_NETWORK_FILES = (".npz", ".onnx", ".safetensors", ".nnet", ".pt", ".pth")
