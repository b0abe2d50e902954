"""Closest subset sum by meeting in the middle on int64 fixed-point keys (Horowitz, Sahni 1974).

Signed form. With q_k = rint(|x_k| scale) a subset of x is a vector of signs s_k = +-1:
2 sum_{k in S} x_k = sum_k s_k |x_k| + sum_k x_k, so every half list is symmetric about 0 and a
merge of a list with its shifted copy needs only its lower half. For n <= PACKED the lowest `bits`
bits of a key carry the signs along (key = q << bits, plus one bit a sample), so merging moves masks
for free; above, keys are bare sums and the signs of the two winners are found again afterwards.

Rounding. For every subset S, |scale * residual(S) - R(S)| <= (n + 1) / 2 with R the exact integer
residual; the carried bits change a key's residual 2 R << bits by less than 1 << bits. Hence
`slack` below: the proven bound on every subset's error is best / scale minus slack / scale.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.pruning.weights import plain_lists, vector_lists

# Largest n whose keys carry masks: 12 + 1 mask bits leave 45 bits of sum.
PACKED = 24
# Largest n solved by two lists: four rows of 2^24 keys are 0.5 GiB.
LARGEST = 48

# Room that every list needs behind its keys.
PAD = vector_lists.LANES

_ONE = np.int64(1)
_lists = vector_lists if vector_lists.supported() else plain_lists
closest_pair = _lists.closest_pair
merge_both = _lists.merge_both
merge = _lists.merge


@njit(cache=True, nogil=True)
def _sorted_halves(keys, n, work):
    """Sorted signed sums of keys[:n//2] and keys[n//2:n]; returns the rows that hold them."""
    half = n // 2
    work[0, 0] = 0
    work[2, 0] = 0
    here = 0
    m = 1
    for k in range(half):
        merge_both(
            work[here], keys[k], work[1 - here], work[2 + here], keys[half + k], work[3 - here], m
        )
        here = 1 - here
        m *= 2
    row_b = 2 + here
    if n - half > half:
        merge(work[row_b], keys[n - 1], work[5 - row_b], m)
        row_b = 5 - row_b
    return here, row_b


@njit(cache=True, nogil=True)
def recover(keys, start, count, value):
    """Signs (bit set: +) of keys[start:start+count] whose signed sum is exactly `value`."""
    low = count // 2
    high = count - low
    sums = np.empty(1 << low, np.int64)
    for s in range(1 << low):
        total = np.int64(0)
        for k in range(low):
            total += keys[start + k] if (s >> k) & 1 else -keys[start + k]
        sums[s] = total
    order = np.argsort(sums)
    ordered = sums[order]
    for s in range(1 << high):
        total = np.int64(0)
        for k in range(high):
            total += keys[start + low + k] if (s >> k) & 1 else -keys[start + low + k]
        place = np.searchsorted(ordered, value - total)
        if place < ordered.shape[0] and ordered[place] == value - total:
            return np.uint64(order[place]) | (np.uint64(s) << np.uint64(low))
    return np.uint64(0)


@njit(cache=True, nogil=True)
def half_lists(x, n, reach, bits, keys, work):
    """Quantise x[:n] and build both sorted half lists of signed sums.

    reach: the largest |target| to come. bits: mask bits of a key, 0 for bare sums.
    Returns (scale, total_a, total_b, flip, negative, row_a, row_b): flip has the bits of the
    negative samples, negative is their sum of q, total_* are the sums of the halves' keys, and
    work[row_*] hold the lists.
    """
    half = n // 2
    span = reach
    for k in range(n):
        span += abs(x[k])
    exponent = math.frexp(span)[1]
    scale = math.ldexp(1.0, min(1020, int(59 - exponent - bits)))
    flip = np.uint64(0)
    negative = np.int64(0)
    total_a = np.int64(0)
    total_b = np.int64(0)
    for k in range(n):
        q = np.int64(np.rint(abs(x[k]) * scale))
        if x[k] < 0.0:
            flip |= np.uint64(1) << np.uint64(k)
            negative += q
        place = k if k < half else k - half
        keys[k] = (q << bits) + ((_ONE << np.int64(place)) if bits > 0 else np.int64(0))
        if k < half:
            total_a += keys[k]
        else:
            total_b += keys[k]
    row_a, row_b = _sorted_halves(keys, n, work)
    return scale, total_a, total_b, flip, negative, row_a, row_b


@njit(cache=True, nogil=True)
def quanta_within(eps, scale, slack, bits):
    """The largest distance of keys that surely means an error within eps; -1 when none does."""
    if eps < 0.0:
        return np.int64(-1)
    quanta = min(eps * scale, 2.0**58) * (1.0 - 1e-9) - slack
    if quanta < 0.0:
        return np.int64(-1)
    return np.int64(min(2.0**60, 2.0 * quanta * (_ONE << np.int64(bits))))


@njit(cache=True, nogil=True)
def closest_batch(samples, n, targets, eps, keys, work, masks, bounds):
    """Solve problem t on samples[t, :n] (or samples[0, :n] for all when it has one row).

    Args:
        samples: float64 [batch or 1, at least n], 1 <= n <= LARGEST.
        targets: float64 [batch].
        eps: stop at the first subset surely within eps; negative: never stop early.
        keys: int64 [n] and work: int64 [4, 2^ceil(n/2) + PAD], scratch.
        masks: uint64 [batch], the subsets found (output).
        bounds: float64 [batch], proven lower bounds on every subset's error; 0.0 where the search
            stopped early (output).
    """
    half = n // 2
    bits = np.int64(n - half + 1) if n <= PACKED else np.int64(0)
    shared = samples.shape[0] == 1
    reach = np.abs(targets).max() if shared else abs(targets[0])
    prepared = half_lists(samples[0], n, reach, bits, keys, work)
    slack = 0.5 * (n + 1) + 0.5
    for t in range(targets.shape[0]):
        if not shared and t > 0:
            prepared = half_lists(samples[t], n, abs(targets[t]), bits, keys, work)
        scale, total_a, total_b, flip, negative, row_a, row_b = prepared
        goal = 2 * ((np.int64(np.rint(targets[t] * scale)) + negative) << bits)
        goal -= ((total_a + total_b) >> bits) << bits
        stop = quanta_within(eps, scale, slack, bits)
        best, i, j = closest_pair(work[row_a], 1 << half, work[row_b], 1 << (n - half), goal, stop)
        if bits > 0:
            wide = (_ONE << bits) - _ONE
            mask_a = np.uint64(((work[row_a, i] + total_a) >> _ONE) & wide)
            mask_b = np.uint64(((work[row_b, j] + total_b) >> _ONE) & wide)
        else:
            mask_a = recover(keys, 0, half, work[row_a, i])
            mask_b = recover(keys, half, n - half, work[row_b, j])
        masks[t] = (mask_a | (mask_b << np.uint64(half))) ^ flip
        if best <= stop:
            bounds[t] = 0.0
        else:
            quanta = best * 0.5 / (_ONE << bits) * (1.0 - 1e-12) - slack
            bounds[t] = max(0.0, quanta * (1.0 - 1e-12) / scale)
