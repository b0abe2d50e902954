"""What comes before every branch-and-bound, and may make it needless: the norm bound, climbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from slth.certify.ascent import local_maxima
from slth.certify.problem.problem import Maximization
from slth.certify.protocol import Ask, Bound

# Random points to climb from: what they miss costs the search nodes, not rigour.
_STARTS = 500


class NormBound:
    """What is left where every search costs too much."""

    compiled_with = 0

    def applies(self, problem: Maximization) -> bool:
        """Always."""
        return True

    def maximize(self, problem: Maximization, ask: Ask) -> Bound:
        """The norm bound, and the best point that climbing finds."""
        return climbed(problem, ask, None)


def climbed(
    problem: Maximization, ask: Ask, search: Callable[[Maximization, Ask], Bound] | None
) -> Bound:
    """What the search proves from the best point that climbing finds, if there is one and the norm
    bound leaves it anything to do."""
    found = local_maxima(
        problem.objective, _STARTS, ask.generator, ask.deadline, place=problem.place
    )
    lower, x = float(found.values[0]), found.points[0]
    best = max(ask.incumbent, lower)
    closed = problem.root <= ask.threshold(best)
    decided = closed or best > ask.stop_above or ask.deadline.expired
    if search is None or decided:
        return Bound(lower, x, problem.root, 0, closed, "norm bound")
    bound = search(problem, replace(ask, incumbent=best))
    return bound if bound.lower > lower else replace(bound, lower=lower, x=x)
