"""The fewest units within eps: a ticket of few units, and how many every such ticket must keep.

Whether some mask of at most m units errs by at most eps is a decision like any other: the rows of
the relaxation and the tree gain sum_i z_i <= m (`dual.py`), so a finished search proves that every
ticket within eps keeps more than m units. The counts m are met in bisection, small ones first,
where proofs are cheap; whatever the time limit leaves is a certified ticket and a proven count.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slth.limits import Deadline, Report
from slth.network import FloatArray
from slth.pruning.neurons.branch import Verdict, search_tree
from slth.pruning.neurons.census import Census
from slth.pruning.neurons.cluster import restricted, widened
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.pipeline import run
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.race import Race
from slth.pruning.neurons.relaxation import WIDEST, relax
from slth.pruning.neurons.screening import screen
from slth.pruning.neurons.shrink import shrink
from slth.pruning.neurons.sphere import cap_points
from slth.solution import Solution, Status

# Shares of the time left: to decide whether any ticket exists, to shrink one, to screen, and to
# decide one count that is not the last.
_DECIDING, _SHRINKING, _SCREENING, _COUNTING = 0.3, 0.2, 0.2, 0.3
# Every unit's screening costs time linear in the width.
_SCREENABLE = 6000


def run_fewest(
    problem: Problem, radius: float, eps: float, deadline: Deadline, report: Report, seed: int
) -> Solution:
    """Work until the fewest units are proven or the time is up; an interrupt ends the work."""
    census = Census(problem, radius, eps, deadline, report)
    share = deadline.within(_DECIDING * deadline.remaining)
    race = Race(problem, radius, eps, share, report)
    try:
        census.offer(np.ones(problem.width, np.bool_), "all units")
        if census.keep is None:
            run(race, seed)
            census.offer(race.keep, str(race.stats.get("searcher", "search")))
        if race.solution().status is Status.REFUTED:
            census.prove(problem.width + 1, str(race.stats["prover"]))
        elif "interrupted" not in race.stats:
            _count(census, np.random.default_rng(seed))
    except KeyboardInterrupt:
        census.stats["interrupted"] = True
    return census.solution(race.solution())


def _count(census: Census, rng: np.random.Generator) -> None:
    """Shrink the ticket, then decide counts between what is proven and what is found."""
    problem, deadline = census.problem, census.deadline
    empty = census.offer(np.zeros(problem.width, np.bool_), "empty mask")
    if empty.lower > census.unit_eps:
        census.prove(1, "empty mask")
    points = np.zeros((0, problem.d))
    if census.keep is not None and not census.settled:
        share = deadline.within(_SHRINKING * deadline.remaining)
        keep, points = shrink(problem, census.keep, census.unit_eps, rng, share)
        census.offer(keep, "shrinking")
    if census.settled or problem.width > _SCREENABLE:
        return
    share = deadline.within(_SCREENING * deadline.remaining)
    dropped, _ = screen(problem, census.cutoff, rng, share)
    units = np.flatnonzero(~dropped)
    census.stats["survivors"] = int(units.size)
    if units.size == 0:
        census.prove(problem.width + 1 if empty.lower > census.unit_eps else 0, "screening")
    if 0 < units.size <= WIDEST:
        _bisect(census, units, points, rng)


def _bisect(
    census: Census, units: np.ndarray, points: FloatArray, rng: np.random.Generator
) -> None:
    """Decide counts until the proven one meets the ticket's, or the time is up.

    units: int64 [n], those that tickets within eps may keep.
    """
    deadline = census.deadline
    part = restricted(census.problem, units)
    if not part.linear:
        points = np.concatenate([points, cap_points(part, census.cutoff, rng, deadline)])
    # Counts from `hard` on did not yield in their share of the time.
    hard = census.units
    while not census.settled and not deadline.expired:
        hard = min(hard, census.units)
        if census.least >= units.size:
            most, share = int(units.size), 1.0
        elif hard <= census.least:
            most, share = census.least, 1.0
        else:
            most, share = (census.least + hard - 1) // 2, _COUNTING
        before = census.units
        limit = deadline.within(share * deadline.remaining)
        points, refuted = _decide(census, units, part, most, points, rng, limit)
        if refuted:
            all_of_them = most >= units.size
            census.prove(census.problem.width + 1 if all_of_them else most + 1, "branch and bound")
        elif census.units == before:
            if share == 1.0:
                return
            hard = most


def _decide(
    census: Census,
    units: np.ndarray,
    part: Problem,
    most: int,
    points: FloatArray,
    rng: np.random.Generator,
    deadline: Deadline,
) -> tuple[FloatArray, bool]:
    """Whether every mask of at most `most` of the units is proven to err by more than eps; a
    ticket met instead goes to the census. Returns the points met too."""
    counted = replace(part, most=most)
    share = deadline.within(0.4 * deadline.remaining)
    root = relax(counted, rng, share, cutoff=census.cutoff, points=points)
    points = np.unique(np.concatenate([points, root.points]), axis=0)
    if root.bound >= census.cutoff:
        return points, True

    def judge(candidate: Candidate) -> Verdict:
        keep = widened(census.problem, units, candidate.keep)
        error = census.offer(keep, "branch and bound", seconds=2.0)
        found = census.units <= most
        # The cutoff stays where it is: the count is what improves.
        return Verdict(np.inf, error.witness, found)

    outcome = search_tree(counted, census.cutoff, points, root.tight, rng, deadline, judge)
    nodes = census.stats.get("nodes", 0)
    census.stats["nodes"] = outcome.nodes + (nodes if isinstance(nodes, int) else 0)
    return points, outcome.bound >= census.cutoff
