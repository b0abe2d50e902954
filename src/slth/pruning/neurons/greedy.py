"""Greedy selection by the uniform error: add the best unit each time, or drop one each time."""

from __future__ import annotations

import numpy as np
from numba import njit

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.neurons.cluster import aligned_units, restricted, useful_units, widened
from slth.pruning.neurons.judging import sample_points, worst_error
from slth.pruning.neurons.local import Candidate, anneal
from slth.pruning.neurons.problem import Problem

# Additions in a row without a gain after which more are not tried.
_PATIENCE = 20
# Units that take part in a wide network's search, and that annealing then moves among.
_WIDEST, _MOVED = 20_000, 150


def greedy_forward(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> Candidate:
    """From the empty mask, add the unit that leaves the least error, until 20 in a row did not
    help; the best mask on the way."""
    return _greedy(problem, np.zeros(problem.width, np.bool_), rng, deadline)


def greedy_backward(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> Candidate:
    """From all units, drop the unit that leaves the least error; the best mask on the way."""
    return _greedy(problem, np.ones(problem.width, np.bool_), rng, deadline)


def search_greedily(
    problem: Problem, rng: np.random.Generator, deadline: Deadline, *, goal: float = 0.0
) -> Candidate:
    """Greedy choice among the most useful units, then annealing among those it took and the best
    aligned ones: the better searcher for wide networks in d >= 3."""
    units = useful_units(problem, min(problem.width, _WIDEST))
    part = restricted(problem, units)
    first = greedy_forward(part, rng, deadline.within(0.5 * deadline.remaining))
    moved = np.union1d(np.flatnonzero(first.keep), aligned_units(part, min(part.width, _MOVED)))
    start = first.keep[moved]
    found, _ = anneal(restricted(part, moved), rng, deadline, start=start, goal=goal)
    return Candidate(widened(problem, units[moved], found.keep), found.error)


def _greedy(
    problem: Problem, keep: BoolArray, rng: np.random.Generator, deadline: Deadline
) -> Candidate:
    """Flip every unit once, each time the one whose flip leaves the least error."""
    points = sample_points(problem, rng)
    phi = np.ascontiguousarray(problem.features(points).T)
    f = problem.target_values(points)
    sign = -1.0 if keep.any() else 1.0
    sums = keep.astype(np.float64) @ phi
    movable = np.ones(problem.width, np.bool_)
    best = Candidate(keep.copy(), worst_error(problem, sums, f))
    forward, idle = sign > 0.0, 0
    for _ in range(problem.width):
        if deadline.expired or (forward and idle == _PATIENCE):
            break
        unit, error = _least_flip(phi, f, sums, movable, sign, problem.linear)
        movable[unit] = False
        keep[unit] = not keep[unit]
        sums = sums + sign * phi[unit]
        idle += 1
        if error < best.error:
            best, idle = Candidate(keep.copy(), error), 0
    return best


@njit(cache=True, nogil=True)
def _least_flip(
    phi: FloatArray,
    f: FloatArray,
    sums: FloatArray,
    movable: BoolArray,
    sign: float,
    linear: bool,
) -> tuple[int, float]:
    """The movable unit whose flip leaves the least error, and that error."""
    best, chosen, probe = np.inf, -1, 0
    for i in range(phi.shape[0]):
        if not movable[i]:
            continue
        worst = 0.0
        # The point that ruled out the last unit often rules out this one too.
        value = sums[probe] + sign * phi[i, probe]
        if abs((value if linear else max(value, 0.0)) - f[probe]) >= best:
            continue
        for p in range(f.shape[0]):
            value = sums[p] + sign * phi[i, p]
            error = abs((value if linear else max(value, 0.0)) - f[p])
            if error > worst:
                worst = error
                if worst >= best:
                    probe = p
                    break
        if worst < best:
            best, chosen = worst, i
    return chosen, best
