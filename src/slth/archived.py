"""Records that are kept as files of `archive`: written in one step, read as if by an enemy."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np

from slth import archive
from slth.archive import Damaged
from slth.errors import InvalidInput, TicketError
from slth.files import replacing


class Archived:
    """Mixin of a record that says its header and arrays, and is made from such again."""

    # What messages call it, and every array that a file may have: dtype and number of axes.
    _name: ClassVar[str]
    _types: ClassVar[Mapping[str, tuple[str, int]]]

    def _header(self) -> dict[str, Any]:
        raise NotImplementedError

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        raise NotImplementedError

    @classmethod
    def _from_parts(cls, header: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Raises Damaged or InvalidInput where they are not those of a record."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, replacing one of that name in one step.

        Raises:
            TicketError: the file cannot be written.
        """
        with replacing(path, f"the {self._name}", TicketError) as stream:
            self._write(stream)

    def to_bytes(self) -> bytes:
        """The file's bytes: equal records have equal ones."""
        stream = io.BytesIO()
        self._write(stream)
        return stream.getvalue()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file.

        Raises:
            TicketError: the file is missing, damaged, too large, of another version, or not what
                it states of itself.
        """
        try:
            with open(path, "rb") as stream:
                return cls._read(stream)
        except (Damaged, InvalidInput) as error:
            raise TicketError(f"{path}: not a valid {cls._name}: {error}") from error
        except OSError as error:
            raise TicketError(f"{path}: cannot read the {cls._name}: {error}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` gave.

        Raises:
            TicketError: as `load`.
        """
        try:
            return cls._read(io.BytesIO(data))
        except (Damaged, InvalidInput) as error:
            raise TicketError(f"not a valid {cls._name}: {error}") from error

    def _write(self, stream: BinaryIO) -> None:
        archive.write(stream, self._header(), self._arrays(), self._types)

    @classmethod
    def _read(cls, stream: BinaryIO) -> Self:
        return cls._from_parts(*archive.read(stream, cls._types))
