"""Deep ReLU networks: dense and convolutional layers with biases, and residual blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from slth.errors import InvalidInput, require_array, require_count

FloatArray = NDArray[np.float64]
# float64 [rows, columns], a NumPy array or sparse.csr_array (whose stubs know no shape).
Matrix = Any
# Entries of the matrix of a convolution: 2^25 of them take 400 MiB.
_MAX_ENTRIES = 1 << 25


@dataclass(frozen=True, eq=False)
class Dense:
    """h -> weight h + bias. weight: float64 [out, in]; bias: float64 [out], None for zeros."""

    weight: FloatArray
    bias: FloatArray | None = None

    def __post_init__(self) -> None:
        _freeze(self, 2)


@dataclass(frozen=True, eq=False)
class Conv:
    """Cross-correlation with zero padding, the same stride and padding along both axes.

    weight: float64 [out, in, height, width]; bias: float64 [out], None for zeros.
    """

    weight: FloatArray
    bias: FloatArray | None = None
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        _freeze(self, 4)
        require_count("stride", self.stride, least=1)
        require_count("padding", self.padding, least=0)


Affine = Dense | Conv


@dataclass(frozen=True, eq=False)
class Residual:
    """h -> h + body(h): the body's layers have a ReLU between them and none after the last."""

    body: tuple[Affine, ...]

    def __post_init__(self) -> None:
        body = tuple(self.body)
        if not body or not all(isinstance(layer, Dense | Conv) for layer in body):
            raise InvalidInput(
                "residual block without affine layers",
                got=repr(body),
                expected="one or more Dense or Conv layers",
                fix="Pass Residual((Conv(...), Conv(...))).",
            )
        object.__setattr__(self, "body", body)


Item = Dense | Conv | Residual


@dataclass(frozen=True, eq=False)
class DeepNetwork:
    """Items one after the other, a ReLU after each but the last.

    Args:
        items: Dense, Conv and Residual items. A Dense item on an image reads it flattened,
            [channels, height, width] in C order.
        input_shape: (d,) or (channels, height, width); None: (d,) from a first Dense item.

    Raises:
        InvalidInput: no items, shapes that do not follow from one another, weights that are not
            finite or larger than 1e100, a convolution too large to bound.
    """

    items: tuple[Item, ...]
    input_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        items = tuple(self.items)
        if not items or not all(isinstance(item, Dense | Conv | Residual) for item in items):
            raise InvalidInput(
                "network without layers",
                got=repr([type(item).__name__ for item in items]),
                expected="Dense, Conv and Residual items",
                fix="Pass DeepNetwork((Dense(W1, b1), Dense(W2, b2))).",
            )
        shape = self.input_shape
        if shape is None and isinstance(items[0], Dense):
            shape = (items[0].weight.shape[1],)
        if shape is None or len(shape) not in (1, 3) or min(shape) < 1:
            raise InvalidInput(
                "input shape of the network",
                got=repr(shape),
                expected="(d,) or (channels, height, width)",
                fix="Pass input_shape for a network that begins with a convolution.",
            )
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "input_shape", tuple(int(size) for size in shape))
        for layer, before in self.affine():
            output_shape(layer, before)

    @property
    def shape(self) -> tuple[int, ...]:
        """The input shape."""
        return self.input_shape  # type: ignore[return-value]

    @property
    def weights(self) -> int:
        """Number of weights and biases."""
        return sum(layer.weight.size + bias_of(layer).size for layer, _ in self.affine())

    def affine(self) -> Iterator[tuple[Affine, tuple[int, ...]]]:
        """Every affine layer in order, bodies of residual blocks included, with its input shape."""
        shape = self.shape
        for item in self.items:
            if isinstance(item, Residual):
                before = shape
                for layer in item.body:
                    yield layer, shape
                    shape = output_shape(layer, shape)
                if _size(shape) != _size(before):
                    raise InvalidInput(
                        "residual block changes the shape",
                        got=f"{before} to {shape}",
                        expected="equal shapes before and after the body",
                        fix="Use padding and stride 1, and as many channels out as in.",
                    )
                shape = before
            else:
                yield item, shape
                shape = output_shape(item, shape)

    @cached_property
    def _operators(self) -> list[tuple[Matrix, FloatArray]]:
        return [
            (operator(layer, shape), spread_bias(layer, shape)) for layer, shape in self.affine()
        ]

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Evaluate in float64. x: float64 [..., *input_shape] -> float64 [..., outputs]."""
        points = np.asarray(x, dtype=np.float64)
        axes = len(self.shape)
        if points.shape[-axes:] != self.shape:
            raise InvalidInput(
                "x incompatible with the network",
                got=f"shape {points.shape}",
                expected=f"last axes {self.shape}",
                fix="Put the inputs on the last axes.",
            )
        values = points.reshape(-1, _size(self.shape)).T
        operators = iter(self._operators)
        for place, item in enumerate(self.items):
            if isinstance(item, Residual):
                inner = values
                for depth in range(len(item.body)):
                    matrix, bias = next(operators)
                    inner = matrix @ (np.maximum(inner, 0.0) if depth else inner) + bias[:, None]
                values = values + inner
            else:
                matrix, bias = next(operators)
                values = matrix @ values + bias[:, None]
            if place + 1 < len(self.items):
                values = np.maximum(values, 0.0)
        return np.ascontiguousarray(values.T).reshape(*points.shape[:-axes], -1)

    def digest(self) -> str:
        """SHA-256 (hex) of the structure and the little-endian bytes of weights and biases."""
        sha = hashlib.sha256(f"slth-deep-1 {self.shape}\n".encode())
        for item in self.items:
            body = item.body if isinstance(item, Residual) else (item,)
            sha.update(f"{type(item).__name__} {len(body)}\n".encode())
            for layer in body:
                geometry = (layer.stride, layer.padding) if isinstance(layer, Conv) else ()
                sha.update(f"{layer.weight.shape} {geometry}\n".encode())
                sha.update(layer.weight.astype("<f8").tobytes())
                sha.update(bias_of(layer).astype("<f8").tobytes())
        return sha.hexdigest()


def mlp(layers: Sequence[tuple[ArrayLike, ArrayLike | None]]) -> DeepNetwork:
    """The network of [(W1, b1), (W2, b2), ...]: Wl float64 [out, in], bl float64 [out] or None."""
    return DeepNetwork(tuple(Dense(w, b) for w, b in layers))  # type: ignore[arg-type]


def bias_of(layer: Affine) -> FloatArray:
    """The bias, float64 [out]; zeros where there is none."""
    return np.zeros(layer.weight.shape[0]) if layer.bias is None else layer.bias


def output_shape(layer: Affine, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape after a layer. Raises InvalidInput if it does not fit."""
    wanted = layer.weight.shape[1]
    if isinstance(layer, Dense):
        if _size(shape) != wanted:
            raise _misfit(f"Dense with weight {layer.weight.shape}", shape, f"{wanted} inputs")
        return (layer.weight.shape[0],)
    if len(shape) != 3 or shape[0] != wanted:
        expected = f"(channels, height, width) with {wanted} channels"
        raise _misfit(f"Conv with weight {layer.weight.shape}", shape, expected)
    sides = [
        (size + 2 * layer.padding - kernel) // layer.stride + 1
        for size, kernel in zip(shape[1:], layer.weight.shape[2:], strict=True)
    ]
    if min(sides) < 1:
        raise _misfit(f"Conv with weight {layer.weight.shape}", shape, "an image not smaller")
    entries = layer.weight.size * sides[0] * sides[1]
    if entries > _MAX_ENTRIES:
        raise _misfit(f"Conv of {entries} products", shape, f"at most {_MAX_ENTRIES} products")
    return (layer.weight.shape[0], *sides)


