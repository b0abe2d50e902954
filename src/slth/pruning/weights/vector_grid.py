"""Lists of vectors sorted into the cells of a grid, by hashing up to four coordinates."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# Coordinates that the grid has at most.
HASHED = 4


@njit(cache=True, nogil=True)
def cell_of(c0, c1, c2, c3, shift):
    """Multiplicative hash of up to four grid coordinates."""
    word = np.uint64(c0) * np.uint64(0x9E3779B97F4A7C15)
    word += np.uint64(c1) * np.uint64(0xC2B2AE3D27D4EB4F)
    word += np.uint64(c2) * np.uint64(0x165667B19E3779F9)
    word += np.uint64(c3) * np.uint64(0x27D4EB2F165667C5)
    return np.int64(word >> np.uint64(shift))


@njit(cache=True, nogil=True)
def hash_list(sums, hashed, inverse, shift, starts, order):
    """Counting sort of the list by cell: order[starts[h]:starts[h+1]] lie in the cells of h."""
    size = sums.shape[0]
    cells = np.empty(size, np.int64)
    place = np.zeros(4, np.int64)
    starts[:] = 0
    for s in range(size):
        for c in range(hashed):
            place[c] = np.int64(math.floor(sums[s, c] * inverse))
        cells[s] = cell_of(place[0], place[1], place[2], place[3], shift)
        starts[cells[s] + 1] += 1
    for h in range(starts.shape[0] - 1):
        starts[h + 1] += starts[h]
    fill = starts[:-1].copy()
    for s in range(size):
        order[fill[cells[s]]] = s
        fill[cells[s]] += 1
