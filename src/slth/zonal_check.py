"""The checker's rule for zonal proofs: every step's inequality, summed over all units in floats
with every rounding taken outward. docs/check.md derives it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from slth.exact import TooLarge, require_work
from slth.latitudes import Load, Steps, moments, steps
from slth.network import ReLUNetwork
from slth.proof import ZonalProof
from slth.ticket import Ticket

_U = 2.0**-53
# A float product of numbers above 0 that underflows loses less than this.
_TINY = 1e-300
# Rows looked at together: some MiB. Float operations that take as long as an exact one.
_BLOCK, _FLOATS_AN_OPERATION = 1 << 16, 50
# Latitudes of all measures together, and inputs: seconds of ball arithmetic.
_MOST_LATITUDES, _MOST_INPUTS = 300, 4096
# How uncertain enclosures may be together, in parts of what a step must reach, and in how many
# cells: the first are cheap whatever is written and tell most false proofs, the last take some tens
# of seconds at most and cost a proof about what they are uncertain by.
_SHARPNESS = ((0.3, 100), (0.03, 2000), (0.002, 2000))
# A step that misses the bound by this part even by its smallest possible sum is refused at once.
# That sum's own roundings, not paid for, are far below, and at worst refuse a true proof.
_CLEARLY = 1e-6


class _Units(NamedTuple):
    """Units a max(<w, .>, 0): directions w/||w|| within (d + 8) u, float64 [n, d], 0 for w = 0;
    sizes float64 [n], at least |a| ||w|| and at most (1 + 8 (d + 16) u) times that + 1e-300; signs
    of a."""

    rows: np.ndarray
    sizes: np.ndarray
    signs: np.ndarray

    @classmethod
    def of(cls, network: ReLUNetwork) -> _Units:
        d = network.d
        largest = np.max(np.abs(network.hidden), axis=1, initial=0.0)
        safe = np.where(largest > 0.0, largest, 1.0)
        rows = network.hidden / safe[:, None]
        norms = np.sqrt(np.sum(rows * rows, axis=1))
        rows /= np.where(largest > 0.0, norms, 1.0)[:, None]
        with np.errstate(over="ignore"):
            lengths = largest * norms * (1.0 + 2 * (d + 8) * _U) + _TINY
            sizes = np.abs(network.output) * lengths * (1.0 + 4.0 * _U) + _TINY
        if not np.isfinite(sizes).all():
            raise TooLarge("units of a size that the checker does not hold")
        return cls(rows, np.where(largest > 0.0, sizes, 0.0), np.sign(network.output))

    def least(self, unit: int) -> float:
        """At most |a| ||w|| of one unit."""
        slack = 16 * (self.rows.shape[1] + 16) * _U
        return max(0.0, float(self.sizes[unit]) * (1.0 - slack) - 4.0 * _TINY)


def zonal_flaw(ticket: Ticket, proof: ZonalProof) -> str | None:
    """Why the proof does not prove `ticket.bound` > 0; None if it does.

    What is cheap comes first: names, then what measures reach at best, then their enclosures, each
    no sharper than the steps about it need.

    Raises:
        TooLarge: more than about a minute of work, or numbers that floats do not hold.
    """
    net, target, d = ticket.net, ticket.target, ticket.net.d
    if ticket.kind != "neuron" or net.readout != "linear" or d < 3 or target.width != 1:
        return "a zonal proof is for neuron masks, linear readout, d >= 3, a target of one unit"
    if target.readout != "linear" and target.output[0] < 0.0:
        return "a zonal proof is not for a target that is 0"
    if proof.latitude.shape[0] > _MOST_LATITUDES or d > _MOST_INPUTS:
        raise TooLarge(f"too large for the checker: {proof.latitude.shape[0]} latitudes, d = {d}")
    require_work(len(_SHARPNESS) * proof.leaves * net.width * (d + 20) // _FLOATS_AN_OPERATION)
    missing = np.flatnonzero(proof.unit >= net.width)
    if missing.size:
        return f"step {missing[0] + 1} of the zonal proof names a unit that is missing"
    units, goal = _Units.of(net), _Units.of(target)
    wanted = _float_above(Fraction(ticket.bound) / Fraction(ticket.radius))
    measures = _measures(units, goal, proof, wanted)
    pairs = list(zip(proof.unit.tolist(), [measures[m] for m in proof.measure], strict=True))
    # Nothing that units see raises what a step reaches.
    for step, (unit, measure) in enumerate(pairs):
        held = goal.least(0) if unit == -1 else units.least(unit)
        if not _reaches(held, 0.0, measure, wanted):
            return f"step {step + 1} of the zonal proof cannot reach the bound"
    dropped = np.zeros(net.width, dtype=bool)
    for step, (unit, measure) in enumerate(pairs):
        if not _proven(units, goal, unit, measure, dropped, wanted):
            return f"step {step + 1} of the zonal proof does not reach the bound"
        if unit != -1:
            dropped[unit] = True
    return None


class _Measure:
    """A measure of a proof, and what units see of it: enclosed when first asked for, and sharper
    where that was not enough."""

    def __init__(
        self, d: int, latitudes: list[float], weights: list[float], load: Load, wanted: float
    ) -> None:
        self._parts = d, latitudes, weights, load
        self.total, self.variation = moments(latitudes, weights)
        # In parts of what must be reached.
        self._needed = wanted * self.variation
        if not 0.0 < self._needed < np.inf:
            raise TooLarge("weights of a size that the checker does not hold")
        self._level = -1
        self._steps: Steps | None = None

    def enclosures(self) -> Iterator[Steps]:
        """From the sharpest so far to the sharpest that there is."""
        if self._steps is not None:
            yield self._steps
        while self._level + 1 < len(_SHARPNESS):
            self._level += 1
            share, cells = _SHARPNESS[self._level]
            self._steps = steps(*self._parts, share * self._needed, cells)
            yield self._steps


def _measures(units: _Units, goal: _Units, proof: ZonalProof, wanted: float) -> list[_Measure]:
    """The measures, to be enclosed as sharply as the units about the target make worth while."""
    angles = np.concatenate([np.arcsin(np.minimum(1.0, s)) for _, s in _sines(units, goal.rows[0])])
    order = np.argsort(angles)
    places, sums = angles[order], np.concatenate([[0.0], np.cumsum(units.sizes[order])])

    def within(left: float, right: float) -> float:
        low, high = np.searchsorted(places, [left, right])
        return float(sums[high] - sums[low])

    load = Load(within, float(np.median(units.sizes)))
    return [
        _Measure(
            units.rows.shape[1],
            proof.latitude[first:last].tolist(),
            proof.weight[first:last].tolist(),
            load,
            wanted,
        )
        for first, last in pairwise(proof.start.tolist())
    ]


def _proven(
    units: _Units, goal: _Units, unit: int, measure: _Measure, dropped: np.ndarray, wanted: float
) -> bool:
    """Whether masks without the dropped units that keep `unit` err by `wanted`; all for -1."""
    none = np.zeros(1, dtype=bool)
    for table in measure.enclosures():
        if unit == -1:
            held = goal.least(0)
            spent = _spent(table, units, goal.rows[0], goal.signs[0] * units.signs, dropped)
        else:
            held, axis, sign = units.least(unit), units.rows[unit], units.signs[unit]
            others = dropped.copy()
            others[unit] = True
            # The target is there for every mask.
            spent = _spent(table, units, axis, -sign * units.signs, others).with_also(
                _spent(table, goal, axis, sign * goal.signs, none)
            )
        if _reaches(held, spent.most, measure, wanted):
            return True
        # No sharper enclosure would help.
        if not _reaches(held, spent.least, measure, (1.0 - _CLEARLY) * wanted):
            return False
    return False


def _reaches(held: float, spent: float, measure: _Measure, wanted: float) -> bool:
    """Whether held I(0) - spent >= wanted sum |w_k| > 0; four roundings at most on either side."""
    reached = held * measure.total * (1.0 - 4.0 * _U) - spent * (1.0 + 4.0 * _U)
    needed = wanted * measure.variation * (1.0 + 4.0 * _U)
    return bool(reached * (1.0 - 4.0 * _U) >= needed > 0.0)


def _sines(units: _Units, axis: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """The sine of the angle from each unit's line to an axis, block by block."""
    for start in range(0, units.rows.shape[0], _BLOCK):
        block = slice(start, start + _BLOCK)
        rows = units.rows[block]
        across = rows - (rows @ axis)[:, None] * axis
        yield block, np.sqrt(np.sum(across * across, axis=1))


