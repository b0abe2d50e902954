"""The order in which searchers and provers run, and how they share the time."""

from __future__ import annotations

import numpy as np

from slth.network import FloatArray
from slth.neurons.branch import BELOW, Verdict, search_tree
from slth.neurons.cluster import search_clusters
from slth.neurons.local import Candidate, anneal
from slth.neurons.race import Race
from slth.neurons.relaxation import WIDEST, Relaxation, relax
from slth.neurons.wedge import wedge_bound
from slth.neurons.witness import witness_bound

# Cutoffs of successive trees, as fractions of the way from the proven bound to the ticket: each
# finished one is a proven bound, and costs little beside the next.
_RUNGS = (0.6, 0.85, 1.0)
# Past a proven decision threshold, so that rounding to the radius leaves it proven.
_BEYOND = 1.0 + 1e-9


def run(race: Race, seed: int) -> None:
    """Work until the race is decided or out of time; an interrupt ends the work, not the answer."""
    try:
        _stages(race, np.random.default_rng(seed))
        race.sharpen()
    except KeyboardInterrupt:
        race.stats["interrupted"] = True


def _stages(race: Race, rng: np.random.Generator) -> None:
    problem = race.problem
    race.offer(Candidate(race.keep, np.inf), "empty mask")
    if problem.width == 0:
        # The only mask's own error bounds every mask.
        race.prove(race.lower, "no units")
        return
    if not race.finished:
        _prove_cheaply(race, rng)
    if race.finished:
        return
    if problem.width > WIDEST:
        _search_wide(race, rng)
    else:
        _search_exactly(race, rng)


def _prove_cheaply(race: Race, rng: np.random.Generator) -> None:
    problem, deadline = race.problem, race.deadline
    if not problem.linear:
        return
    bound, _ = witness_bound(problem, rng, deadline.within(0.2 * deadline.remaining))
    race.prove(bound, "witness")
    if problem.d == 2 and problem.direction is not None and not race.finished:
        net = problem.net
        race.prove(wedge_bound(net.hidden, net.output, problem.direction, deadline), "wedge")


def _goal(race: Race) -> float:
    return 0.0 if race.unit_eps is None else 0.999 * race.unit_eps


def _search_wide(race: Race, rng: np.random.Generator) -> None:
    share = race.deadline.within(0.7 * race.deadline.remaining)
    race.offer(search_clusters(race.problem, rng, share, goal=_goal(race)), "aligned cluster")


def _search_exactly(race: Race, rng: np.random.Generator) -> None:
    problem, deadline = race.problem, race.deadline
    share = deadline.within(0.2 * deadline.remaining)
    found, points = anneal(problem, rng, share, runs=12, goal=_goal(race))
    race.offer(found, "annealing")
    for rung in _RUNGS if race.unit_eps is None else (1.0,):
        if race.finished:
            return
        cutoff = race.lower * (1.0 - BELOW)
        if race.unit_eps is not None:
            cutoff = race.unit_eps * _BEYOND
        cutoff = race.bound + rung * (cutoff - race.bound)
        share = deadline.within(0.2 * deadline.remaining)
        root = relax(problem, rng, share, cutoff=cutoff, points=points)
        race.prove(root.bound, "linear relaxation")
        points = _merged(points, root)
        if not race.finished and root.bound < cutoff:
            _climb_tree(race, cutoff, points, root, rng)


def _climb_tree(
    race: Race, cutoff: float, points: FloatArray, root: Relaxation, rng: np.random.Generator
) -> None:
    def judge(candidate: Candidate) -> Verdict:
        error = race.offer(candidate, "branch and bound", seconds=2.0)
        if error is None:
            return Verdict(candidate.error, None, race.finished)
        return Verdict(error.lower, error.witness, race.finished)

    outcome = search_tree(race.problem, cutoff, points, root.tight, rng, race.deadline, judge)
    race.stats["nodes"] = int(race.stats.get("nodes", 0)) + outcome.nodes  # type: ignore[call-overload]
    race.prove(outcome.bound, "branch and bound")


def _merged(points: FloatArray, root: Relaxation) -> FloatArray:
    return np.unique(np.concatenate([points, root.points]), axis=0)