def operator(layer: Affine, shape: tuple[int, ...]) -> Matrix:
    """The matrix of the linear part: [outputs, inputs], both flattened in C order."""
    if isinstance(layer, Dense):
        return layer.weight
    return conv_matrix(layer.weight, shape, layer.stride, layer.padding)


def conv_matrix(weight: FloatArray, shape: tuple[int, ...], stride: int, padding: int) -> Matrix:
    """The matrix of a convolution. Every entry is one weight: nothing is added or rounded."""
    outs, ins, height, width = weight.shape
    taps = np.arange(height * width)
    rows_out, cols_out = (
        (size + 2 * padding - kernel) // stride + 1
        for size, kernel in zip(shape[1:], (height, width), strict=True)
    )
    y, x = (grid.ravel() for grid in np.indices((rows_out, cols_out)))
    row = stride * y[None, :] - padding + (taps // width)[:, None]
    col = stride * x[None, :] - padding + (taps % width)[:, None]
    tap, place = np.nonzero((row >= 0) & (row < shape[1]) & (col >= 0) & (col < shape[2]))
    source = row[tap, place] * shape[2] + col[tap, place]
    o, i = (grid.ravel()[:, None] for grid in np.indices((outs, ins)))
    area_out, area_in = rows_out * cols_out, shape[1] * shape[2]
    values = weight.reshape(outs * ins, -1)[:, tap]
    index = ((o * area_out + place).ravel(), (i * area_in + source).ravel())
    return sparse.csr_array((values.ravel(), index), shape=(outs * area_out, ins * area_in))


def spread_bias(layer: Affine, shape: tuple[int, ...]) -> FloatArray:
    """The bias of every output, float64 [outputs]: a channel's bias at all its places."""
    after = output_shape(layer, shape)
    return np.repeat(bias_of(layer), _size(after) // after[0])


def _freeze(layer: Affine, ndim: int) -> None:
    weight = require_array("weight", layer.weight, ndim=ndim)
    if 0 in weight.shape:
        raise InvalidInput(
            "layer without weights",
            got=f"weight of shape {weight.shape}",
            expected="at least one entry on every axis",
            fix="Leave the layer out.",
        )
    bias = None if layer.bias is None else require_array("bias", layer.bias, ndim=1)
    if bias is not None and bias.shape[0] != weight.shape[0]:
        raise InvalidInput(
            "bias incompatible with weight",
            got=f"bias of shape {bias.shape}, weight of shape {weight.shape}",
            expected="one bias for each output",
            fix="Weights are [out, in, ...]: transpose them if they are [in, out].",
        )
    for array in (weight, bias):
        if array is None:
            continue
        largest = float(np.abs(array).max())
        if largest != 0.0 and not 1e-100 <= largest <= 1e100:
            raise InvalidInput(
                "weights too large or too small",
                got=f"largest magnitude {largest}",
                expected="all zero, or from 1e-100 to 1e100",
                fix="Rescale the layers.",
            )
        array.flags.writeable = False
    object.__setattr__(layer, "weight", weight)
    object.__setattr__(layer, "bias", bias)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _misfit(what: str, shape: tuple[int, ...], expected: str) -> InvalidInput:
    return InvalidInput(
        "layer incompatible with what comes before",
        got=f"{what} after an output of shape {shape}",
        expected=expected,
        fix="Weights are [out, in, ...]; check the order of the layers.",
    )
