"""The weights of the random network: Philox4x32-10, any entry at any time.

Entry e of stream s (0 weights, 1 biases) of layer t is word e mod 4 of the block with counter
(e div 4 low, e div 4 high, t, s) and key (seed low, seed high), each 32 bits (Salmon et al.,
Parallel random numbers: as easy as 1, 2, 3, SC 2011). A word w stands for the number
(2 (w >> 8) + 1) / 2^24 - 1: uniform on an even grid of (-1, 1), never 0. All are 24-bit dyadic
rationals, exact in float32, the same on every machine; a product of two of them and the sum of 32
such products are exact in float64.
"""

from __future__ import annotations

import numpy as np
from numba import njit

WEIGHTS, BIASES = 0, 1
GENERATOR = "philox4x32-10 uniform 24 bits"
_LOW = np.uint64(0xFFFFFFFF)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_32 = np.uint64(32)
_8 = np.uint64(8)
_STEP = 2.0**-23
_HALF_STEP = 2.0**-24


@njit(cache=True, nogil=True)
def philox(c0, c1, c2, c3, k0, k1):
    """Four 32-bit words (as uint64) from a counter and a key of 32-bit words (as uint64)."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c2 = (p1 >> _32) ^ c1 ^ k0, (p0 >> _32) ^ c3 ^ k1
        c1, c3 = p1 & _LOW, p0 & _LOW
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@njit(cache=True, nogil=True)
def entry(seed, layer, stream, index):
    """Entry `index` of a stream of a layer: a float64 in (-1, 1). All arguments uint64."""
    block = index >> np.uint64(2)
    words = philox(block & _LOW, block >> _32, layer, stream, seed & _LOW, seed >> _32)
    lane = index & np.uint64(3)
    word = words[0]
    if lane == 1:
        word = words[1]
    elif lane == 2:
        word = words[2]
    elif lane == 3:
        word = words[3]
    return np.float64(word >> _8) * _STEP + _HALF_STEP - 1.0
