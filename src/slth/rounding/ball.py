"""Points moved into the unit ball, so that their exact norm is at most 1."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.rounding.outward import UNIT


@njit(cache=True, nogil=True)
def into_ball(x):
    """Scale a non-zero point onto the unit sphere, from inside: ||result||_2 <= 1 exactly."""
    largest = 0.0
    for k in range(x.shape[0]):
        largest = max(largest, abs(x[k]))
    unit = np.empty(x.shape[0])
    norm = 0.0
    for k in range(x.shape[0]):
        unit[k] = x[k] / largest
        norm += unit[k] * unit[k]
    norm = math.sqrt(norm)
    for k in range(x.shape[0]):
        unit[k] = unit[k] / norm * (1.0 - (x.shape[0] / 2 + 5) * UNIT)
    return unit
