"""Bounds of the difference of two networks on boxes: intervals, and linear relaxation on top."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from slth.certify.deep.backward import (
    Bounds,
    Functional,
    Pulled,
    Sizes,
    Start,
    pull,
    relaxed,
    sizes_of,
)
from slth.certify.deep.chains import Chain, chains_of, known_by
from slth.certify.deep.forward import Range, Trace, Values, intervals
from slth.certify.deep.program import Bend, Move, Operation, Program
from slth.certify.deep.region import Region
from slth.layers import FloatArray
from slth.network import BoolArray

Signs = NDArray[np.int8]
# Rows of coefficients that are pulled back at once, times their lengths: about 256 MiB.
_MOST_ENTRIES = 1 << 25


@dataclass(frozen=True, eq=False)
class Difference:
    """Two networks on a domain, and what is known of their values on all of it."""

    program: Program
    root: Trace
    sizes: tuple[Sizes, ...]

    @classmethod
    def of(cls, program: Program, domain: Region) -> Difference:
        """From intervals on the whole domain (one box)."""
        root = intervals(program, domain)
        return cls(program, root, sizes_of(program, root))

    @cached_property
    def chains(self) -> tuple[Chain, ...] | None:
        """As chains of narrow dense layers, bounded one box at a time; None: it is none."""
        return chains_of(self.program, self.sizes, self.root)

    def pulled(
        self, stop: int, functional: Functional, bounds: tuple[Bounds | None, ...]
    ) -> Pulled:
        """A functional of the values before operation `stop`, pulled back to the inputs."""
        return pull(self.program, Start.of(stop, functional), bounds, self.sizes, self.root)

    def pulled_units(
        self, stop: int, kind: int, units: np.ndarray, bounds: tuple[Bounds | None, ...]
    ) -> Pulled:
        """Both signs of single values before operation `stop`; see `Start.at_units`."""
        start = Start.at_units(self.program, self.sizes, stop, kind, units)
        return pull(self.program, start, bounds, self.sizes, self.root)


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Values on B boxes, and lines at every bend."""

    difference: Difference
    region: Region
    trace: Trace
    bounds: tuple[Bounds | None, ...]

    def outputs(self, rows: FloatArray) -> Pulled:
        """<row, net(x) - target(x)> for rows [m, outputs], as functions of the inputs."""
        return self.difference.pulled(
            len(self.difference.program.operations), self._functional(rows), self.bounds
        )

    def _functional(self, rows: FloatArray) -> Functional:
        if self.difference.program.paired:
            return Functional(None, None, rows[None])
        return Functional(rows[None], -rows[None], None)

    def signs(self) -> Signs:
        """What units of net and target are on (1) or off (-1) on all of a box: int8 [B, units],
        those before the first bend first."""
        signs = []
        for operation, values in zip(
            self.difference.program.operations, self.trace.before, strict=True
        ):
            found = [
                (low >= 0.0).astype(np.int8) - (high <= 0.0)
                for low, high in _bending(operation, values)
            ]
            if self.difference.program.paired and found:
                # Where one may bend the range of the other helps that of the difference.
                agreed = np.where(found[0] == found[1], found[0], 0)
                found = [agreed, agreed]
            signs += found
        return np.concatenate([np.zeros((len(self.region), 0), np.int8), *signs], axis=1)

    def change(self) -> Range:
        """net - target at the outputs, by intervals: float64 [B, outputs]."""
        return output_change(self.trace)

    def both_signs(self) -> FloatArray:
        """At least net_i - target_i, then target_i - net_i, on one box: float64 [2 outputs]."""
        eye = np.eye(self.difference.program.outputs)
        top = self.outputs(np.concatenate([eye, -eye])).highest(self.region)[0]
        low, high = self.change()
        return np.minimum(top, np.concatenate([high[0], -low[0]]))

    def highest(self) -> FloatArray:
        """At least |net_i - target_i| on each box, float64 [B, outputs]."""
        count = self.difference.program.outputs
        by_interval = self.change().size
        eye = np.eye(count)
        top = self.outputs(np.concatenate([eye, -eye])).highest(self.region)
        return np.minimum(by_interval, np.maximum(top[:, :count], top[:, count:]))


def output_change(trace: Trace) -> Range:
    """net - target at the end, by intervals."""
    net, target, change = trace.after
    if change is not None:
        return change
    assert net is not None
    assert target is not None
    return Range(
        np.nextafter(net.low - target.high, -np.inf), np.nextafter(net.high - target.low, np.inf)
    )


def _bending(operation: Operation, values: Values) -> list[Range]:
    """The values of net and target that an operation may bend."""
    if not isinstance(operation, Bend):
        return []
    both = (values.net if operation.net else None, values.target if operation.target else None)
    return [part for part in both if part is not None]


