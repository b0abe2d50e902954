"""The items of deep networks: affine layers, pools, activations, residual blocks.

An affine item is a matrix and a bias. Where a real weight is no float64 (a folded BatchNorm, 1/9 of
a pool) the item also holds how far each stored weight may be from it, and every certificate adds
what that can do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slth.errors import InvalidInput, require_array, require_count, require_number
from slth.frozen import Rebuilt, freeze
from slth.rounding.outward import UNIT
from slth.windows import Sides, Window, conv_matrix, pool_matrix

FloatArray = NDArray[np.float64]
# float64 [rows, columns], a NumPy array or sparse.csr_array (whose stubs know no shape).
Matrix = Any
# Entries of the matrix of a convolution: 2^25 of them take 400 MiB.
_MAX_ENTRIES = 1 << 25

Pair = int | tuple[int, int]


@dataclass(frozen=True, eq=False)
class Dense(Rebuilt):
    """h -> weight h + bias.

    Args:
        weight: float64 [out, in].
        bias: float64 [out]; None for zeros.
        weight_rounding, bias_rounding: float64, shaped as they are: at most how far each number is
            from the real one it stands for; None: they are the real ones.
    """

    weight: FloatArray
    bias: FloatArray | None = None
    weight_rounding: FloatArray | None = None
    bias_rounding: FloatArray | None = None

    def __post_init__(self) -> None:
        _freeze_affine(self, 2)


@dataclass(frozen=True, eq=False)
class Conv(Rebuilt):
    """Cross-correlation with zero padding.

    Args:
        weight: float64 [out, in, height, width].
        bias: float64 [out]; None for zeros.
        stride: rows and columns; one number for both.
        padding: one number, (rows, columns), or (top, left, bottom, right).
        weight_rounding, bias_rounding: as for `Dense`.
    """

    weight: FloatArray
    bias: FloatArray | None = None
    stride: Pair = 1
    padding: Pair | Sides = 0
    weight_rounding: FloatArray | None = None
    bias_rounding: FloatArray | None = None

    def __post_init__(self) -> None:
        _freeze_affine(self, 4)
        freeze(self, stride=_pair("stride", self.stride, 1), padding=_sides(self.padding))

    @property
    def window(self) -> Window:
        """Where the kernel is laid."""
        return Window(self.weight.shape[2:], _both(self.stride), _around(self.padding))


@dataclass(frozen=True)
class AveragePool(Rebuilt):
    """The mean over windows of each channel.

    Args:
        kernel: rows and columns of a window; one number for both; None: the whole image.
        stride: as for `Conv`; None: windows side by side.
        padding: as for `Conv`.
        count_padding: whether the zeros of the padding count in the mean.
    """

    kernel: Pair | None = None
    stride: Pair | None = None
    padding: Pair | Sides = 0
    count_padding: bool = True

    def __post_init__(self) -> None:
        kernel = None if self.kernel is None else _pair("kernel", self.kernel, 1)
        stride = None if self.stride is None else _pair("stride", self.stride, 1)
        freeze(self, kernel=kernel, stride=stride, padding=_sides(self.padding))

    def window(self, shape: tuple[int, ...]) -> Window:
        """Where the windows lie on an image [channels, height, width]."""
        kernel = (shape[1], shape[2]) if self.kernel is None else _both(self.kernel)
        stride = kernel if self.stride is None else _both(self.stride)
        return Window(kernel, stride, _around(self.padding))


@dataclass(frozen=True)
class Relu(Rebuilt):
    """h -> max(h, 0), entry by entry."""

    slope = 0.0


@dataclass(frozen=True)
class LeakyRelu(Rebuilt):
    """h -> max(h, slope h), entry by entry; 0 < slope < 1."""

    slope: float = 0.01

    def __post_init__(self) -> None:
        slope = require_number("slope", self.slope)
        if not 0.0 < slope < 1.0:
            raise InvalidInput(
                "slope of a leaky ReLU",
                got=repr(slope),
                expected="a number between 0 and 1, neither included",
                fix="Relu() is the one of slope 0, Identity() of slope 1.",
            )
        freeze(self, slope=slope)


@dataclass(frozen=True)
class Identity(Rebuilt):
    """h -> h. In a list without activations it says that no ReLU stands there."""

    slope = 1.0


Affine = Dense | Conv
Activation = Relu | LeakyRelu | Identity
Inner = Dense | Conv | AveragePool | Relu | LeakyRelu | Identity


@dataclass(frozen=True, eq=False)
class Residual(Rebuilt):
    """h -> h + body(h). A body of affine layers alone has a ReLU between them, none after the
    last; with activations in it, it is what it says."""

    body: tuple[Inner, ...]

    def __post_init__(self) -> None:
        body = tuple(self.body)
        if not body or not all(isinstance(layer, Inner) for layer in body):
            raise InvalidInput(
                "residual block without affine layers",
                got=repr(body),
                expected="one or more Dense, Conv, AveragePool or activation items",
                fix="Pass Residual((Conv(...), Conv(...))).",
            )
        freeze(self, body=normal_form(body))


Item = Dense | Conv | AveragePool | Residual | Relu | LeakyRelu | Identity


def normal_form(items: Sequence[Any]) -> tuple[Any, ...]:
    """The items without their ReLUs where one stands between any two others and nowhere else:
    then the bare list says the same."""
    bare = items[::2]
    between = items[1::2]
    if (
        len(items) % 2 == 1
        and len(items) > 1
        and all(isinstance(item, Relu) for item in between)
        and not any(isinstance(item, Activation) for item in bare)
    ):
        return tuple(bare)
    return tuple(items)


def spelled_out(items: Sequence[Any]) -> Iterator[Any]:
    """The items with every activation between them: a ReLU where a bare list leaves it out."""
    bare = not any(isinstance(item, Activation) for item in items)
    for place, item in enumerate(items):
        if bare and place:
            yield Relu()
        if not isinstance(item, Identity):
            yield item


def output_shape(layer: Affine | AveragePool, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape after a layer. Raises InvalidInput if it does not fit."""
    if isinstance(layer, Dense):
        wanted = layer.weight.shape[1]
        if size_of(shape) != wanted:
            raise _misfit(f"Dense with weight {layer.weight.shape}", shape, f"{wanted} inputs")
        return (layer.weight.shape[0],)
    if isinstance(layer, AveragePool):
        name, channels, outs, read = "AveragePool", shape[0], shape[0], 1
    else:
        name = f"Conv with weight {layer.weight.shape}"
        outs, channels = layer.weight.shape[:2]
        read = channels
    if len(shape) != 3 or shape[0] != channels:
        expected = f"(channels, height, width) with {channels} channels"
        raise _misfit(name, shape, expected if isinstance(layer, Conv) else "an image")
    window = layer.window(shape) if isinstance(layer, AveragePool) else layer.window
    sides = window.steps(shape[1:])
    if min(sides) < 1:
        raise _misfit(name, shape, "an image not smaller")
    top, left, bottom, right = window.padding
    padded = channels * (shape[1] + top + bottom) * (shape[2] + left + right)
    if padded > _MAX_ENTRIES:
        raise _misfit(f"{name} of {padded} padded inputs", shape, f"at most {_MAX_ENTRIES} inputs")
    met = math.prod(int(counts.sum()) for counts in window.meetings(shape[1:]))
    entries = max(outs * sides[0] * sides[1], met * outs * read)
    if entries > _MAX_ENTRIES:
        raise _misfit(f"{name} of {entries} products", shape, f"at most {_MAX_ENTRIES} products")
    return (outs, *sides)


