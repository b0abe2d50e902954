"""The problem as zonal measures see it: directions, sizes with signs, a target of norm 1.

For a signed measure mu on the ball of total variation 1, spread evenly over spheres of latitude
about a direction v, every unit counts by the angle of its line to the line of v alone:
int max(<w_i, .>, 0) dmu = ||w_i|| I(theta_i).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slth.network import FloatArray
from slth.pruning.neurons.problem import Problem
from slth.rounding.outward import UNIT


@dataclass(frozen=True, eq=False)
class Setting:
    """sum_i alpha_i max(<v_i, .>, 0) against max(<w, .>, 0), ||w|| = 1, linear readout, d >= 3.

    Attributes:
        rows: float64 [N, d], the v_i of norm 1 but for rounding; zero where w_i is.
        target: float64 [d], w.
        alphas: float64 [N], at most a few roundings smaller than |alpha_i|, with the sign of
            alpha_i.
        size: ||w*|| before scaling: errors are to be multiplied by it.
    """

    rows: FloatArray
    target: FloatArray
    alphas: FloatArray
    size: float

    @classmethod
    def of(cls, problem: Problem) -> Setting | None:
        """None where there is nothing to prove in this way: relu readout, d < 3 (in the plane the
        walks round the circle know more), a target of more than one unit, no units."""
        if not problem.linear or problem.d < 3 or problem.target.width != 1 or problem.width == 0:
            return None
        target, output = problem.target.hidden[0], float(problem.target.output[0])
        # max(-max(<w, x>, 0), 0) = 0: nothing is to be reached.
        if problem.target.readout != "linear" and output < 0.0:
            return None
        size = abs(output) * float(np.linalg.norm(target))
        if not 0.0 < size < math.inf:
            return None
        # The roundings of the quotient are paid in `most_seen`.
        scaled = problem.unit_norms / size
        if not np.isfinite(scaled).all():
            return None
        alphas = scaled * np.sign(problem.net.output) * math.copysign(1.0, output)
        return cls(_normed(problem.net.hidden), _normed(target[None])[0], alphas, size)

    @property
    def d(self) -> int:
        """Input dimension."""
        return self.rows.shape[1]

    @property
    def scale(self) -> float:
        """The angle within which about one of the units lies to a given direction."""
        return min(0.5, self.rows.shape[0] ** (-1.0 / (self.d - 1)))

    @property
    def slack(self) -> float:
        """A bound on the error of `angles_to`. The parts along and across are computed for rows of
        norm near 1, each off by at most (2 d + 16) u; arctan2 turns an error of e in parts of norm
        1 into at most 2 e."""
        return (8 * self.d + 64) * 2.0 * UNIT

    @cached_property
    def to_target(self) -> FloatArray:
        """The angles to the target: float64 [N]."""
        return self.angles_to(self.target)

    def angles_to(self, axis: FloatArray, units: np.ndarray | None = None) -> FloatArray:
        """The angle in [0, pi/2] between the line of each v_i and an axis.

        axis: float64 [d], of norm 1 but for rounding; units: int64 [n], all if None -> float64 [n].
        """
        rows = self.rows if units is None else self.rows[units]
        along = rows @ axis
        across = np.sqrt(np.sum((rows - along[:, None] * axis) ** 2, axis=1))
        return np.arctan2(across, np.abs(along))


def _normed(rows: FloatArray) -> FloatArray:
    # Scaled by the largest entry first, so that no square over- or underflows.
    largest = np.max(np.abs(rows), axis=1, keepdims=True, initial=0.0)
    scaled = rows / np.where(largest > 0.0, largest, 1.0)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / np.where(norms > 0.0, norms, 1.0)
