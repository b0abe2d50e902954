"""d = 2, linear readout: a network and a single-neuron target as two walks away from its kink.

In the frame where w*/||w*|| = (0, 1), x = (cos s, sin s), the residual r = g_S - f has the even
part E(s) = (r(x) + r(-x)) / 2 and the odd part O(s) = (r(x) - r(-x)) / 2, and
sup |r| = max over [0, pi) of |E| + |O|. O is linear in x. E'' = -E except for kinks: -||w*|| at
s = 0, and a_i ||w_i|| at the angle of each kept unit's line. All is divided by ||w*||.

The right half walks up from s = 0, the left half mirrored (s -> pi - s). Up to 45 degrees a half
follows E / cos s against tan s, from there E / sin s against -cot s: in both charts the walk is
piecewise linear, with the state (value, slope); at 45 degrees the slope falls by the value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from slth.network import BoolArray, FloatArray

# What happens at a place of a walk: a unit's kink (a choice), the change of chart, the start.
KINK, CHART, START = 0, 1, 2
# Two 64-bit words hold a half's choices.
MOST_UNITS = 128


class Half(NamedTuple):
    """A walk of n steps through n + 1 places; at the last it ends.

    gap [n]: chart length from place k to k + 1. kind [n], int64: what happens at place k.
    jump [n]: slope jump of the unit there. odd [n, 2]: its a_i w_i. unit [n], int64: its position
    in the frame; rank [n]: its number along the walk. band [n + 1]: 1 / cos or 1 / sin of the
    place, by which the bound on E widens.
    by_value, by_slope [n + 1]: the value at the place of the walk that starts with (value, slope)
    = (1, 0) and (0, 1) and meets no kink. finish [2, 2]: maps (value, slope) at the end to (A, B)
    of the sinusoid E = A cos + B sin there.
    """

    gap: np.ndarray
    kind: np.ndarray
    jump: np.ndarray
    odd: np.ndarray
    unit: np.ndarray
    rank: np.ndarray
    band: np.ndarray
    by_value: np.ndarray
    by_slope: np.ndarray
    finish: np.ndarray


@dataclass(frozen=True, eq=False)
class Frame:
    """Live units in the target's frame, by ascending angle of their line in [0, pi).

    place [M, 2]: (cos, sin) of that angle. jump [M]: a_i ||w_i|| / ||w*||. odd [M, 2]:
    a_i w_i / ||w*||. index [M]: the caller's unit numbers. norm: ||w*||.
    """

    place: FloatArray
    jump: FloatArray
    odd: FloatArray
    index: np.ndarray
    norm: float

    @property
    def width(self) -> int:
        """Number of live units M."""
        return len(self.jump)

    @property
    def middle(self) -> int:
        """Number of units with an angle below 90 degrees."""
        return int(np.count_nonzero(self.place[:, 0] > 0.0))

    @property
    def mass(self) -> float:
        """sum_i |jump_i|."""
        return float(np.abs(self.jump).sum())

    def widened(self, keep: BoolArray, width: int) -> BoolArray:
        """The mask over the caller's `width` units of a mask over the frame's."""
        whole = np.zeros(width, dtype=bool)
        whole[self.index[keep]] = True
        return whole

    def window(self, right: int, left: int) -> Frame:
        """Only so many units nearest to the target's kink on each side, within 90 degrees."""
        middle, last = self.middle, self.width
        near = np.r_[0 : min(right, middle), max(middle, last - left) : last]
        return Frame(self.place[near], self.jump[near], self.odd[near], self.index[near], self.norm)

    def split(self) -> int:
        """How many units the right half should take so that both meet in a wide gap not far from
        90 degrees."""
        angles = np.arctan2(self.place[:, 1], self.place[:, 0])
        edges = np.concatenate([[0.0], angles, [math.pi]])
        edges = np.clip(edges, 0.25 * math.pi, 0.75 * math.pi)
        off_middle = np.abs((edges[1:] + edges[:-1]) / math.pi - 1.0)
        return int(np.argmax(np.diff(edges) * (1.0 - off_middle)))

    def halves(self, split: int | None = None) -> tuple[Half, Half]:
        """The right half of the first `split` units and the left half of the others.

        Each half ends at the nearest unit of the other, at most at 135 degrees from its start;
        its own units must lie below that. With split=None: at 90 degrees both or, where the
        farthest unit lies within 45 degrees of the target's kink, at its own farthest unit.
        """
        mirrored = self.place * np.array([-1.0, 1.0])
        every = np.arange(self.width)
        if split is not None:
            right, left = every[:split], every[split:][::-1]
            ends = [(-1.0, 1.0), (-1.0, 1.0)]
            if split < self.width:
                ends[0] = _first(ends[0], self.place[split])
            if split > 0:
                ends[1] = _first(ends[1], mirrored[split - 1])
        else:
            right, left = every[: self.middle], every[self.middle :][::-1]
            ends = [(0.0, 1.0), (0.0, 1.0)]
            if (np.abs(self.place[:, 0]) > self.place[:, 1]).all():
                for side, (place, units) in enumerate(((self.place, right), (mirrored, left))):
                    if len(units):
                        cos, sin = place[units[-1]]
                        ends[side] = (float(cos), float(sin))
        return self._half(self.place, right, ends[0]), self._half(mirrored, left, ends[1])

    def _half(self, place: FloatArray, units: np.ndarray, end: tuple[float, float]) -> Half:
        cos, sin = place[units, 0], place[units, 1]
        count = len(units)
        near = int(np.count_nonzero(cos >= sin))
        tangent = sin[:near] / cos[:near]
        cotangent = cos[near:] / sin[near:]
        if end[0] >= end[1]:
            last = end[1] / end[0]
            first, second = np.concatenate([[0.0], tangent, [last]]), np.zeros(0)
            stops = first
            kind = np.full(count + 1, KINK)
            finish = np.array([[1.0, -last], [0.0, 1.0]])
        else:
            last = end[0] / end[1]
            first = np.concatenate([[0.0], tangent, [1.0]])
            second = np.concatenate([cotangent, [last]])
            stops = np.concatenate([first, 2.0 - second])
            kind = np.full(count + 2, KINK)
            kind[near + 1] = CHART
            finish = np.array([[0.0, -1.0], [1.0, last]])
        kind[0] = START
        kinks = kind == KINK
        jump, odd, unit = np.zeros(len(kind)), np.zeros((len(kind), 2)), np.zeros(len(kind), int)
        jump[kinks] = self.jump[units] * np.maximum(cos, sin)
        odd[kinks] = self.odd[units]
        unit[kinks] = units
        return Half(
            gap=np.maximum(np.diff(stops), 0.0),
            kind=kind,
            jump=jump,
            odd=odd,
            unit=unit,
            rank=np.cumsum(kinks) - 1,
            band=np.sqrt(1.0 + np.concatenate([first, second]) ** 2),
            by_value=np.concatenate([np.ones(len(first)), second]),
            by_slope=np.concatenate([first, np.ones(len(second))]),
            finish=finish,
        )


