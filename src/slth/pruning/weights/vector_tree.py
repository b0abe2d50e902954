"""Vector-valued subset sum with samples to spare: the k-tree (Wagner: A generalized birthday
problem, CRYPTO 2002).

2^T groups of m samples make 2^T lists of all 2^m subset sums, each shifted so that the target is 0.
Lists are joined in pairs: of |A| |B| sums those nearest to 0 in the coordinates that lie furthest
out stay, at most 2^18 of them. Each join buys about 2 log2 |A| - 18 bits of nearness, the last one
2 log2 |A|. So sums are hit that no meeting in the middle could reach, and most solutions are lost
on the way: finding none proves nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.weights.vector_grid import HASHED, cell_of, hash_list

# log2 of the longest list, of the longest list of a group, and of the most groups.
_LONGEST = 18
_GROUP = 16
_DEEPEST = 6
# Coordinates that a join before the last one brings near 0.
_NARROWED = 2


@njit(cache=True, nogil=True)
def _pairs(a, b, hashed, checked, shift, starts, order, left, right):
    """Pairs with |a[i] + b[j]| <= 1 in the first `checked` coordinates; at most len(left) of them.

    left, right: int64 (output), the indices. Returns how many.
    """
    low = np.zeros(HASHED, np.int64)
    high = np.zeros(HASHED, np.int64)
    count = 0
    for j in range(b.shape[0]):
        for c in range(hashed):
            low[c] = np.int64(math.floor((-b[j, c] - 1.0) * 0.5))
            high[c] = np.int64(math.floor((-b[j, c] + 1.0) * 0.5))
        for c0 in range(low[0], high[0] + 1):
            for c1 in range(low[1], high[1] + 1):
                for c2 in range(low[2], high[2] + 1):
                    for c3 in range(low[3], high[3] + 1):
                        h = cell_of(c0, c1, c2, c3, shift)
                        for k in range(starts[h], starts[h + 1]):
                            i = order[k]
                            near = True
                            for c in range(checked):
                                near = near and abs(a[i, c] + b[j, c]) <= 1.0
                            if near:
                                if count == left.shape[0]:
                                    return count
                                left[count] = i
                                right[count] = j
                                count += 1
    return count


def _join(
    a: FloatArray, b: FloatArray, window: FloatArray, hashed: int, checked: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of pairs within the window in the `checked` coordinates of the largest spread."""
    spread = np.sqrt(a.var(axis=0) + b.var(axis=0)) / window
    columns = np.argsort(-spread, kind="stable")[:checked]
    near_a = np.ascontiguousarray(a[:, columns] / window[columns])
    near_b = np.ascontiguousarray(b[:, columns] / window[columns])
    bits = max(1, len(a).bit_length())
    starts = np.empty((1 << bits) + 1, dtype=np.int64)
    order = np.empty(len(a), dtype=np.int64)
    hash_list(near_a, hashed, 0.5, 64 - bits, starts, order)
    left, right = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    count = _pairs(near_a, near_b, hashed, checked, 64 - bits, starts, order, left, right)
    return left[:count], right[:count]


def bits_to_hit(size: int, spread: FloatArray, eps: float) -> float:
    """-log2 of the chance that a random subset sum of `size` samples is within eps of the target.

    spread: float64 [d], the standard deviation of a sample in each coordinate. Such a sum is about
    normal with variance size * spread^2 / 4, and the target is taken to lie near its mean.
    """
    deviation = np.maximum(spread * math.sqrt(size / 4.0), 1e-300)
    bits = np.log2(deviation) - math.log2(eps) + 0.5 * math.log2(0.5 * math.pi)
    return float(bits.clip(0.0).sum())


def spare_bits(n: int, spread: FloatArray, eps: float, depth: int) -> float:
    """log2 of the hits to expect from a tree of 2^depth groups of n samples."""
    size = min(_GROUP, n >> depth)
    if size == 0:
        return -math.inf
    bits, length = 0.0, float(size)
    for _ in range(depth - 1):
        kept = min(float(_LONGEST), 2.0 * length)
        bits += 2.0 * length - kept
        length = kept
    return bits + 2.0 * length - bits_to_hit(size << depth, spread, eps)


def best_depth(n: int, spread: FloatArray, eps: float) -> int:
    """The number of levels T whose tree has most hits to expect."""
    depths = range(1, _DEEPEST + 1)
    return max(depths, key=lambda depth: spare_bits(n, spread, eps, depth))


def tree_search(
    samples: FloatArray,
    target: FloatArray,
    eps: float,
    generator: np.random.Generator,
    deadline: Deadline,
) -> BoolArray | None:
    """One tree over groups drawn at random: a subset within eps (in float64), or None.

    samples: float64 [n, d]; target: float64 [d].
    """
    n = len(samples)
    depth = best_depth(n, samples.std(axis=0), eps)
    groups = 1 << depth
    size = min(_GROUP, n // groups)
    chosen = generator.permutation(n)[: groups * size].reshape(groups, size)
    subsets = (np.arange(1 << size)[:, None] >> np.arange(size)) & 1
    share = (target - 0.5 * samples[chosen.ravel()].sum(axis=0)) / groups
    nodes = []
    for group in chosen:
        sums = subsets @ samples[group]
        nodes.append(
            (sums - 0.5 * samples[group].sum(axis=0) - share, np.arange(1 << size)[:, None])
        )
    while len(nodes) > 1:
        last = len(nodes) == 2
        # The same coordinates in all pairs of a level, or the next one could not use them.
        spread = sum(sums.var(axis=0) for sums, _ in nodes)
        narrowed = np.argsort(-spread, kind="stable")[:_NARROWED]
        joined = []
        for (a, picks_a), (b, picks_b) in zip(nodes[::2], nodes[1::2], strict=True):
            if deadline.expired:
                return None
            left, right = (
                _last_pair(a, b, eps)
                if last
                else _nearest_pairs(a[:, narrowed], b[:, narrowed], eps)
            )
            if len(left) == 0:
                return None
            picks = np.concatenate([picks_a[left], picks_b[right]], axis=1)
            joined.append((a[left] + b[right], picks))
        nodes = joined
    mask = np.zeros(n, dtype=bool)
    for group, pick in zip(chosen, nodes[0][1][0], strict=True):
        mask[group[subsets[pick] == 1]] = True
    return mask


def _last_pair(
    a: FloatArray, b: FloatArray, eps: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    d = a.shape[1]
    return _join(a, b, np.full(d, eps), min(HASHED, d), d, 1)


def _nearest_pairs(
    a: FloatArray, b: FloatArray, eps: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """About 2^18 pairs with all coordinates near 0."""
    d = a.shape[1]
    most = 1 << _LONGEST
    deviation = np.sqrt(a.var(axis=0) + b.var(axis=0))
    part = min(1.0, (most / (len(a) * len(b))) ** (1.0 / d))
    window = np.maximum(deviation * part * math.sqrt(0.5 * math.pi), eps)
    return _join(a, b, window, d, d, most)
