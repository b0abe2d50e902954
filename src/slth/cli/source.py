"""Where a command's network and target come from: a random draw, or arrays in a file."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

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
        An .npz file with `hidden` [width, d] and `output` [width], instead of a random network.
    target
        The target neuron's weights, e.g. --target 0.6,0.8 (scaled to unit norm), or an .npz file
        as above. Default: the first coordinate axis.
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
            return read_network(self.net, self.readout)
        return random_network(self.d, self.width, self.seed, self.readout)

    def target_for(self, net: ReLUNetwork) -> ReLUNetwork:
        """The target to approximate."""
        if self.target is None:
            return neuron(np.eye(net.d)[0])
        if self.target.endswith(".npz"):
            return read_network(Path(self.target), "linear")
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


def read_network(path: Path, readout: Readout) -> ReLUNetwork:
    """Read `hidden` and `output` from an .npz file; never unpickles."""
    try:
        # An open file of our own: NumPy leaks the one it opens for a damaged archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return ReLUNetwork(arrays["hidden"], arrays["output"], readout)
    except FileNotFoundError:
        problem = "no such file"
    except KeyError as error:
        problem = f"no array {error}"
    except InvalidInput:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError) as error:
        problem = f"unreadable ({error})"
    raise InvalidInput(
        "network file not usable",
        got=f"{path}: {problem}",
        expected="an .npz file with arrays hidden [width, d] and output [width]",
        fix="Write it with numpy.savez(path, hidden=..., output=...).",
    )
