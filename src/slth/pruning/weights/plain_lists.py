"""Sorted lists of signed sums, and the closest pair of two of them: one key at a time.

What every machine can run; vector_lists.py does the same eight keys at a time.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def merge(old, step, new, m):
    """new[0:2m] = sorted union of old[0:m] - step and old[0:m] + step.

    old is sorted and symmetric (old[k] = -old[m-1-k]) and step >= 0. Branch-free: comparisons
    of random keys would be mispredicted half of the time.
    """
    i = 0
    j = 0
    last = 2 * m - 1
    for k in range(m):
        below = old[i] - step
        gap = (old[j] + step) - below
        take = gap >> np.int64(63)
        value = below + (gap & take)
        new[k] = value
        new[last - k] = -value
        j -= take
        i += 1 + take


@njit(cache=True, nogil=True)
def merge_both(old_a, step_a, new_a, old_b, step_b, new_b, m):
    """Two independent merges."""
    merge(old_a, step_a, new_a, m)
    merge(old_b, step_b, new_b, m)


@njit(cache=True, nogil=True)
def closest_pair(a, size_a, b, size_b, goal, stop):
    """(distance, i, j) with |a[i] + b[j] - goal| smallest, or the first found <= stop."""
    best = np.int64(1) << np.int64(62)
    best_i = 0
    best_j = 0
    i = 0
    j = size_b - 1
    while i < size_a and j >= 0:
        s = a[i] + b[j] - goal
        distance = abs(s)
        if distance < best:
            best = distance
            best_i = i
            best_j = j
            if best <= stop:
                break
        negative = s >> np.int64(63)
        i -= negative
        j -= 1 + negative
    return best, best_i, best_j
