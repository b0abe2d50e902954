"""Greedy addition by the uniform error."""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.contenders.contender import register
from slth.pruning.neurons.greedy import greedy_forward
from slth.pruning.neurons.problem import Problem


def add_best(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> BoolArray:
    """The best mask met by adding the unit that leaves the least error, again and again."""
    return greedy_forward(problem, rng, deadline).keep


register("forward", add_best, summary="add the unit that leaves the least uniform error")
