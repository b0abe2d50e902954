"""safetensors: slth's own files, which describe their network, and states of stated layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.arrays import arrays_of, network_of, numbers_in, unique
from slth.errors import InvalidInput, MissingExtra

# Under this name the file's metadata describe the network.
_KEY = "slth"
_PLAIN = "dense layers with a ReLU between them"
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
_MOST_BYTES = 1 << 31


def read_safetensors(path: Path) -> DeepNetwork:
    """The network of a file that slth wrote.

    Raises:
        MissingExtra: safetensors is not installed.
        InvalidInput: missing, damaged, or without slth's description.
    """
    tensors, described = safetensors_of(path)
    if described is None:
        raise unusable(path, "tensors without a description of their network")

    def refuse(problem: str) -> InvalidInput:
        return unusable(path, problem)

    return network_of(tensors, None if described == _PLAIN else described, refuse)


def safetensors_of(path: Path) -> tuple[dict[str, np.ndarray], str | None]:
    """The tensors as float64 or int64, by the numbers in their names, and slth's description."""
    library = safetensors_for("Reading a safetensors file")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise unusable(path, f"larger than {_MOST_BYTES} bytes")
        with library.safe_open(str(path), framework="numpy") as file:
            described = (file.metadata() or {}).get(_KEY)
        data = path.read_bytes()
        parts = library.deserialize(data)
        # The library takes one of two tensors, or of two descriptions, of a name.
        json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")], object_pairs_hook=unique)
    except FileNotFoundError as error:
        raise unusable(path, "no such file") from error
    except InvalidInput:
        raise
    except Exception as error:
        # The library's parser raises classes of its own.
        raise unusable(path, f"unreadable ({str(error)[:200]})") from error
    # The library hands tensors over in no fixed order.
    ordered = sorted(parts, key=lambda part: (numbers_in(part[0]), part[0]))
    return {name: _array(path, name, part) for name, part in ordered}, described


def _array(path: Path, name: str, part: Any) -> np.ndarray:
    kind, shape, data = part["dtype"], part["shape"], part["data"]
    if kind == "BF16":
        # The upper half of a float32.
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).astype(np.float64).reshape(shape)
    if kind == "I64":
        # Counters of a state_dict; as weights they are numbers like others.
        return np.frombuffer(data, "<i8").reshape(shape)
    if kind not in _TYPES:
        raise unusable(path, f"a tensor {name!r} of type {kind}")
    return np.frombuffer(data, _TYPES[kind]).astype(np.float64).reshape(shape)


def safetensors_bytes(network: DeepNetwork) -> bytes:
    """The bytes of a file of the network, in float64."""
    safetensors_for("Writing a safetensors file")
    from safetensors.numpy import save  # pyright: ignore[reportMissingImports]

    arrays, described = arrays_of(network)
    return save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        metadata={_KEY: _PLAIN if described is None else described},
    )


def unusable(path: Path, problem: str) -> InvalidInput:
    """The error for a file that is no network."""
    return InvalidInput(
        "safetensors file not usable",
        got=f"{path}: {problem}",
        expected="a file of slth.write_network, or a state_dict whose architecture is stated",
        fix="State it: slth.read_network(path, like=module) or layers='4,8,relu,3'.",
    )


def safetensors_for(purpose: str) -> Any:
    """The library.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import safetensors
    except ImportError as error:
        raise MissingExtra("safetensors", "safetensors", purpose) from error
    return safetensors
