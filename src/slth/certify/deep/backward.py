"""Linear relaxation of two networks and of their difference, from a value back to the inputs.

A functional of what is known at some place, <a, h> + <b, h'> + <m, h - h'> + constant, is bounded
from above by one at the place before, until it is one of the inputs, whose maximum over a box or a
ball is known. Through an affine step it is rewritten exactly; through s(z) = max(z, slope z) it is

    s(z) <= the chord over [l, u],      s(z) >= p z for a p in [slope, 1],
    s(z) - s(z'): between slope and 1 times z - z' ("joint"), or both apart ("apart"),

whichever leaves less room. Slopes are floats, chosen freely: the constant that makes a line a bound
is computed for them and rounded outward. What rounds on the way is bounded by u times the sizes of
coefficients and of the largest values on the whole domain (`Sizes`), and added.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

from slth.certify.deep.forward import Range, Trace, Values, bent_change
from slth.certify.deep.program import Add, Affine, Bend, Move, Program
from slth.certify.deep.region import Region
from slth.layers import FloatArray, Matrix
from slth.rounding.outward import UNIT


class Functional(NamedTuple):
    """Coefficients of h in net, h in target, and their difference, float64 [B, m, n]; None: 0."""

    net: FloatArray | None
    target: FloatArray | None
    change: FloatArray | None

    def plus(self, other: Functional) -> Functional:
        return Functional(*(_plus(a, b) for a, b in zip(self, other, strict=True)))


class Sizes(NamedTuple):
    """What one unit of a coefficient can make of rounding, by operation: float64 [n] for the
    coefficients behind it of net, target and change (of which `exact` are those that do not come
    from rounding but from weights that are known up to it)."""

    net: FloatArray | None
    target: FloatArray | None
    change: FloatArray | None


def sizes_of(program: Program, root: Trace) -> tuple[Sizes, ...]:
    """The sizes of every operation, from the values on the whole domain (one box)."""
    return tuple(
        _sizes(operation, values)
        for operation, values in zip(program.operations, root.before, strict=True)
    )


def _largest(values: Values) -> list[FloatArray | None]:
    return [None if part is None else part.size[0] for part in values]


def _sizes(operation: object, values: Values) -> Sizes:
    net, target, change = _largest(values)
    if isinstance(operation, Move):
        moved = None
        if operation.change is not None and operation.target is not None:
            assert change is not None
            moved = _one_step(operation.change, net) + _one_step(operation.target, change, False)
        return Sizes(
            None if operation.net is None else _one_step(operation.net, net),
            None if operation.target is None else _one_step(operation.target, target),
            moved,
        )
    if isinstance(operation, Bend):
        # Products with slopes, and the sum of the constants; |s(z)| <= |z|.
        return Sizes(
            *(
                None if part is None else 2.0 * (len(part) + 16) * UNIT * part
                for part in (net, target, change)
            )
        )
    return Sizes(*(None if part is None else 4.0 * UNIT * part for part in (net, target, change)))


def _one_step(part: Affine, values: FloatArray | None, bias: bool = True) -> FloatArray:
    """At most what a coefficient 1 of z can be off by when it is rewritten as one of h."""
    assert values is not None
    size = part.size @ values
    off = np.zeros(len(size)) if part.off is None else part.off @ values
    if bias:
        size = size + np.abs(part.bias)
        off = off + part.bias_off
    # The sum over the coefficients has m terms more.
    terms = part.terms + part.matrix.shape[0] + 16
    return (2.0 * terms * UNIT * size + off) * (1.0 + 2.0 * terms * UNIT)


class Line(NamedTuple):
    """slope * z + intercept, float64 [B, n]."""

    slope: FloatArray
    intercept: FloatArray


class Bounds(NamedTuple):
    """Relaxations of one bend: lines below and above s(z), s(z') and s(z) - s(z'), and where the
    last, below and above, are better than both apart, bool [B, n]."""

    net: tuple[Line, Line] | None
    target: tuple[Line, Line] | None
    change: tuple[Line, Line] | None
    joint: tuple[FloatArray, FloatArray] | None


def relaxed(operation: Bend, values: Values, lower: Slopes | None = None) -> Bounds:
    """Lines for the values before a bend. lower: the slopes p of lines below, if they were chosen
    already."""
    slope = operation.slope
    chosen = Slopes(None, None) if lower is None else lower
    net = _lines(values.net, slope, chosen.net) if operation.net else None
    target = _lines(values.target, slope, chosen.target) if operation.target else None
    if values.change is None:
        return Bounds(net, target, None, None)
    assert net is not None
    assert target is not None
    return Bounds(net, target, *_change_lines(values, slope, net, target))


class Slopes(NamedTuple):
    """Slopes of the lines below s(z) and s(z'), float64 [B, n]; None: not chosen."""

    net: FloatArray | None
    target: FloatArray | None


def _lines(values: object, slope: float, below: FloatArray | None) -> tuple[Line, Line]:
    low, high = values  # type: ignore[misc]
    zero = np.zeros_like(low)
    on, off = low >= 0.0, high <= 0.0
    mixed = ~(on | off)
    width = np.where(mixed, high - low, 1.0)
    chord = np.where(mixed, (high - slope * low) / width, np.where(on, 1.0, slope))
    # Convex: the line is above s if it is so at both ends.
    ends = np.maximum(high - chord * high, slope * low - chord * low)
    room = 8.0 * UNIT * (np.abs(low) + np.abs(high))
    above = Line(chord, np.where(mixed, ends + room, zero))
    if below is None:
        below = np.where(high > -low, 1.0, slope)
    below = np.where(mixed, np.clip(below, slope, 1.0), chord)
    return Line(below, zero), above


def _same_phase(values: Values) -> FloatArray:
    """1 where both networks are on everywhere, -1 where both are off, else 0."""
    net, target = values.net, values.target
    assert net is not None
    assert target is not None
    on = (net.low >= 0.0) & (target.low >= 0.0)
    off = (net.high <= 0.0) & (target.high <= 0.0)
    return np.where(on, 1, np.where(off, -1, 0))


def _change_lines(
    values: Values, slope: float, net: tuple[Line, Line], target: tuple[Line, Line]
) -> tuple[tuple[Line, Line], tuple[FloatArray, FloatArray]]:
    """Lines below and above s(z) - s(z') by t = z - z': at a rate between slope and 1, or its
    least and largest value; and whether each is nearer than the networks' own lines in the middle
    of the ranges."""
    assert values.change is not None
    low, high = values.change
    zero = np.zeros_like(low)
    mixed = (low < 0.0) & (high > 0.0)
    width = np.where(mixed, high - low, 1.0)
    room = 8.0 * UNIT * (np.abs(low) + np.abs(high))
    # Above: max(t, slope t), convex; below: min(t, slope t), concave.
    rise = np.where(mixed, (high - slope * low) / width, np.where(low >= 0.0, 1.0, slope))
    top = np.maximum(high - rise * high, slope * low - rise * low) + room
    fall = np.where(mixed, (slope * high - low) / width, np.where(low >= 0.0, slope, 1.0))
    bottom = np.minimum(slope * high - fall * high, low - fall * low) - room
    top, bottom = np.where(mixed, top, zero), np.where(mixed, bottom, zero)
    middle, bent = _middle(values.change), bent_change(values, slope)
    flat_above = bent.high < rise * middle + top
    flat_below = bent.low > fall * middle + bottom
    same = _same_phase(values)
    fixed, decided = np.where(same > 0, 1.0, slope), same != 0
    above = Line(
        np.where(decided, fixed, np.where(flat_above, zero, rise)),
        np.where(decided, zero, np.where(flat_above, bent.high, top)),
    )
    below = Line(
        np.where(decided, fixed, np.where(flat_below, zero, fall)),
        np.where(decided, zero, np.where(flat_below, bent.low, bottom)),
    )
    z, other = _middle(values.net), _middle(values.target)
    apart_above = _at(net[1], z) - _at(target[0], other)
    apart_below = _at(net[0], z) - _at(target[1], other)
    joint_below = decided | (_at(below, middle) >= apart_below)
    joint_above = decided | (_at(above, middle) <= apart_above)
    return (below, above), (joint_below, joint_above)


def _middle(values: Range | None) -> FloatArray:
    assert values is not None
    return 0.5 * values.low + 0.5 * values.high


def _at(line: Line, z: FloatArray) -> FloatArray:
    return line.slope * z + line.intercept


class Pulled(NamedTuple):
    """A functional at the inputs. rows: float64 [B, m, d] coefficients; constant, off: [B, m], the
    value is at most <rows, x> + constant + off."""

    rows: FloatArray
    constant: FloatArray
    off: FloatArray

    def highest(self, region: Region) -> FloatArray:
        """float64 [B, m], rounded up."""
        top = region.highest(self.rows)
        total = top + self.constant + self.off
        # Two sums.
        return total + 4.0 * UNIT * (np.abs(top) + np.abs(self.constant) + self.off)


class Start(NamedTuple):
    """A functional of the values before operation `stop`, with a constant and what that rounds,
    float64 [1, m] each."""

    stop: int
    functional: Functional
    constant: FloatArray
    off: FloatArray

    @classmethod
    def of(cls, stop: int, functional: Functional) -> Start:
        """Without a constant."""
        rows = next(part for part in functional if part is not None).shape[1]
        return cls(stop, functional, np.zeros((1, rows)), np.zeros((1, rows)))

    @classmethod
    def at_units(
        cls, program: Program, sizes: tuple[Sizes, ...], stop: int, kind: int, units: np.ndarray
    ) -> Start:
        """Both signs of single values before operation `stop`: of net (kind 0), target (1) or
        their difference (2). Behind an affine step they are its rows already."""
        before = program.operations[stop - 1] if stop else None
        own = (before.net, before.target, before.change)[kind] if isinstance(before, Move) else None
        if own is None:
            width = len(sizes[stop][kind])  # type: ignore[arg-type]
            rows = np.zeros((2 * len(units), width))
            rows[np.arange(len(units)), units] = 1.0
            rows[len(units) + np.arange(len(units)), units] = -1.0
            parts = [rows[None] if k == kind else None for k in range(3)]
            return cls.of(stop, Functional(*parts))
        assert isinstance(before, Move)

        def both(part: Affine | None) -> FloatArray | None:
            if part is None:
                return None
            rows = part.matrix[units]
            rows = rows.toarray() if scipy.sparse.issparse(rows) else rows
            return np.concatenate([rows, -rows])[None]

        functional = Functional(both(own), None, None)
        if kind == 1:
            functional = Functional(None, both(own), None)
        if kind == 2:
            functional = Functional(None if own.is_zero else both(own), None, both(before.target))
        constant = np.concatenate([own.bias[units], -own.bias[units]])[None]
        off = np.tile(sizes[stop - 1][kind][units], 2)[None]  # type: ignore[index]
        return cls(stop - 1, functional, constant, off)


def pull(
    program: Program,
    start: Start,
    bounds: tuple[Bounds | None, ...],
    sizes: tuple[Sizes, ...],
    root: Trace,
) -> Pulled:
    """The functional, as one of the inputs that is not smaller. bounds: of every bend before;
    root: the values on the whole domain."""
    stop, functional, constant, off = start
    rows = constant.shape[1]
    waiting: list[Functional] = []
    for place in range(stop - 1, -1, -1):
        operation = program.operations[place]
        if isinstance(operation, Move):
            off = off + _rounded(functional, sizes[place])
            functional, more = _through_affine(operation, functional)
        elif isinstance(operation, Bend):
            lines = bounds[place]
            assert lines is not None
            functional = _apart(functional, lines)
            off = off + _rounded(functional, sizes[place])
            functional, more = _through_bend(functional, lines)
        elif isinstance(operation, Add):
            waiting.append(_skipping(operation, functional))
            continue
        else:
            # Without one waiting, the value looked at lies in the block that begins here.
            if waiting:
                functional = functional.plus(waiting.pop())
                off = off + _rounded(functional, sizes[place])
            continue
        constant = constant + more
        off = off + 4.0 * UNIT * (np.abs(constant) + np.abs(more))
    total = _plus(functional.net, functional.target)
    if total is None:
        total = np.zeros((1, rows, program.inputs))
    largest = root.before[0].net.size[0]  # type: ignore[union-attr]
    off = off + 4.0 * UNIT * (np.abs(total) @ largest)
    return Pulled(total, constant, off * (1.0 + 2.0**-40))


def _skipping(operation: Add, functional: Functional) -> Functional:
    """What of a functional behind an addition is one of the value that was kept."""
    net, target, change = functional
    return Functional(net if operation.net else None, target if operation.target else None, change)


def _rounded(functional: Functional, sizes: Sizes) -> FloatArray:
    total = 0.0
    for part, size in zip(functional, sizes, strict=True):
        if part is not None and size is not None:
            total = total + np.abs(part) @ size
    return np.asarray(total)


def _through_affine(operation: Move, functional: Functional) -> tuple[Functional, FloatArray]:
    net, target, change = functional
    constant = 0.0
    if net is not None and operation.net is not None:
        constant = constant + net @ operation.net.bias
        net = _times(net, operation.net.matrix)
    if target is not None and operation.target is not None:
        constant = constant + target @ operation.target.bias
        target = _times(target, operation.target.matrix)
    if change is not None:
        assert operation.change is not None
        assert operation.target is not None
        if not operation.change.is_zero:
            constant = constant + change @ operation.change.bias
            net = _plus(net, _times(change, operation.change.matrix))
        change = _times(change, operation.target.matrix)
    return Functional(net, target, change), np.asarray(constant)


def _apart(functional: Functional, bounds: Bounds) -> Functional:
    """Differences that are better bounded apart as those of the two networks."""
    net, target, change = functional
    if change is None:
        return functional
    assert bounds.joint is not None
    if bounds.joint[0].all() and bounds.joint[1].all():
        return functional
    below, above = (part[:, None, :] for part in bounds.joint)
    joint = np.where(change > 0.0, above, below)
    apart = np.where(joint, 0.0, change)
    return Functional(_plus(net, apart), _plus(target, -apart), np.where(joint, change, 0.0))


def _through_bend(functional: Functional, bounds: Bounds) -> tuple[Functional, FloatArray]:
    constant = 0.0
    passed: list[FloatArray | None] = []
    for rows, lines in zip(functional, (bounds.net, bounds.target, bounds.change), strict=True):
        if rows is None or lines is None:
            passed.append(rows)
            continue
        rows, more = _bent(rows, lines)
        constant = constant + more
        passed.append(rows)
    return Functional(*passed), np.asarray(constant)


def _bent(rows: FloatArray, lines: tuple[Line, Line]) -> tuple[FloatArray, FloatArray]:
    """Positive coefficients take the line above, negative ones that below."""
    below, above = lines
    positive, negative = np.maximum(rows, 0.0), np.minimum(rows, 0.0)
    constant = (positive @ above.intercept[:, :, None])[..., 0]
    if below.intercept.any():
        constant = constant + (negative @ below.intercept[:, :, None])[..., 0]
    return positive * above.slope[:, None, :] + negative * below.slope[:, None, :], constant


def _plus(one: FloatArray | None, other: FloatArray | None) -> FloatArray | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _times(rows: FloatArray, matrix: Matrix) -> FloatArray:
    """rows @ matrix for [B, m, k] and [k, n], as one product."""
    lead = rows.shape[:2]
    flat = rows.reshape(lead[0] * lead[1], rows.shape[2])
    product = (matrix.T @ flat.T).T if scipy.sparse.issparse(matrix) else flat @ matrix
    return np.ascontiguousarray(product).reshape(*lead, matrix.shape[1])