def bias_of(layer: Affine) -> FloatArray:
    """The bias, float64 [out]; zeros where there is none."""
    return np.zeros(layer.weight.shape[0]) if layer.bias is None else layer.bias


@dataclass(frozen=True, eq=False)
class AffineMap:
    """z = matrix h + bias on flattened vectors, up to rounding.

    Attributes:
        matrix: float64 [outputs, inputs].
        bias: float64 [outputs].
        matrix_rounding, bias_rounding: at most how far each entry is from the real one, float64 of
            the same shapes; None: not at all.
    """

    matrix: Matrix
    bias: FloatArray
    matrix_rounding: Matrix | None = None
    bias_rounding: FloatArray | None = None


def affine_map(layer: Affine | AveragePool, shape: tuple[int, ...]) -> AffineMap:
    """The layer on an input of that shape, both flattened in C order."""
    if isinstance(layer, AveragePool):
        return _pool_map(layer, shape)
    if isinstance(layer, Dense):
        spread, matrix, rounding = 1, layer.weight, layer.weight_rounding
    else:
        spread = size_of(layer.window.steps(shape[1:]))
        matrix = conv_matrix(layer.weight, shape, layer.window)
        rounding = layer.weight_rounding
        if rounding is not None:
            rounding = conv_matrix(rounding, shape, layer.window)
    off = layer.bias_rounding
    return AffineMap(
        matrix,
        np.repeat(bias_of(layer), spread),
        rounding,
        None if off is None else np.repeat(off, spread),
    )


