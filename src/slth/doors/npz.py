"""NumPy's .npz archives: "0.weight", "0.bias", "1.weight", ..., "last"; or the older "hidden",
"output", "readout". Nothing is unpickled, and every array is used or refused."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.errors import InvalidInput
from slth.layers import Dense
from slth.network import ReLUNetwork

_EXPECTED = (
    'arrays "0.weight" [out, in], "0.bias" [out], "1.weight", ... and perhaps "last", or "hidden" '
    '[width, d], "output" [width] and perhaps "readout", "bias" [width], "output_bias"'
)
_OLDER = {"hidden", "output", "readout", "bias", "output_bias"}


def read_npz(path: Path) -> ReLUNetwork | DeepNetwork:
    """The network of an .npz file.

    Raises:
        InvalidInput: missing, damaged, without such arrays, or with any other.
    """
    try:
        # An open file of our own: NumPy leaks the one it opens for a damaged archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            named = {name: np.asarray(arrays[name]) for name in arrays.files}
    except FileNotFoundError as error:
        raise unusable(path, "no such file") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise unusable(path, f"unreadable ({error})") from error
    if "hidden" in named:
        return _older(named, path)
    last = named.pop("last", None)
    return DeepNetwork(_layers(named, path), None if last is None else _word(last, path))


def unusable(path: Path, problem: str) -> InvalidInput:
    """The error for a file that is no network."""
    return InvalidInput(
        "network file not usable",
        got=f"{path}: {problem}",
        expected=_EXPECTED,
        fix="Write it with slth.write_network(net, path).",
    )


def _layers(named: Mapping[str, np.ndarray], path: Path) -> tuple[Dense, ...]:
    """Dense layers from arrays "<n>.weight" and "<n>.bias", in the order of n."""
    numbers: dict[int, dict[str, np.ndarray]] = {}
    for name, value in named.items():
        found = re.fullmatch(r"(0|[1-9]\d{0,5})\.(weight|bias)", name)
        if found is None:
            raise unusable(path, f"an array {name!r}, which no layer uses")
        numbers.setdefault(int(found[1]), {})[found[2]] = value
    for number, pair in numbers.items():
        if "weight" not in pair:
            raise unusable(path, f"no array '{number}.weight'")
    if not numbers:
        raise unusable(path, "no layers")
    return tuple(Dense(pair["weight"], pair.get("bias")) for _, pair in sorted(numbers.items()))


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
