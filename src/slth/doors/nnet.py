"""The .nnet text format of ACAS Xu: dense layers with a ReLU between them, normalised both ways."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.folding import scaled_rows, shifted_rows
from slth.doors.normalise import behind_scaler, standardised
from slth.errors import InvalidInput
from slth.layers import Dense

_MOST_BYTES = 1 << 26


def read_nnet(path: Path) -> DeepNetwork:
    """The network of an .nnet file, reading inputs and giving outputs in their own units: inputs
    are normalised by (x - mean) / range, outputs by y range + mean, both folded into the layers.

    Decimals are the nearest float64 numbers. The minima and maxima of the inputs are no part of the
    function: state them as a slth.Box.

    Raises:
        InvalidInput: missing, damaged or of another layout.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unusable(path, f"larger than {_MOST_BYTES} bytes")
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise _unusable(path, "no such file") from error
    except InvalidInput:
        raise
    except (OSError, ValueError) as error:
        raise _unusable(path, f"unreadable ({error})") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("//")]
    try:
        return _network(_Lines(lines))
    except InvalidInput:
        raise
    except ValueError as error:
        raise _unusable(path, f"not the layout of .nnet ({error})") from error


class _Lines:
    """The lines in turn, as numbers."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = iter(lines)

    def numbers(self, count: int | None = None) -> np.ndarray:
        line = next(self._lines, None)
        if line is None:
            raise ValueError("it ends too early")
        if "_" in line:
            # Which Python takes for a separator of thousands.
            raise ValueError(f"a number in {line[:60]!r}")
        values = np.array([float(part) for part in line.strip().strip(",").split(",")])
        if count is not None and len(values) != count:
            raise ValueError(f"{len(values)} numbers in place of {count}")
        return values

    def end(self) -> None:
        if next(self._lines, None) is not None:
            raise ValueError("lines behind the last layer")


def _network(lines: _Lines) -> DeepNetwork:
    count, inputs, outputs = _whole(lines.numbers()[:3])
    sizes = _whole(lines.numbers(count + 1))
    if count < 1 or sizes[0] != inputs or sizes[-1] != outputs or min(sizes) < 1:
        raise ValueError(f"sizes {sizes} of {inputs} inputs and {outputs} outputs")
    lines.numbers()
    lines.numbers(inputs)
    lines.numbers(inputs)
    means, ranges = lines.numbers(inputs + 1), lines.numbers(inputs + 1)
    layers: list[Dense] = []
    for before, after in pairwise(sizes):
        weight = np.array([lines.numbers(before) for _ in range(after)])
        bias = np.array([lines.numbers(1)[0] for _ in range(after)])
        layers.append(Dense(weight, bias))
    lines.end()
    layers[0] = behind_scaler(layers[0], *standardised(means[:-1], ranges[:-1], ".nnet ranges"))
    gain, rise = np.full(sizes[-1], ranges[-1]), np.full(sizes[-1], means[-1])
    exact = np.zeros(sizes[-1])
    layers[-1] = shifted_rows(scaled_rows(layers[-1], gain, exact), rise, exact)  # type: ignore[assignment]
    return DeepNetwork(tuple(layers))


def _whole(values: np.ndarray) -> list[int]:
    if not (values == np.floor(values)).all() or not np.isfinite(values).all():
        raise ValueError(f"sizes {values.tolist()}")
    return [int(value) for value in values]


def _unusable(path: Path, problem: str) -> InvalidInput:
    return InvalidInput(
        ".nnet file not usable",
        got=f"{path}: {problem}",
        expected="comments //, sizes, minima, maxima, means, ranges, then each layer's weights and "
        "biases, separated by commas",
        fix="Convert the network to ONNX or .npz.",
    )
