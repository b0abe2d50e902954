"""The .nnet text format of ACAS Xu: dense layers with a ReLU between them, normalised both ways."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.chain import reciprocal, scaled_rows
from slth.doors.normalise import behind_scaler
from slth.errors import InvalidInput
from slth.layers import Dense
from slth.rounding.outward import UNIT

_MOST_BYTES = 1 << 28


def read_nnet(path: Path) -> DeepNetwork:
    """The network of an .nnet file, reading inputs and giving outputs in their own units: inputs
    are normalised by (x - mean) / range, outputs by y range + mean, both folded into the layers.

    The minima and maxima of the inputs are no part of the function: state them as a slth.Box.

    Raises:
        InvalidInput: missing, damaged or of another layout.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unusable(path, f"larger than {_MOST_BYTES} bytes")
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise _unusable(path, "no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, f"unreadable ({error})") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("//")]
    try:
        return _network(_Lines(lines))
    except InvalidInput:
        raise
    except (ValueError, IndexError) as error:
        raise _unusable(path, f"not the layout of .nnet ({error})") from error


class _Lines:
    """The lines in turn, as numbers."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = iter(lines)

    def numbers(self, count: int | None = None) -> np.ndarray:
        line = next(self._lines, None)
        if line is None:
            raise ValueError("it ends too early")
        values = np.array([float(part) for part in line.strip().strip(",").split(",")])
        if count is not None and len(values) != count:
            raise ValueError(f"{len(values)} numbers in place of {count}")
        return values

    def end(self) -> None:
        if next(self._lines, None) is not None:
            raise ValueError("lines behind the last layer")


def _network(lines: _Lines) -> DeepNetwork:
    head = lines.numbers()
    count, inputs = int(head[0]), int(head[1])
    sizes = [int(size) for size in lines.numbers(count + 1)]
    if sizes[0] != inputs or min(sizes) < 1:
        raise ValueError(f"sizes {sizes}")
    lines.numbers()
    lines.numbers(inputs)
    lines.numbers(inputs)
    means, ranges = lines.numbers(inputs + 1), lines.numbers(inputs + 1)
    layers = []
    for before, after in pairwise(sizes):
        weight = np.array([lines.numbers(before) for _ in range(after)])
        bias = np.array([lines.numbers(1)[0] for _ in range(after)])
        layers.append(Dense(weight, bias))
    lines.end()
    factor, off = reciprocal(ranges[:-1], ".nnet ranges")
    shift = -means[:-1] * factor
    shift_off = 2.0 * UNIT * np.abs(shift) + np.abs(means[:-1]) * off * (1.0 + 4.0 * UNIT)
    layers[0] = behind_scaler(layers[0], factor, off, shift, shift_off)
    gain, rise = np.full(sizes[-1], ranges[-1]), means[-1]
    last = scaled_rows(layers[-1], gain, np.zeros(sizes[-1]))
    assert isinstance(last, Dense)
    assert last.bias is not None
    bias = last.bias + rise
    bias_off = UNIT * np.abs(bias)
    if last.bias_rounding is not None:
        bias_off = (bias_off + last.bias_rounding) * (1.0 + 4.0 * UNIT)
    layers[-1] = Dense(
        last.weight, bias, last.weight_rounding, bias_off if rise else last.bias_rounding
    )
    return DeepNetwork(tuple(layers))


def _unusable(path: Path, problem: str) -> InvalidInput:
    return InvalidInput(
        ".nnet file not usable",
        got=f"{path}: {problem}",
        expected="comments //, sizes, minima, maxima, means, ranges, then each layer's weights and "
        "biases, separated by commas",
        fix="Convert the network to ONNX or .npz.",
    )
