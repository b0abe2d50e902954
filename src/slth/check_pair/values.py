"""Intervals of all values on leaves, from the inputs to the outputs, rounded outward.

A float sum of n products is off by at most n u / (1 - n u) times the sum of their sizes, whatever
its order (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), and by n 2^-1074
where products underflow; `Map.terms` u twice, and `LEAST`, are more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from slth.check_pair.steps import Map
from slth.layers import FloatArray
from slth.rounding.outward import TINY as LEAST
from slth.rounding.outward import UNIT


class Span(NamedTuple):
    """Values between low and high, float64 [B, n]."""

    low: FloatArray
    high: FloatArray

    @property
    def size(self) -> FloatArray:
        """The largest magnitudes."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def widened(self, room: FloatArray) -> Span:
        """With so much room on either side, the subtraction and addition rounded outward."""
        return Span(np.nextafter(self.low - room, -np.inf), np.nextafter(self.high + room, np.inf))


class Spans(NamedTuple):
    """Values of net, of target, and of their difference; None: not there."""

    net: Span
    target: Span
    change: Span | None


def image(part: Map, values: Span, bias: bool = True) -> Span:
    """W h + b, or W h, for h in the span."""
    size = values.size
    center = 0.5 * values.low + 0.5 * values.high
    # What the middle and the half of the span round, 3 u of the ends, is among the 16 more terms.
    reach = 0.5 * (values.high - values.low)
    slack = 2.0 * part.terms * UNIT
    middle = center @ part.weight.T
    spread = (reach + slack * size) @ abs(part.weight).T
    if part.off is not None:
        spread = spread + size @ part.off.T
    if bias:
        middle = middle + part.bias
        spread = spread + slack * np.abs(part.bias) + part.bias_off
    return Span(middle, middle).widened(spread * (1.0 + 2.0 * slack) + LEAST)


def added(one: Span, other: Span) -> Span:
    """The sums."""
    return Span(
        np.nextafter(one.low + other.low, -np.inf), np.nextafter(one.high + other.high, np.inf)
    )


def bent(values: Span, slope: float) -> Span:
    """max(z, slope z): a product rounds by u of itself, or by less than LEAST."""
    low, high = (np.where(end >= 0.0, end, slope * end) for end in values)
    room = np.where(np.minimum(values.low, values.high) >= 0.0, 0.0, 2.0 * UNIT * np.abs(low))
    room = room + (LEAST if slope else 0.0)
    return Span(low - 2.0 * room, high + 2.0 * room)


def bent_change(values: Spans, slope: float) -> Span:
    """s(z) - s(z'), s(z) = max(z, slope z), for z, z' and t = z - z' in their spans.

    It grows with t. At a fixed t >= 0 it grows with z (s is convex), at a fixed t <= 0 it falls.
    """
    net, target, change = values
    assert change is not None
    return Span(
        -_most(target, net, -change.low, slope),
        _most(net, target, change.high, slope),
    )


def _most(net: Span, target: Span, most: FloatArray, slope: float) -> FloatArray:
    """At least s(z) - s(z') where z - z' <= most."""

    def s(z: FloatArray) -> FloatArray:
        return np.where(z >= 0.0, z, slope * z)

    rising = most >= 0.0
    z, other = np.where(rising, net.high, net.low), np.where(rising, target.high, target.low)
    best = np.minimum(s(z) - s(z - most), s(other + most) - s(other))
    best = np.minimum(best, s(net.high) - s(target.low))
    # At most four roundings of numbers up to the sum of these sizes.
    room = 8.0 * UNIT * (net.size + target.size + np.abs(most)) + LEAST
    alone = np.where(rising, most, slope * most * (1.0 - 2.0 * UNIT) + (LEAST if slope else 0.0))
    return np.minimum(best + room, alone)
