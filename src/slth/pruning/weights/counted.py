"""Closest subset sum for every number of members: meet in the middle by cardinality.

Each sorted half list is split, in order, into the lists of its subsets with 0, 1, 2, ... members;
a k-subset is a pair from the lists of a and k - a members. All k together cost about n/2 times
one search without cardinalities.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from slth.pruning.weights.meet_in_middle import closest_pair, half_lists

# Two lists of 2^20 keys; 21 bits carry the mask, so 36 are left for the sums.
LARGEST = 40


@intrinsic
def _popcount(typingctx, word):
    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


@njit(cache=True, nogil=True)
def _split(keys, count, total, bits, flip, lists, starts):
    """Stable split of 2^count sorted signed keys by the number of members of their subset.

    lists: int64 [2^count] (output); starts: int64 [count + 2], where each list begins (output).
    """
    size = 1 << count
    wide = (np.int64(1) << bits) - np.int64(1)
    starts[:] = 0
    for i in range(size):
        mask = np.uint64(((keys[i] + total) >> np.int64(1)) & wide) ^ flip
        starts[np.int64(_popcount(mask)) + 1] += 1  # pyright: ignore[reportCallIssue]
    for c in range(count + 1):
        starts[c + 1] += starts[c]
    for i in range(size):
        mask = np.uint64(((keys[i] + total) >> np.int64(1)) & wide) ^ flip
        c = np.int64(_popcount(mask))  # pyright: ignore[reportCallIssue]
        lists[starts[c]] = keys[i]
        starts[c] += 1
    for c in range(count + 1, 0, -1):
        starts[c] = starts[c - 1]
    starts[0] = 0


@njit(cache=True, nogil=True)
def closest_counted(x, n, target, stop_at, least, most, keys, work, masks, bounds):
    """For k = least .. most the k-subset of x[:n] whose sum is closest to the target.

    Args:
        x: float64 [at least n], 1 <= n <= LARGEST.
        stop_at: return after the first k whose closest subset is nearer than this; negative: never.
        keys: int64 [n] and work: int64 [4, 2^ceil(n/2)], scratch.
        masks: uint64 [n + 1], the subsets found (output).
        bounds: float64 [n + 1], proven lower bounds on the error of every k-subset (output).

    Returns the last k done.
    """
    half = n // 2
    bits = np.int64(n - half + 1)
    prepared = half_lists(x, n, abs(target), bits, keys, work)
    scale, total_a, total_b, flip, negative, row_a, row_b = prepared
    low = (np.uint64(1) << np.uint64(half)) - np.uint64(1)
    list_a = work[1 - row_a]
    list_b = work[5 - row_b]
    starts_a = np.empty(half + 2, np.int64)
    starts_b = np.empty(n - half + 2, np.int64)
    _split(work[row_a], half, total_a, bits, flip & low, list_a, starts_a)
    _split(work[row_b], n - half, total_b, bits, flip >> np.uint64(half), list_b, starts_b)
    goal = 2 * ((np.int64(np.rint(target * scale)) + negative) << bits)
    goal -= ((total_a + total_b) >> bits) << bits
    slack = 0.5 * (n + 1) + 0.5
    wide = (np.int64(1) << bits) - np.int64(1)
    unit = 0.5 / (np.int64(1) << bits)
    for k in range(least, most + 1):
        best = np.int64(1) << np.int64(62)
        key_a = np.int64(0)
        key_b = np.int64(0)
        for c in range(max(0, k - (n - half)), min(half, k) + 1):
            part_a = list_a[starts_a[c] : starts_a[c + 1]]
            part_b = list_b[starts_b[k - c] : starts_b[k - c + 1]]
            found, i, j = closest_pair(
                part_a, part_a.shape[0], part_b, part_b.shape[0], goal, np.int64(-1)
            )
            if found < best:
                best = found
                key_a = part_a[i]
                key_b = part_b[j]
        mask_a = np.uint64(((key_a + total_a) >> np.int64(1)) & wide)
        mask_b = np.uint64(((key_b + total_b) >> np.int64(1)) & wide)
        masks[k] = (mask_a | (mask_b << np.uint64(half))) ^ flip
        bounds[k] = max(0.0, (best * unit * (1.0 - 1e-12) - slack) * (1.0 - 1e-12) / scale)
        if best * unit + slack <= stop_at * scale:
            return k
    return most


@njit(cache=True, nogil=True)
def counted_batch(samples, n, targets, most, keys, work, masks, bounds):
    """closest_counted for k = 0 .. most of problem t on samples[t, :n] (or samples[0, :n]).

    masks: uint64 [batch, n + 1] and bounds: float64 [batch, n + 1] (outputs).
    """
    shared = samples.shape[0] == 1
    for t in range(targets.shape[0]):
        row = 0 if shared else t
        closest_counted(samples[row], n, targets[t], -1.0, 0, most, keys, work, masks[t], bounds[t])
