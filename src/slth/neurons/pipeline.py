"""The order in which searchers and provers run, and how they share the time."""

from __future__ import annotations

import numpy as np

from slth.neurons.cluster import search_clusters
from slth.neurons.local import Candidate, anneal
from slth.neurons.race import Race
from slth.neurons.relaxation import WIDEST, relax
from slth.neurons.wedge import wedge_bound
from slth.neurons.witness import witness_bound


def run(race: Race, seed: int) -> None:
    """Work until the race is decided or out of time; an interrupt ends the work, not the answer."""
    try:
        _stages(race, np.random.default_rng(seed))
    except KeyboardInterrupt:
        race.stats["interrupted"] = True


def _stages(race: Race, rng: np.random.Generator) -> None:
    problem, deadline = race.problem, race.deadline
    race.offer(Candidate(race.keep, np.inf), "empty mask")
    if race.finished or problem.width == 0:
        # Nothing to choose from: the only mask's own error bounds every mask.
        if problem.width == 0:
            race.prove(race.lower, "no units")
        return
    _prove_cheaply(race, rng)
    if race.finished:
        return
    goal = 0.999 * race.unit_eps if race.unit_eps is not None else 0.0
    share = deadline.within(0.3 * deadline.remaining)
    if problem.width <= WIDEST:
        found, _ = anneal(problem, rng, share, runs=12, goal=goal)
        race.offer(found, "annealing")
    else:
        race.offer(search_clusters(problem, rng, share, goal=goal), "aligned cluster")
    if race.finished or problem.width > WIDEST:
        return
    bound = relax(
        problem,
        rng,
        deadline.within(0.3 * deadline.remaining),
        cutoff=race.upper if race.unit_eps is None else race.unit_eps * (1.0 + 1e-9),
    ).bound
    race.prove(bound, "linear relaxation")


def _prove_cheaply(race: Race, rng: np.random.Generator) -> None:
    problem, deadline = race.problem, race.deadline
    if not problem.linear:
        return
    bound, _ = witness_bound(problem, rng, deadline.within(0.2 * deadline.remaining))
    race.prove(bound, "witness")
    if problem.d == 2 and problem.direction is not None and not race.finished:
        net = problem.net
        race.prove(wedge_bound(net.hidden, net.output, problem.direction, deadline), "wedge")
