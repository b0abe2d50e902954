"""Pensia, Rajput, Nagle, Vishwakarma, Papailiopoulos (Optimal lottery tickets via subset sum,
2020): the nearest subset sum of each side. N = O(log 1/eps) units a side suffice (Lueker 1998)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slth.network import FloatArray
from slth.pruning.weights.assign import closest_values
from slth.pruning.weights.strategies.strategy import register

# Values of a side used: 2^30 subsets are nearer than any eps wanted, and quick.
_MOST = 30


def best_subset(values: FloatArray, wanted: float, tolerance: float) -> NDArray[np.int64]:
    """The values of the nearest subset sum."""
    return closest_values(values[:_MOST], wanted)


register("pensia", best_subset, summary="the nearest subset sum")
