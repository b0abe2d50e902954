"""Upper bounds at any width: search among the units best aligned with the target.

A residual's kinks away from the target's cost their jump times their angle, so the units within a
small angle of +-w* make the best tickets; among n of them some subset sum of the a_i w_i is
exponentially close to w*. Takes O(N d) memory beside the search over a few hundred units.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray, ReLUNetwork
from slth.pruning.neurons.local import Candidate, anneal, measure
from slth.pruning.neurons.problem import Problem, by_largest, random_sphere

# Clusters grow by a factor of about 2.5: the best size depends on the instance.
_SIZES = (24, 60, 150, 400, 1000)
_RUNS = 4
# All 2^12 masks of the nearest units, at some points, take milliseconds.
_FEW, _FEW_POINTS = 12, 300
# The power of the angle in what a unit leaves behind.
_TURNED = 1.5
# Passes over all sizes without a gain of 2 % before the search ends.
_IDLE_PASSES = 3


def aligned_units(problem: Problem, count: int) -> np.ndarray:
    """Indices of the `count` units of least angle to +-v, v over the target's units, ascending."""
    hidden, target = by_largest(problem.net.hidden), by_largest(problem.target.hidden)
    lengths = np.linalg.norm(hidden, axis=1)
    lengths[lengths == 0.0] = 1.0
    cosine = np.zeros(problem.width)
    norms = np.linalg.norm(target, axis=1)
    for v, norm in zip(target, norms, strict=True):
        if norm > 0.0:
            np.maximum(cosine, np.abs(hidden @ (v / norm)) / lengths, out=cosine)
    if count >= problem.width:
        return np.arange(problem.width)
    return np.sort(np.argpartition(-cosine, count - 1)[:count])


def useful_units(problem: Problem, count: int) -> np.ndarray:
    """Indices of `count` units that a ticket may need, ascending: those of least |alpha| theta^1.5.

    A unit at the angle theta from the target's line leaves about |alpha| theta of itself away from
    the target's kink, which others must cancel: strong units serve only if nearly aligned, weak
    ones at any angle. The power was measured in d = 3, 5, 8 at 10^5 and 10^6 units. The units best
    aligned with the target where it has several.
    """
    if count >= problem.width or problem.target.width != 1:
        return aligned_units(problem, count)
    if not problem.target.hidden.any():
        return aligned_units(problem, count)
    # A unit along the target is the most useful of all.
    left = turned(problem) ** _TURNED * problem.unit_norms
    return np.sort(np.argpartition(left, count - 1)[:count])


def turned(problem: Problem) -> FloatArray:
    """The angle of every unit to the line of the target's first, float64 [N] in [0, pi/2]."""
    hidden, target = by_largest(problem.net.hidden), by_largest(problem.target.hidden)[0]
    direction = target / np.linalg.norm(target)
    along = hidden @ direction
    across = np.linalg.norm(hidden - along[:, None] * direction, axis=1)
    return np.arctan2(across, np.abs(along))


def best_of_few(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> Candidate:
    """The best of all masks of the 12 units nearest to +-w: finds a target that was cut into parts
    and hidden among other units."""
    units = aligned_units(problem, min(problem.width, _FEW))
    part = restricted(problem, units)
    points = random_sphere(rng, _FEW_POINTS, problem.d)
    masks = (np.arange(2**units.size)[:, None] >> np.arange(units.size)) & 1
    values = masks @ part.features(points).T
    if not problem.linear:
        np.maximum(values, 0.0, out=values)
    errors = np.abs(values - problem.target_values(points)).max(axis=1)
    keep = masks[errors.argmin()].astype(np.bool_)
    return measure(problem, widened(problem, units, keep), rng, deadline)


def search_clusters(
    problem: Problem,
    rng: np.random.Generator,
    deadline: Deadline,
    *,
    goal: float = 0.0,
    largest: int = 1000,
) -> Candidate:
    """Anneal within growing clusters of aligned units; the best mask over all of them."""
    best = Candidate(np.zeros(problem.width, np.bool_), np.inf)
    sizes = [size for size in _SIZES if size < min(problem.width, largest)]
    sizes.append(min(problem.width, largest))
    idle = 0
    while idle < _IDLE_PASSES and not deadline.expired:
        before = best.error
        for size in sizes:
            if deadline.expired or best.error < goal:
                return best
            units = aligned_units(problem, size)
            part = restricted(problem, units)
            start = best.keep[units] if idle % 2 == 0 else None
            moves = max(100_000, 300 * size)
            found, _ = anneal(part, rng, deadline, start=start, moves=moves, runs=_RUNS, goal=goal)
            if found.error < best.error:
                best = Candidate(widened(problem, units, found.keep), found.error)
        idle = idle + 1 if best.error > 0.98 * before else 0
    return best


def restricted(problem: Problem, units: np.ndarray) -> Problem:
    """The problem over some of the units only. units: int64 [n]."""
    net = problem.net
    part = ReLUNetwork(net.hidden[units], net.output[units], net.readout)
    return replace(problem, net=part)


def widened(problem: Problem, units: np.ndarray, keep: BoolArray) -> BoolArray:
    """The mask over all units of a mask over `units`."""
    whole = np.zeros(problem.width, np.bool_)
    whole[units] = keep
    return whole
