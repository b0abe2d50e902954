"""Rounding of the linear relaxation: thresholds of its optimum, and random masks drawn from it."""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray, ReLUNetwork
from slth.pruning.neurons.cluster import aligned_units, restricted, widened
from slth.pruning.neurons.contenders.contender import register
from slth.pruning.neurons.judging import best_prefix, sample_points, worst_error
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.relaxation import WIDEST, relax

# Random masks drawn: a second at most.
_DRAWS = 1000


def round_relaxation(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> BoolArray:
    """The best threshold of z in [0, 1]^N that solves the relaxation, or of 1,000 masks that keep
    unit i with probability z_i; beyond 400 units only the best aligned ones take part.

    With the relu readout the relaxation is that of the linear one, which serves where f >= 0:
    |max(g, 0) - f| <= |g - f|.
    """
    units = aligned_units(problem, min(problem.width, WIDEST))
    if units.size == 0:
        return np.zeros(problem.width, np.bool_)
    part = restricted(problem, units)
    straight = Problem(ReLUNetwork(part.net.hidden, part.net.output), part.target)
    z = relax(straight, rng, deadline.within(0.8 * deadline.remaining), rtol=1e-2).weights
    points = sample_points(part, rng)
    best = best_prefix(part, np.argsort(-z, kind="stable"), points, deadline)
    phi, f = part.features(points), part.target_values(points)
    for _ in range(_DRAWS):
        keep = rng.random(units.size) < z
        error = worst_error(part, phi @ keep, f)
        if error < best.error:
            best = Candidate(keep, error)
        if deadline.expired:
            break
    return widened(problem, units, best.keep)


register(
    "rounding",
    round_relaxation,
    summary="thresholds and random roundings of the linear relaxation",
)
