"""An objective and where it is to be maximised: what the engines are asked about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slth.certify.problem.cheap import norm_bound
from slth.certify.problem.objective import Objective
from slth.certify.problem.place import AROUND_ZERO, Place


@dataclass(frozen=True)
class Maximization:
    """Maximise `objective` over the points of `place`; the objective's slack is not looked at."""

    objective: Objective
    place: Place = AROUND_ZERO

    @classmethod
    def blank(cls, width: int, d: int, place: Place) -> Maximization:
        """A problem of that size that takes no memory: what its units are is left open."""
        zero = np.zeros(1)
        linear, coefficients, hidden = (
            np.broadcast_to(zero, shape) for shape in ((1, d), (1, width), (width, d))
        )
        return cls(Objective(linear, coefficients, hidden, 0.0), place)

    @property
    def width(self) -> int:
        return self.objective.hidden.shape[0]

    @property
    def d(self) -> int:
        return self.objective.hidden.shape[1]

    @property
    def pieces(self) -> int:
        return self.objective.linear.shape[0]

    @cached_property
    def root(self) -> float:
        """A rigorous upper bound of the supremum, at the price of an eigenvalue problem."""
        return norm_bound(self.objective) * self.place.within(self.d)
