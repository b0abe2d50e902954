"""Kernels that list every walk of a half circle, and join walks of both halves that close up.

A path is a choice of the half's units. With it goes the polygon of all starts (value, slope) at
the target's kink from which it stays in the band: a place's bound on the value cuts the polygon by
two parallel lines. Paths whose polygon vanishes are cut off, with all that begin alike. A path of
each half determines the one start that makes them a whole (docs/neurons-circle.md, section 4).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.pruning.neurons.plane.frame import CHART, KINK, Half
from slth.pruning.neurons.plane.walk import by_bucket, choose, error_of

# Vertices of a polygon, at most; one that would have more is replaced by its bounding box.
_CORNERS = 16


class Climb(NamedTuple):
    """A depth-first listing that can be interrupted: what it holds at each of n + 1 places.

    value, slope [n + 1]: of the walk from (0, 0). odd [n + 1, 2]: sum of the odd parts.
    tried [n + 1], int64: choices tried. kept [W], uint64: the choices, unit j's is bit j.
    corner [n + 2, _CORNERS, 2]: polygons; corners, owner [n + 2], int64: their vertices, and the
    place whose polygon a place shares.
    """

    value: np.ndarray
    slope: np.ndarray
    odd: np.ndarray
    tried: np.ndarray
    kept: np.ndarray
    corner: np.ndarray
    corners: np.ndarray
    owner: np.ndarray


def new_climb(half: Half, low: tuple[float, float], high: tuple[float, float]) -> Climb:
    """A listing of the paths that start with (value, slope) between `low` and `high`."""
    places = len(half.gap) + 2
    corner = np.zeros((places, _CORNERS, 2))
    corner[0, :4] = [low, (high[0], low[1]), high, (low[0], high[1])]
    corners = np.zeros(places, np.int64)
    corners[0] = 4
    return Climb(
        value=np.zeros(places),
        slope=np.zeros(places),
        odd=np.zeros((places, 2)),
        tried=np.zeros(places, np.int64),
        kept=np.zeros(_words(half), np.uint64),
        corner=corner,
        corners=corners,
        owner=np.zeros(places, np.int64),
    )


def new_paths(half: Half, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Buffers (ends, kept) for that many paths, as `list_paths` takes them."""
    return np.empty((count, 8)), np.empty((count, _words(half)), np.uint64)


