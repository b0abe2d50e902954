"""Fewest samples whose sum is within eps of the target, by cardinality k = 0, 1, 2, ...

Small binomials are scanned, eight keys at a time for the lowest index. Larger ones join the lists
of ceil(k/2)- and floor(k/2)-subsets through buckets of nearly equal sums (a k-subset then shows up
once for every way to split it). Where those lists would be longer than half lists, meeting in the
middle by cardinality (counted.py) goes on. Keys are int64 fixed point; a hit counts only after
cascaded TwoSum has shown it to be within eps, and a cardinality is excluded only if no key lay
within eps plus the rounding.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.rounding import UNIT, two_sum
from slth.weights.counted import LARGEST as COUNTED
from slth.weights.counted import closest_counted
from slth.weights.meet_in_middle import PAD, near_bits

# Subsets carried as the bits of one uint64.
LARGEST = 64
# Scanned directly up to this many subsets; beyond, lists are joined.
_SCAN = 25_000
# Longest list of partial subsets: 2^21 entries are 40 MiB.
_LIST = 1 << 21

_WITHIN, _OUTSIDE, _UNDECIDED = 1, 0, -1


@njit(cache=True, nogil=True)
def _decide(x, n, mask, target, eps):
    """Whether |sum of the subset - target| <= eps: 1 surely, 0 surely not, -1 too close to tell."""
    high = -target
    low = 0.0
    mass = abs(target)
    exact = True
    for k in range(n):
        if (mask >> np.uint64(k)) & np.uint64(1):
            high, e = two_sum(high, x[k])
            low += e
            mass += abs(x[k])
            exact = exact and e == 0.0
    if exact:
        return _WITHIN if abs(high) <= eps else _OUTSIDE
    residual = abs(high + low)
    error = 2.0 * ((n + 2.0) * UNIT) * ((n + 2.0) * UNIT) * mass + 8.0 * UNIT * residual
    if residual + error <= eps:
        return _WITHIN
    return _OUTSIDE if residual - error > eps else _UNDECIDED


@njit(cache=True, nogil=True)
def _near_one(x, q, n, target, eps, offset, window, count, members):
    """Whether members and one index below `count` make a subset within eps: (decision, mask)."""
    doubt = False
    for start in range(0, count, 8):
        bits = near_bits(q, start, offset, 2 * window)
        if bits == 0:
            continue
        for last in range(start, min(start + 8, count)):
            if (bits >> (last - start)) & 1:
                mask = members | (np.uint64(1) << np.uint64(last))
                decision = _decide(x, n, mask, target, eps)
                if decision == _WITHIN:
                    return _WITHIN, mask
                doubt = doubt or decision == _UNDECIDED
    return (_UNDECIDED if doubt else _OUTSIDE), np.uint64(0)


@njit(cache=True, nogil=True)
def _near_two(x, q, n, target, eps, offset, window, limit, members):
    """Whether members and two indices below `limit` make a subset within eps."""
    doubt = False
    for high in range(1, limit):
        more = offset + q[high]
        for start in range(0, high, 8):
            if near_bits(q, start, more, 2 * window):
                both = members | (np.uint64(1) << np.uint64(high))
                decision, mask = _near_one(x, q, n, target, eps, more, window, high, both)
                if decision == _WITHIN:
                    return _WITHIN, mask
                doubt = doubt or decision == _UNDECIDED
                break
    return (_UNDECIDED if doubt else _OUTSIDE), np.uint64(0)


@njit(cache=True, nogil=True)
def _scan(x, q, n, target, goal, eps, window, k):
    """All k-subsets, k >= 1. Returns (decision, mask): see _decide; 0 when none is near.

    q has room for 8 more keys than n; what lies there is read and ignored.
    """
    offset = window - goal
    if k == 1:
        return _near_one(x, q, n, target, eps, offset, window, n, np.uint64(0))
    # index[0] < index[1] < ... are the k - 2 high members; passes find the two lowest.
    high = k - 2
    index = np.arange(2, k)
    members = np.uint64(0)
    for i in range(high):
        offset += q[index[i]]
        members |= np.uint64(1) << np.uint64(index[i])
    doubt = False
    while True:
        limit = index[0] if high > 0 else n
        decision, mask = _near_two(x, q, n, target, eps, offset, window, limit, members)
        if decision == _WITHIN:
            return _WITHIN, mask
        doubt = doubt or decision == _UNDECIDED
        place = 0
        while place < high and index[place] + 1 == (index[place + 1] if place + 1 < high else n):
            place += 1
        if place == high:
            return (_UNDECIDED if doubt else _OUTSIDE), np.uint64(0)
        for i in range(place + 1):
            offset -= q[index[i]]
            members ^= np.uint64(1) << np.uint64(index[i])
        index[place] += 1
        for i in range(place):
            index[i] = i + 2
        for i in range(place + 1):
            offset += q[index[i]]
            members |= np.uint64(1) << np.uint64(index[i])


@njit(cache=True, nogil=True)
def _partial_sums(q, n, k, size):
    """Sums and masks of all k-subsets, k >= 1, `size` = C(n, k) of them."""
    sums = np.empty(size, np.int64)
    masks = np.empty(size, np.uint64)
    index = np.arange(k)
    for entry in range(size):
        total = np.int64(0)
        mask = np.uint64(0)
        for i in range(k):
            total += q[index[i]]
            mask |= np.uint64(1) << np.uint64(index[i])
        sums[entry] = total
        masks[entry] = mask
        place = k - 1
        while place >= 0 and index[place] == n - k + place:
            place -= 1
        if place < 0:
            break
        index[place] += 1
        for i in range(place + 1, k):
            index[i] = index[i - 1] + 1
    return sums, masks


@njit(cache=True, nogil=True)
def _join(x, n, target, goal, eps, window, sums_a, masks_a, sums_b, masks_b):
    """Disjoint pairs of the two lists with |a + b - goal| <= window, a bucketed by value."""
    size = sums_a.shape[0]
    least = sums_a[0]
    most = sums_a[0]
    for s in sums_a:
        least = min(least, s)
        most = max(most, s)
    levels = 1
    while (1 << levels) < size:
        levels += 1
    shift = 0
    while ((most - least) >> shift) >= (1 << levels):
        shift += 1
    buckets = ((most - least) >> shift) + 1
    starts = np.zeros(buckets + 1, np.int64)
    for s in sums_a:
        starts[((s - least) >> shift) + 1] += 1
    for b in range(buckets):
        starts[b + 1] += starts[b]
    fill = starts[:-1].copy()
    order_sums = np.empty(size, np.int64)
    order_masks = np.empty(size, np.uint64)
    for i in range(size):
        b = (sums_a[i] - least) >> shift
        order_sums[fill[b]] = sums_a[i]
        order_masks[fill[b]] = masks_a[i]
        fill[b] += 1
    doubt = False
    for j in range(sums_b.shape[0]):
        wanted = goal - sums_b[j]
        first = max((wanted - window - least) >> shift, 0)
        last = min((wanted + window - least) >> shift, buckets - 1)
        if first > last:
            continue
        for i in range(starts[first], starts[last + 1]):
            if abs(order_sums[i] - wanted) <= window and order_masks[i] & masks_b[j] == 0:
                mask = order_masks[i] | masks_b[j]
                decision = _decide(x, n, mask, target, eps)
                if decision == _WITHIN:
                    return _WITHIN, mask
                doubt = doubt or decision == _UNDECIDED
    return (_UNDECIDED if doubt else _OUTSIDE), np.uint64(0)


@njit(cache=True, nogil=True)
def _binomial(n, k):
    """C(n, k), at most 2^62."""
    value = 1
    for i in range(min(k, n - k)):
        value = value * (n - i) // (i + 1)
        if value > 1 << 50:
            return 1 << 62
    return value


@njit(cache=True, nogil=True)
def _of_size(x, q, n, target, goal, eps, window, k):
    """(decision, mask) for the k-subsets, k >= 1, by a scan or a join; see _decide."""
    if k < 4 or _binomial(n, k) <= _SCAN:
        return _scan(x, q, n, target, goal, eps, window, k)
    upper = (k + 1) // 2
    sums_a, masks_a = _partial_sums(q, n, upper, _binomial(n, upper))
    if k == 2 * upper:
        return _join(x, n, target, goal, eps, window, sums_a, masks_a, sums_a, masks_a)
    sums_b, masks_b = _partial_sums(q, n, upper - 1, _binomial(n, upper - 1))
    return _join(x, n, target, goal, eps, window, sums_a, masks_a, sums_b, masks_b)


@njit(cache=True, nogil=True)
def _by_halves(x, n, target, eps, k, most, excluded):
    """The search from k members on by counted meet in the middle; as sparsest_one."""
    masks = np.zeros(n + 1, np.uint64)
    bounds = np.zeros(n + 1)
    keys = np.empty(n, np.int64)
    work = np.empty((4, (1 << (n - n // 2)) + PAD), np.int64)
    last = closest_counted(x, n, target, eps, k, most, keys, work, masks, bounds)
    certain = excluded == k
    for size in range(k, last + 1):
        if _decide(x, n, masks[size], target, eps) == _WITHIN:
            return masks[size], size, excluded
        certain = certain and bounds[size] > eps
        if certain:
            excluded = size + 1
    return np.uint64(0), -1, excluded


@njit(cache=True, nogil=True)
def sparsest_one(x, n, target, eps, most, q):
    """Smallest k <= most with a k-subset of x[:n] within eps of the target.

    q: int64 [n + PAD], scratch. Returns (mask, count, excluded): count is -1 when none was found;
    every subset within eps has at least `excluded` members (0 .. most + 1).
    """
    span = abs(target) + eps
    for k in range(n):
        span += abs(x[k])
    scale = math.ldexp(1.0, min(1020, int(60 - math.frexp(span)[1])))
    for k in range(n):
        q[k] = np.int64(np.rint(x[k] * scale))
    goal = np.int64(np.rint(target * scale))
    window = np.int64(eps * scale * (1.0 + 1e-15)) + (n + 3) // 2 + 1
    decision = _decide(x, n, np.uint64(0), target, eps)
    if decision == _WITHIN:
        return np.uint64(0), 0, 0
    certain = decision == _OUTSIDE
    excluded = 1 if certain else 0
    for k in range(1, min(most, n) + 1):
        partial = _binomial(n, (k + 1) // 2)
        if n <= COUNTED and _binomial(n, k) > _SCAN and partial > (1 << (n // 2)) // 8:
            return _by_halves(x, n, target, eps, k, min(most, n), excluded)
        if partial > _LIST:
            return np.uint64(0), -1, excluded
        decision, mask = _of_size(x, q, n, target, goal, eps, window, k)
        if decision == _WITHIN:
            return mask, k, excluded
        certain = certain and decision == _OUTSIDE
        if certain:
            excluded = k + 1
    return np.uint64(0), -1, excluded


@njit(cache=True, nogil=True)
def sparsest_batch(samples, n, targets, eps, most, q, masks, counts, excluded):
    """sparsest_one for problem t on samples[t, :n] (or samples[0, :n] when it has one row)."""
    shared = samples.shape[0] == 1
    for t in range(targets.shape[0]):
        row = 0 if shared else t
        masks[t], counts[t], excluded[t] = sparsest_one(samples[row], n, targets[t], eps, most, q)
