"""At least what units can add to a subset against one measure, summed with outward rounding.

Units far from the axis are many and matter little: they are looked up in a table by the leading
bits of sin(theta)^2, which a dot product gives; the others are summed one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from slth.network import FloatArray
from slth.pruning.neurons.zonal.setting import Setting
from slth.rounding.outward import UNIT
from slth.theory.zonal import Profile

# Leading bits of a float64 that name a cell of the table: sign, exponent, 8 of the mantissa, so
# that a cell is 1/256 of its sin(theta)^2 wide.
_SHIFT = 52 - 8
# Units within so many times the scale are summed one by one, but never beyond this sin^2.
_NEAR, _MOST_NEAR = 6.0, 0.25
# Roundings of the ends of a cell's angles, and of a bound on it.
_OUTWARD = 2.0**-40


def most_seen(profile: Profile, angles: FloatArray, slack: float, alphas: FloatArray) -> float:
    """At least sum_i max(0, alpha_i I(theta_i)) for |theta_i - angles_i| <= slack and |alpha_i| at
    most |alphas_i| (1 + a few u)."""
    total = _sum(profile.edges, profile.coefficients, profile.errors, angles, alphas, _blur(slack))
    return total * _sum_slack(angles.shape[0])


@dataclass(frozen=True, eq=False)
class Table:
    """A profile and, for far units, bounds by the leading bits of sin(theta)^2.

    Attributes:
        near: sin(theta)^2 below which units are summed one by one.
        first: the bits of the first cell.
        high, low: float64 [C], at least max(0, I) and max(0, -I) on each cell.
    """

    profile: Profile
    near: float
    first: int
    high: FloatArray
    low: FloatArray

    @classmethod
    def of(cls, profile: Profile, setting: Setting) -> Table:
        """The table of a profile."""
        near = min(_MOST_NEAR, (_NEAR * setting.scale) ** 2)
        first, last = np.array([near, 1.0]).view(np.int64) >> _SHIFT
        ends = (np.arange(first, last + 2) << _SHIFT).view(np.float64)
        # 1 - a^2 is off by a few times the error of a dot product of directions; `near` is the
        # least it is relative to.
        off = (4 * setting.d + 64) * UNIT / ends[0]
        sines = np.minimum(1.0, np.sqrt(np.outer([1.0 - off, 1.0 + off], ends)))
        left = np.arcsin(sines[0, :-1]) * (1.0 - _OUTWARD) - setting.slack
        right = np.arcsin(sines[1, 1:]) * (1.0 + _OUTWARD) + setting.slack
        # sin^2 = 1 up to rounding is any angle near pi/2, where arcsin loses half of the digits.
        left[-1] = min(left[-1], left[-2])
        right[-1] = math.pi
        high, low = _extremes(
            profile.edges, profile.coefficients, profile.errors, left, right, _blur(0.0)
        )
        return cls(profile, float(ends[0]), int(first), high, low)

    def most_seen(self, setting: Setting, axis: FloatArray, alphas: FloatArray) -> float:
        """At least sum_i max(0, alpha_i I(theta_i)), theta_i the angles to an axis of norm 1.

        axis: float64 [d]; alphas: float64 [N], as in the function of that name.
        """
        squares = _sine_squares(setting.rows, axis)
        close = np.flatnonzero(squares < self.near)
        far = _far_sum(squares.view(np.int64), self.first, self.high, self.low, alphas)
        near = most_seen(self.profile, setting.angles_to(axis, close), setting.slack, alphas[close])
        return (near + far * _sum_slack(alphas.shape[0])) * (1.0 + 4.0 * UNIT)


def _blur(slack: float) -> float:
    # |I'| <= 1/2, so the slack of an angle costs half of it; a cell's variable y has relative
    # rounding 4 u of a quotient by h, which costs the slope in y times that: |I'| h <= 1.
    return 0.5 * slack + 8.0 * UNIT


def _sum_slack(count: int) -> float:
    # That many additions of nonnegative terms, each with a few roundings of its own.
    return 1.0 + (count + 64) * 2.0 * UNIT


@njit(cache=True, nogil=True)
def _value(coefficients, y):
    value = 0.0
    for j in range(coefficients.shape[0] - 1, -1, -1):
        value = value * y + coefficients[j]
    return value


@njit(cache=True, nogil=True)
def _sum(edges, coefficients, errors, angles, alphas, blur):
    total = 0.0
    cells = coefficients.shape[0]
    for i in range(angles.shape[0]):
        c = np.searchsorted(edges, angles[i]) - 1
        c = min(max(c, 0), cells - 1)
        middle = 0.5 * (edges[c] + edges[c + 1])
        y = (angles[i] - middle) / (0.5 * (edges[c + 1] - edges[c]))
        value = _value(coefficients[c], min(1.0, max(-1.0, y)))
        if alphas[i] < 0.0:
            value = -value
        # An angle off by more than the cell's end is in the next cell, and I is continuous: the
        # blur, which bounds how far I moves, covers it.
        seen = value + errors[c] + blur
        if seen > 0.0:
            total += abs(alphas[i]) * seen
    return total


@njit(cache=True, nogil=True)
def _extremes(edges, coefficients, errors, left, right, blur):
    """For each interval [left, right] of angles, at least max(0, I) and max(0, -I) on it."""
    cells, terms = coefficients.shape
    high, low = np.zeros(left.shape[0]), np.zeros(left.shape[0])
    for i in range(left.shape[0]):
        for c in range(cells):
            if edges[c + 1] < left[i] or edges[c] > right[i]:
                continue
            middle, half = 0.5 * (edges[c] + edges[c + 1]), 0.5 * (edges[c + 1] - edges[c])
            first = min(1.0, max(-1.0, (left[i] - middle) / half))
            last = min(1.0, max(-1.0, (right[i] - middle) / half))
            steep = 0.0
            for j in range(1, terms):
                steep += j * abs(coefficients[c, j])
            value = _value(coefficients[c], 0.5 * (first + last))
            # The slope in y times half the interval; y itself is rounded, as in `_sum`.
            off = steep * (0.5 * (last - first) + 2.0**-50) * (1.0 + 2.0**-40)
            off += errors[c] + blur
            high[i] = max(high[i], value + off)
            low[i] = max(low[i], off - value)
    return high, low


@njit(cache=True, nogil=True)
def _sine_squares(rows, axis):
    """1 - <v_i, axis>^2, at least 0."""
    count, d = rows.shape
    squares = np.empty(count)
    for i in range(count):
        along = 0.0
        for k in range(d):
            along += rows[i, k] * axis[k]
        squares[i] = max(0.0, 1.0 - along * along)
    return squares


@njit(cache=True, nogil=True)
def _far_sum(bits, first, high, low, alphas):
    total = 0.0
    for i in range(bits.shape[0]):
        cell = (bits[i] >> _SHIFT) - first
        # Units nearer than the table's first end have negative cells.
        if cell >= 0:
            if alphas[i] > 0.0:
                total += alphas[i] * high[cell]
            else:
                total -= alphas[i] * low[cell]
    return total
