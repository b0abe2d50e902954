"""Greedy removal by the uniform error."""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.contenders.contender import register
from slth.pruning.neurons.greedy import greedy_backward
from slth.pruning.neurons.problem import Problem


def drop_worst(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> BoolArray:
    """The best mask met by dropping the unit that leaves the least error, again and again."""
    return greedy_backward(problem, rng, deadline).keep


register("backward", drop_worst, summary="drop the unit that leaves the least uniform error")
