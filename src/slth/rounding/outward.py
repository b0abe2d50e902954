"""Rounding outward: the unit roundoff, what underflow can lose, and norms as upper bounds.

A float sum of n non-negative products is off by at most n u / (1 - n u) of itself whatever the
order of summation (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); twice that
is added here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# u: a float operation is off by at most this fraction of its result.
UNIT = 2.0**-53
TINY = 1e-290


def up(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """At least the real number that a few non-negative float operations meant to give."""
    return value * (1.0 + 16.0 * UNIT) + TINY


def up_float(value: float) -> float:
    """`up` for one number."""
    return float(value) * (1.0 + 16.0 * UNIT) + TINY


def norm_above(vector: NDArray[np.float64]) -> float:
    """At least the Euclidean norm of all entries."""
    flat = vector.ravel()
    largest = float(np.max(np.abs(flat), initial=0.0))
    if largest == 0.0:
        return 0.0
    scaled = flat / largest
    square = float(scaled @ scaled)
    return up_float(largest * np.sqrt(square * (1.0 + 2.0 * (flat.size + 8) * UNIT)))
