"""The contenders by name; each registers itself where it is defined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.contenders.refit import REFITS
from slth.pruning.neurons.problem import Problem
from slth.registry import Registry

# (problem, rng, deadline) -> bool [N], the units to keep.
Contender = Callable[[Problem, np.random.Generator, Deadline], BoolArray]

CONTENDERS = Registry[Contender](
    "contender",
    "slth.contenders",
    ("problem", "rng", "deadline"),
    # What a sweep calls slth's own search, and the comparisons that are no tickets.
    reserved=("slth", *REFITS),
)
register = CONTENDERS.register