class _Spent(NamedTuple):
    """A sum that is at most `most`, with every rounding paid, and about at least `least`."""

    most: float
    least: float

    def with_also(self, other: _Spent) -> _Spent:
        """The sum of both; its one rounding is among those of `_reaches`."""
        return _Spent(self.most + other.most, self.least + other.least)


def _spent(
    table: Steps, units: _Units, axis: np.ndarray, signs: np.ndarray, left_out: np.ndarray
) -> _Spent:
    """The sum over units not left out of size max(0, sign I(theta))."""
    # Directions are within (d + 8) u, the product, its multiple of the axis and the norm of what
    # is left within some d u each.
    off = (16 * axis.shape[0] + 128) * _U
    most, least, count = 0.0, 0.0, units.sizes.shape[0]
    for block, sines in _sines(units, axis):
        first, last = (_cell(table.sines, sines + shift) for shift in (-off, off))
        if (last > first + 1).any():
            raise TooLarge("latitudes too near to each other for the checker")
        high = np.maximum(table.high[first], table.high[last])
        low = np.minimum(table.low[first], table.low[last])
        sizes = np.where(left_out[block], 0.0, units.sizes[block])
        most += float(sizes @ np.maximum(np.where(signs[block] > 0.0, high, -low), 0.0))
        least += float(sizes @ np.maximum(np.where(signs[block] > 0.0, low, -high), 0.0))
    # Each product rounds once, and `count` sums of terms of one sign once each.
    return _Spent(most * (1.0 + 2.0 * (count + 64) * _U) + count * _TINY, least)


def _cell(sines: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(sines, values, side="right") - 1, 0, sines.shape[0] - 2)


def _float_above(value: Fraction) -> float:
    if value > Fraction(1 << 1000):
        raise TooLarge("a bound of a size that the checker does not hold")
    return float(np.nextafter(float(value), np.inf))
