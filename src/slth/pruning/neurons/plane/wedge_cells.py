"""Sets of walk states as bits: cells of (slope, value), moved backwards over gaps and jumps.

A set is uint64 [rows, words]: bit b of row q stands for slopes in [-slope + q width, + width) and
values in [-top + b height, + height), where width = 2 slope / rows, height = 2 top / (64 words).
Every move is padded outward by PAD cells, so that float errors below ROUNDING of a cell cannot
lose a state. Cells are marked; a state is never lost, only surrounded.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# Outward padding of every cell index, in cells, and what the float errors must stay below.
PAD = 2.0**-7
ROUNDING = 2.0**-10


@njit(cache=True, nogil=True)
def mark_band(inside, band, top):
    """Set inside [words] to the value cells that meet [-band, band]."""
    cells = 64 * inside.shape[0]
    height = 2.0 * top / cells
    low = max(0, math.floor((top - band) / height - PAD))
    high = min(cells - 1, math.floor((top + band) / height + PAD))
    inside[:] = np.uint64(0)
    for b in range(low, high + 1):
        inside[b >> 6] |= np.uint64(1) << np.uint64(b & 63)


@njit(cache=True, nogil=True)
def before_gap(ahead, after, gap, top, slope):
    """Set `after` to the states from which value + slope * gap, same slope, lies in `ahead`."""
    rows, words = ahead.shape
    cells = 64 * words
    height = 2.0 * top / cells
    width = 2.0 * slope / rows
    for q in range(rows):
        start = (q * width - slope) * gap / height - PAD
        stop = ((q + 1) * width - slope) * gap / height + PAD
        for w in range(words):
            after[q, w] = np.uint64(0)
        if start > cells or stop < -cells:
            continue
        for shift in range(math.floor(start), math.floor(stop) + 2):
            skip = shift >> 6
            bits = np.uint64(shift & 63)
            for w in range(max(0, -skip - 1), min(words, words - skip)):
                source = w + skip
                if source >= 0:
                    after[q, w] |= ahead[q, source] >> bits
                if bits != 0 and source + 1 < words:
                    after[q, w] |= ahead[q, source + 1] << (np.uint64(64) - bits)


@njit(cache=True, nogil=True)
def before_jump(after, here, inside, jump, beyond, slope):
    """Set `here` to the states inside the band that lie in `after`, or would with slope + jump.

    beyond: the cells to assume viable for slopes outside the table, all ones or none.
    """
    rows, words = after.shape
    if jump == 0.0:
        for q in range(rows):
            for w in range(words):
                here[q, w] = after[q, w] & inside[w]
        return
    move = min(max(jump * rows / (2.0 * slope), -3.0 * rows), 3.0 * rows)
    first = math.floor(move - PAD)
    final = math.floor(move + 1.0 + PAD)
    for q in range(rows):
        for w in range(words):
            here[q, w] = after[q, w]
        for i in range(q + first, q + final + 1):
            for w in range(words):
                here[q, w] |= after[i, w] if 0 <= i < rows else beyond
        for w in range(words):
            here[q, w] &= inside[w]
