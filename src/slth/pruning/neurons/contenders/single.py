"""Keep one unit (the construction of Lemma 10, Ferre et al.): the unit nearest to the target."""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.contenders.contender import register
from slth.pruning.neurons.judging import sample_points, worst_error
from slth.pruning.neurons.problem import Problem

# Units whose features are held at once.
_BLOCK = 512


def keep_one(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> BoolArray:
    """The best mask of at most one unit. Nothing is rescaled: a ticket keeps output weights, where
    the lemma lets the output weight be free."""
    points = sample_points(problem, rng)
    f = problem.target_values(points)
    best, unit = worst_error(problem, np.zeros_like(f), f), -1
    for start in range(0, problem.width, _BLOCK):
        units = slice(start, start + _BLOCK)
        phi = np.maximum(points @ problem.net.hidden[units].T, 0.0) * problem.net.output[units]
        if not problem.linear:
            np.maximum(phi, 0.0, out=phi)
        errors = np.abs(phi - f[:, None]).max(axis=0)
        if errors.min() < best:
            best, unit = float(errors.min()), start + int(errors.argmin())
        if deadline.expired:
            break
    keep = np.zeros(problem.width, np.bool_)
    if unit >= 0:
        keep[unit] = True
    return keep


register(
    "single",
    keep_one,
    summary="the one best unit (the construction of Lemma 10, output weight as drawn)",
)
