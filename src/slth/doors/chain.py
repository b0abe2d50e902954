"""Reading a graph: what has been done to the input so far, as a chain of items.

Both the ONNX and the torch door walk a graph of operations and build the same chains. A value that
two operations read has one chain; where they meet again in a sum, the longer one is a residual
block on the shorter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.errors import InvalidInput
from slth.layers import (
    AveragePool,
    Conv,
    Dense,
    FloatArray,
    Identity,
    Item,
    LeakyRelu,
    Relu,
    Residual,
    bias_of,
    output_shape,
    size_of,
)
from slth.rounding.outward import UNIT

# A diagonal matrix is written out up to this many inputs (128 MiB).
_MOST_DIAGONAL = 4096


@dataclass(frozen=True, eq=False)
class Chain:
    """A value of a graph.

    Attributes:
        before: the value that `item` was applied to; None at the input.
        item: the last item.
        shape: of the value, without the batch: (n,) or (channels, height, width), or others that
            operations in between make of it.
        last: a softmax or sigmoid that ended it.
    """

    before: Chain | None
    item: Item | None
    shape: tuple[int, ...]
    last: str | None = None

    def then(self, item: Item, where: str) -> Chain:
        """The value after one more item."""
        self._require_unfinished(where)
        shape = self.shape
        if isinstance(item, Dense | Conv | AveragePool):
            shape = output_shape(item, self._image(item, where))
        return Chain(self, item, shape)

    def _image(self, item: Item, where: str) -> tuple[int, ...]:
        if isinstance(item, Dense) or len(self.shape) == 3:
            return self.shape
        raise unlike(where, f"a value of shape {self.shape}", "an image [channels, height, width]")

    def reshaped(self, shape: tuple[int, ...], where: str) -> Chain:
        """The same numbers in the same order in another shape."""
        self._require_unfinished(where)
        if size_of(shape) != size_of(self.shape):
            raise unlike(where, f"{self.shape} to {shape}", "as many entries")
        return replace(self, shape=shape)

    def ended(self, last: str, where: str) -> Chain:
        """The value after a last softmax or sigmoid."""
        self._require_unfinished(where)
        return replace(self, last=last)

    def _require_unfinished(self, where: str) -> None:
        if self.last is not None:
            raise unlike(where, f"an operation after a {self.last}", f"the {self.last} at the end")

    def plus(self, other: Chain, where: str) -> Chain:
        """The sum of two values, one of which was made from the other."""
        for long, short in ((self, other), (other, self)):
            body = long._since(short)
            if body:
                if size_of(long.shape) != size_of(short.shape):
                    raise unlike(where, f"{long.shape} plus {short.shape}", "equal shapes")
                return Chain(short, Residual(_explicit(body)), long.shape)  # type: ignore[arg-type]
        raise unlike(where, "a sum of two branches that both compute", "a skip: h + body(h)")

    def _since(self, start: Chain) -> list[Item] | None:
        """The items from `start` to here; None if it is not on the way."""
        items: list[Item] = []
        here: Chain | None = self
        while here is not None:
            if here is start or (here.before is start.before and here.item is start.item):
                return items[::-1]
            if here.item is None:
                return None
            items.append(here.item)
            here = here.before
        return None

    def shifted(self, constant: FloatArray, where: str) -> Chain:
        """h + constant."""
        if not constant.any():
            self._require_unfinished(where)
            _spread(constant, self.shape, where)
            return self
        item = self.item
        if isinstance(item, Dense | Conv) and self.before is not None:
            spread = _per_output(item, constant, self.shape)
            if spread is not None:
                bias = bias_of(item)
                total = bias + spread
                off = _of(item.bias_rounding, bias) + _sum_error(bias, spread, total)
                return Chain(self.before, replace(item, bias=total, bias_rounding=off), self.shape)
        return self.then(self._diagonal(1.0, constant, where), where)

    def scaled(self, factor: Any, where: str, off: Any = 0.0) -> Chain:
        """h * factor, entry by entry; the factor is known up to `off`."""
        if np.all(np.asarray(factor) == 1.0) and not np.any(off):
            self._require_unfinished(where)
            _spread(factor, self.shape, where)
            return self
        item = self.item
        if isinstance(item, Dense | Conv) and self.before is not None:
            factors = _per_output(item, np.asarray(factor, np.float64), self.shape)
            offs = _per_output(item, np.asarray(off, np.float64), self.shape)
            if factors is not None and offs is not None:
                return Chain(self.before, scaled_rows(item, factors, offs), self.shape)
        diagonal = self._diagonal(factor, 0.0, where)
        return self.then(scaled_off(diagonal, off, self.shape, where), where)

    def _diagonal(self, factor: Any, constant: Any, where: str) -> Dense:
        count = size_of(self.shape)
        if count > _MOST_DIAGONAL:
            raise unlike(where, f"{count} inputs scaled one by one", f"at most {_MOST_DIAGONAL}")
        factors, constants = (_spread(value, self.shape, where) for value in (factor, constant))
        return Dense(np.diag(factors), constants)

    def network(self, input_shape: tuple[int, ...]) -> DeepNetwork:
        """The network that ends here."""
        items: list[Item] = []
        here: Chain | None = self
        while here is not None and here.item is not None:
            items.append(here.item)
            here = here.before
        items.reverse()
        if not any(isinstance(item, Conv | AveragePool) for item in _flat(items)):
            input_shape = (size_of(input_shape),)
        last: Any = self.last
        return DeepNetwork(_explicit(items), last, input_shape)


def unlike(where: str, got: str, expected: str) -> InvalidInput:
    """The error for an operation that has no counterpart. where: which."""
    return InvalidInput(
        f"{where} has no counterpart",
        got=got,
        expected=expected,
        fix="slth reads affine layers, average pools, (leaky) ReLUs, residual sums and a last "
        "softmax or sigmoid; leave the rest out or rewrite it.",
    )


def scaled_rows(item: Dense | Conv, factors: FloatArray, off: FloatArray) -> Dense | Conv:
    """The layer with output k multiplied by factors[k], known up to off[k]."""
    shape = (-1,) + (1,) * (item.weight.ndim - 1)
    weight = item.weight * factors.reshape(shape)
    bias = bias_of(item) * factors
    exact = bool(_is_power_of_two(factors).all()) and not off.any()
    size = np.abs(factors) + off

    def error(product: FloatArray, old: FloatArray, old_off: Any, rows: Any) -> FloatArray:
        rounding = 0.0 if exact else 2.0 * UNIT * np.abs(product)
        moved = np.abs(old) * np.reshape(off, rows) + _of(old_off, old) * np.reshape(size, rows)
        return (rounding + moved) * (1.0 + 8.0 * UNIT)

    return replace(
        item,
        weight=weight,
        bias=bias,
        weight_rounding=error(weight, item.weight, item.weight_rounding, shape),
        bias_rounding=error(bias, bias_of(item), item.bias_rounding, (-1,)),
    )


def scaled_off(layer: Dense, off: Any, shape: tuple[int, ...], where: str) -> Dense:
    """A diagonal layer whose entries are known up to `off`."""
    if not np.any(off):
        return layer
    return replace(layer, weight_rounding=np.diag(_spread(off, shape, where)))


def reciprocal(values: FloatArray, where: str) -> tuple[FloatArray, FloatArray]:
    """1 / values, and how far that may be from it."""
    if not np.all(values):
        raise unlike(where, "a division by 0", "constants other than 0")
    inverse = 1.0 / values
    return inverse, np.where(_is_power_of_two(values), 0.0, UNIT * np.abs(inverse))


def _explicit(items: list[Any]) -> tuple[Any, ...]:
    """The items as they stand: a list without activations says so."""
    if len(items) > 1 and not any(isinstance(item, Relu | LeakyRelu | Identity) for item in items):
        return (items[0], Identity(), *items[1:])
    return tuple(items)


def _flat(items: list[Item]) -> list[Any]:
    return [part for item in items for part in getattr(item, "body", (item,))]


def _per_output(
    item: Dense | Conv, values: FloatArray, shape: tuple[int, ...]
) -> FloatArray | None:
    """Numbers that broadcast to the value's shape as one for each output; None if they differ
    within a channel, or broadcast to another shape."""
    outs = item.weight.shape[0]
    while values.ndim > len(shape) and values.shape[0] == 1:
        values = values[0]
    try:
        spread = np.broadcast_to(values, shape)
    except ValueError:
        return None
    rows = spread.reshape(outs, -1)
    return rows[:, 0].copy() if (rows == rows[:, :1]).all() else None


def _spread(values: Any, shape: tuple[int, ...], where: str) -> FloatArray:
    array = np.asarray(values, np.float64)
    while array.ndim > len(shape) and array.shape[0] == 1:
        array = array[0]
    try:
        return np.broadcast_to(array, shape).reshape(-1).copy()
    except ValueError:
        raise unlike(
            where, f"constants of shape {array.shape} with a value of shape {shape}", "one shape"
        ) from None


def _sum_error(one: FloatArray, other: FloatArray, total: FloatArray) -> FloatArray:
    """The exact error of a float sum (two_sum)."""
    back = total - one
    return np.abs((one - (total - back)) + (other - back))


def _is_power_of_two(values: Any) -> np.ndarray:
    return np.abs(np.frexp(values)[0]) == 0.5


def _of(off: FloatArray | None, like: FloatArray) -> FloatArray:
    return np.zeros_like(like) if off is None else off
