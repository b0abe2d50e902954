"""The order in which searchers and provers run, and how they share the time."""

from __future__ import annotations

import math

import numpy as np

from slth.network import FloatArray
from slth.pruning.neurons.branch import BELOW
from slth.pruning.neurons.cluster import best_of_few, search_clusters
from slth.pruning.neurons.entry import NeuronRace, enter_nothing, offer, sharpen
from slth.pruning.neurons.enumeration import MOST_UNITS, enumerate_masks
from slth.pruning.neurons.few import search_few
from slth.pruning.neurons.greedy import search_greedily
from slth.pruning.neurons.local import Candidate, anneal
from slth.pruning.neurons.plane.refute import circle_bound, decide_on_circle
from slth.pruning.neurons.plane.walk_search import search_circle
from slth.pruning.neurons.plane.wedge import refute_on_wedges, wedge_bound
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.recording import one_leaf, zonal_proof
from slth.pruning.neurons.relaxation import WIDEST
from slth.pruning.neurons.renewal import renew
from slth.pruning.neurons.rung import climb_rung, prove_empty
from slth.pruning.neurons.witness import witness_bound
from slth.pruning.neurons.zonal import zonal_bound

# Cutoffs of successive trees, as fractions of the way from the proven bound to the ticket, and the
# share of the time left that each may take: a finished one is a proven bound, and costs little
# beside the next. The last is climbed again when certifying its best ticket more sharply has
# raised that ticket's own lower bound.
_FIRST, _SECOND = (0.6, 0.4), (0.85, 0.5)
# When the first took less than this part of the time left, the second is left out and the last
# tried at once.
_EASY, _AT_ONCE = 1.0 / 30.0, 0.8
_LAST_RUNGS = 8
# A tree of so many nodes repays annealing again before the next, which is larger still.
_GROWN, _MORE_RUNS = 200, 16
# Widths beyond which annealing from the empty mask alone is weak; annealing all units is hopeless;
# listing all walks round the circle gives no bounds; screening, linear in the width for each unit,
# takes too long.
_ROOMY, _CROWDED, _LISTABLE, _SCREENABLE = 80, 120, 600, 6000
# Of the time left to tickets of few units; where units can be screened, proofs follow.
_OF_FEW = 0.7
# Widths from which a zonal bound is sought first: below, the relaxation is several times stronger
# in the time of one measure.
_ZONAL = 100


def run(race: NeuronRace, seed: int) -> None:
    """Work until the race is decided or out of time; an interrupt ends the work, not the answer."""

    def work() -> None:
        _stages(race, np.random.default_rng(seed))
        sharpen(race)

    race.run(work)
    # Ctrl-C may come before any ticket.
    enter_nothing(race, seconds=0.5)


def _stages(race: NeuronRace, rng: np.random.Generator) -> None:
    problem = race.problem
    enter_nothing(race)
    if problem.width == 0:
        # The only mask's own error bounds every mask.
        prove_empty(race, "no units")
        return
    if problem.width <= MOST_UNITS and not race.recording:
        enumerate_masks(race, rng)
        if race.finished:
            return
    offer(race, best_of_few(problem, rng, race.deadline), "nearest units")
    if not race.finished:
        _prove_cheaply(race, rng)
    if _listable(race) and race.unit_eps is None and not race.finished:
        _bound_on_circle(race, int(rng.integers(2**31)))
    if race.finished:
        return
    if problem.width > WIDEST:
        _search_wide(race, rng)
    else:
        _search_exactly(race, rng)


def _prove_cheaply(race: NeuronRace, rng: np.random.Generator) -> None:
    problem, deadline, eps = race.problem, race.deadline, race.unit_eps
    if not problem.linear:
        return
    bound, why = witness_bound(problem, rng, deadline.within(0.2 * deadline.remaining))
    if why is not None:
        race.prove(bound, "witness", one_leaf(problem.width, why) if race.recording else None)
    if not race.finished and problem.width >= _ZONAL:
        found = zonal_bound(problem, deadline.within(0.4 * deadline.remaining))
        bound, proof = zonal_proof(found) if race.recording else (found.value, None)
        race.prove(bound, "zonal", proof)
    # What the provers round the circle know cannot be written down.
    if race.finished or race.recording or not _circular(problem):
        return
    net, w = problem.net, problem.target.hidden[0]
    if eps is None:
        race.prove(wedge_bound(net.hidden, net.output, w, deadline), "wedge")
    elif refute_on_wedges(net.hidden, net.output, w, race.cutoff, deadline=deadline):
        race.prove(race.cutoff, "wedge")


