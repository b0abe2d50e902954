"""What the engines return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slth.limits import Deadline
from slth.network import FloatArray

# An incumbent, when to return -> what is known then.
Resume = Callable[[float, Deadline], "Bound"]


@dataclass(frozen=True)
class Bound:
    """What is known of s = sup min_k A_k over the unit ball (without the objective's slack).

    Attributes:
        lower: the objective at x in floats (NOT rigorous: re-evaluate there), -inf without x.
        x: float64 [d] on the unit sphere, None if no point was looked at.
        upper: rigorous: s <= upper.
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
