"""Skeletonization (Mozer and Smolensky, 1989): trim the unit of least relevance, again and again.

The relevance of a unit is what its removal would cost, estimated by the derivative of the error in
a gate alpha_i on the unit at alpha_i = 1. They take the linear error sum_p |residual(x_p)|:

    relevance_i = -sum_p sign(rho(g) - f)(x_p) rho'(g)(x_p) phi_i(x_p),

recomputed after every trim. The best mask on the way is returned.
"""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.contenders.contender import register
from slth.pruning.neurons.judging import sample_points, worst_error
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.problem import Problem


def trim_irrelevant(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> BoolArray:
    """From all units, remove the least relevant one at a time."""
    points = sample_points(problem, rng)
    phi = problem.features(points)
    f = problem.target_values(points)
    keep = np.ones(problem.width, np.bool_)
    sums = phi.sum(axis=1)
    best = Candidate(keep.copy(), worst_error(problem, sums, f))
    while keep.any() and not deadline.expired:
        if problem.linear:
            slope = np.sign(sums - f)
        else:
            slope = np.sign(np.maximum(sums, 0.0) - f) * (sums > 0.0)
        relevance = np.where(keep, -(slope @ phi), np.inf)
        unit = int(relevance.argmin())
        keep[unit] = False
        sums = sums - phi[:, unit]
        error = worst_error(problem, sums, f)
        if error < best.error:
            best = Candidate(keep.copy(), error)
    return best.keep


register(
    "relevance",
    trim_irrelevant,
    summary="skeletonization (Mozer and Smolensky 1989): trim the unit of least relevance",
)
