"""Good multipliers of a sum of kinks, in floats: a dual simplex method with long steps, compiled.

The dual of `sums` is convex and piecewise linear in the multipliers t:

    F(t) = constant + <offset, t> + sum_j max(low_j g_j, high_j g_j) + sum_k h_k(t_k),
    g = linear + rows' t.

A vertex is where m of the n + m *quantities* g_j, t_k stand at a kink of F: g_j at 0, t_k at one of
its at most two marks. A tableau [m, n] holds how the other quantities change with those. Each step
leaves a vertex along the edge that falls most steeply for its length and ends where F rises: all
kinks on the way are passed. Nothing here is proven: any t gives a bound, by `KinkSums.highest`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from slth.copying import copy_matrix
from slth.layers import FloatArray

# Slopes and rates, of quantities of size 1, that are taken for 0.
_FLAT, _STILL = 1e-9, 1e-11
# Sums may be reordered: no bound comes from here.
_LOOSE = {"reassoc", "contract", "arcp", "nsz"}


class Scaled(NamedTuple):
    """A sum in coordinates in which its box and ranges are of size 1.

    Attributes:
        rows, offset: float64 [m, n], [m].
        linear, constant: float64 [n], and a number.
        cost, low, high: float64 [m].
        least, most: float64 [n].
    """

    rows: FloatArray
    offset: FloatArray
    linear: FloatArray
    constant: float
    cost: FloatArray
    low: FloatArray
    high: FloatArray
    least: FloatArray
    most: FloatArray


class Vertex(NamedTuple):
    """A vertex of the dual, in and out of `descend`.

    Attributes:
        tight, free: int32 [min(m, n)], the places j of the g_j and k of the t_k that exchanged
            parts: the first `counts[0]` of them.
        mark: int8 [m], at which of its marks each other t_k stands.
        counts: int64 [2], of exchanged parts, and of steps.
        multipliers: float64 [m], t.
        point: float64 [n], the primal point, inside the box only at a minimum.
    """

    tight: np.ndarray
    free: np.ndarray
    mark: np.ndarray
    counts: np.ndarray
    multipliers: FloatArray
    point: FloatArray


class _Kinks(NamedTuple):
    """marks, jumps: float64 [m, 2], where the slope of h_k rises and by how much (0: no mark)."""

    marks: FloatArray
    jumps: FloatArray


class _State(NamedTuple):
    """The tableau [m, n]; which quantity (t_k: k, g_j: m + j) stands at each of its rows (at
    kinks) and columns; the values [m + n] of all, the slope of F along each column [n], and the sum
    of those along each row [m]."""

    tableau: FloatArray
    at_row: np.ndarray
    at_column: np.ndarray
    value: FloatArray
    slope: FloatArray
    along: FloatArray


class _Way(NamedTuple):
    """Kinks met along an edge: how far, by how much the slope rises, at which column (-1: the
    edge's own quantity) and mark."""

    far: FloatArray
    jump: FloatArray
    column: np.ndarray
    mark: np.ndarray


@njit(cache=True, nogil=True)
def _kinks_of(cost, low, high, marks, jumps):
    for k in range(len(cost)):
        jumps[k, 1] = 0.0
        if low[k] >= 0.0 or high[k] <= 0.0:
            marks[k, 0] = cost[k] if low[k] >= 0.0 else 0.0
            jumps[k, 0] = high[k] - low[k]
        elif cost[k] < 0.0:
            marks[k, 0], marks[k, 1] = cost[k], 0.0
            jumps[k, 0], jumps[k, 1] = high[k], -low[k]
            continue
        else:
            marks[k, 0] = cost[k] * high[k] / (high[k] - low[k])
            jumps[k, 0] = high[k] - low[k]
        marks[k, 1] = marks[k, 0]


@njit(cache=True, nogil=True, error_model="numpy")
def _exchange(state, row, column):
    """What stands at a row and at a column of the tableau change places."""
    tableau = state.tableau
    pivot = 1.0 / tableau[row, column]
    own = tableau[row]
    for j in range(len(own)):
        own[j] *= pivot
    own[column] = pivot
    for a in range(len(tableau)):
        factor = tableau[a, column]
        if a == row or factor == 0.0:
            continue
        other = tableau[a]
        other[column] = 0.0
        for j in range(len(own)):
            other[j] -= factor * own[j]
    moved = state.at_row[row]
    state.at_row[row] = state.at_column[column]
    state.at_column[column] = moved


@njit(cache=True, nogil=True, error_model="numpy")
def _began(scaled, kinks, vertex, state):
    """The tableau and the values at a vertex."""
    m, n = scaled.rows.shape
    copy_matrix(state.tableau, scaled.rows)
    for k in range(m):
        state.at_row[k] = k
        state.value[k] = kinks.marks[k, vertex.mark[k]]
    for j in range(n):
        state.at_column[j] = m + j
    wanted = np.zeros(m, np.bool_)
    for q in range(vertex.counts[0]):
        wanted[vertex.free[q]] = True
    for q in range(vertex.counts[0]):
        column = vertex.tight[q]
        row, largest = -1, _FLAT
        for k in range(m):
            if wanted[k] and abs(state.tableau[k, column]) > largest:
                row, largest = k, abs(state.tableau[k, column])
        if row >= 0:
            wanted[row] = False
            _exchange(state, row, column)
    for j in range(n):
        state.value[m + j] = scaled.linear[j]
    for k in range(m):
        for j in range(n):
            state.value[m + j] += state.value[k] * scaled.rows[k, j]
    for row in range(m):
        tight = state.at_row[row]
        if tight >= m:
            step = -state.value[tight]
            state.value[tight] = 0.0
            for j in range(n):
                state.value[state.at_column[j]] += step * state.tableau[row, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _value(scaled, state):
    """F, and the slopes along the columns that need no marks."""
    m, n = scaled.rows.shape
    total = scaled.constant
    for j in range(n):
        g = state.value[m + j]
        total += max(scaled.least[j] * g, scaled.most[j] * g)
    for k in range(m):
        low, high, t = scaled.low[k], scaled.high[k], state.value[k]
        best = scaled.cost[k] * max(high, 0.0) - t * high
        best = max(best, scaled.cost[k] * max(low, 0.0) - t * low)
        if low < 0.0 and high > 0.0:
            best = max(best, 0.0)
        total += scaled.offset[k] * t + best
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _slopes(scaled, kinks, state):
    m = len(scaled.offset)
    for j in range(len(state.at_column)):
        at = state.at_column[j]
        value = state.value[at]
        if at >= m:
            state.slope[j] = scaled.most[at - m] if value >= 0.0 else scaled.least[at - m]
            continue
        slope = scaled.offset[at] - scaled.high[at]
        for q in range(2):
            if value >= kinks.marks[at, q]:
                slope += kinks.jumps[at, q]
        state.slope[j] = slope


@njit(cache=True, nogil=True, fastmath=_LOOSE, error_model="numpy")
def _steepest(scaled, kinks, vertex, state):
    """The row of the edge that falls most for its length, the way (1 or -1), and the slope; row -1:
    none falls."""
    m = len(scaled.offset)
    best, at, way, fall = -_FLAT, -1, 1.0, 0.0
    for row in range(m):
        own = state.tableau[row]
        along, length = 0.0, 1.0
        for j in range(len(own)):
            along += own[j] * state.slope[j]
            length += own[j] * own[j]
        state.along[row] = along
        what = state.at_row[row]
        if what >= m:
            left, right = along + scaled.least[what - m], along + scaled.most[what - m]
        else:
            left = along + scaled.offset[what] - scaled.high[what]
            if vertex.mark[what] == 1:
                left += kinks.jumps[what, 0]
            right = left + kinks.jumps[what, vertex.mark[what]]
        weight = 1.0 / np.sqrt(length)
        if right * weight < best:
            best, at, way, fall = right * weight, row, 1.0, right
        if -left * weight < best:
            best, at, way, fall = -left * weight, row, -1.0, -left
    return at, way, fall


@njit(cache=True, nogil=True, error_model="numpy")
def _ahead(scaled, kinks, vertex, state, row, way, met):
    """All kinks along an edge; how many."""
    m, count = len(scaled.offset), 0
    for j in range(len(state.at_column)):
        rate = way * state.tableau[row, j]
        if abs(rate) < _STILL:
            continue
        at = state.at_column[j]
        value = state.value[at]
        for q in range(1 if at >= m else 2):
            mark = 0.0 if at >= m else kinks.marks[at, q]
            jump = scaled.most[at - m] - scaled.least[at - m] if at >= m else kinks.jumps[at, q]
            if jump > 0.0 and (value >= mark) == (rate < 0.0):
                met.far[count], met.jump[count] = (mark - value) / rate, jump * abs(rate)
                met.column[count], met.mark[count] = j, q
                count += 1
    own = state.at_row[row]
    if own < m:
        other = 1 - vertex.mark[own]
        gap = kinks.marks[own, other] - kinks.marks[own, vertex.mark[own]]
        if gap * way > 0.0:
            met.far[count], met.jump[count] = gap * way, kinks.jumps[own, other]
            met.column[count], met.mark[count] = -1, other
            count += 1
    return count


@njit(cache=True, nogil=True)
def _sift(met, place, count):
    """Let what stands at a place of a heap, the nearest first, sink."""
    far, jump = met.far[place], met.jump[place]
    column, mark = met.column[place], met.mark[place]
    while True:
        below = 2 * place + 1
        if below >= count:
            break
        if below + 1 < count and met.far[below + 1] < met.far[below]:
            below += 1
        if met.far[below] >= far:
            break
        met.far[place], met.jump[place] = met.far[below], met.jump[below]
        met.column[place], met.mark[place] = met.column[below], met.mark[below]
        place = below
    met.far[place], met.jump[place] = far, jump
    met.column[place], met.mark[place] = column, mark


@njit(cache=True, nogil=True)
def _stop(met, count, fall):
    """Where the slope is no longer below 0: how far, the column, the mark, and the slope there."""
    for place in range(count // 2 - 1, -1, -1):
        _sift(met, place, count)
    far, column, mark = 0.0, np.int64(-2), np.int64(0)
    while count > 0 and fall < -_FLAT:
        far, column, mark = met.far[0], np.int64(met.column[0]), np.int64(met.mark[0])
        fall += met.jump[0]
        count -= 1
        met.far[0], met.jump[0] = met.far[count], met.jump[count]
        met.column[0], met.mark[0] = met.column[count], met.mark[count]
        _sift(met, 0, count)
    return far, column, mark, fall


@njit(cache=True, nogil=True, error_model="numpy")
def _move(state, row, step):
    own = state.at_row[row]
    state.value[own] += step
    for j in range(len(state.at_column)):
        state.value[state.at_column[j]] += step * state.tableau[row, j]


@njit(cache=True, nogil=True, error_model="numpy")
def descend(scaled, vertex, enough, most):
    """Lower F from a vertex, in place, until it is at most `enough`, or minimal, or after `most`
    steps: where it ends."""
    m, n = scaled.rows.shape
    kinks = _Kinks(np.empty((m, 2)), np.empty((m, 2)))
    _kinks_of(scaled.cost, scaled.low, scaled.high, kinks.marks, kinks.jumps)
    for k in range(m):
        if kinks.marks[k, 0] == kinks.marks[k, 1]:
            vertex.mark[k] = 0
    state = _State(
        np.empty((m, n)), np.empty(m, np.int64), np.empty(n, np.int64),
        np.empty(m + n), np.empty(n), np.empty(m),
    )  # fmt: skip
    room = n + 2 * m + 1
    met = _Way(np.empty(room), np.empty(room), np.empty(room, np.int32), np.empty(room, np.int8))
    _began(scaled, kinks, vertex, state)
    steps = 0
    while True:
        _slopes(scaled, kinks, state)
        value = _value(scaled, state)
        row, way, fall = _steepest(scaled, kinks, vertex, state)
        if row < 0 or value <= enough or steps >= most:
            break
        steps += 1
        count = _ahead(scaled, kinks, vertex, state, row, way, met)
        far, column, mark, fall = _stop(met, count, fall)
        if fall < -_FLAT:
            # F falls for ever: nothing satisfies the signs.
            _move(state, row, way * (far + (max(value - enough, 0.0) + 1.0) / -fall))
            value = -np.inf
            break
        _move(state, row, way * far)
        if column < 0:
            own = state.at_row[row]
            vertex.mark[own] = mark
            state.value[own] = kinks.marks[own, mark]
            continue
        there = state.at_column[column]
        if there < m:
            vertex.mark[there] = mark
            state.value[there] = kinks.marks[there, mark]
        else:
            state.value[there] = 0.0
        _exchange(state, row, column)
    _written(scaled, state, vertex)
    vertex.counts[1] = steps
    return value


@njit(cache=True, nogil=True)
def _written(scaled, state, vertex):
    """The vertex for the caller, and its primal point."""
    m, exchanged = len(scaled.offset), 0
    for k in range(m):
        vertex.multipliers[k] = state.value[k]
    for row in range(m):
        at = state.at_row[row]
        if at >= m:
            vertex.point[at - m] = -state.along[row]
            vertex.tight[exchanged] = at - m
            exchanged += 1
    vertex.counts[0] = exchanged
    exchanged = 0
    for j in range(len(state.at_column)):
        at = state.at_column[j]
        if at < m:
            vertex.free[exchanged] = at
            exchanged += 1
        else:
            vertex.point[at - m] = state.slope[j]
