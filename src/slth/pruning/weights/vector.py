"""Vector-valued subset sum: one mask, several sums at once, in the sup-norm.

What pruning a filter or a row of weights that share their samples needs (da Cunha, d'Amore,
Natale: Polynomially over-parameterized convolutional neural networks contain structured strong
winning lottery tickets, 2023). Meet in the middle: the sums of one half of the samples are hashed
on a grid with cells of width 2 eps in up to four coordinates; each sum of the other half looks
into the at most 2^4 cells around what it lacks. With more samples than that, random selections
of them are solved, or a k-tree is searched (vector_tree.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from slth.errors import InvalidInput, require_array, require_positive, require_time_limit
from slth.limits import Deadline, stopped_by_interrupt
from slth.network import BoolArray, FloatArray
from slth.pruning.weights.enclosure import enclose
from slth.pruning.weights.vector_grid import HASHED, cell_of, hash_list
from slth.pruning.weights.vector_tree import bits_to_hit, tree_search
from slth.solution import Status

# Two lists of 2^20 vectors.
LARGEST = 40
_MOST_COORDINATES = 8
# Sums of the second half looked up by one compiled call.
_SLICE = 1 << 16
# Random subsets of the samples tried when there are more than LARGEST.
_FIRST_SIZE = 24
_SIZE_STEP = 4
_DRAWS_OF_ONE_SIZE = 2
# k-trees grown before giving up.
_TREES = 12


@dataclass(frozen=True, eq=False)
class VectorSubsetSum:
    """mask: bool [n]. lower <= max_c |sum of the subset - target|_c <= upper over the reals.

    status: "reached", "refuted" (no subset is within eps, proven) or "unknown".
    method: "meet in the middle" (a reached subset is the nearest of all), "selection" (the nearest
    one of a selection of the samples) or "k-tree" (any within eps).
    """

    mask: BoolArray
    lower: float
    upper: float
    status: Status
    method: str


@njit(cache=True, nogil=True)
def _all_sums(samples, sums):
    """sums[s] = sum of the samples in the bits of s. samples [k, d], sums [2^k, d]."""
    sums[0] = 0.0
    m = 1
    for k in range(samples.shape[0]):
        for s in range(m):
            for c in range(samples.shape[1]):
                sums[m + s, c] = sums[s, c] + samples[k, c]
        m *= 2


@njit(cache=True, nogil=True)
def _look_up(left, right, first, last, target, hashed, inverse, shift, starts, order, best):
    """Nearest pair of a left sum and right[first:last] closer than `best`: (distance, s, r)."""
    d = left.shape[1]
    low = np.zeros(4, np.int64)
    high = np.zeros(4, np.int64)
    missing = np.empty(d)
    winner = np.int64(-1)
    partner = np.int64(-1)
    for r in range(first, last):
        for c in range(d):
            missing[c] = target[c] - right[r, c]
        for c in range(hashed):
            low[c] = np.int64(math.floor((missing[c] - best) * inverse))
            high[c] = np.int64(math.floor((missing[c] + best) * inverse))
        for c0 in range(low[0], high[0] + 1):
            for c1 in range(low[1], high[1] + 1):
                for c2 in range(low[2], high[2] + 1):
                    for c3 in range(low[3], high[3] + 1):
                        h = cell_of(c0, c1, c2, c3, shift)
                        for k in range(starts[h], starts[h + 1]):
                            s = order[k]
                            distance = 0.0
                            for c in range(d):
                                distance = max(distance, abs(left[s, c] - missing[c]))
                                if distance > best:
                                    break
                            if distance < best or (distance == best and winner < 0):
                                best = distance
                                winner = s
                                partner = r
    return best, winner, partner


def vector_subset_sum(
    samples: ArrayLike, target: ArrayLike, *, eps: float, time_limit: float | None = None
) -> VectorSubsetSum:
    """Find a subset of the samples whose sum is within eps of the target in every coordinate.

    Exact for n <= 40: the nearest subset, or the proof that none is within eps. With more samples
    random selections of growing size are solved where they can be expected to hold a solution, and
    k-trees grown where they cannot; failure proves nothing.

    Args:
        samples: float64 [n, d], 1 <= d <= 8.
        target: float64 [d].
        eps: error allowed in every coordinate, > 0.
        time_limit: seconds; None means no limit.

    Raises:
        InvalidInput: n = 0, d outside 1 .. 8, shapes that do not match, entries that are not
            finite or as large as 1e100, eps <= 0, time_limit <= 0.
    """
    values = require_array("samples", samples, ndim=2)
    wanted = require_array("target", target, ndim=1)
    n, d = values.shape
    if n == 0 or not 1 <= d <= _MOST_COORDINATES or wanted.shape != (d,):
        raise InvalidInput(
            "samples incompatible with the target",
            got=f"samples of shape {values.shape}, target of shape {wanted.shape}",
            expected=f"samples [n, d] and target [d] with n >= 1, d <= {_MOST_COORDINATES}",
            fix="Pass one row a sample and one column a coordinate.",
        )
    if max(np.abs(values).max(), np.abs(wanted).max()) >= 1e100:
        raise InvalidInput(
            "samples too large",
            got="an entry of magnitude >= 1e100",
            expected="magnitudes below 1e100",
            fix="Scale samples, target and eps down by a power of two.",
        )
    eps = require_positive("eps", eps)
    deadline = Deadline(require_time_limit(time_limit))
    with stopped_by_interrupt(deadline):
        return _searched(values, wanted, eps, deadline)


def _searched(
    values: FloatArray, wanted: FloatArray, eps: float, deadline: Deadline
) -> VectorSubsetSum:
    n = len(values)
    if n <= LARGEST:
        mask, exhausted = _nearest(values, wanted, eps, deadline)
        return _answer(values, wanted, eps, mask, exhausted, "meet in the middle")
    generator = np.random.default_rng(n)
    if bits_to_hit(LARGEST, values.std(axis=0), eps) <= LARGEST:
        found = _from_selections(values, wanted, eps, generator, deadline)
        if found.status == Status.REACHED or deadline.expired:
            return found
    return _from_trees(values, wanted, eps, generator, deadline)


def _from_selections(
    samples: FloatArray,
    target: FloatArray,
    eps: float,
    generator: np.random.Generator,
    deadline: Deadline,
) -> VectorSubsetSum:
    n = len(samples)
    found = _answer(samples, target, eps, None, False, "selection")
    for size in range(_FIRST_SIZE, LARGEST + 1, _SIZE_STEP):
        for _ in range(_DRAWS_OF_ONE_SIZE):
            chosen = np.sort(generator.choice(n, size, replace=False))
            part, _ = _nearest(samples[chosen], target, eps, deadline)
            if part is not None:
                mask = np.zeros(n, dtype=bool)
                mask[chosen[part]] = True
                found = _answer(samples, target, eps, mask, False, "selection")
            if found.status == Status.REACHED or deadline.expired:
                return found
    return found


def _from_trees(
    samples: FloatArray,
    target: FloatArray,
    eps: float,
    generator: np.random.Generator,
    deadline: Deadline,
) -> VectorSubsetSum:
    found = _answer(samples, target, eps, None, False, "k-tree")
    for _ in range(_TREES):
        if deadline.expired:
            break
        mask = tree_search(samples, target, eps, generator, deadline)
        if mask is not None:
            found = _answer(samples, target, eps, mask, False, "k-tree")
            if found.status == Status.REACHED:
                break
    return found


def _nearest(
    samples: FloatArray, target: FloatArray, eps: float, deadline: Deadline
) -> tuple[BoolArray | None, bool]:
    """(nearest subset closer than a little more than eps or None, whether all were searched)."""
    n, d = samples.shape
    half = n // 2
    left = np.empty((1 << half, d))
    right = np.empty((1 << (n - half), d))
    _all_sums(samples[:half], left)
    _all_sums(samples[half:], right)
    # Float sums of n terms and two differences err by less than this.
    mass = float((np.abs(samples).sum(axis=0) + np.abs(target)).max())
    reach = eps * (1.0 + 1e-12) + (n + 8) * 2.0**-52 * mass
    # A cell index must fit an int64 with room to spare.
    width = max(2.0 * reach, mass * 2.0**-50)
    hashed = min(HASHED, d)
    shift = 64 - (half + 1)
    starts = np.empty((1 << (half + 1)) + 1, dtype=np.int64)
    order = np.empty(1 << half, dtype=np.int64)
    hash_list(left, hashed, 1.0 / width, shift, starts, order)
    mask = None
    for first in range(0, len(right), _SLICE):
        if deadline.expired:
            return mask, False
        last = min(first + _SLICE, len(right))
        best, s, r = _look_up(
            left, right, first, last, target, hashed, 1.0 / width, shift, starts, order, reach
        )
        if s >= 0:
            reach = best
            bits = int(s) | int(r) << half
            mask = np.array([bits >> k & 1 for k in range(n)], dtype=bool)
    return mask, True


def _answer(
    samples: FloatArray,
    target: FloatArray,
    eps: float,
    mask: BoolArray | None,
    exhausted: bool,
    method: str,
) -> VectorSubsetSum:
    """Certify; a subset near eps that is not surely within it leaves the question open."""
    refuted = exhausted and mask is None
    if mask is None:
        mask = np.zeros(len(samples), dtype=bool)
    columns = np.ascontiguousarray(samples.T)
    lower, upper = enclose(columns, np.repeat(mask[None, :], len(target), axis=0), target)
    if upper.max() <= eps:
        status = Status.REACHED
    else:
        status = Status.REFUTED if refuted else Status.UNKNOWN
    return VectorSubsetSum(mask, float(lower.max()), float(upper.max()), status, method)