def _first(end: tuple[float, float], unit: FloatArray) -> tuple[float, float]:
    """The (cos, sin) of the smaller angle in (0, pi)."""
    cos, sin = float(unit[0]), float(unit[1])
    return (cos, sin) if cos * end[1] > end[0] * sin else end


def frame_of(hidden: FloatArray, output: FloatArray, target: FloatArray) -> Frame | None:
    """The frame of all units that are not zero; None where the scales leave the safe range.

    hidden: float64 [N, 2]. output: float64 [N]. target: float64 [2], w*, not zero.
    """
    norm = math.hypot(target[0], target[1])
    size = np.max(np.abs(hidden), axis=1, initial=0.0)
    index = np.flatnonzero((size > 0.0) & (output != 0.0))
    extremes = np.concatenate([size[index], np.abs(output[index]), [norm]])
    if not (extremes.min() > 1e-100 and extremes.max() < 1e100):
        return None
    hidden, output = hidden[index], output[index] / norm
    across = (hidden[:, 0] * target[1] - hidden[:, 1] * target[0]) / norm
    along = (hidden[:, 0] * target[0] + hidden[:, 1] * target[1]) / norm
    length = np.hypot(across, along)
    # The line of the unit at angle s has w = +-(-sin s, cos s) ||w||; at angle 0, cos s = 1.
    turn = np.where((across > 0.0) | ((across == 0.0) & (along < 0.0)), -1.0, 1.0)
    place = np.stack([turn * along, -turn * across], axis=1) / length[:, None]
    # -cos / sin is an ascending function of the angle, -inf at 0; no arctan needed for an order.
    with np.errstate(divide="ignore"):
        order = np.argsort(-place[:, 0] / np.abs(place[:, 1]), kind="stable")
    odd = np.stack([output * across, output * along], axis=1)
    return Frame(place[order], (output * length)[order], odd[order], index[order], norm)
