"""Network files on the command line: what was read is said before any claim."""

from __future__ import annotations

from pathlib import Path

from slth.cli.output import stderr
from slth.deep import DeepNetwork
from slth.doors import read_network
from slth.doors.exact import precision_of
from slth.network import ReLUNetwork


def read_model(path: Path, layers: str | None = None) -> ReLUNetwork | DeepNetwork:
    """The network of a file, with one line on stderr about it."""
    network = read_network(path, layers=layers)
    deep = DeepNetwork.of(network)
    # The name of a file may be as long as it likes: the line is not wrapped.
    stderr.print(
        f"read {deep.summary()}, {precision_of(deep)}, from {path}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if deep.last in ("softmax", "sigmoid"):
        stderr.print(f"errors are those of the argument of the last {deep.last}", highlight=False)
    return network
