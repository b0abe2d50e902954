"""Files that commands write: whether they may, before the work; after the answer was printed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slth.errors import InvalidInput, SlthError
from slth.lab.schema import COLUMNS

# What slth writes says so in its first or last bytes.
_LOOKED_AT = 1 << 16


class NotWritten(Exception):
    """A file could not be written after the answer was printed. error: why."""

    def __init__(self, error: SlthError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def after_answer() -> Iterator[None]:
    """Within, errors do not print a second answer."""
    try:
        yield
    except SlthError as error:
        raise NotWritten(error) from error


def require_writable(force: bool, **files: Path | None) -> None:
    """Raise InvalidInput for an option's file that cannot be written, or that exists and was not
    written by slth, unless `force`."""
    for option, path in files.items():
        if path is not None:
            _require_writable(option, path, force)


def _require_writable(option: str, path: Path, force: bool) -> None:
    _require_name(option, path)
    if not path.parent.is_dir():
        raise InvalidInput(
            f"--{option} has no folder to write to",
            got=str(path.parent),
            expected="an existing folder",
            fix=f"Create it first: mkdir -p {path.parent}",
        )
    if path.is_dir():
        raise InvalidInput(
            f"--{option} is a folder",
            got=str(path),
            expected="a file name",
            fix=f"Name a file in it: {path / 'NAME'}",
        )
    # A file is replaced in its folder; a pipe or a device is written to directly.
    final = Path(os.path.realpath(path))
    needed = [final] if path.exists() else []
    if path.is_file() or not path.exists():
        needed.append(final.parent)
    for place in needed:
        if not os.access(place, os.W_OK):
            raise InvalidInput(
                f"--{option} cannot be written",
                got=f"{place}: no permission, or a read-only file system",
                expected="a file in a folder that can be written",
                fix="Choose another file or folder.",
            )
    if path.is_file() and not force and not is_ours(path):
        raise InvalidInput(
            f"--{option} exists and was not written by slth",
            got=str(path),
            expected="a new file, or one that slth wrote",
            fix="Name another file, or pass --force to replace it.",
        )


def _require_name(option: str, path: Path) -> None:
    """The name is one that a file can have: not too long, for one."""
    try:
        path.stat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"--{option} cannot be written",
            got=f"{path}: {getattr(error, 'strerror', None) or error}",
            expected="the name of a file in an existing folder",
            fix="Choose another file or folder.",
        ) from error


def is_ours(path: Path) -> bool:
    """Whether a file bears a mark of slth: a ticket, an embedding, a network, a page, an export; or
    is empty."""
    with path.open("rb") as stream:
        head = stream.read(_LOOKED_AT)
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _LOOKED_AT))
        tail = stream.read()
    if size == 0:
        return True
    if head.startswith(b"PK"):
        return head[30:41] == b"ticket.json" or tail.endswith(b"slth")
    if head.startswith(b"PAR1"):
        return all(name.encode() in tail for name in COLUMNS)
    return any(
        (
            b'<meta name="generator" content="slth' in head,
            head.startswith(",".join(COLUMNS).encode()),
            # The metadata of .safetensors, the producer of .onnx.
            head[8:9] == b"{" and b'"__metadata__"' in head and b"slth" in head,
            head.startswith(b"\x08") and b"\x04slth" in head[:16],
        )
    )
