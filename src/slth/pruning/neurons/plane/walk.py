"""Kernels of the walks: which states survive, every surviving path, and pairs of paths that close.

Used by the search (one start at a time, no widening) and by the refuter (every start, each widened
by its cell). The facts they rest on are proved in docs/neurons-circle.md.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.pruning.neurons.plane.frame import CHART, KINK
from slth.pruning.neurons.plane.wedge_cells import PAD, before_gap, before_jump, mark_band


def new_room(paths: int) -> tuple[np.ndarray, ...]:
    """Buffers for that many paths of each half, as `explore` takes them."""
    return (
        np.empty((paths, 4)),
        np.empty((paths, 2), np.uint64),
        np.empty((paths, 4)),
        np.empty((paths, 2), np.uint64),
    )


@njit(cache=True, nogil=True)
def viable_states(half, bands, top, slope, aim, tolerance, rows, words):
    """uint64 [n + 1, rows, words]: for each place the cells of states (before its choice) from
    which the walk can stay in the band and end with a slope within `tolerance` of `aim`.

    bands [n + 1]: the bound on |value| at each place. See wedge_cells for the cells.
    """
    last = len(half.gap)
    width = 2.0 * slope / rows
    height = top / (32 * words)
    full = ~np.uint64(0)
    cells = np.zeros((last + 1, rows, words), np.uint64)
    after = np.zeros((rows, words), np.uint64)
    inside = np.zeros(words, np.uint64)
    mark_band(inside, bands[last], top)
    for q in range(rows):
        low = q * width - slope
        if low <= aim + tolerance + PAD * width and low + width >= aim - tolerance - PAD * width:
            cells[last, q] = inside
    for k in range(last - 1, -1, -1):
        mark_band(inside, bands[k], top)
        before_gap(cells[k + 1], after, half.gap[k], top, slope)
        steep = slope * half.gap[k] <= (bands[k] + bands[k + 1]) * (1.0 + PAD)
        beyond = full if steep else np.uint64(0)
        if half.kind[k] == CHART:
            # the slope falls by the value
            for b in range(64 * words):
                bit = np.uint64(1) << np.uint64(b & 63)
                if not inside[b >> 6] & bit:
                    continue
                first = math.floor((top - (b + 1) * height) / width - PAD)
                final = math.floor((top - b * height) / width + 1.0 + PAD)
                for q in range(rows):
                    for i in range(q + first, q + final + 1):
                        found = after[i, b >> 6] if 0 <= i < rows else beyond
                        if found & bit:
                            cells[k, q, b >> 6] |= bit
                            break
        else:
            before_jump(after, cells[k], inside, half.jump[k], beyond, slope)
    return cells


@njit(cache=True, nogil=True)
def _holds(states, value, slope_now, top, slope):
    """Whether the state, or one within PAD cells of it, is marked; beyond the table all are."""
    rows, words = states.shape
    q = (slope_now + slope) * rows / (2.0 * slope)
    b = (value + top) * (32 * words) / top
    if not (PAD < q < rows - PAD and PAD < b < 64 * words - PAD):
        return True
    row, cell = int(q), int(b)
    if states[row, cell >> 6] >> np.uint64(cell & 63) & np.uint64(1):
        return True
    for i in range(int(q - PAD), int(q + PAD) + 1):
        for j in range(int(b - PAD), int(b + PAD) + 1):
            if states[i, j >> 6] >> np.uint64(j & 63) & np.uint64(1):
                return True
    return False


@njit(cache=True, nogil=True)
def _paths(half, bands, states, top, slope, aim, tolerance, value, rise, order, ends, kept, most):
    """Every path from (value, rise) that stays in the bands, by depth-first search.

    order [n]: which choice is tried first at each place. ends [cap, 4]: for each path found the
    coefficients (A, B) of E = A cos + B sin at its end and the sum of its odd parts. kept
    [cap, 2]: its choices as bits; the walk's j-th unit is bit j. Returns (paths, nodes, whole):
    not whole when cap paths or `most` nodes were not enough.
    """
    last = len(half.gap)
    cap = ends.shape[0]
    values, slopes = np.empty(last + 1), np.empty(last + 1)
    odd = np.zeros((last + 1, 2))
    tried = np.zeros(last + 1, np.int64)
    words = np.zeros((last + 1, 2), np.uint64)
    values[0], slopes[0] = value, rise
    k, found, nodes = 0, 0, 0
    if not _holds(states[0], value, rise, top, slope):
        return 0, 0, True
    while k >= 0:
        if tried[k] == 2:
            tried[k] = 0
            k -= 1
            continue
        p, x, y = slopes[k], odd[k, 0], odd[k, 1]
        w0, w1 = words[k, 0], words[k, 1]
        if half.kind[k] == KINK:
            take = tried[k] != order[k]
            tried[k] += 1
            if take:
                p += half.jump[k]
                x += half.odd[k, 0]
                y += half.odd[k, 1]
                if half.rank[k] < 64:
                    w0 |= np.uint64(1) << np.uint64(half.rank[k])
                else:
                    w1 |= np.uint64(1) << np.uint64(half.rank[k] - 64)
        else:
            tried[k] = 2
            if half.kind[k] == CHART:
                p -= values[k]
        nodes += 1
        v = values[k] + p * half.gap[k]
        if abs(v) > bands[k + 1]:
            continue
        if k + 1 == last:
            if abs(p - aim) <= tolerance:
                if found == cap:
                    return found, nodes, False
                ends[found, 0] = half.finish[0, 0] * v + half.finish[0, 1] * p
                ends[found, 1] = half.finish[1, 0] * v + half.finish[1, 1] * p
                ends[found, 2], ends[found, 3] = x, y
                kept[found, 0], kept[found, 1] = w0, w1
                found += 1
            continue
        if nodes > most:
            return found, nodes, False
        if not _holds(states[k + 1], v, p, top, slope):
            continue
        k += 1
        values[k], slopes[k], odd[k, 0], odd[k, 1] = v, p, x, y
        words[k, 0], words[k, 1] = w0, w1
        tried[k] = 0
    return found, nodes, True


@njit(cache=True, nogil=True)
def error_of(place, jump, odd, keep, stop):
    """sup of |r| on the circle for the units kept (in order of angle), or a value >= stop.

    Up to rounding it is |r| at some point of the circle, and no point has more.
    """
    even_cos, even_sin = 0.0, -0.5
    odd_x, odd_y = 0.0, -0.5
    for i in range(len(keep)):
        if keep[i]:
            odd_x += 0.5 * odd[i, 0]
            odd_y += 0.5 * odd[i, 1]
            even_cos += 0.5 * jump[i] * place[i, 1]
            even_sin -= 0.5 * jump[i] * place[i, 0]
    worst = 0.0
    cos0, sin0 = 1.0, 0.0
    for i in range(len(keep) + 1):
        if i < len(keep):
            if not keep[i]:
                continue
            cos1, sin1 = place[i, 0], place[i, 1]
        else:
            cos1, sin1 = -1.0, 0.0
        for sign in (1.0, -1.0):
            a, b = even_cos + sign * odd_x, even_sin + sign * odd_y
            worst = max(worst, abs(a * cos0 + b * sin0), abs(a * cos1 + b * sin1))
            if (b * cos0 - a * sin0) * (b * cos1 - a * sin1) < 0.0:
                worst = max(worst, math.sqrt(a * a + b * b))
        if worst >= stop:
            return worst
        if i < len(keep):
            even_cos -= jump[i] * sin1
            even_sin += jump[i] * cos1
        cos0, sin0 = cos1, sin1
    return worst


@njit(cache=True, nogil=True)
def best_of_all(place, jump, odd, keep):
    """The least error of all 2^M subsets; writes its units to keep."""
    trial = np.zeros(len(jump), np.bool_)
    best = error_of(place, jump, odd, trial, math.inf)
    keep[:] = False
    for subset in range(1, 1 << len(jump)):
        for i in range(len(jump)):
            trial[i] = subset >> i & 1
        error = error_of(place, jump, odd, trial, best)
        if error < best:
            best = error
            copy_vector(keep, trial)
    return best


@njit(cache=True, nogil=True)
def choose(half, words, keep):
    """Set keep at the units whose bit is set."""
    for k in range(len(half.gap)):
        if half.kind[k] == KINK:
            bit = words[half.rank[k] >> 6] >> np.uint64(half.rank[k] & 63) & np.uint64(1)
            keep[half.unit[k]] = bit != 0


@njit(cache=True, nogil=True)
def by_bucket(bucket, mask):
    """The numbers of `bucket` (0 .. mask) sorted: order[start[b] : start[b + 1]] has bucket b."""
    start = np.zeros(mask + 2, np.int64)
    for b in bucket:
        start[b + 1] += 1
    for b in range(mask + 1):
        start[b + 1] += start[b]
    order = np.empty(len(bucket), np.int64)
    position = start.copy()
    for l in range(len(bucket)):
        order[position[bucket[l]]] = l
        position[bucket[l]] += 1
    return start, order


@njit(cache=True, nogil=True)
def _bucket(i, j, k, mask):
    mixed = i * np.int64(0x9E3779B1) ^ j * np.int64(0x85EBCA77) ^ k * np.int64(0xC2B2AE3D)
    return (mixed ^ (mixed >> 17)) & mask


@njit(cache=True, nogil=True)
def _close(first, second, paths, units, closing, fine, best, keep):
    """Evaluate every pair of a first and a second path that may close up with a smaller error.

    paths: (ends, kept) of the first half, of the second, their numbers. units: (place,
    jump, odd) of the frame. closing: (drift, rise, level, miss); a pair is evaluated when
    |A + A'| <= 2 drift, |B - B'| <= 2 rise, |B + B'| <= 2 level and both coordinates of its odd
    parts' sum are within `miss` of the target's (0, 1). Returns the least error found, `best` if
    none is below it, writes its units to keep, and counts the pairs of an error below `fine`.
    """
    ends, kept, other_ends, other_kept, count, others = paths
    place, jump, odd = units
    drift, rise, level, miss = closing
    mask = 63
    while mask < 2 * others:
        mask = 2 * mask + 1
    bucket = np.empty(others, np.int64)
    # Buckets are cubes of side `size` and height `tall`; a partner lies in one of eight.
    size, tall = 2.0 * miss, 4.0 * min(rise, level)
    mirror = 1.0 if rise <= level else -1.0
    for l in range(others):
        i, j = math.floor(other_ends[l, 2] / size), math.floor(other_ends[l, 3] / size)
        bucket[l] = _bucket(i, j, math.floor(other_ends[l, 1] / tall), mask)
    start, order = by_bucket(bucket, mask)
    trial = np.zeros(len(jump), np.bool_)
    pairs = 0
    for r in range(count):
        x, y = -ends[r, 2], 1.0 - ends[r, 3]
        i0, j0 = math.floor(x / size - 0.5), math.floor(y / size - 0.5)
        k0 = math.floor(mirror * ends[r, 1] / tall - 0.5)
        for corner in range(8):
            b = _bucket(i0 + (corner & 1), j0 + (corner >> 1 & 1), k0 + (corner >> 2), mask)
            for t in range(start[b], start[b + 1]):
                l = order[t]
                if abs(other_ends[l, 2] - x) > miss or abs(other_ends[l, 3] - y) > miss:
                    continue
                if abs(ends[r, 1] - other_ends[l, 1]) > 2.0 * rise:
                    continue
                if abs(ends[r, 1] + other_ends[l, 1]) > 2.0 * level:
                    continue
                if abs(ends[r, 0] + other_ends[l, 0]) > 2.0 * drift:
                    continue
                choose(first, kept[r], trial)
                choose(second, other_kept[l], trial)
                error = error_of(place, jump, odd, trial, max(best, fine))
                pairs += error < fine
                if error < best:
                    best = error
                    copy_vector(keep, trial)
    return best, pairs


@njit(cache=True, nogil=True)
def explore_walks(halves, bands, tables, cells, ending, starts, begin, limits, units, closing,
                  orders, room, keep):  # fmt: skip
    """Join the paths of the first and of the second half, one start after another.

    halves, bands, tables: of (first, second), in either order, the walk, its bands and its viable
    states. cells: (top, slope). ending: (aim, first tolerance, second tolerance) of the slope at
    the end; the second half aims at -aim. starts [S, 2]: value and slope of the first half at the
    target's kink; the second half starts with the slope -1 - that. limits: (nodes of one walk,
    work of this call). closing: as in _close, then fine and best. orders [2, n]: see _paths.
    room: buffers (ends, kept, other_ends, other_kept).

    Returns (next start, least error, starts with a fine pair, with a first path, with both,
    work done, complete): complete if no walk was cut off.
    """
    (first, second), (bands1, bands2), (states1, states2) = halves, bands, tables
    top, slope = cells
    aim, tolerance1, tolerance2 = ending
    fine, best = closing[4], closing[5]
    ends, kept, other_ends, other_kept = room
    work, hits, half_way, both_ways = 0, 0, 0, 0
    complete = True
    s = begin
    while s < len(starts) and work < limits[1]:
        value, tilt = starts[s]
        s += 1
        work += 20
        if not _holds(states2[0], value, -1.0 - tilt, top, slope):
            continue
        count, nodes, whole = _paths(
            first, bands1, states1, top, slope, aim, tolerance1,
            value, tilt, orders[0], ends, kept, limits[0],
        )  # fmt: skip
        work += nodes
        complete &= whole
        if count == 0:
            continue
        half_way += 1
        others, nodes, whole = _paths(
            second, bands2, states2, top, slope, -aim, tolerance2,
            value, -1.0 - tilt, orders[1], other_ends, other_kept, limits[0],
        )  # fmt: skip
        work += nodes
        complete &= whole
        if others == 0:
            continue
        both_ways += 1
        paths = (ends, kept, other_ends, other_kept, count, others)
        best, pairs = _close(first, second, paths, units, closing[:4], fine, best, keep)
        hits += pairs > 0
        work += 8 * (count + others)
    return s, best, hits, half_way, both_ways, work, complete