def _circular(problem: Problem) -> bool:
    """Whether the engine for d = 2 applies: f(x) = max(<w, x>, 0). Its proofs hold for the linear
    readout; its tickets serve both, for |max(g, 0) - f| <= |g - f| where f >= 0."""
    target = problem.target
    return problem.d == 2 and target.width == 1 and target.output[0] == 1.0


def _single(problem: Problem) -> bool:
    """Whether tickets of few units are sought: for one unit, where no circle is searched."""
    return problem.d >= 3 and problem.target.width == 1 and bool(problem.target.hidden.any())


def _search_circle(race: NeuronRace, seed: int, share: float) -> None:
    """Walks round the circle: the better searcher for d = 2, and the only one for wide nets."""
    net, deadline = race.problem.net, race.deadline
    keep, error = search_circle(
        net.hidden,
        net.output,
        race.problem.target.hidden[0],
        _goal(race),
        deadline.within(share * deadline.remaining),
        seed,
        race.bound,
    )
    offer(race, Candidate(keep, error), "circle walks")


def _listable(race: NeuronRace) -> bool:
    """Whether listing all walks round the circle may serve; it leaves no proof to record."""
    problem = race.problem
    narrow = problem.linear and problem.width <= _LISTABLE
    return narrow and not race.recording and _circular(problem)


def _bound_on_circle(race: NeuronRace, seed: int) -> None:
    """List all walks round the circle: finds and proves the optimum of most widths to 100."""
    net, w = race.problem.net, race.problem.target.hidden[0]
    bound, keep, error = circle_bound(
        net.hidden,
        net.output,
        w,
        race.bound,
        race.upper,
        race.deadline.within(0.5 * race.deadline.remaining),
    )
    if keep is not None:
        offer(race, Candidate(keep, error), "circle walks")
    race.prove(bound, "circle walks")
    if not race.finished:
        _search_circle(race, seed, 0.9)


def _decide_on_circle(race: NeuronRace) -> None:
    """The same for one eps."""
    net, w = race.problem.net, race.problem.target.hidden[0]
    deadline = race.deadline.within(0.5 * race.deadline.remaining)
    refuted, keep, error = decide_on_circle(net.hidden, net.output, w, race.cutoff, deadline)
    if refuted:
        race.prove(race.cutoff, "circle walks")
    if keep is not None:
        offer(race, Candidate(keep, error), "circle walks")


def _goal(race: NeuronRace) -> float:
    return 0.0 if race.unit_eps is None else 0.999 * race.unit_eps


def _search_wide(race: NeuronRace, rng: np.random.Generator) -> None:
    problem = race.problem
    goal = _goal(race)
    if _circular(problem):
        _search_circle(race, int(rng.integers(2**31)), 0.8 if problem.linear else 0.3)
        if race.finished:
            return
    if _single(problem):
        search_few(race, rng, race.deadline.within(_OF_FEW * race.deadline.remaining))
        _renew(race, rng, 0.6 if problem.width <= _SCREENABLE else 0.9)
    elif not (problem.linear and _circular(problem)):
        _search_greedily(race, rng)
        share = race.deadline.within(0.2 * race.deadline.remaining)
        offer(race, search_clusters(problem, rng, share, goal=goal), "aligned cluster")
        _renew(race, rng, 0.6 if problem.width <= _SCREENABLE else 0.8)
    if problem.width <= _SCREENABLE and not race.finished:
        _prove_wide(race, rng, np.zeros((0, problem.d)))


def _search_greedily(race: NeuronRace, rng: np.random.Generator) -> None:
    share = race.deadline.within(0.3 * race.deadline.remaining)
    offer(race, search_greedily(race.problem, rng, share, goal=_goal(race)), "greedy")


