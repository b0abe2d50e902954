"""One rung of a proof: no mask errs by less than a cutoff, or here is one that does.

Screening drops the units that no such mask can keep; the relaxation and the branch-and-bound then
speak of the survivors only, and what they prove holds for every mask.
"""

from __future__ import annotations

import numpy as np

from slth.certify.enclose import enclose
from slth.limits import Deadline
from slth.network import FloatArray
from slth.neurons.branch import Verdict, search_tree
from slth.neurons.cluster import restricted, widened
from slth.neurons.local import Candidate
from slth.neurons.problem import Problem
from slth.neurons.race import Race
from slth.neurons.relaxation import WIDEST, relax
from slth.neurons.screening import screen
from slth.neurons.sphere import cap_points


def climb_rung(
    race: Race, cutoff: float, points: FloatArray, rng: np.random.Generator, share: float = 1.0
) -> tuple[FloatArray, bool]:
    """Raise the race's bound towards `cutoff` (on the unit ball), or improve its ticket.

    Args:
        points: float64 [P, d] in the ball, where good masks are known to err.
        share: of the time left, the most that is spent.

    Returns:
        `points` and those found on the way; whether the search was finished, be it below the
        cutoff because a better ticket was met.
    """
    deadline = race.deadline.within(share * race.deadline.remaining)
    dropped = screen(race.problem, cutoff, rng, deadline.within(0.6 * deadline.remaining))
    units = np.flatnonzero(~dropped)
    race.stats["survivors"] = int(units.size)
    if units.size == 0:
        race.prove(min(cutoff, _empty_error(race.problem)), "screening")
        return points, True
    if units.size > WIDEST:
        return points, False
    part = restricted(race.problem, units)
    if not part.linear:
        points = np.concatenate([points, cap_points(part, cutoff, rng, deadline)])
    root = relax(part, rng, deadline.within(0.4 * deadline.remaining), cutoff=cutoff, points=points)
    race.prove(min(cutoff, root.bound), "linear relaxation")
    points = np.unique(np.concatenate([points, root.points]), axis=0)
    if race.finished or root.bound >= cutoff:
        return points, True

    def judge(candidate: Candidate) -> Verdict:
        whole = Candidate(widened(race.problem, units, candidate.keep), candidate.error)
        error = race.offer(whole, "branch and bound", seconds=0.5, rtol=1e-3)
        if error is None:
            return Verdict(candidate.error, None, race.finished)
        return Verdict(error.lower, error.witness, race.finished)

    outcome = search_tree(part, cutoff, points, root.tight, rng, deadline, judge)
    race.count("nodes", outcome.nodes)
    race.prove(min(cutoff, outcome.bound), "branch and bound")
    return points, outcome.finished


def _empty_error(problem: Problem) -> float:
    nothing = problem.masked(np.zeros(problem.width, np.bool_))
    return enclose(nothing, problem.target, 1.0, 1e-3, Deadline(1.0)).lower