def _pool_map(layer: AveragePool, shape: tuple[int, ...]) -> AffineMap:
    """Each entry is 1 / (how many are averaged), off by half a unit in the last place unless that
    is a power of two."""
    window = layer.window(shape)
    pattern, area = window.pattern(shape[1:]), size_of(shape[1:])
    counts = np.full(len(pattern.counts), math.prod(window.kernel))
    if not layer.count_padding:
        counts = np.maximum(pattern.counts, 1)
    shares = 1.0 / counts
    off = np.where(np.frexp(shares)[0] == 0.5, 0.0, UNIT * shares)
    matrix = pool_matrix(shares, pattern, shape[0], area)
    rounding = pool_matrix(off, pattern, shape[0], area) if off.any() else None
    return AffineMap(matrix, np.zeros(matrix.shape[0]), rounding)


def fingerprint(sha: Any, layer: Inner) -> None:
    """Feed a hash with all that makes the layer what it is."""
    if not isinstance(layer, Dense | Conv):
        sha.update(f"{layer!r}\n".encode())
        return
    geometry = (layer.stride, layer.padding) if isinstance(layer, Conv) else ()
    sha.update(f"{layer.weight.shape} {geometry}\n".encode())
    sha.update(layer.weight.astype("<f8").tobytes())
    sha.update(bias_of(layer).astype("<f8").tobytes())
    for name in ("weight_rounding", "bias_rounding"):
        off = getattr(layer, name)
        if off is not None:
            sha.update(f"{name}\n".encode() + off.astype("<f8").tobytes())


def size_of(shape: tuple[int, ...]) -> int:
    """Entries of an array of that shape."""
    return int(np.prod(shape, dtype=np.int64))


def _freeze_affine(layer: Affine, ndim: int) -> None:
    weight = require_array("weight", layer.weight, ndim=ndim)
    if 0 in weight.shape and ndim != 2:
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
    off = _rounding("weight_rounding", layer.weight_rounding, weight.shape)
    bias_off = _rounding("bias_rounding", layer.bias_rounding, weight.shape[:1])
    freeze(layer, weight=weight, bias=bias, weight_rounding=off, bias_rounding=bias_off)


def _rounding(name: str, value: Any, shape: tuple[int, ...]) -> FloatArray | None:
    if value is None:
        return None
    array = require_array(name, value, ndim=len(shape))
    if array.shape != shape or (array < 0.0).any():
        raise InvalidInput(
            f"{name} is no bound of rounding",
            got=f"shape {array.shape}, least entry {array.min(initial=0.0)}",
            expected=f"numbers >= 0 of shape {shape}",
            fix="Pass None for weights that are exact.",
        )
    return array if array.any() else None


def _pair(name: str, value: Any, least: int) -> Pair:
    if isinstance(value, tuple | list) and len(value) == 2:
        rows, columns = (require_count(name, part, least=least) for part in value)
        return rows if rows == columns else (rows, columns)
    return require_count(name, value, least=least)


def _sides(value: Any) -> Pair | Sides:
    if isinstance(value, tuple | list) and len(value) == 4:
        top, left, bottom, right = (require_count("padding", part, least=0) for part in value)
        if (top, left) != (bottom, right):
            return top, left, bottom, right
        value = (top, left)
    return _pair("padding", value, 0)


def _both(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _around(padding: Pair | Sides) -> Sides:
    if isinstance(padding, tuple) and len(padding) == 4:
        return padding
    rows, columns = _both(padding)
    return rows, columns, rows, columns


def _misfit(what: str, shape: tuple[int, ...], expected: str) -> InvalidInput:
    return InvalidInput(
        "layer incompatible with what comes before",
        got=f"{what} after an output of shape {shape}",
        expected=expected,
        fix="Weights are [out, in, ...]; check the order of the layers.",
    )
