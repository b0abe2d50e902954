"""A zip of one canonical JSON and npy arrays, read as if an enemy had written it.

Names, sizes, types and shapes are checked before memory is taken, no pickle is read, every float
is finite. Equal contents are equal bytes.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, NoReturn

import numpy as np

JSON = "ticket.json"
# Reading takes no more memory than this for all members of a file together.
MAX_BYTES = 1 << 28
_MAX_JSON_BYTES = 1 << 14
_MAX_DIRECTORY_BYTES = 1 << 12
# Length of an axis of an array that has no entries, and so takes no bytes.
_MAX_EMPTY = 1 << 16
_CHUNK = 1 << 22
# A member's flag: its sizes stand behind it, as a stream that cannot be sought is written.
_SIZES_BEHIND = 0x08

_HEADER = re.compile(
    rb"\{'descr': '([<|][a-z][0-9])', 'fortran_order': False, "
    rb"'shape': \(([0-9]{1,12}), ?([0-9]{1,12})?\), \} *\n"
)


class Damaged(Exception):
    """What is wrong with the bytes of a file."""


def damaged(what: str) -> NoReturn:
    """Raise Damaged."""
    raise Damaged(what)


def write(
    stream: BinaryIO,
    header: Mapping[str, Any],
    arrays: Iterable[tuple[str, np.ndarray]],
    types: Mapping[str, tuple[str, int]],
) -> None:
    """Write the header and the named arrays, each as the type that `types` gives its name."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(_member(JSON), "w") as member:
            member.write(_canonical(header))
        for name, array in arrays:
            dtype = types[name][0]
            data = np.ascontiguousarray(array, dtype=dtype)
            flat = data.reshape(-1).view(np.uint8)
            with archive.open(_member(f"{name}.npy"), "w") as member:
                member.write(_npy_header(dtype, data.shape))
                for at in range(0, flat.size, _CHUNK):
                    member.write(flat[at : at + _CHUNK].tobytes())


def read(
    stream: BinaryIO, types: Mapping[str, tuple[str, int]]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and the arrays of a file. `types`: dtype and number of axes by name.

    Raises:
        Damaged: anything but a header and arrays of these names, types and numbers of axes.
    """
    _require_small_directory(stream)
    allowed = {JSON} | {f"{name}.npy" for name in types}
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            _require_nothing_between(stream, members, archive.start_dir)
            names = [info.filename for info in members]
            if len(set(names)) != len(names) or not {JSON} <= set(names) <= allowed:
                damaged("members missing, doubled or unknown")
            if sum(info.file_size for info in members) > MAX_BYTES:
                damaged(f"more than {MAX_BYTES} bytes when unpacked")
            header: dict[str, Any] = {}
            arrays = {}
            for info in members:
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    damaged(f"{info.filename} is packed by an unknown method")
                with archive.open(info) as member:
                    data = member.read(info.file_size)
                if info.filename == JSON:
                    header = _parse_header(data)
                else:
                    name = info.filename.removesuffix(".npy")
                    arrays[name] = _parse_array(name, data, *types[name])
            return header, arrays
    # zipfile answers damage with any of these.
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OverflowError,
    ) as error:
        raise Damaged(f"the archive is damaged: {error}") from error


def number(value: object) -> float:
    """A float as `float.hex` writes it."""
    try:
        read = float.fromhex(text(value))
    except (ValueError, OverflowError) as error:
        raise Damaged(f"{value!r} is not a number in hexadecimal") from error
    if read.hex() != value:
        damaged(f"{value!r} is not written as float.hex writes it")
    return read


def text(value: object) -> str:
    """A text, or Damaged."""
    if not isinstance(value, str):
        damaged(f"{value!r} is not a text")
    return value


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _canonical(header: object) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    # The array starts at a multiple of 64 bytes, as the format asks for.
    padded = text.ljust(-(-(len(text) + 11) // 64) * 64 - 11) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


def _require_small_directory(stream: BinaryIO) -> None:
    """zipfile lists every member before it returns, so its list must be known to be short."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 42))
    tail = stream.read(42)
    end = tail[-22:]
    if len(end) < 22 or end[:4] != b"PK\x05\x06" or end[20:] != b"\0\0":
        damaged("it does not end as a zip file without comment does")
    if tail[:4] == b"PK\x06\x07" or int.from_bytes(end[12:16], "little") > _MAX_DIRECTORY_BYTES:
        damaged("it lists too many members")
    stream.seek(0)


def _require_nothing_between(
    stream: BinaryIO, members: list[zipfile.ZipInfo], directory: int
) -> None:
    """zipfile skips what stands before, between and after the members it lists: a file of another
    kind could hide there."""
    at = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset != at or info.extra or info.comment:
            damaged("bytes that belong to no member")
        stream.seek(at)
        local = stream.read(30)
        name, extra = (int.from_bytes(local[k : k + 2], "little") for k in (26, 28))
        if extra:
            damaged("bytes that belong to no member")
        at += 30 + name + info.compress_size
        if info.flag_bits & _SIZES_BEHIND:
            stream.seek(at)
            at += 16 if stream.read(4) == b"PK\x07\x08" else 12
    if at != directory or _end_of(stream) != directory:
        damaged("bytes that belong to no member")


def _end_of(stream: BinaryIO) -> int:
    """Where the list of members has to start so that the end record follows it."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(size - 22)
    end = stream.read(22)
    return size - 22 - int.from_bytes(end[12:16], "little")


def _parse_header(data: bytes) -> dict[str, Any]:
    # The number of brackets bounds how deep the parser may recurse.
    if len(data) > _MAX_JSON_BYTES or data.count(b"{") + data.count(b"[") > 64:
        damaged(f"{JSON} is too large")
    try:
        header = json.loads(data)
        canonical = _canonical(header)
    except ValueError as error:
        raise Damaged(f"{JSON}: {error}") from error
    if not isinstance(header, dict) or canonical != data:
        damaged(f"{JSON} is not canonical")
    return header


def _parse_array(name: str, data: bytes, dtype: str, ndim: int) -> np.ndarray:
    start = 10 + int.from_bytes(data[8:10], "little")
    header = _HEADER.fullmatch(data[10:start])
    if data[:8] != b"\x93NUMPY\x01\x00" or header is None or header[1].decode() != dtype:
        damaged(f"{name} is not a plain array of type {dtype}")
    shape = tuple(int(size) for size in header.groups()[1:] if size is not None)
    count = 1
    for size in shape:
        count *= size
    if len(shape) != ndim or count * np.dtype(dtype).itemsize != len(data) - start:
        damaged(f"{name} has a shape that does not fit its size")
    if count == 0 and max(shape) > _MAX_EMPTY:
        damaged(f"{name} is empty but long")
    if dtype == "|b1" and data[start:].translate(None, b"\0\1"):
        damaged(f"{name} has entries that are neither true nor false")
    array = np.frombuffer(data, dtype=dtype, offset=start).reshape(shape)
    if not np.isfinite(array).all():
        damaged(f"{name} has an entry that is not finite")
    return array
