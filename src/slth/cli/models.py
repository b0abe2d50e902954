"""Network files on the command line: what was read is said before any claim."""

from __future__ import annotations

from pathlib import Path

from slth.cli.output import stderr
from slth.deep import DeepNetwork
from slth.doors import read_network
from slth.network import ReLUNetwork


def read_model(path: Path, layers: str | None = None) -> ReLUNetwork | DeepNetwork:
    """The network of a file, with one line on stderr about it."""
    network = read_network(path, layers=layers)
    stderr.print(
        f"read {DeepNetwork.of(network).summary()} from {path}", markup=False, highlight=False
    )
    return network