def _renew(race: NeuronRace, rng: np.random.Generator, share: float) -> None:
    """Go on from the best ticket so far."""
    if race.finished:
        return
    deadline = race.deadline.within(share * race.deadline.remaining)
    offer(race, renew(race.problem, race.mask.output, rng, deadline, goal=_goal(race)), "renewal")


def _prove_wide(race: NeuronRace, rng: np.random.Generator, points: FloatArray) -> None:
    """Cutoffs growing from the proven bound while screening leaves few enough units."""
    if race.unit_eps is not None:
        climb_rung(race, race.cutoff, points, rng)
        return
    cutoff = max(1.4 * race.bound, race.lower / 1000.0)
    fails = math.inf
    while not race.finished and race.bound < 0.9 * fails and cutoff > race.lower * 1e-6:
        cutoff = min(cutoff, race.lower * (1.0 - BELOW))
        before = race.bound
        points, _ = climb_rung(race, cutoff, points, rng, share=0.4)
        if race.bound < cutoff:
            fails = cutoff
        elif race.bound > 1.3 * before and fails == math.inf:
            cutoff = (2.0 if before == 0.0 else 1.4) * race.bound
            continue
        cutoff = 0.2 * cutoff if race.bound == 0.0 else math.sqrt(race.bound * fails)


def _search_exactly(race: NeuronRace, rng: np.random.Generator) -> None:
    problem, deadline = race.problem, race.deadline
    share = deadline.within(0.2 * deadline.remaining)
    moves = min(100_000, 2_000 * problem.width)
    runs = 8 if problem.width > 10 else 4
    found, points = anneal(problem, rng, share, moves=moves, runs=runs, goal=_goal(race))
    offer(race, found, "annealing")
    # There walks round the circle find the better tickets.
    walked = problem.linear and _circular(problem)
    if problem.width > _ROOMY and not walked and not race.finished:
        _search_greedily(race, rng)
    if problem.width > _CROWDED and not walked and not race.finished:
        share = deadline.within(0.1 * deadline.remaining)
        cluster = search_clusters(problem, rng, share, goal=_goal(race), largest=_CROWDED)
        offer(race, cluster, "aligned cluster")
        _renew(race, rng, 0.2)
    if _circular(problem) and not race.finished:
        # Where tickets abound, so do the walks, and a search is quicker than listing them.
        walks = (0.5 if problem.width > _ROOMY else 0.2) if walked else 0.05
        _search_circle(race, int(rng.integers(2**31)), walks)
        if _listable(race) and race.unit_eps is not None and not race.finished:
            _decide_on_circle(race)
    if problem.width > _CROWDED or race.unit_eps is not None:
        if not race.finished:
            _prove_wide(race, rng, points)
        return
    _climb(race, rng, points)


def _climb(race: NeuronRace, rng: np.random.Generator, points: FloatArray) -> None:
    """Trees at growing cutoffs, the last at the ticket's own error."""
    deadline = race.deadline
    started, before = deadline.elapsed, race.counted("nodes")
    points, finished = _next_rung(race, rng, points, *_FIRST)
    took = deadline.elapsed - started
    if finished and not race.finished and race.counted("nodes") - before >= _GROWN:
        share = deadline.within(0.1 * deadline.remaining)
        found, more = anneal(race.problem, rng, share, start=race.mask.output, runs=_MORE_RUNS)
        offer(race, found, "annealing")
        points = np.unique(np.concatenate([points, more]), axis=0)
    easy = took < _EASY * deadline.remaining
    if finished and not easy:
        points, finished = _next_rung(race, rng, points, *_SECOND)
    for _ in range(_LAST_RUNGS):
        if race.finished or not finished:
            break
        share = _AT_ONCE if easy else 1.0
        points, finished = _next_rung(race, rng, points, 1.0, share)
    if not finished and not race.finished:
        _prove_wide(race, rng, points)


def _next_rung(
    race: NeuronRace, rng: np.random.Generator, points: FloatArray, rung: float, share: float
) -> tuple[FloatArray, bool]:
    """Climb so far of the way from the proven bound to the ticket; as `climb_rung`."""
    sharpen(race, share=0.2)
    if race.finished:
        return points, True
    cutoff = race.bound + rung * (race.lower * (1.0 - BELOW) - race.bound)
    return climb_rung(race, cutoff, points, rng, share)