def known_from(difference: Difference, signs: Signs) -> Trace:
    """Values that have these signs (see `Relaxation.signs`)."""
    before, at = [], 0
    low = np.where(signs > 0, 0.0, -np.inf)
    high = np.where(signs < 0, 0.0, np.inf)
    nothing = Values(None, None, None)
    for operation, values in zip(
        difference.program.operations, difference.root.before, strict=True
    ):
        found: list[Range | None] = [None, None]
        if isinstance(operation, Bend):
            for kind, taken in enumerate((operation.net, operation.target)):
                if taken:
                    end = at + values[kind].low.shape[1]  # type: ignore[union-attr]
                    found[kind] = Range(low[:, at:end], high[:, at:end])
                    at = end
        before.append(Values(found[0], found[1], None))
    return Trace(tuple(before), nothing)


def relax(
    difference: Difference, region: Region, known: Trace | None = None, *, thorough: bool = True
) -> Relaxation:
    """Lines at every bend for each box.

    known: values on these boxes or larger ones; chains take those of net and target.
    thorough: whether the values before every bend are bounded by pulling them back to the inputs,
    too, not by intervals alone.
    """
    program = difference.program
    if thorough and difference.chains is not None:
        found = known_by(program, [chain.values(region, known) for chain in difference.chains])
        trace = intervals(program, region, found)
        lines = [
            relaxed(operation, values) if isinstance(operation, Bend) else None
            for operation, values in zip(program.operations, trace.before, strict=True)
        ]
        return Relaxation(difference, region, trace, tuple(lines))
    trace = intervals(program, region, known)
    bounds: list[Bounds | None] = [None] * len(program.operations)
    for place, operation in enumerate(program.operations):
        if not isinstance(operation, Bend):
            continue
        if thorough:
            values = _sharper(difference, region, trace, place, operation, tuple(bounds))
            if values is not None:
                before = (*trace.before[:place], values, *trace.before[place + 1 :])
                trace = intervals(program, region, Trace(before, trace.after))
        bounds[place] = relaxed(operation, trace.before[place])
    return Relaxation(difference, region, trace, tuple(bounds))


def _sharper(
    difference: Difference,
    region: Region,
    trace: Trace,
    place: int,
    operation: Bend,
    bounds: tuple[Bounds | None, ...],
) -> Values | None:
    """The values before a bend, of the units that may bend; None if there are none."""
    net, target, change = trace.before[place]
    open_net = _open(net) if operation.net else None
    open_target = _open(target) if operation.target else None
    open_change = None
    if change is not None:
        both = (net.low >= 0.0) & (target.low >= 0.0) | (net.high <= 0.0) & (target.high <= 0.0)  # type: ignore[union-attr]
        moving = (change.low != 0.0) | (change.high != 0.0)
        open_change = (~both & moving).any(axis=0)
    result, found = [], False
    for kind, (values, units) in enumerate(
        ((net, open_net), (target, open_target), (change, open_change))
    ):
        if values is None or units is None or not units.any():
            result.append(values)
            continue
        found = True
        result.append(_pulled_range(difference, region, place, kind, values, units, bounds))
    return Values(*result) if found else None


def _open(values: Range | None) -> BoolArray | None:
    """Units that may change sign on some box."""
    if values is None:
        return None
    return np.asarray(((values.low < 0.0) & (values.high > 0.0)).any(axis=0))


def _pulled_range(
    difference: Difference,
    region: Region,
    place: int,
    kind: int,
    values: Range,
    units: BoolArray,
    bounds: tuple[Bounds | None, ...],
) -> Range:
    """The range of the chosen units of net (kind 0), target (1) or change (2), pulled back."""
    chosen = np.flatnonzero(units)
    low, high = values.low.copy(), values.high.copy()
    step = max(1, _MOST_ENTRIES // (2 * len(region) * _widest_before(difference.program, place)))
    for start in range(0, len(chosen), step):
        part = chosen[start : start + step]
        top = difference.pulled_units(place, kind, part, bounds).highest(region)
        high[:, part] = np.minimum(high[:, part], top[:, : len(part)])
        low[:, part] = np.maximum(low[:, part], -top[:, len(part) :])
    return Range(low, high)


def _widest_before(program: Program, place: int) -> int:
    """Entries of the longest row of coefficients on the way to the inputs."""
    widths = [program.inputs]
    for operation in program.operations[:place]:
        part = operation.net or operation.target if isinstance(operation, Move) else None
        if part is not None:
            widths.append(part.matrix.shape[1])
    return max(widths)
