"""Sums of kinks on a box, and what any multipliers prove of them.

Each of Q sums is A(v) = constant + <linear, v> + sum_k cost_k max(z_k, 0), with z = rows v + offset
and v in a box, where z_k is known to lie in [low_k, high_k]. For any multipliers t in R^m

    A(v) <= constant + <offset, t> + sup_v <linear + rows' t, v> + sum_k h_k(t_k),
    h_k(t) = max over z in [low_k, high_k] of cost_k max(z, 0) - t z,

as t_k z_k is added and taken away. That a kink is on or off is low_k = 0 or high_k = 0, so a node
of a tree of signs has this one bound. The best multipliers give the value of the linear program
with the chord over every kink of positive cost that may bend; others cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slth.layers import FloatArray
from slth.rounding.outward import TINY, UNIT


@dataclass(frozen=True, eq=False)
class KinkSums:
    """The sums.

    Attributes:
        rows, offset: float64 [m, n], [m].
        low, high: float64 [m], low < 0 < high: the range of z on the whole box.
        linear, cost, constant: float64 [Q, n], [Q, m], [Q].
        slack: float64 [Q], the sums meant are at most this much larger.
        least, most: float64 [n], the box.
    """

    rows: FloatArray
    offset: FloatArray
    low: FloatArray
    high: FloatArray
    linear: FloatArray
    cost: FloatArray
    constant: FloatArray
    slack: FloatArray
    least: FloatArray
    most: FloatArray

    @cached_property
    def largest(self) -> FloatArray:
        """The largest |v|."""
        return np.maximum(np.abs(self.least), np.abs(self.most))

    @cached_property
    def _row_sizes(self) -> FloatArray:
        """At least what a multiplier 1 can make of magnitudes."""
        size = np.abs(self.rows) @ self.largest + np.abs(self.offset)
        return size + np.maximum(-self.low, self.high)

    @cached_property
    def _sizes(self) -> FloatArray:
        """The same without multipliers, by sum."""
        size = np.abs(self.constant) + np.abs(self.linear) @ self.largest
        return size + np.abs(self.cost) @ self.high

    def highest(
        self, which: int, low: FloatArray, high: FloatArray, multipliers: FloatArray
    ) -> float:
        """At least the sum wherever z lies in [low, high], proven by the multipliers; rounded up.

        Each entry of linear + rows' t is a sum of m + 1 products, off by (m + 1) u of their sizes,
        what follows one of n + 2 m + 8 terms: together less than 2 (n + 2 m + 32) u of the sizes of
        all that is added.
        """
        cost = self.cost[which]
        slope = self.linear[which] + multipliers @ self.rows
        top = self.constant[which] + self.offset @ multipliers
        top += np.maximum(slope * self.least, slope * self.most).sum()
        best = np.maximum(
            cost * np.maximum(low, 0.0) - multipliers * low,
            cost * np.maximum(high, 0.0) - multipliers * high,
        )
        top += np.where((low < 0.0) & (high > 0.0), np.maximum(best, 0.0), best).sum()
        size = self._sizes[which] + np.abs(multipliers) @ self._row_sizes
        terms = sum(self.rows.shape) + len(self.offset) + 32
        total = float(top + (2.0 * terms * UNIT * size + self.slack[which]) + TINY)
        total += 4.0 * UNIT * abs(total)
        # Multipliers that overflow prove nothing.
        return total if np.isfinite(total) else np.inf
