"""Upper bounds of functionals of two networks on leaves: backward, from a value to the inputs.

A functional <a, h> + <b, h'> + <m, h - h'> + constant of the values behind a step is bounded by one
of those before it, with float coefficients: what they are off by, times the largest values on the
leaf, is added to the constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy

from slth.check_pair.lines import Band, Bands, Codes, bands
from slth.check_pair.steps import Affine, Fork, Join, Kink, Map, PairStep
from slth.check_pair.values import Span, Spans, added, bent, bent_change, image
from slth.layers import FloatArray, Matrix
from slth.rounding.outward import TINY as LEAST
from slth.rounding.outward import UNIT

# A thousandth of a millionth: sums of fewer than 2^20 numbers >= 0 lose less than this part.
_SUMS = 1.0 + 2.0**-30
# Coefficients held at once: 32 MiB for each kind of value.
_ENTRIES = 1 << 22


class Box(NamedTuple):
    """B boxes in R^d, cut with one ball if there is any: low, high float64 [B, d]; center float64
    [d]; radius < 0: no ball."""

    low: FloatArray
    high: FloatArray
    center: FloatArray
    radius: float


def cut_to_ball(box: Box) -> tuple[Box, np.ndarray]:
    """The boxes cut to where their ball reaches, and where it does not reach at all: bool [B].

    With g_j the distance of the center from the box along axis j, a point of both has
    |x_k - center_k|^2 + sum_{j != k} g_j^2 <= radius^2. Differences, squares, sums and roots round
    by less than `part` of what is squared or rooted, or by less than LEAST.
    """
    if box.radius < 0.0:
        return box, np.zeros(len(box.low), bool)
    # Where squares overflow nothing is cut: fmax and fmin pass over a NaN.
    with np.errstate(all="ignore"):
        gap = np.maximum(np.maximum(box.low - box.center, box.center - box.high), 0.0)
        part = 8.0 * (box.low.shape[1] + 8) * UNIT
        total = (gap * gap).sum(axis=1, keepdims=True)
        whole = box.radius * box.radius
        left = whole - (total - gap * gap) + part * (whole + total) + LEAST
        empty = (left < gap * gap * (1.0 - part)).any(axis=1)
        reach = np.sqrt(np.maximum(left, 0.0)) * (1.0 + 4.0 * UNIT)
        low = np.fmax(box.low, np.nextafter(box.center - reach, -np.inf))
        high = np.fmin(box.high, np.nextafter(box.center + reach, np.inf))
    return box._replace(low=low, high=high), empty


class Rows(NamedTuple):
    """Coefficients of values of net, target and their difference, float64 [B or 1, m, n]."""

    net: FloatArray | None
    target: FloatArray | None
    change: FloatArray | None


@dataclass(frozen=True, eq=False)
class Leaves:
    """What is known of all values on some leaves.

    Attributes:
        before: values before each step.
        after: values at the end.
        bands: lines at every kink.
    """

    steps: tuple[PairStep, ...]
    box: Box
    before: Sequence[Spans]
    after: Spans
    bands: Sequence[Bands | None]

    def highest(self, rows: Rows) -> FloatArray:
        """At least the functional of the values at the end anywhere on each leaf: [B, m]."""
        return _pulled(self.steps, self.box, self.before, self.bands, rows)


def units_of(steps: Sequence[PairStep]) -> int:
    """Codes of lines that a leaf has: one for each unit of a kink."""
    return sum(_codes(steps))


def _codes(steps: Sequence[PairStep]) -> list[int]:
    """By step: the units of a kink, else 0."""
    sizes, net, target = [], 0, 0
    for step in steps:
        if isinstance(step, Affine):
            net = net if step.net is None else len(step.net.bias)
            target = target if step.target is None else len(step.target.bias)
        sizes.append(0 if not isinstance(step, Kink) else net if step.net else target)
    return sizes


def leaves(
    steps: tuple[PairStep, ...], paired: bool, box: Box, slopes: Codes, joins: Codes
) -> Leaves:
    """Bound all values on the boxes. slopes, joins: uint8 [B, units], see `lines.bands`."""
    inputs = Span(box.low, box.high)
    zero = np.zeros_like(box.low)
    values = Spans(inputs, inputs, Span(zero, zero) if paired else None)
    before: list[Spans] = []
    found: list[Bands | None] = []
    kept: list[Spans] = []
    at = 0
    for place, step in enumerate(steps):
        if isinstance(step, Kink):
            values = _sharper(steps[:place], box, before, found, step, values)
            width = (values.net if step.net else values.target).low.shape[1]
            some = slice(at, at + width)
            found.append(bands(step, values, slopes[:, some], joins[:, some]))
            at += width
        else:
            found.append(None)
        before.append(values)
        values = _behind(step, values, kept)
    return Leaves(steps, box, before, values, found)


def _behind(step: PairStep, values: Spans, kept: list[Spans]) -> Spans:
    net, target, change = values
    match step:
        case Affine():
            moved = change
            if step.change is not None and change is not None and step.target is not None:
                moved = added(image(step.target, change, bias=False), image(step.change, net))
            return Spans(
                net if step.net is None else image(step.net, net),
                target if step.target is None else image(step.target, target),
                moved,
            )
        case Kink():
            return Spans(
                bent(net, step.slope) if step.net else net,
                bent(target, step.slope) if step.target else target,
                None if change is None else bent_change(values, step.slope),
            )
        case Fork():
            kept.append(values)
            return values
        case Join():
            old = kept.pop()
            both = None if change is None or old.change is None else added(change, old.change)
            return Spans(
                added(net, old.net) if step.net else net,
                added(target, old.target) if step.target else target,
                both,
            )


def _sharper(
    steps: Sequence[PairStep],
    box: Box,
    before: Sequence[Spans],
    found: Sequence[Bands | None],
    step: Kink,
    values: Spans,
) -> Spans:
    """The values before a kink, those that may change sign bounded by pulling them back."""
    result = list(values)
    for kind, taken in enumerate((step.net, step.target)):
        part = values[kind]
        assert part is not None
        if taken:
            where = (part.low < 0.0) & (part.high > 0.0)
            result[kind] = _met(steps, box, before, found, kind, part, where)
    net, target, change = result
    assert net is not None
    assert target is not None
    if change is not None:
        apart = Span(net.low - target.high, net.high - target.low).widened(np.zeros(1))
        change = Span(np.maximum(change.low, apart.low), np.minimum(change.high, apart.high))
        on = (net.low >= 0.0) & (target.low >= 0.0)
        off = (net.high <= 0.0) & (target.high <= 0.0)
        where = ~(on | off) & (change.high - change.low > 8.0 * LEAST)
        change = _met(steps, box, before, found, 2, change, where)
    return Spans(net, target, change)


def _met(
    steps: Sequence[PairStep],
    box: Box,
    before: Sequence[Spans],
    found: Sequence[Bands | None],
    kind: int,
    part: Span,
    where: np.ndarray,
) -> Span:
    """The span of net (kind 0), target (1) or their difference (2), some units pulled back.

    where: bool [B, n]. What is known of a leaf does not depend on those bounded with it.
    """
    low, high = part.low.copy(), part.high.copy()
    units = np.flatnonzero(where.any(axis=0))
    at_once = max(1, _ENTRIES // (2 * len(low) * _widest(steps)))
    for first in range(0, len(units), at_once):
        some = units[first : first + at_once]
        one = np.zeros((1, 2 * len(some), low.shape[1]))
        one[0, np.arange(len(some)), some] = 1.0
        one[0, len(some) + np.arange(len(some)), some] = -1.0
        rows = Rows(*(one if k == kind else None for k in range(3)))
        top = _pulled(steps, box, before, found, rows)
        above, below = top[:, : len(some)], -top[:, len(some) :]
        here = where[:, some]
        high[:, some] = np.where(here, np.minimum(high[:, some], above), high[:, some])
        low[:, some] = np.where(here, np.maximum(low[:, some], below), low[:, some])
    return Span(low, high)


def _widest(steps: Sequence[PairStep]) -> int:
    maps = [step.net or step.target for step in steps if isinstance(step, Affine)]
    return max([1, *(max(part.weight.shape) for part in maps if part is not None)])


def _pulled(
    steps: Sequence[PairStep],
    box: Box,
    before: Sequence[Spans],
    found: Sequence[Bands | None],
    rows: Rows,
) -> FloatArray:
    """At least the functional of the values behind the steps on each box: float64 [B, m]."""
    count = next(part for part in rows if part is not None).shape[1]
    total = _Total(np.zeros((1, count)), np.full((1, count), LEAST))
    waiting: list[Rows] = []
    for place in range(len(steps) - 1, -1, -1):
        step, values, lines = steps[place], before[place], found[place]
        match step:
            case Affine():
                rows = _through_map(step, values, rows, total)
            case Kink():
                assert lines is not None
                rows = _through_kink(values, lines, rows, total)
            case Join():
                waiting.append(
                    Rows(
                        rows.net if step.net else None,
                        rows.target if step.target else None,
                        rows.change,
                    )
                )
            case Fork():
                # None waits where the value looked at lies within the block.
                if waiting:
                    old = waiting.pop()
                    pairs = zip(rows, old, strict=True)
                    rows = Rows(*(_sum(one, other) for one, other in pairs))
                    total.paid(rows, [4.0 * UNIT * part.size if part else None for part in values])
    inputs = _sum(rows.net, rows.target)
    if inputs is None:
        inputs = np.zeros((1, count, box.low.shape[1]))
    return total.at_inputs(inputs, box)


class _Total:
    """The constant of a functional, and what its coefficients are off by: float64 [B or 1, m]."""

    def __init__(self, constant: FloatArray, off: FloatArray) -> None:
        self._constant, self._off = constant, off

    def plus(self, part: FloatArray) -> None:
        """Add to the constant: the sum rounds by u of itself, and so does the last one, with what
        is off."""
        self._off = self._off + 2.0 * UNIT * (np.abs(self._constant) + np.abs(part))
        self._constant = self._constant + part

    def paid(self, rows: Rows, sizes: Sequence[FloatArray | None]) -> None:
        """Coefficients of these sizes may be off by `sizes`, float64 [B, n], for each unit."""
        for part, size in zip(rows, sizes, strict=True):
            if part is not None and size is not None:
                self._off = self._off + _dot(np.abs(part), size) + LEAST

    def lost(self, part: FloatArray) -> None:
        """Add to what is off."""
        self._off = self._off + part

    def at_inputs(self, rows: FloatArray, box: Box) -> FloatArray:
        """The largest value over the boxes, float64 [B, m]."""
        size = np.maximum(np.abs(box.low), np.abs(box.high))
        terms = 2.0 * (rows.shape[2] + 16) * UNIT
        # The sum of net's and target's coefficients, each product and the sum of the products.
        off = terms * _dot(np.abs(rows), size)
        positive, negative = np.maximum(rows, 0.0), np.minimum(rows, 0.0)
        best = _dot(positive, box.high) + _dot(negative, box.low)
        if box.radius >= 0.0:
            scale = np.maximum(np.abs(rows).max(axis=2), LEAST)
            scaled = rows / scale[:, :, None]
            length = scale * np.sqrt((scaled * scaled).sum(axis=2)) * box.radius
            around = rows @ box.center + length
            lost = terms * (np.abs(rows) @ np.abs(box.center) + length) + 2.0 * LEAST
            best = np.minimum(best, around + lost * _SUMS)
        self.plus(best)
        return self._constant + ((off + self._off) * _SUMS + LEAST)


def _through_map(step: Affine, values: Spans, rows: Rows, total: _Total) -> Rows:
    """c z = (c W) h + c b, exactly but for rounding and what the weights are off by."""
    net, target, change = rows
    parts: list[tuple[FloatArray, Map, Span, bool]] = []
    if net is not None and step.net is not None:
        parts.append((net, step.net, values.net, True))
    if target is not None and step.target is not None:
        parts.append((target, step.target, values.target, True))
    if change is not None:
        assert step.change is not None
        assert step.target is not None
        assert values.change is not None
        parts.append((change, step.change, values.net, True))
        parts.append((change, step.target, values.change, False))
    for part, of, span, bias in parts:
        total.lost(_dot(np.abs(part), _off_by(of, span, bias)) + LEAST * (1.0 + _mass(span)))
        if bias:
            total.plus(part @ of.bias)
    own = net if net is None or step.net is None else _times(net, step.net.weight)
    if change is not None:
        own = _sum(own, _times(change, step.change.weight))  # type: ignore[union-attr]
        change = _times(change, step.target.weight)  # type: ignore[union-attr]
    if target is not None and step.target is not None:
        target = _times(target, step.target.weight)
    return Rows(own, target, change)


def _off_by(part: Map, values: Span, bias: bool) -> FloatArray:
    """float64 [B, m]: what a coefficient 1 of z may be off by as coefficients of h."""
    size = values.size
    slack = 2.0 * part.terms * UNIT
    off = slack * (size @ abs(part.weight).T)
    if part.off is not None:
        off = off + size @ part.off.T
    if bias:
        off = off + slack * np.abs(part.bias) + part.bias_off
    return off


def _mass(values: Span) -> FloatArray:
    return values.size.sum(axis=1)[:, None]


def _through_kink(values: Spans, lines: Bands, rows: Rows, total: _Total) -> Rows:
    net, target, change = rows
    if change is not None:
        assert lines.joint is not None
        below, above = (part[:, None, :] for part in lines.joint)
        joint = np.where(change > 0.0, above, below)
        own = np.where(joint, 0.0, change)
        if own.any():
            net, target = _sum(net, own), _sum(target, -own)
        change = np.where(joint, change, 0.0)
    # Two coefficients were added, and each is multiplied with a slope of at most 1; a product that
    # underflows is off by less than LEAST.
    total.paid(
        Rows(net, target, change),
        [None if part is None else 4.0 * UNIT * part.size for part in values],
    )
    total.lost(LEAST * (_mass(values.net) + _mass(values.target)))
    return Rows(
        _through_band(net, lines.net, total),
        _through_band(target, lines.target, total),
        _through_band(change, lines.change, total),
    )


def _through_band(rows: FloatArray | None, lines: Band | None, total: _Total) -> FloatArray | None:
    """A positive coefficient takes the line above, a negative one that below."""
    if rows is None or lines is None:
        return rows
    below, above = lines
    positive, negative = np.maximum(rows, 0.0), np.minimum(rows, 0.0)
    slack = 2.0 * (rows.shape[2] + 16) * UNIT
    for part, line in ((positive, above), (negative, below)):
        if line.constant.any():
            total.plus(_dot(part, line.constant))
            total.lost(slack * _dot(np.abs(part), np.abs(line.constant)) + LEAST)
    return positive * above.slope[:, None, :] + negative * below.slope[:, None, :]


def _dot(rows: FloatArray, values: FloatArray) -> FloatArray:
    """float64 [B, m] of [B or 1, m, n] and [B, n]."""
    if len(rows) == 1:
        return values @ rows[0].T
    return (rows @ values[:, :, None])[:, :, 0]


def _sum(one: FloatArray | None, other: FloatArray | None) -> FloatArray | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _times(rows: FloatArray, matrix: Matrix) -> FloatArray:
    lead = rows.shape[:2]
    long = rows.reshape(lead[0] * lead[1], rows.shape[2])
    product = (matrix.T @ long.T).T if scipy.sparse.issparse(matrix) else long @ matrix
    return np.ascontiguousarray(product).reshape(*lead, matrix.shape[1])
