"""Files as networks: which door opens which file."""

from __future__ import annotations

import os
from pathlib import Path

from slth.deep import DeepNetwork
from slth.doors.convert import simplest
from slth.doors.npz import read_npz
from slth.errors import InvalidInput
from slth.network import ReLUNetwork

_READERS = {".npz": read_npz}


def read_network(path: str | os.PathLike[str]) -> ReLUNetwork | DeepNetwork:
    """The network in a file, exactly, as `slth.as_network` returns it.

    Raises:
        InvalidInput: a missing or damaged file, a format that is not known, layers that have no
            counterpart, arrays that no layer uses.
    """
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise InvalidInput(
            "unknown kind of network file",
            got=str(file),
            expected=f"a file ending in {', '.join(_READERS)}",
            fix="Convert the model to one of these.",
        )
    return simplest(reader(file))
