"""A compact dense dual simplex for min max_p s_p (sum_i z_i phi_i(x_p) - f(x_p)), lo <= z <= hi.

Variables: z_0 .. z_{N-1}; t = N, the maximum, free and always basic in row 0; and for row 2p + s
(s = 0: sign +1, s = 1: sign -1) the slack N + 1 + 2p + s, y = t - sign phi_p z >= -sign f_p.
A dictionary writes every basic variable as a combination of the N + 1 nonbasic ones, each of
which sits at a bound. The reduced costs are row 0, and those of the slacks are the multipliers
that `safe_multipliers` hands on to be evaluated outward. Boxes are short, so the ratio test walks
past bounds (flips) while the objective still rises. What is minimised is t + sum_i tilt_i z_i with
tiny tilts; t stands for it throughout.

Only `safe_multipliers` feeds bounds: everything else may round as it likes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.network import FloatArray

OPTIMAL, ABOVE_CUTOFF, STUCK = 0, 1, 2
# How far a basic variable may be out of its bounds, of values of order 1: float updates of a table
# of hundreds of rows leave errors of about 1e-12, and multipliers are certified afterwards anyway.
_TOLERANCE = 1e-9
# Dividing by less would let those errors grow to the size of the values.
TINY_PIVOT = 1e-9


class Dictionary(NamedTuple):
    """One simplex dictionary; R is its capacity in rows.

    table: float64 [R, N + 1]; basic: int64 [R]; value: float64 [R], of the basic variables;
    nonbasic: int64 [N + 1]; at: float64 [N + 1], of the nonbasic ones; low, high: float64 [N],
    bounds of z; rows: int64 [1], how many rows are in use.
    """

    table: FloatArray
    basic: np.ndarray
    value: FloatArray
    nonbasic: np.ndarray
    at: FloatArray
    low: FloatArray
    high: FloatArray
    rows: np.ndarray


class Pool(NamedTuple):
    """Points that may make rows; C is the capacity.

    phi: float64 [N, C]; f: float64 [C]; floor: float64 [2 C], lower bounds of the slacks;
    holds: bool [2 C], whether the row may be used; size: int64 [1]; tilt: float64 [N], small
    positive costs of the units, which keep the simplex from circling among tied bases.
    """

    phi: FloatArray
    f: FloatArray
    floor: FloatArray
    holds: np.ndarray
    size: np.ndarray
    tilt: FloatArray


def empty_dictionary(width: int, capacity: int) -> Dictionary:
    """Arrays for a dictionary of `width` units and up to `capacity` rows."""
    return Dictionary(
        np.zeros((capacity, width + 1)),
        np.zeros(capacity, np.int64),
        np.zeros(capacity),
        np.zeros(width + 1, np.int64),
        np.zeros(width + 1),
        np.zeros(width),
        np.ones(width),
        np.zeros(1, np.int64),
    )


@njit(cache=True, nogil=True)
def start(d, pool, chosen):
    """Dictionary of the rows `chosen` (int64 [m], 2p + s), m >= 1: slack of one of them and all z
    nonbasic, dual feasible."""
    width = d.low.shape[0]
    first = 0
    for q in range(1, chosen.shape[0]):
        if pool.floor[chosen[q]] > pool.floor[chosen[first]]:
            first = q
    row = chosen[first]
    sign = 1.0 - 2.0 * (row & 1)
    for j in range(width):
        c = sign * pool.phi[j, row >> 1] + pool.tilt[j]
        d.table[0, j] = c
        d.nonbasic[j] = j
        d.at[j] = d.low[j] if c >= 0.0 else d.high[j]
    d.table[0, width] = 1.0
    d.nonbasic[width] = width + 1 + row
    d.at[width] = pool.floor[row]
    d.basic[0] = width
    d.value[0] = np.sum(d.table[0] * d.at)
    count = 1
    for q in range(chosen.shape[0]):
        if q == first or count >= d.basic.shape[0]:
            continue
        other = chosen[q]
        sign = 1.0 - 2.0 * (other & 1)
        total = 0.0
        for j in range(width):
            c = d.table[0, j] - sign * pool.phi[j, other >> 1] - pool.tilt[j]
            d.table[count, j] = c
            total += c * d.at[j]
        d.table[count, width] = 1.0
        d.basic[count] = width + 1 + other
        d.value[count] = total + d.at[width]
        count += 1
    d.rows[0] = count


@njit(cache=True, nogil=True)
def _purge(d, pool):
    """Drop the loosest third of the basic slacks."""
    width = d.low.shape[0]
    count = d.rows[0]
    slack = np.full(count, -np.inf)
    loose = 0
    for r in range(1, count):
        v = d.basic[r]
        if v > width:
            slack[r] = d.value[r] - pool.floor[v - width - 1]
            loose += 1
    drop = np.zeros(count, np.bool_)
    drop[np.argsort(slack)[count - loose // 3 :]] = True
    kept = 1
    for r in range(1, count):
        if drop[r]:
            continue
        if kept != r:
            copy_vector(d.table[kept], d.table[r])
            d.basic[kept] = d.basic[r]
            d.value[kept] = d.value[r]
        kept += 1
    d.rows[0] = kept


@njit(cache=True, nogil=True)
def add_row(d, pool, row):
    """Append row 2p + s; its slack becomes basic (below its bound if the row is violated).

    A full dictionary drops its loosest rows first; returns whether there was room.
    """
    if d.rows[0] == d.basic.shape[0]:
        _purge(d, pool)
    if d.rows[0] == d.basic.shape[0]:
        return False
    width = d.low.shape[0]
    sign = 1.0 - 2.0 * (row & 1)
    new = d.rows[0]
    fresh = d.table[new]
    copy_vector(fresh, d.table[0])
    for k in range(width + 1):
        v = d.nonbasic[k]
        if v < width:
            fresh[k] -= sign * pool.phi[v, row >> 1] + pool.tilt[v]
    for r in range(1, new):
        v = d.basic[r]
        if v < width:
            c = -sign * pool.phi[v, row >> 1] - pool.tilt[v]
            if c != 0.0:
                source = d.table[r]
                for k in range(width + 1):
                    fresh[k] += c * source[k]
    d.basic[new] = width + 1 + row
    d.value[new] = np.sum(fresh * d.at)
    d.rows[0] = new + 1
    return True


@njit(cache=True, nogil=True, fastmath=True)
def _pivot(table, rows, i, j):
    """The variable of row i leaves, that of column j enters."""
    source = table[i]
    inverse = 1.0 / source[j]
    for k in range(source.shape[0]):
        source[k] = -source[k] * inverse
    source[j] = inverse
    for r in range(rows):
        if r == i:
            continue
        a = table[r, j]
        if a != 0.0:
            row = table[r]
            row[j] = 0.0
            for k in range(source.shape[0]):
                row[k] += a * source[k]


@njit(cache=True, nogil=True)
def _leaving(d, pool):
    """The most infeasible row, the bound it must reach; (-1, 0.0) if there is none."""
    width = d.low.shape[0]
    worst, row, goal = _TOLERANCE, -1, 0.0
    for r in range(1, d.rows[0]):
        v = d.basic[r]
        x = d.value[r]
        if v < width:
            if d.low[v] - x > worst:
                worst, row, goal = d.low[v] - x, r, d.low[v]
            elif x - d.high[v] > worst:
                worst, row, goal = x - d.high[v], r, d.high[v]
        else:
            short = pool.floor[v - width - 1] - x
            if short > worst:
                worst, row, goal = short, r, pool.floor[v - width - 1]
    return row, goal


@njit(cache=True, nogil=True)
def _entering(d, i, goal, ratio):
    """Bound-flipping ratio test on row i; flips are carried out, `ratio` is scratch [N + 1].

    Returns the entering column, or -1 when the row cannot reach its goal.
    """
    width = d.low.shape[0]
    table = d.table
    up = goal > d.value[i]
    for k in range(width + 1):
        ratio[k] = np.inf
        a = table[i, k]
        if abs(a) < TINY_PIVOT:
            continue
        v = d.nonbasic[k]
        low = True
        if v < width:
            if d.high[v] == d.low[v]:
                continue
            low = d.at[k] == d.low[v]
        if (a > 0.0) == (low == up):
            ratio[k] = abs(table[0, k] / a)
    need = abs(goal - d.value[i])
    while True:
        best, column, size = np.inf, -1, 0.0
        for k in range(width + 1):
            if ratio[k] < best - 1e-12 or (ratio[k] <= best + 1e-12 and abs(table[i, k]) > size):
                if ratio[k] == np.inf:
                    continue
                best = min(best, ratio[k])
                column = k
                size = abs(table[i, k])
        if column < 0:
            return -1
        v = d.nonbasic[column]
        if v > width:
            return column
        reach = size * (d.high[v] - d.low[v])
        if need - reach <= 0.0:
            return column
        need -= reach
        moved = d.high[v] if d.at[column] == d.low[v] else d.low[v]
        step = moved - d.at[column]
        d.at[column] = moved
        for r in range(d.rows[0]):
            d.value[r] += table[r, column] * step
        ratio[column] = np.inf


@njit(cache=True, nogil=True)
def dual_simplex(d, pool, cutoff, limit):
    """Dual simplex until optimal, above the cutoff, or stuck (`limit` pivots, or no pivot left).

    Returns the status and the number of pivots.
    """
    ratio = np.empty(d.nonbasic.shape[0])
    pivots = 0
    while True:
        if d.value[0] >= cutoff:
            return ABOVE_CUTOFF, pivots
        if pivots >= limit:
            return STUCK, pivots
        i, goal = _leaving(d, pool)
        if i < 0:
            return OPTIMAL, pivots
        j = _entering(d, i, goal, ratio)
        if j < 0:
            return STUCK, pivots
        step = (goal - d.value[i]) / d.table[i, j]
        for r in range(d.rows[0]):
            d.value[r] += d.table[r, j] * step
        entered = d.nonbasic[j]
        reached = d.at[j] + step
        d.nonbasic[j] = d.basic[i]
        d.at[j] = goal
        _pivot(d.table, d.rows[0], i, j)
        d.basic[i] = entered
        d.value[i] = reached
        pivots += 1


@njit(cache=True, nogil=True)
def safe_multipliers(d, pool, gains):
    """The bound that row 0's multipliers prove for all z in [low, high], before rounding error.

    gains: float64 [N], filled with G_i / sum y: what z_i = 1 adds. No fastmath: every operation
    is one correctly rounded one, which `dual.py`'s slip accounts for.
    """
    width = d.low.shape[0]
    gains[:] = 0.0
    total = 0.0
    shift = 0.0
    for k in range(width + 1):
        v = d.nonbasic[k]
        y = d.table[0, k]
        if v > width and y > 0.0:
            row = v - width - 1
            total += y
            shift += y * pool.floor[row]
            signed = y if (row & 1) == 0 else -y
            for j in range(width):
                gains[j] += signed * pool.phi[j, row >> 1]
    if total <= 0.0:
        gains[:] = 0.0
        return -np.inf
    bound = shift / total
    for j in range(width):
        gains[j] /= total
        bound += min(gains[j] * d.low[j], gains[j] * d.high[j])
    return bound


@njit(cache=True, nogil=True)
def multipliers_of(d, row, weight):
    """Fill the rows (int64 [N + 1], 2p + s) and multipliers (float64 [N + 1]) of which
    `safe_multipliers` speaks; returns how many there are."""
    width = d.low.shape[0]
    count = 0
    for k in range(width + 1):
        if d.nonbasic[k] > width and d.table[0, k] > 0.0:
            row[count] = d.nonbasic[k] - width - 1
            weight[count] = d.table[0, k]
            count += 1
    return count


@njit(cache=True, nogil=True)
def weights_of(d, z):
    """Fill z (float64 [N]) with the current solution; returns how many entries are fractional."""
    width = d.low.shape[0]
    for k in range(width + 1):
        if d.nonbasic[k] < width:
            z[d.nonbasic[k]] = d.at[k]
    fractional = 0
    for r in range(1, d.rows[0]):
        v = d.basic[r]
        if v < width:
            z[v] = d.value[r]
            if 1e-6 < z[v] < 1.0 - 1e-6:
                fractional += 1
    return fractional


@njit(cache=True, nogil=True)
def rows_of(d):
    """The rows 2p + s that the dictionary knows: int64 [m]."""
    width = d.low.shape[0]
    found = np.empty(d.rows[0] + width + 1, np.int64)
    count = 0
    for r in range(d.rows[0]):
        if d.basic[r] > width:
            found[count] = d.basic[r] - width - 1
            count += 1
    for k in range(width + 1):
        if d.nonbasic[k] > width:
            found[count] = d.nonbasic[k] - width - 1
            count += 1
    return found[:count]
