"""Rigorous enclosures of |sum of a subset - target| for float64 samples taken as exact reals."""

from __future__ import annotations

import numpy as np
from numba import njit

from slth.network import BoolArray, FloatArray
from slth.rounding.outward import UNIT
from slth.rounding.pairs import two_sum


@njit(cache=True, nogil=True)
def residual_bounds(samples, masks, targets, lower, upper):
    """Fill lower[t] <= |sum_k masks[t, k] samples[t, k] - targets[t]| <= upper[t].

    samples: float64 [batch, n], or [1, n] shared by all problems. Cascaded TwoSum: with `high` and
    the running errors e_k, the exact residual is high + sum e_k, and a float sum of the n + 1
    errors, each at most u (n + 1) mass, is off by at most (n + 1)^2 u^2 mass / (1 - n u) (Ogita,
    Rump, Oishi, SIAM J. Sci. Comput. 26(6), 2005); twice that is used. Additions never underflow.
    """
    n = samples.shape[1]
    shared = samples.shape[0] == 1
    for t in range(targets.shape[0]):
        row = 0 if shared else t
        high = -targets[t]
        low = 0.0
        mass = abs(high)
        exact = True
        for k in range(n):
            if masks[t, k]:
                high, e = two_sum(high, samples[row, k])
                low += e
                mass += abs(samples[row, k])
                exact = exact and e == 0.0
        if exact:
            lower[t] = abs(high)
            upper[t] = abs(high)
            continue
        residual = abs(high + low)
        error = 2.0 * ((n + 2.0) * UNIT) * ((n + 2.0) * UNIT) * mass + 2.0 * UNIT * residual
        lower[t] = max(0.0, (residual - error) * (1.0 - 4.0 * UNIT))
        upper[t] = (residual + error) * (1.0 + 4.0 * UNIT) + 5e-324


def enclose(
    samples: FloatArray, masks: BoolArray, targets: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(lower, upper), float64 [batch] each, for samples [batch, n] or [1, n], masks [batch, n]."""
    lower = np.empty(targets.shape[0])
    upper = np.empty(targets.shape[0])
    residual_bounds(samples, masks, targets, lower, upper)
    return lower, upper
