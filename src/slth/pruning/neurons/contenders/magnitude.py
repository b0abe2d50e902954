"""Magnitude pruning: keep the units of largest |a_i| ||w_i||, the size chosen by its error."""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.contenders.contender import register
from slth.pruning.neurons.judging import best_prefix, sample_points
from slth.pruning.neurons.problem import Problem


def keep_largest(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> BoolArray:
    """The best of the N + 1 masks that keep the k units of largest |a_i| ||w_i||."""
    order = np.argsort(-problem.unit_norms, kind="stable")
    return best_prefix(problem, order, sample_points(problem, rng), deadline).keep


register("magnitude", keep_largest, summary="the k units of largest abs(a_i) norm(w_i), the best k")
