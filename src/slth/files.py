"""Writing a file in one step: nobody ever sees half of it, whatever happens meanwhile."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from slth.errors import InvalidInput, SlthError


@contextmanager
def replacing(
    path: str | os.PathLike[str], what: str = "the file", error: type[SlthError] = InvalidInput
) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file when the block ends, and are lost if it fails.

    They are written to a temporary name beside the file, reach the disk, and replace it at once.
    The file keeps its permissions, a new one gets those of the umask; a link stays a link. What is
    no regular file, like /dev/stdout, is written to directly.

    Args:
        what: is written, for the message. error: the class to raise; its message is one text, but
            for InvalidInput.

    Raises:
        error: the folder is missing or cannot be written, the file is a folder or read-only, or
            the disk is full.
    """
    target = Path(path)
    if "\0" in str(target):
        raise _refused(target, what, error, OSError(0, "a name with a null character"))
    try:
        # Unlike those of Path, these raise nothing for names that no file can have.
        if os.path.exists(target) and not os.path.isfile(target):
            with target.open("wb") as stream:
                yield stream
            return
        # The file that a link leads to is what is replaced.
        target = Path(os.path.realpath(target))
        partial = target.with_name(f".{secrets.token_hex(8)}.partial")
        try:
            with partial.open("xb") as stream:
                _take_permissions(target, partial)
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as reason:
        raise _refused(Path(path), what, error, reason) from reason


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text as UTF-8, replacing a file of that name in one step.

    Raises:
        InvalidInput: it cannot be written.
    """
    with replacing(path) as stream:
        stream.write(text.encode())


def _take_permissions(target: Path, partial: Path) -> None:
    """Before anything is in it: what was private is never readable by others."""
    if not os.path.exists(target):
        return
    if not os.access(target, os.W_OK):
        raise PermissionError(0, "the file is read-only")
    partial.chmod(target.stat().st_mode & 0o777)


def _refused(path: Path, what: str, error: type[SlthError], reason: OSError) -> SlthError:
    if not os.path.isdir(path.parent):
        got, fix = "no such folder", f"Create it first: mkdir -p {path.parent}"
    elif os.path.isdir(path):
        got, fix = "a folder", "Name a file in it."
    else:
        got = reason.strerror or str(reason)
        fix = "Make room, or choose another file or folder."
    if error is InvalidInput:
        return InvalidInput(
            f"{what} cannot be written",
            got=f"{path}: {got}",
            expected="a file name in an existing, writable folder with room",
            fix=fix,
        )
    return error(f"{path}: cannot write {what} ({got}). {fix}")