def _words(half: Half) -> int:
    """64-bit words that hold the half's choices."""
    return max(1, (int(np.count_nonzero(half.kind == KINK)) + 63) // 64)


@njit(cache=True, nogil=True)
def _cut(corner, count, across, along, most, out):
    """The part of a convex polygon with across x + along y <= most: vertices to out, their number.

    -1 where out is too small.
    """
    found = 0
    x, y = corner[count - 1, 0], corner[count - 1, 1]
    before = across * x + along * y - most
    for j in range(count):
        x2, y2 = corner[j, 0], corner[j, 1]
        here = across * x2 + along * y2 - most
        if found + 2 > out.shape[0]:
            return -1
        if (before < 0.0 and here > 0.0) or (before > 0.0 and here < 0.0):
            share = before / (before - here)
            out[found, 0] = x + share * (x2 - x)
            out[found, 1] = y + share * (y2 - y)
            found += 1
        if here <= 0.0:
            out[found, 0], out[found, 1] = x2, y2
            found += 1
        x, y, before = x2, y2, here
    return found


@njit(cache=True, nogil=True)
def _box(corner, count):
    """(least x, greatest x, least y, greatest y) of the polygon."""
    x0, x1, y0, y1 = math.inf, -math.inf, math.inf, -math.inf
    for j in range(count):
        x0, x1 = min(x0, corner[j, 0]), max(x1, corner[j, 0])
        y0, y1 = min(y0, corner[j, 1]), max(y1, corner[j, 1])
    return x0, x1, y0, y1


@njit(cache=True, nogil=True)
def _within(half, k, value, bands, corner, count, spare, out):
    """Cut the polygon down to starts whose walk, at `value` from (0, 0), is in the band at place k.

    Returns the number of vertices written to out; 0 when nothing is cut off, -1 when all is.
    """
    across, along = half.by_value[k], half.by_slope[k]
    high, low = bands[k] - value, -bands[k] - value
    least, most = math.inf, -math.inf
    for j in range(count):
        reach = across * corner[j, 0] + along * corner[j, 1]
        least, most = min(least, reach), max(most, reach)
    if least > high or most < low:
        return -1
    if most <= high and least >= low:
        return 0
    found = _cut(corner, count, across, along, high, spare)
    if found > 2:
        found = _cut(spare, found, -across, -along, -low, out)
    if found < 0:
        x0, x1, y0, y1 = _box(corner, count)
        out[0], out[1], out[2], out[3] = (x0, y0), (x1, y0), (x1, y1), (x0, y1)
        return 4
    return found if found > 2 else -1


@njit(cache=True, nogil=True)
def count_paths(half, bands, low, high, crowd, rng):
    """Estimates of how many paths are alive after 0, 1, ... units' choices: float64 [units + 1].

    A crowd of at most that many paths is led from place to place, and thinned at random where it
    grows. low, high: (value, slope), as for `new_climb`.
    """
    last = len(half.gap)
    value, slope = np.zeros(2 * crowd), np.zeros(2 * crowd)
    corner, count = np.zeros((2 * crowd, _CORNERS, 2)), np.zeros(2 * crowd, np.int64)
    value2, slope2 = np.zeros(2 * crowd), np.zeros(2 * crowd)
    corner2, count2 = np.zeros((2 * crowd, _CORNERS, 2)), np.zeros(2 * crowd, np.int64)
    spare = np.empty((_CORNERS, 2))
    corner[0, 0], corner[0, 1] = (low[0], low[1]), (high[0], low[1])
    corner[0, 2], corner[0, 3] = (high[0], high[1]), (low[0], high[1])
    count[0] = 4
    size, weight = 1, 1.0
    alive = np.zeros(half.rank[-1] + 2)
    for k in range(last):
        found = 0
        for i in range(size):
            for take in range(2 if half.kind[k] == KINK else 1):
                p = slope[i]
                if half.kind[k] == CHART:
                    p -= value[i]
                elif take:
                    p += half.jump[k]
                v = value[i] + p * half.gap[k]
                cut = _within(half, k + 1, v, bands, corner[i], count[i], spare, corner2[found])
                if cut < 0:
                    continue
                if cut == 0:
                    copy_vector(corner2[found], corner[i])
                    cut = count[i]
                value2[found], slope2[found], count2[found] = v, p, cut
                found += 1
        if half.kind[k] != CHART:
            alive[half.rank[k] + 1] = weight * found
        if found > crowd:
            weight *= found / crowd
            for i in range(crowd):
                j = i + int(rng.random() * (found - i))
                copy_vector(spare, corner2[i])
                copy_vector(corner2[i], corner2[j])
                copy_vector(corner2[j], spare)
                value2[i], value2[j] = value2[j], value2[i]
                slope2[i], slope2[j] = slope2[j], slope2[i]
                count2[i], count2[j] = count2[j], count2[i]
            found = crowd
        value, value2, slope, slope2 = value2, value, slope2, slope
        corner, corner2, count, count2 = corner2, corner, count2, count
        size = found
    return alive


@njit(cache=True, nogil=True)
def list_paths(half, bands, climb, place, ends, kept, most):
    """Go on listing paths until all are found, the buffers are full or `most` nodes are spent.

    bands [n + 1]: the bound on |value| at each place. place: where the listing stands, 0 at first.
    ends [cap, 8]: for each path (A, B) of its sinusoid E = A cos + B sin at the end when it starts
    from (0, 0), the sum of its odd parts, and the box of its starts: least and greatest value,
    least and greatest slope. kept [cap, W], uint64: its choices.

    Returns (place, paths listed, nodes); place is -1 when all have been found.
    """
    last = len(half.gap)
    spare = np.empty((_CORNERS, 2))
    k, found, nodes = place, 0, 0
    while k >= 0:
        if nodes >= most or found == ends.shape[0]:
            return k, found, nodes
        step = climb.tried[k]
        if step == 2:
            climb.tried[k] = 0
            k -= 1
            continue
        p, x, y = climb.slope[k], climb.odd[k, 0], climb.odd[k, 1]
        if half.kind[k] == KINK:
            climb.tried[k] = step + 1
            word = half.rank[k] >> 6
            bit = np.uint64(1) << np.uint64(half.rank[k] & 63)
            if step == 0:
                climb.kept[word] &= ~bit
            else:
                climb.kept[word] |= bit
                p += half.jump[k]
                x += half.odd[k, 0]
                y += half.odd[k, 1]
        else:
            climb.tried[k] = 2
            if half.kind[k] == CHART:
                p -= climb.value[k]
        nodes += 1
        v = climb.value[k] + p * half.gap[k]
        owner = climb.owner[k]
        count = _within(
            half, k + 1, v, bands, climb.corner[owner], climb.corners[owner], spare,
            climb.corner[k + 1],
        )  # fmt: skip
        if count < 0:
            continue
        if count > 0:
            owner = k + 1
            climb.corners[owner] = count
        if k + 1 == last:
            ends[found, 0] = half.finish[0, 0] * v + half.finish[0, 1] * p
            ends[found, 1] = half.finish[1, 0] * v + half.finish[1, 1] * p
            ends[found, 2], ends[found, 3] = x, y
            ends[found, 4], ends[found, 5], ends[found, 6], ends[found, 7] = _box(
                climb.corner[owner], climb.corners[owner]
            )
            kept[found] = climb.kept
            found += 1
            continue
        k += 1
        climb.owner[k], climb.tried[k] = owner, 0
        climb.value[k], climb.slope[k], climb.odd[k, 0], climb.odd[k, 1] = v, p, x, y
    return -1, found, nodes


class PathStore(NamedTuple):
    """Paths of one half in buckets, for `join_paths`.

    ends [S, 8], kept [S, W]: as `list_paths` writes them. size: edge of a bucket's cube in (A, B,
    odd x, odd y). start [2^b + 1], order [S], int64: the paths of each hash value.
    """

    ends: np.ndarray
    kept: np.ndarray
    size: float
    start: np.ndarray
    order: np.ndarray


def new_store(ends: np.ndarray, kept: np.ndarray, size: float) -> PathStore:
    """Sort the paths into cubes of that edge."""
    start, order = _buckets(ends, size)
    return PathStore(ends, kept, size, start, order)


@njit(cache=True, nogil=True)
def _hash(a, b, x, y, mask):
    mixed = (
        a * np.int64(0x9E3779B1)
        + b * np.int64(0x85EBCA77)
        + x * np.int64(0xC2B2AE3D)
        + y * np.int64(0x27D4EB2F)
    )
    mixed ^= mixed >> 29
    mixed *= np.int64(0x165667B19E3779F9)
    return (mixed ^ (mixed >> 32)) & mask


@njit(cache=True, nogil=True)
def _buckets(ends, size):
    count = ends.shape[0]
    mask = 63
    while mask < 2 * count:
        mask = 2 * mask + 1
    bucket = np.empty(count, np.int64)
    for l in range(count):
        bucket[l] = _hash(
            math.floor(ends[l, 0] / size),
            math.floor(ends[l, 1] / size),
            math.floor(ends[l, 2] / size),
            math.floor(ends[l, 3] / size),
            mask,
        )
    return by_bucket(bucket, mask)


@njit(cache=True, nogil=True)
def join_paths(half, ends, kept, begin, other, store, units, miss, slack, best, keep, most):
    """Evaluate every pair of a listed path and a stored one of the other half that closes up.

    A pair (A, B), (A', B') starts with value -(A + A') / 2 and slope (B' - B - 1) / 2, for the
    other half -1 - that; the start must lie in both boxes widened by `slack`, and both coordinates
    of the odd parts' sum within `miss` of the target's (0, 1). units: (place, jump, odd) of the
    frame. best: least error known; keep: its units, overwritten by better ones. most: work.

    Returns (next path, least error, pairs evaluated).
    """
    place, jump, odd = units
    mask = len(store.start) - 2
    size = store.size
    trial = np.zeros(len(jump), np.bool_)
    pairs, work = 0, 0
    r = begin
    while r < ends.shape[0] and work < most:
        a, b = ends[r, 0], ends[r, 1]
        a0, a1 = -2.0 * (ends[r, 5] + slack) - a, -2.0 * (ends[r, 4] - slack) - a
        b0 = 2.0 * (ends[r, 6] - slack) + 1.0 + b
        b1 = 2.0 * (ends[r, 7] + slack) + 1.0 + b
        x, y = -ends[r, 2], 1.0 - ends[r, 3]
        for i in range(math.floor(a0 / size), math.floor(a1 / size) + 1):
            for j in range(math.floor(b0 / size), math.floor(b1 / size) + 1):
                for m in range(math.floor((x - miss) / size), math.floor((x + miss) / size) + 1):
                    for n in range(
                        math.floor((y - miss) / size), math.floor((y + miss) / size) + 1
                    ):
                        h = _hash(i, j, m, n, mask)
                        work += 1 + store.start[h + 1] - store.start[h]
                        for t in range(store.start[h], store.start[h + 1]):
                            l = store.order[t]
                            a2, b2 = store.ends[l, 0], store.ends[l, 1]
                            if a2 < a0 or a2 > a1 or b2 < b0 or b2 > b1:
                                continue
                            if abs(store.ends[l, 2] - x) > miss or abs(store.ends[l, 3] - y) > miss:
                                continue
                            value, slope = -0.5 * (a + a2), 0.5 * (b - b2 - 1.0)
                            if (
                                value < store.ends[l, 4] - slack
                                or value > store.ends[l, 5] + slack
                                or slope < store.ends[l, 6] - slack
                                or slope > store.ends[l, 7] + slack
                            ):
                                continue
                            # Buckets of equal hash hold a path once, so no pair comes twice
                            # but for cubes whose hashes meet, which does no harm.
                            choose(half, kept[r], trial)
                            choose(other, store.kept[l], trial)
                            error = error_of(place, jump, odd, trial, best)
                            pairs += 1
                            work += 20
                            if error < best:
                                best = error
                                copy_vector(keep, trial)
        r += 1
    return r, best, pairs
