"""What every engine is asked and what it answers.

A new engine is a file with a class that has these two methods, and a line in `engines.ENGINES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from slth.certify.problem.problem import Maximization
from slth.limits import Deadline
from slth.network import FloatArray

# An incumbent, when to return -> what is known then.
Resume = Callable[[float, Deadline], "Bound"]


@dataclass(frozen=True)
class Ask:
    """What is wanted to be known of a supremum.

    Attributes:
        incumbent: a value known to be attained, in this problem or in a sister problem of which
            only the largest supremum matters: nothing below it is told apart.
        rtol, floor: the search ends with upper <= max(floor, best * (1 + rtol)), best being the
            larger of `incumbent` and the value found; `floor` may be the eps of "is the error
            <= eps".
        stop_above: return as soon as a point with a larger value (in floats) is known.
        deadline: when to return with what is proven.
        generator: randomness of the starts of the ascent.
    """

    incumbent: float
    rtol: float
    floor: float
    stop_above: float
    deadline: Deadline
    generator: np.random.Generator

    def threshold(self, best: float) -> float:
        """What need not be told apart when that value is known to be attained."""
        return max(self.floor, best * (1.0 + self.rtol))


@dataclass(frozen=True)
class Bound:
    """What is known of s = sup min_k A_k over the problem's place (without the slack).

    Attributes:
        lower: the objective at x in floats (NOT rigorous: re-evaluate there), -inf without x.
        x: float64 [d] in the place, None if no point was looked at.
        upper: rigorous: s <= upper; infinite from an engine that gave up.
        nodes: nodes of the search.
        closed: upper <= max(floor, best known value * (1 + rtol)).
        method: what proved the upper bound: "norm bound", "arrangement", "cones" or "signs".
        resume: goes on with the search, from an incumbent and until a deadline; None if there is
            nothing to go on with.
    """

    lower: float
    x: FloatArray | None
    upper: float
    nodes: int
    closed: bool
    method: str
    resume: Resume | None = None

    @property
    def gave_up(self) -> bool:
        """Whether another engine has to be asked."""
        return self.upper == math.inf


class Engine(Protocol):
    """A way to bound suprema."""

    @property
    def compiled_with(self) -> int:
        """Inputs of a small problem that this engine is the first to apply to, and that has all its
        kernels compiled; 0 if it has none."""
        ...

    def applies(self, problem: Maximization) -> bool:
        """Whether this engine, of those not asked before, should be asked; by the problem's size
        and place only."""
        ...

    def maximize(self, problem: Maximization, ask: Ask) -> Bound:
        """Enclose the supremum of an objective with a Lipschitz bound below 2."""
        ...
