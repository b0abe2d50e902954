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
from slth.pruning.conclusion import OfAll
from slth.pruning.neurons.branch import Judgement, search_tree
from slth.pruning.neurons.cluster import restricted, widened
from slth.pruning.neurons.entry import NeuronRace, enter, enter_nothing
from slth.pruning.neurons.enumeration import MOST_UNITS, enumerate_counts
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.pipeline import run
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.relaxation import WIDEST, relax
from slth.pruning.neurons.screening import screen
from slth.pruning.neurons.shrink import shrink
from slth.pruning.neurons.sphere import cap_points
from slth.solution import Solution

# Shares of the time left: to decide whether any ticket exists, to shrink one, to screen, and to
# decide one count that is not the last.
_DECIDING, _SHRINKING, _SCREENING, _COUNTING = 0.3, 0.2, 0.2, 0.3
# Every unit's screening costs time linear in the width.
_SCREENABLE = 6000


def run_fewest(
    problem: Problem, radius: float, eps: float, deadline: Deadline, report: Report, seed: int
) -> Solution:
    """Work until the fewest units are proven or the time is up; an interrupt ends the work."""
    race = NeuronRace(problem, radius, eps, deadline, report, fewest=True)

    def work() -> None:
        enter(race, np.ones(problem.width, np.bool_), "all units")
        if problem.width <= MOST_UNITS and not race.decided:
            enumerate_counts(race, np.random.default_rng(seed))
        if not (race.decided or race.has_ticket_within):
            share = deadline.within(_DECIDING * deadline.remaining)
            decision = NeuronRace(problem, radius, eps, share, report)
            run(decision, seed)
            _take_over(race, decision)
        if not race.decided:
            _count(race, np.random.default_rng(seed))

    race.run(work)
    enter_nothing(race, seconds=0.5)
    return race.solution()


def _take_over(race: NeuronRace, decision: NeuronRace) -> None:
    """What the search for any ticket within eps has found and proven."""
    race.stats.update(decision.stats)
    if decision.error is not None:
        race.enter(decision.mask, decision.error, str(decision.stats["searcher"]))
    if decision.bound > 0.0:
        race.prove(decision.bound, str(decision.stats["prover"]))
    if decision.finding().of_all is OfAll.NONE_WITHIN:
        race.prove_least(race.problem.width + 1, str(decision.stats["prover"]))
    if decision.interrupted:
        raise KeyboardInterrupt


def _refute(race: NeuronRace, prover: str) -> None:
    """No mask errs by less than the cutoff."""
    race.prove_least(race.problem.width + 1, prover)
    race.prove(race.cutoff, prover)


def _count(race: NeuronRace, rng: np.random.Generator) -> None:
    """Shrink the ticket, then decide counts between what is proven and what is found."""
    problem, deadline, eps = race.problem, race.deadline, race.unit_eps or 0.0
    empty = enter(race, np.zeros(problem.width, np.bool_), "empty mask")
    if race.is_beyond(empty):
        race.prove_least(1, "empty mask")
    points = np.zeros((0, problem.d))
    if race.has_ticket_within and not race.decided:
        share = deadline.within(_SHRINKING * deadline.remaining)
        keep, points = shrink(problem, race.mask.output, eps, rng, share)
        enter(race, keep, "shrinking")
    if race.decided or problem.width > _SCREENABLE:
        return
    share = deadline.within(_SCREENING * deadline.remaining)
    dropped, _ = screen(problem, race.cutoff, rng, share)
    units = np.flatnonzero(~dropped)
    race.stats["survivors"] = int(units.size)
    if units.size == 0 and race.is_beyond(empty):
        _refute(race, "screening")
    if 0 < units.size <= WIDEST:
        _bisect(race, units, points, rng)


def _bisect(
    race: NeuronRace, units: np.ndarray, points: FloatArray, rng: np.random.Generator
) -> None:
    """Decide counts until the proven one meets the ticket's, or the time is up.

    units: int64 [n], those that tickets within eps may keep.
    """
    deadline = race.deadline
    part = restricted(race.problem, units)
    if not part.linear:
        points = np.concatenate([points, cap_points(part, race.cutoff, rng, deadline)])
    # Counts from `hard` on did not yield in their share of the time.
    hard = race.units
    while not race.decided and not deadline.expired:
        hard = min(hard, race.units)
        if race.least >= units.size:
            most, share = int(units.size), 1.0
        elif hard <= race.least:
            most, share = race.least, 1.0
        else:
            most, share = (race.least + hard - 1) // 2, _COUNTING
        before = race.units
        limit = deadline.within(share * deadline.remaining)
        points, refuted = _decide(race, units, part, most, points, rng, limit)
        if refuted:
            if most >= units.size:
                _refute(race, "branch and bound")
            else:
                race.prove_least(most + 1, "branch and bound")
        elif race.units == before:
            if share == 1.0:
                return
            hard = most


def _decide(
    race: NeuronRace,
    units: np.ndarray,
    part: Problem,
    most: int,
    points: FloatArray,
    rng: np.random.Generator,
    deadline: Deadline,
) -> tuple[FloatArray, bool]:
    """Whether every mask of at most `most` of the units is proven to err by more than eps; a
    ticket met instead goes to the race. Returns the points met too."""
    counted = replace(part, most=most)
    share = deadline.within(0.4 * deadline.remaining)
    root = relax(counted, rng, share, cutoff=race.cutoff, points=points)
    points = np.unique(np.concatenate([points, root.points]), axis=0)
    if root.bound >= race.cutoff:
        return points, True

    def judge(candidate: Candidate) -> Judgement:
        keep = widened(race.problem, units, candidate.keep)
        error = enter(race, keep, "branch and bound", seconds=2.0)
        found = race.units <= most
        # The cutoff stays where it is: the count is what improves.
        return Judgement(np.inf, error.witness, found)

    outcome = search_tree(counted, race.cutoff, points, root.tight, rng, deadline, judge)
    race.count("nodes", outcome.nodes)
    return points, outcome.bound >= race.cutoff
