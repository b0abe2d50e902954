"""NumPy's .npz archives: "0.weight", "0.bias", "1.weight", ..., "last"; or the older "hidden",
"output", "readout". Nothing is unpickled, and every array is used or refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.arrays import arrays_of, network_of
from slth.errors import InvalidInput
from slth.layers import Dense
from slth.network import ReLUNetwork

_EXPECTED = (
    'arrays "0.weight" [out, in], "0.bias" [out], "1.weight", ... and perhaps "last", or "hidden" '
    '[width, d], "output" [width] and perhaps "readout", "bias" [width], "output_bias"'
)
_OLDER = {"hidden", "output", "readout", "bias", "output_bias"}
# Bytes that all arrays of a file may take.
_MOST_BYTES = 1 << 31


def read_npz(path: Path) -> ReLUNetwork | DeepNetwork:
    """The network of an .npz file.

    Raises:
        InvalidInput: missing, damaged, without such arrays, or with any other.
    """
    named = _named(path)
    if "hidden" in named:
        return _older(named, path)

    def refuse(problem: str) -> InvalidInput:
        return unusable(path, problem)

    description = named.pop("items", None)
    last = named.pop("last", None)
    if description is not None and last is not None:
        raise refuse("'last' beside 'items', which states it")
    whole = None if description is None else _word(description, path)
    network = network_of(named, whole, refuse)
    return network if last is None else replace(network, last=_word(last, path))


def _named(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _MOST_BYTES:
                raise unusable(path, f"arrays of more than {_MOST_BYTES} bytes")
            named = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in named or name == member.filename:
                    raise unusable(path, f"a member {member.filename!r}")
                named[name] = _array(archive.read(member))
            return named
    except FileNotFoundError as error:
        raise unusable(path, "no such file") from error
    except InvalidInput:
        raise
    except Exception as error:
        # zipfile and numpy raise whatever a damaged archive leads them to.
        raise unusable(path, f"unreadable ({type(error).__name__}: {error})") from error


def _array(data: bytes) -> np.ndarray:
    """One .npy member; its header may not promise more than there is."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, _, dtype = read[version](stream)
    count = 1
    for size in shape:
        count *= size
    if dtype.hasobject or count * dtype.itemsize != len(data) - stream.tell():
        raise ValueError("an array of objects, or not of the length that it states")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def npz_bytes(network: ReLUNetwork | DeepNetwork) -> bytes:
    """The bytes of an .npz file of the network."""
    arrays, description = arrays_of(DeepNetwork.of(network))
    extra = {} if description is None else {"items": np.array(description)}
    stream = io.BytesIO()
    np.savez(stream, **arrays, **extra)  # type: ignore[arg-type]
    with zipfile.ZipFile(stream, "a") as archive:
        # Whose file it is, so that it may be replaced without asking.
        archive.comment = b"slth"
    return stream.getvalue()


def unusable(path: Path, problem: str) -> InvalidInput:
    """The error for a file that is no network."""
    return InvalidInput(
        "network file not usable",
        got=f"{path}: {problem}",
        expected=_EXPECTED,
        fix="Write it with slth.write_network(net, path).",
    )


def _older(named: Mapping[str, np.ndarray], path: Path) -> ReLUNetwork | DeepNetwork:
    strange = sorted(set(named) - _OLDER)
    if strange:
        raise unusable(path, f"an array {strange[0]!r}, which no layer uses")
    if "output" not in named:
        raise unusable(path, "no array 'output'")
    readout = _word(named["readout"], path) if "readout" in named else "linear"
    net = ReLUNetwork(named["hidden"], named["output"], readout)  # type: ignore[arg-type]
    if not named.keys() & {"bias", "output_bias"}:
        return net
    bias = named.get("bias")
    constant = named.get("output_bias")
    layers = (
        Dense(net.hidden, bias),
        Dense(net.output[None, :], None if constant is None else np.reshape(constant, -1)),
    )
    return DeepNetwork(layers, "relu" if readout == "relu" else None)


def _word(value: np.ndarray, path: Path) -> Any:
    if value.ndim != 0 or value.dtype.kind != "U":
        raise unusable(path, f"a word of shape {value.shape} and type {value.dtype}")
    return str(value)
