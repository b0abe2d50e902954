"""Fewest samples whose sum is within eps of the target, by cardinality k = 0, 1, 2, ...

Small binomials are scanned, sixteen sums at a time (colex.py). Larger ones join the lists
of ceil(k/2)- and floor(k/2)-subsets through buckets of nearly equal sums (a k-subset then shows up
once for every way to split it). Where those lists would be longer than half lists, meeting in the
middle by cardinality (counted.py) goes on. A hit counts only after cascaded TwoSum has shown it to
be within eps, and a cardinality is excluded only if no sum lay within eps plus the rounding: that
of float32 or float64 sums in scans, of int64 fixed-point keys in the rest.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from slth.pruning.weights.colex import BINOMIAL, LANES, add_row, subset_at
from slth.pruning.weights.counted import LARGEST as COUNTED
from slth.pruning.weights.counted import closest_counted
from slth.pruning.weights.meet_in_middle import PAD
from slth.rounding.outward import UNIT
from slth.rounding.pairs import two_sum

# Subsets carried as the bits of one uint64.
LARGEST = 64
# Scanned directly up to this many subsets; beyond, lists are joined.
_SCAN = 50_000
# Length of the lists of scans.
ROOM = _SCAN + LANES
# Single precision will do from eps = this fraction of the mass on: its errors are far below.
_SINGLE_FROM = 2.0**-14
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
def _scan(x, n, target, eps, window, sum_target, k, lists):
    """All k-subsets, k >= 2, from the sums of the (k - 1)-subsets in lists[(k - 1) % 2].

    window covers eps and the rounding of sums in the precision of `lists`. Leaves the sums of the
    k-subsets in lists[k % 2] unless one is within eps. Returns (decision, mask): see _decide.
    """
    old, new = lists[(k - 1) % 2], lists[k % 2]
    doubt = False
    place = 0
    for i in range(k - 1, n):
        count = BINOMIAL[i, k - 1]
        for start in range(0, count, LANES):
            bits = add_row(old, start, lists[2, i], new, place + start, sum_target, window)
            if bits == 0:
                continue
            for lane in range(min(LANES, count - start)):
                if (bits >> lane) & 1:
                    mask = subset_at(start + lane, k - 1, n) | (np.uint64(1) << np.uint64(i))
                    decision = _decide(x, n, mask, target, eps)
                    if decision == _WITHIN:
                        return _WITHIN, mask
                    doubt = doubt or decision == _UNDECIDED
        place += count
    return (_UNDECIDED if doubt else _OUTSIDE), np.uint64(0)


@njit(cache=True, nogil=True)
def _scan_ones(x, n, target, eps, window, sum_target, lists):
    """_scan for k = 1, in one row: the samples are their own sums."""
    doubt = False
    for start in range(0, n, LANES):
        bits = add_row(lists[2], start, lists.dtype.type(0.0), lists[1], start, sum_target, window)
        for lane in range(min(LANES, n - start) if bits else 0):
            if (bits >> lane) & 1:
                mask = np.uint64(1) << np.uint64(start + lane)
                decision = _decide(x, n, mask, target, eps)
                if decision == _WITHIN:
                    return _WITHIN, mask
                doubt = doubt or decision == _UNDECIDED
    return (_UNDECIDED if doubt else _OUTSIDE), np.uint64(0)


@njit(cache=True, nogil=True)
def _scans(x, n, target, eps, mass, most, unit, lists):
    """k = 1, 2, ... by scans, as far as they are short enough.

    lists: float [3, room], two lists of sums and the samples. unit: their roundoff. Each sum of k
    samples, converted, is off by less than 2 k unit mass, and the comparison by 4 unit mass more.
    Returns (decision, mask, k, excluded): the k that was reached, every smaller one done.
    """
    sum_target = lists.dtype.type(target)
    for i in range(n):
        lists[2, i] = lists.dtype.type(x[i])
    excluded = 1
    k = 1
    while k <= most and BINOMIAL[n, k] <= _SCAN:
        window = lists.dtype.type((eps + (2 * k + 8) * unit * mass) * (1.0 + 4.0 * unit))
        if k == 1:
            decision, mask = _scan_ones(x, n, target, eps, window, sum_target, lists)
        else:
            decision, mask = _scan(x, n, target, eps, window, sum_target, k, lists)
        if decision == _WITHIN:
            return decision, mask, k, excluded
        if decision == _OUTSIDE and excluded == k:
            excluded = k + 1
        k += 1
    return _OUTSIDE, np.uint64(0), k, excluded


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
def _joined(x, q, n, target, goal, eps, window, k):
    """(decision, mask) for the k-subsets, k >= 2, by a join; see _decide."""
    upper = (k + 1) // 2
    sums_a, masks_a = _partial_sums(q, n, upper, BINOMIAL[n, upper])
    if k == 2 * upper:
        return _join(x, n, target, goal, eps, window, sums_a, masks_a, sums_a, masks_a)
    sums_b, masks_b = _partial_sums(q, n, upper - 1, BINOMIAL[n, upper - 1])
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
def sparsest_one(x, n, target, eps, most, single, double):
    """Smallest k <= most with a k-subset of x[:n] within eps of the target.

    single: float32 [3, ROOM] and double: float64 [3, ROOM], scratch. Returns (mask, count,
    excluded): count is -1 when none was found; every subset within eps has at least `excluded`
    members (0 .. most + 1).
    """
    if abs(target) <= eps:
        return np.uint64(0), 0, 0
    mass = abs(target)
    for k in range(n):
        mass += abs(x[k])
    most = min(most, n)
    if mass * _SINGLE_FROM <= eps and 1e-25 < mass < 1e30:
        found = _scans(x, n, target, eps, mass, most, 2.0**-24, single)
    else:
        found = _scans(x, n, target, eps, mass, most, UNIT, double)
    decision, mask, first, excluded = found
    if decision == _WITHIN:
        return mask, first, excluded
    if first > most:
        return np.uint64(0), -1, excluded
    return _beyond_scans(x, n, target, eps, mass, first, most, excluded)


@njit(cache=True, nogil=True)
def _beyond_scans(x, n, target, eps, mass, first, most, excluded):
    """sparsest_one from `first` >= 4 members on, by joins and counted meet in the middle."""
    scale = math.ldexp(1.0, min(1020, int(60 - math.frexp(mass + eps)[1])))
    q = np.empty(n, np.int64)
    for k in range(n):
        q[k] = np.int64(np.rint(x[k] * scale))
    goal = np.int64(np.rint(target * scale))
    window = np.int64(eps * scale * (1.0 + 1e-15)) + (n + 3) // 2 + 1
    for k in range(first, most + 1):
        partial = BINOMIAL[n, (k + 1) // 2]
        if n <= COUNTED and partial > (1 << (n // 2)) // 8:
            return _by_halves(x, n, target, eps, k, most, excluded)
        if partial > _LIST:
            return np.uint64(0), -1, excluded
        decision, mask = _joined(x, q, n, target, goal, eps, window, k)
        if decision == _WITHIN:
            return mask, k, excluded
        if decision == _OUTSIDE and excluded == k:
            excluded = k + 1
    return np.uint64(0), -1, excluded


@njit(cache=True, nogil=True)
def sparsest_batch(samples, n, targets, eps, most, single, double, masks, counts, excluded):
    """sparsest_one for problem t on samples[t, :n] (or samples[0, :n] when it has one row)."""
    shared = samples.shape[0] == 1
    for t in range(targets.shape[0]):
        row = 0 if shared else t
        masks[t], counts[t], excluded[t] = sparsest_one(
            samples[row], n, targets[t], eps, most, single, double
        )


def scratch() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The two scratch arrays of sparsest_one."""
    return np.empty((3, ROOM), dtype=np.float32), np.empty((3, ROOM))
