"""The points whose rows a prover may use, kept in the arrays the compiled simplex reads."""

from __future__ import annotations

import math

import numpy as np

from slth.network import FloatArray
from slth.pruning.neurons.dual import Certificate
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.simplex import Dictionary, Pool, rows_of

# Relative to the cutoff: far below the tolerances, far above the noise of the reduced costs.
_TILT = 1e-7


class PointPool:
    """A growing set of points of the ball, up to a capacity.

    With the relu readout the lower rows (s = 1) hold only where f >= `cutoff` (see `dual.py`).
    If the problem speaks of masks of at most m units, the first row is M (sum_i z_i - m) <= t,
    which holds for them; M is as large as the largest feature, so that t hardly loosens it. The
    centre of the ball, where nothing is said, stands in for its point.
    """

    def __init__(self, problem: Problem, capacity: int, cutoff: float = math.inf) -> None:
        self._problem = problem
        self._cutoff = cutoff
        self._crowding = 0.0
        capacity += 1
        self._points = np.zeros((capacity, problem.d))
        self.arrays = Pool(
            np.zeros((problem.width, capacity)),
            np.zeros(capacity),
            np.zeros(2 * capacity),
            np.zeros(2 * capacity, np.bool_),
            np.zeros(1, np.int64),
            _TILT * min(cutoff, 1.0) * (0.5 + np.random.default_rng(0).random(problem.width)),
        )
        if problem.most is not None:
            # A power of two: its multiples by counts are exact.
            largest = float(problem.unit_norms.max(initial=1e-290))
            self._crowding = 2.0 ** math.ceil(math.log2(largest))
            self.arrays.phi[:, 0] = self._crowding
            self.arrays.f[0] = self._crowding * problem.most
            self.arrays.floor[:2] = -self.arrays.f[0], self.arrays.f[0]
            self.arrays.holds[0] = True
            self.arrays.size[0] = 1

    @property
    def always(self) -> np.ndarray:
        """Row numbers that every dictionary should start with: int64."""
        return np.arange(self.size)[: int(self._crowding > 0.0)]

    @property
    def crowd_mass(self) -> float:
        """Sum of what the row of the count holds: its rounding errors are relative to it."""
        most = 0 if self._problem.most is None else self._problem.most
        return self._crowding * (self._problem.width + most)

    @property
    def tilted(self) -> float:
        """The most by which the tilts raise a relaxation's value."""
        return float(self.arrays.tilt.sum())

    @property
    def size(self) -> int:
        """How many points there are."""
        return int(self.arrays.size[0])

    @property
    def room(self) -> int:
        """How many more fit."""
        return self._points.shape[0] - self.size

    @property
    def points(self) -> FloatArray:
        """float64 [size, d]."""
        return self._points[: self.size]

    def add(self, points: FloatArray) -> np.ndarray:
        """Add points of the ball (those that fit); returns their row numbers that hold, int64."""
        points = points[: self.room]
        first, count = self.size, points.shape[0]
        if count == 0:
            return np.zeros(0, np.int64)
        f = self._problem.target_values(points)
        where = slice(first, first + count)
        rows = slice(2 * first, 2 * (first + count))
        self._points[where] = points
        self.arrays.phi[:, where] = self._problem.features(points).T
        self.arrays.f[where] = f
        self.arrays.floor[rows] = np.stack([-f, f], axis=1).ravel()
        self.arrays.holds[rows] = self._holding(f)
        self.arrays.size[0] += count
        numbers = np.arange(2 * first, 2 * (first + count))
        return numbers[self.arrays.holds[rows]]

    def lower_cutoff(self, cutoff: float) -> None:
        """Speak only of masks of error below a smaller cutoff: more lower rows hold for them."""
        self._cutoff = min(self._cutoff, cutoff)
        first = self.always.size
        rows = slice(2 * first, 2 * self.size)
        self.arrays.holds[rows] = self._holding(self.arrays.f[first : self.size])

    def _holding(self, f: FloatArray) -> np.ndarray:
        """Whether the two rows of each point hold: bool [2 P]."""
        holds = np.ones((f.shape[0], 2), np.bool_)
        if not self._problem.linear:
            error = self._problem.target_error * self._problem.target_mass
            holds[:, 1] = f - 2.0 * error >= self._cutoff
        return holds.ravel()

    def violated(self, numbers: np.ndarray, weights: FloatArray, value: float) -> np.ndarray:
        """Those row numbers whose row `weights` exceeds `value` in."""
        places = numbers >> 1
        signs = 1.0 - 2.0 * (numbers & 1)
        excess = signs * (weights @ self.arrays.phi[:, places] - self.arrays.f[places])
        return numbers[excess > value]

    def certificate(self, dictionary: Dictionary) -> Certificate:
        """The multipliers of a dictionary's nonbasic slacks, to be evaluated outward."""
        width = self._problem.width
        nonbasic = dictionary.nonbasic
        slacks = nonbasic > width
        numbers = nonbasic[slacks] - width - 1
        multipliers = np.maximum(dictionary.table[0, slacks], 0.0)
        crowded = (numbers >> 1) < self.always.size
        return Certificate(
            self._points[numbers >> 1],
            np.where(numbers & 1, -1.0, 1.0),
            np.where(crowded, 0.0, multipliers),
            self._crowding * float(multipliers[crowded].sum()),
            0 if self._problem.most is None else self._problem.most,
        )

    def tight(self, dictionary: Dictionary, slack: float) -> np.ndarray:
        """Row numbers of the dictionary whose slack is at most `slack`."""
        width = self._problem.width
        numbers = rows_of(dictionary)
        loose = np.zeros(2 * self._points.shape[0])
        for r in range(int(dictionary.rows[0])):
            v = int(dictionary.basic[r])
            if v > width:
                loose[v - width - 1] = dictionary.value[r] - self.arrays.floor[v - width - 1]
        return numbers[loose[numbers] <= slack]
