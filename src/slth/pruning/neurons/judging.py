"""The sample of the sphere on which greedy searchers and contenders judge masks, and nested
families of masks."""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import FloatArray
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.problem import Problem, random_sphere

# Entries of a matrix of points by units: 16 million doubles are 128 MB.
_ENTRIES = 16_000_000
_FEWEST, _MOST = 32, 4000
# Units whose features are held at once.
_BLOCK = 512


def sample_points(problem: Problem, rng: np.random.Generator) -> FloatArray:
    """Points of the sphere, uniform: float64 [P, d]; P shrinks with the width from 4000 to 32."""
    count = min(_MOST, max(_FEWEST, _ENTRIES // max(1, problem.width)))
    return random_sphere(rng, count, problem.d)


def worst_error(problem: Problem, sums: FloatArray, f: FloatArray) -> float:
    """max_p |rho(sums[p]) - f[p]|. sums, f: float64 [P]."""
    values = sums if problem.linear else np.maximum(sums, 0.0)
    return float(np.abs(values - f).max(initial=0.0))


def best_prefix(
    problem: Problem, order: np.ndarray, points: FloatArray, deadline: Deadline
) -> Candidate:
    """Of the masks that keep the first k units of `order`, k = 0 .. N, the one that errs least.

    order: int64 [n], some units. The size is thus chosen in the contender's favour.
    """
    f = problem.target_values(points)
    sums = np.zeros(points.shape[0])
    best, size = worst_error(problem, sums, f), 0
    for start in range(0, order.size, _BLOCK):
        units = order[start : start + _BLOCK]
        phi = np.maximum(points @ problem.net.hidden[units].T, 0.0) * problem.net.output[units]
        for k in range(units.size):
            sums = sums + phi[:, k]
            error = worst_error(problem, sums, f)
            if error < best:
                best, size = error, start + k + 1
        if deadline.expired:
            break
    keep = np.zeros(problem.width, np.bool_)
    keep[order[:size]] = True
    return Candidate(keep, best)
