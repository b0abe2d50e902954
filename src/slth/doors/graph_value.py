"""Reading a graph: what has been done to the input so far, as a chain of items.

Both the ONNX and the torch door walk a graph of operations and build the same chains. A value that
two operations read has one chain; where they meet again in a sum, the longer one is a residual
block on the shorter. Shapes are those of the graph for a batch of one, the batch included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.folding import reciprocal_off, scaled_rows, shifted_rows
from slth.errors import InvalidInput
from slth.layers import (
    Activation,
    AveragePool,
    Conv,
    Dense,
    FloatArray,
    Identity,
    Item,
    LeakyRelu,
    Relu,
    Residual,
    output_shape,
    size_of,
)
from slth.windows import Sides

# A diagonal matrix is written out up to this many inputs (128 MiB).
_MOST_DIAGONAL = 4096
# Products of one window with an image and its padding: onnx's evaluator, which the result is held
# against, takes 24 bytes for each.
_MOST_PRODUCTS = 1 << 25
# Numbers in one input: a color image of 1,000 x 1,000 pixels.
_MOST_INPUTS = 3_000_000
# Entries of a value that constants are added to (64 MiB an array).
_MOST_ENTRIES = 1 << 23


@dataclass(frozen=True, eq=False)
class GraphValue:
    """A value of a graph.

    Attributes:
        before: the value that `item` was applied to; None at the input.
        item: the last item.
        shape: of the value in the graph, with its batch of one: (1, n), (1, channels, height,
            width), or others that operations in between make of it.
        place: its shape in the network: (n,) or (channels, height, width). Reshaping a value leaves
            it, so a convolution behind a reshape is seen to read another image.
        last: a softmax or sigmoid that ended it.
        pad: the zeros (top, left, bottom, right) around `before` that the value is, if it is that;
            a window laid over it takes them for its own padding.
    """

    before: GraphValue | None
    item: Item | None
    shape: tuple[int, ...]
    place: tuple[int, ...]
    last: str | None = None
    pad: Sides | None = None

    @classmethod
    def start(cls, shape: tuple[int, ...]) -> GraphValue:
        """The input of a graph."""
        if not 1 <= math.prod(shape) <= _MOST_INPUTS or min(shape, default=1) < 1:
            raise InvalidInput(
                "input of a network",
                got=f"shape {list(shape)}",
                expected=f"1 to {_MOST_INPUTS} numbers",
                fix="State the shape of one input; a smaller image can be read.",
            )
        image = len(shape) == 4 and shape[0] == 1
        return cls(None, None, shape, shape[1:] if image else (size_of(shape),))

    def dense(
        self,
        weight: FloatArray,
        shape: tuple[int, ...],
        where: str,
        bias: FloatArray | None = None,
    ) -> GraphValue:
        """weight h + bias, in the given shape."""
        if weight.ndim != 2 or weight.shape[1] != size_of(self.shape):
            raise unlike(
                where,
                f"weights of shape {weight.shape} for a value of shape {self.shape}",
                f"[outputs, {size_of(self.shape)}]",
            )
        return self._then(Dense(weight, bias), shape, where)

    def padded(self, pad: Sides, where: str) -> GraphValue:
        """The image with rows and columns of zeros around it."""
        if min(pad) < 0:
            raise unlike(where, f"padding {list(pad)}, which cuts off", "rows of zeros added")
        if not any(pad):
            return self
        same = np.eye(self.place[0])[:, :, None, None]
        return replace(self.image(Conv(same, padding=pad), where), pad=pad)

    def image(self, item: Conv | AveragePool, where: str) -> GraphValue:
        """A convolution or pool of an image."""
        if self.pad is not None and self.before is not None:
            own = item.window(self.place) if isinstance(item, AveragePool) else item.window
            pads = zip(self.pad, own.padding, strict=True)
            around: Any = tuple(one + other for one, other in pads)
            if isinstance(item, Conv):
                return self.before.image(replace(item, padding=around), where)
            if any(own.padding) and not item.count_padding:
                raise unlike(where, "padding that counts beside padding that does not", "one")
            pool = AveragePool(own.kernel, own.stride, around)  # type: ignore[arg-type]
            return self.before.image(pool, where)
        if self.shape != (1, *self.place) or len(self.place) != 3:
            raise unlike(
                where,
                f"a value of shape {self.shape}, in the network {self.place}",
                "an image [1, channels, height, width] that is not a reshaped one",
            )
        shape = output_shape(item, self.place)
        if _products(item, self.place) > _MOST_PRODUCTS:
            raise unlike(
                where,
                f"a window laid over {_products(item, self.place)} numbers, padding included",
                f"at most {_MOST_PRODUCTS}",
            )
        if isinstance(item, AveragePool) and not item.count_padding:
            met = item.window(self.place).meetings(self.place[1:])
            if min(int(count.min()) for count in met) < 1:
                raise unlike(where, "a mean over padding alone, which is 0/0", "smaller padding")
        return self._then(item, (1, *shape), where)

    def activated(self, slope: float, where: str) -> GraphValue:
        """max(h, slope h)."""
        if slope == 1.0:
            return self
        if not 0.0 <= slope < 1.0:
            raise unlike(where, f"the slope {slope:g}", "a slope from 0 to 1")
        return self._then(LeakyRelu(slope) if slope else Relu(), self.shape, where)

    def _then(self, item: Item, shape: tuple[int, ...], where: str) -> GraphValue:
        self._require_unfinished(where)
        place = self.place
        if isinstance(item, Dense | Conv | AveragePool):
            place = output_shape(item, place)
        return GraphValue(self, item, shape, place)

    def reshaped(self, shape: tuple[int, ...], where: str) -> GraphValue:
        """The same numbers in the same order in another shape."""
        # Python's integers, as a hostile shape wraps those of 64 bits round.
        if math.prod(shape) != size_of(self.shape) or min(shape, default=1) < 0:
            raise unlike(where, f"{self.shape} to {shape}", "as many entries")
        if self.item is None and self.last is None:
            return GraphValue.start(shape)
        return replace(self, shape=shape, pad=None)

    def ended(self, last: str, where: str) -> GraphValue:
        """The value after a last softmax or sigmoid."""
        self._require_unfinished(where)
        return replace(self, last=last, pad=None)

    def _require_unfinished(self, where: str) -> None:
        if self.last is not None:
            raise unlike(where, f"an operation after a {self.last}", f"the {self.last} at the end")

    def plus(self, other: GraphValue, where: str) -> GraphValue:
        """The sum of two values, one of which was made from the other."""
        self._require_unfinished(where)
        other._require_unfinished(where)
        try:
            shape = np.broadcast_shapes(self.shape, other.shape)
        except ValueError:
            shape = ()
        if not size_of(shape) == size_of(self.shape) == size_of(other.shape):
            raise unlike(where, f"{self.shape} plus {other.shape}", "equal shapes")
        for long, short in ((self, other), (other, self)):
            body = long._since(short)
            if body is None:
                continue
            if not body:
                return short.reshaped(shape, where).scaled(2.0, where)
            if any(isinstance(item, Residual) for item in body):
                raise unlike(where, "a skip over another skip", "one skip at a time")
            block = Residual(_explicit(body))  # type: ignore[arg-type]
            return GraphValue(short, block, shape, short.place)
        raise unlike(where, "a sum of two branches that both compute", "a skip: h + body(h)")

    def _since(self, start: GraphValue) -> list[Item] | None:
        """The items from `start` to here; None if it is not on the way."""
        items: list[Item] = []
        here: GraphValue | None = self
        while here is not None:
            same = here.before is start.before and here.item is start.item
            # A reshaped input is the same numbers, but another image for a convolution.
            first = next((item for item in items[::-1] if not isinstance(item, Activation)), None)
            if same and (here.place == start.place or (first is None or isinstance(first, Dense))):
                return items[::-1]
            if here.item is None:
                return None
            items.append(here.item)
            here = here.before
        return None

    def shifted(self, constant: Any, where: str, off: Any = 0.0) -> GraphValue:
        """h + constant, entry by entry; the constant is known up to `off`."""
        self._require_unfinished(where)
        shape, shift = self._spread(constant, where)
        _, offs = self._spread(off, where)
        if not shift.any() and not offs.any():
            return self.reshaped(shape, where)
        return self._folded(np.ones_like(shift), np.zeros_like(shift), shift, offs, shape, where)

    def scaled(self, factor: Any, where: str, off: Any = 0.0) -> GraphValue:
        """h * factor, entry by entry; the factor is known up to `off`."""
        self._require_unfinished(where)
        shape, factors = self._spread(factor, where)
        _, offs = self._spread(off, where)
        if (factors == 1.0).all() and not offs.any():
            return self.reshaped(shape, where)
        zeros = np.zeros_like(factors)
        return self._folded(factors, offs, zeros, zeros, shape, where)

    def _folded(
        self,
        factors: FloatArray,
        factor_offs: FloatArray,
        shift: FloatArray,
        shift_offs: FloatArray,
        shape: tuple[int, ...],
        where: str,
    ) -> GraphValue:
        """factors h + shift, in the layer before if it has one number for each of its outputs."""
        item, before = self.item, self.before
        if not isinstance(item, Dense | Conv) or before is None:
            before = self
            item = self._unit(np.stack([factors, factor_offs, shift, shift_offs]), where)
        rows = [_per_output(item, values) for values in (factors, factor_offs, shift, shift_offs)]
        if any(row is None for row in rows):
            return self._behind_diagonal(factors, factor_offs, shift, shift_offs, shape, where)
        try:
            scaled = scaled_rows(item, rows[0], rows[1])  # type: ignore[arg-type]
            moved = shifted_rows(scaled, rows[2], rows[3])  # type: ignore[arg-type]
        except InvalidInput as error:
            # All that a layer of finite numbers can become unfit by.
            problem = "constants with which the weights before them overflow"
            raise unlike(where, problem, "products that float64 holds") from error
        return before._then(moved, shape, where)

    def _behind_diagonal(self, *rest: Any) -> GraphValue:
        """As `_folded`, in a layer of its own."""
        where = rest[-1]
        copy = self._then(self._unit(np.stack(rest[:4]), where), self.shape, where)
        return copy._folded(*rest)

    def _unit(self, values: FloatArray, where: str) -> Dense | Conv:
        """A layer that changes nothing and has an output of its own wherever the values differ."""
        if len(self.place) == 3:
            rows = values.reshape(len(values), self.place[0], -1)
            if (rows == rows[:, :, :1]).all():
                return Conv(np.eye(self.place[0])[:, :, None, None])
        count = size_of(self.place)
        if count > _MOST_DIAGONAL:
            raise unlike(where, f"{count} inputs scaled one by one", f"at most {_MOST_DIAGONAL}")
        return Dense(np.eye(count))

    def _spread(self, values: Any, where: str) -> tuple[tuple[int, ...], FloatArray]:
        """The shape of the value with constants, and the constants for each of its entries."""
        array = np.asarray(values, np.float64)
        if size_of(self.shape) > _MOST_ENTRIES:
            raise unlike(
                where, f"a value of shape {self.shape}", f"at most {_MOST_ENTRIES} entries"
            )
        if not np.isfinite(array).all():
            raise unlike(where, "a constant that is not finite", "finite numbers")
        try:
            shape = np.broadcast_shapes(array.shape, self.shape)
        except ValueError:
            shape = ()
        if size_of(shape) != size_of(self.shape):
            raise unlike(
                where, f"constants of shape {array.shape} for a value of shape {self.shape}", "one"
            )
        return shape, np.broadcast_to(array, shape).reshape(-1).copy()

    @property
    def products(self) -> int:
        """Products of weights and values that the last item takes, at least one for each weight."""
        if self.item is None or self.before is None:
            return 0
        count, shape = 0, self.before.place
        for item in _flat([self.item]):
            if isinstance(item, Dense | Conv | AveragePool):
                count += _products(item, shape)
                shape = output_shape(item, shape)
        return count

    def network(self) -> DeepNetwork:
        """The network that ends here."""
        items: list[Item] = []
        here = self
        while here.before is not None and here.item is not None:
            items.append(here.item)
            here = here.before
        items.reverse()
        if not items:
            raise unlike("the graph", "no layers", "at least one")
        shape = here.place
        if not any(isinstance(item, Conv | AveragePool) for item in _flat(items)):
            shape = (size_of(shape),)
        last: Any = self.last
        return DeepNetwork(_explicit(items), last, shape)


def unlike(where: str, got: str, expected: str) -> InvalidInput:
    """The error for an operation that has no counterpart. where: which."""
    return InvalidInput(
        f"{where} has no counterpart",
        got=got,
        expected=expected,
        fix="slth reads affine layers, average pools, (leaky) ReLUs, residual sums and a last "
        "softmax or sigmoid; leave the rest out or rewrite it.",
    )


def one_slope(value: GraphValue, slopes: FloatArray, where: str) -> GraphValue:
    """The value after a ReLU of slopes that a network has learned, which must be one number."""
    if not slopes.size or not (slopes == slopes.ravel()[0]).all():
        raise unlike(where, "slopes that differ", "one slope for all units")
    return value.activated(float(slopes.ravel()[0]), where)


def reciprocal(values: FloatArray, where: str) -> tuple[FloatArray, FloatArray]:
    """1 / values, and how far that may be from it."""
    if not np.all(values):
        raise unlike(where, "a division by 0", "constants other than 0")
    with np.errstate(over="ignore"):
        inverse = 1.0 / values
    if not np.isfinite(inverse).all():
        raise unlike(where, "a division by a number whose reciprocal overflows", "a larger one")
    return inverse, reciprocal_off(inverse, values)


def _explicit(items: list[Any]) -> tuple[Any, ...]:
    """The items as they stand: a list without activations says so."""
    if len(items) > 1 and not any(isinstance(item, Relu | LeakyRelu | Identity) for item in items):
        return (items[0], Identity(), *items[1:])
    return tuple(items)


def _flat(items: list[Item]) -> list[Any]:
    return [part for item in items for part in getattr(item, "body", (item,))]


def _products(item: Dense | Conv | AveragePool, shape: tuple[int, ...]) -> int:
    """Products on an input of that shape; for a pool, sums over columns and then over rows."""
    if isinstance(item, Dense):
        return item.weight.size
    window = item.window(shape) if isinstance(item, AveragePool) else item.window
    rows, columns = window.steps(shape[1:])
    if isinstance(item, Conv):
        return rows * columns * item.weight.size
    height, width = window.kernel
    return rows * shape[0] * (height * shape[2] + width * columns)


def _per_output(item: Dense | Conv, values: FloatArray) -> FloatArray | None:
    """Numbers for each entry as one for each output; None if they differ within a channel."""
    rows = values.reshape(item.weight.shape[0], -1)
    return rows[:, 0].copy() if (rows == rows[:, :1]).all() else None
