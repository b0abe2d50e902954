"""Intervals of all values of two networks and of their difference, from the inputs to the outputs.

The floor under every bound, and at a point (a box without extent) a rigorous evaluation. Rounded
outward: a float sum of n products is off by at most n u times the sum of their sizes, whatever its
order (Higham, section 3.1); twice that and more is added here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from slth.certify.deep.program import Add, Affine, Bend, Keep, Move, Program
from slth.certify.deep.region import Region
from slth.layers import FloatArray
from slth.rounding.outward import UNIT

# Above what n products lose that underflow, for each of them.
_LEAST = 2.0**-1070


class Range(NamedTuple):
    """Values between low and high, float64 [B, n] each."""

    low: FloatArray
    high: FloatArray

    @property
    def size(self) -> FloatArray:
        """The largest magnitudes."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def meet(self, other: Range) -> Range:
        """What lies in both, of the same value."""
        return Range(np.maximum(self.low, other.low), np.minimum(self.high, other.high))

    def chosen(self, which: np.ndarray) -> Range:
        return Range(self.low[which], self.high[which])


class Values(NamedTuple):
    """What is known of a value in net, in target, and of their difference; None: not there."""

    net: Range | None
    target: Range | None
    change: Range | None

    def chosen(self, which: np.ndarray) -> Values:
        return Values(*(None if part is None else part.chosen(which) for part in self))

    def meet(self, other: Values) -> Values:
        return Values(
            *(
                one if another is None or one is None else one.meet(another)
                for one, another in zip(self, other, strict=True)
            )
        )


class Trace(NamedTuple):
    """Values before each operation of a program, and those at its end."""

    before: tuple[Values, ...]
    after: Values

    def chosen(self, which: np.ndarray) -> Trace:
        return Trace(tuple(part.chosen(which) for part in self.before), self.after.chosen(which))


def intervals(program: Program, region: Region, known: Trace | None = None) -> Trace:
    """Interval propagation. known: bounds from elsewhere, of these boxes or larger ones; every
    value is met with them."""
    inputs = Range(region.low, region.high)
    zero = np.zeros_like(region.low)
    values = Values(inputs, inputs, Range(zero, zero) if program.paired else None)
    kept: list[Values] = []
    before: list[Values] = []
    for place, operation in enumerate(program.operations):
        if known is not None:
            values = values.meet(known.before[place])
        before.append(values)
        values = _after(operation, values, kept)
    if known is not None:
        values = values.meet(known.after)
    return Trace(tuple(before), values)


def _after(operation: object, values: Values, kept: list[Values]) -> Values:
    net, target, change = values
    match operation:
        case Move():
            return Values(
                net if operation.net is None else image(operation.net, net),  # type: ignore[arg-type]
                target if operation.target is None else image(operation.target, target),  # type: ignore[arg-type]
                _changed(operation, values),
            )
        case Bend():
            return Values(
                _bent(net, operation.slope) if operation.net else net,  # type: ignore[arg-type]
                _bent(target, operation.slope) if operation.target else target,  # type: ignore[arg-type]
                None if change is None else bent_change(values, operation.slope),
            )
        case Keep():
            kept.append(values)
            return values
        case Add():
            old = kept.pop()
            return Values(
                _sum(net, old.net) if operation.net else net,  # type: ignore[arg-type]
                _sum(target, old.target) if operation.target else target,  # type: ignore[arg-type]
                None if change is None else _sum(change, old.change),  # type: ignore[arg-type]
            )
        case _:
            raise TypeError(operation)


def image(part: Affine, values: Range, bias: bool = True) -> Range:
    """The range of W h + b for h in the range; rounded outward. bias: whether b is added."""
    low, high = values
    center = np.clip(0.5 * low + 0.5 * high, low, high)
    reach = np.maximum(high - center, center - low) * (1.0 + 2.0**-52)
    middle = center @ part.matrix.T
    spread = reach @ part.size.T
    size = np.abs(center) @ part.size.T + spread
    if bias:
        middle = middle + part.bias
        size = size + np.abs(part.bias)
    off = 2.0 * (part.terms + 8) * UNIT * size + part.terms * _LEAST
    if part.off is not None:
        off = off + (np.abs(center) + reach) @ part.off.T
    if bias:
        off = off + part.bias_off
    spread = (spread + off) * (1.0 + 2.0 * (part.terms + 8) * UNIT)
    return Range(np.nextafter(middle - spread, -np.inf), np.nextafter(middle + spread, np.inf))


def _changed(operation: Move, values: Values) -> Range | None:
    """W' (h - h') + (W - W') h + (b - b'); exactly 0 where nothing differs."""
    change = operation.change
    if change is None or values.change is None:
        return values.change
    assert operation.target is not None
    assert values.net is not None
    total = None
    if values.change.low.any() or values.change.high.any():
        total = image(operation.target, values.change, bias=False)
    if not change.is_zero:
        own = image(change, values.net)
        total = own if total is None else _sum(total, own)
    if total is None:
        zero = np.zeros((len(values.net.low), len(change.bias)))
        return Range(zero, zero)
    return total


def _sum(one: Range, other: Range) -> Range:
    """Rounded outward, and exact where one of them is 0."""
    low, high = one.low + other.low, one.high + other.high
    exact = (one.low == 0.0) | (other.low == 0.0), (one.high == 0.0) | (other.high == 0.0)
    return Range(
        np.where(exact[0], low, np.nextafter(low, -np.inf)),
        np.where(exact[1], high, np.nextafter(high, np.inf)),
    )


def _scaled_down(values: FloatArray, slope: float) -> FloatArray:
    return np.nextafter(slope * values, -np.inf) if slope else np.zeros_like(values)


def _scaled_up(values: FloatArray, slope: float) -> FloatArray:
    return np.nextafter(slope * values, np.inf) if slope else np.zeros_like(values)


def _bent(values: Range, slope: float) -> Range:
    """max(z, slope z)."""
    low, high = values
    return Range(
        np.where(low >= 0.0, low, _scaled_down(low, slope)),
        np.where(high >= 0.0, high, _scaled_up(high, slope)),
    )


def bent_change(values: Values, slope: float) -> Range:
    """The range of s(z) - s(z - t) for z, z - t and t in their ranges, s(z) = max(z, slope z).

    It grows with t, at a rate between slope and 1. At a fixed t it grows with z for t > 0 and falls
    for t < 0. So the supremum is the least of what z at its end, z' = z - t at its end, both apart,
    and t alone allow; the infimum by exchanging the networks.
    """
    net, target, change = values
    assert net is not None
    assert target is not None
    assert change is not None
    high = _highest_change(net, target, change.high, slope)
    low = -_highest_change(target, net, -change.low, slope)
    return Range(low, high)


def _highest_change(net: Range, target: Range, most: FloatArray, slope: float) -> FloatArray:
    """An upper bound of s(z) - s(z'), z - z' <= most."""

    def high(z: FloatArray) -> FloatArray:
        return np.where(z >= 0.0, z, _scaled_up(z, slope))

    def low(z: FloatArray) -> FloatArray:
        return np.where(z >= 0.0, z, _scaled_down(z, slope))

    rising = most >= 0.0
    z = np.where(rising, net.high, net.low)
    by_net = high(z) - low(np.nextafter(z - most, -np.inf))
    z = np.where(rising, target.high, target.low)
    by_target = high(np.nextafter(z + most, np.inf)) - low(z)
    apart = high(net.high) - low(target.low)
    best = np.nextafter(np.minimum(np.minimum(by_net, by_target), apart), np.inf)
    return np.minimum(best, np.where(rising, most, _scaled_up(most, slope)))
