"""The constructions by name; each registers itself where it is defined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from slth.network import FloatArray
from slth.registry import Registry

# slth's own: any unit serves any coordinate, and a local search over general masks.
FREE = "free"

# (values float64 [m], wanted, tolerance) -> int64 [k], indices of the values to keep: their sum
# should be within the tolerance of `wanted`.
Serve = Callable[[FloatArray, float, float], NDArray[np.int64]]

STRATEGIES = Registry[Serve](
    "strategy",
    "slth.strategies",
    ("values", "wanted", "tolerance"),
    # What a sweep calls slth's own search.
    reserved=("slth",),
    default=(FREE,),
)
register = STRATEGIES.register
