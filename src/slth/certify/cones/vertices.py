"""Lowering an affine majorant's values at the vertices of a simplex: the dual of concave envelopes.

Compiled kernels of `slices`, which proves what they find.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from slth.certify.cones.records import mixed
from slth.certify.signs.proven import cholesky, forward
from slth.copying import copy_matrix, copy_vector
from slth.network import FloatArray

# Sweeps at most; the least relative gain of one, near the goal and away from it; the excess, in
# units of the goal's square, that counts as near.
_MOST_SWEEPS = 400
_LEAST_GAIN, _LEAST_GAIN_FAR = 1e-4, 1e-2
_NEAR = 1e-4


class Vertices(NamedTuple):
    """A simplex and what is majorised on it.

    Attributes:
        weights: float64 [K, MN], of the concave units, of which those in `open_units` [m] are open.
        T: float64 [d, m], inner products of the open ones with the vertices.
        V: float64 [d, d], the vertices.
        PV: float64 [K, d], the convex part there.
        falling: float64 [K, d], the concave part's linear part.
    """

    weights: FloatArray
    open_units: np.ndarray
    T: FloatArray
    V: FloatArray
    PV: FloatArray
    falling: FloatArray


class _Values(NamedTuple):
    """What the descent keeps: tau [m]; the vertex values `at` [d] of the combined pieces, and of
    each piece, [2, d], where there are two; those of the cut off half space, `beyond` [d]."""

    tau: FloatArray
    at: FloatArray
    pieces: FloatArray
    beyond: FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def lower_vertices(vertices, share, goal, exact, cut_off, tau, at):
    """Lower all vertex values `at` to the goal: descent on sum_a max(0, at_a - goal)^2 over tau
    (in place), the weight of the first piece and a multiplier >= 0 of `cut_off` (if it is not
    empty); returns the last two."""
    TN, index, weights = vertices.T, vertices.open_units, vertices.weights
    pieces, d = vertices.PV.shape
    mN = index.shape[0]
    values = _Values(tau, at, _piece_values(vertices, tau), np.zeros(d))
    beyond = values.beyond
    size = np.zeros(mN)
    for j in range(mN):
        for a in range(d):
            size[j] += TN[a, j] * TN[a, j]
    multiplier = 0.0
    total = 0.0
    if cut_off.shape[0] > 0:
        for a in range(d):
            for l in range(d):
                beyond[a] += cut_off[l] * vertices.V[a, l]
            total += beyond[a] * beyond[a]
    previous = np.inf
    for sweep in range(_MOST_SWEEPS):
        if total > 0.0:
            g = 0.0
            for a in range(d):
                if at[a] > goal:
                    g += (at[a] - goal) * beyond[a]
            moved = max(0.0, multiplier - g / total)
            _shift(values, moved - multiplier)
            multiplier = moved
        if pieces == 2:
            share = _lower_by_share(values, goal, share)
        for j in range(mN):
            c = mixed(weights, index[j], share)
            if c <= 0.0:
                continue
            g = 0.0
            for a in range(d):
                if at[a] > goal:
                    g += (at[a] - goal) * TN[a, j]
            moved = min(1.0, max(0.0, tau[j] + g / (c * size[j])))
            delta = moved - tau[j]
            if delta != 0.0:
                tau[j] = moved
                _tilt(vertices, values, j, c, delta)
        excess = _excess(at, goal)
        # Near the goal patience pays.
        near = exact or excess < _NEAR * goal * goal
        stuck = previous - excess < (_LEAST_GAIN if near else _LEAST_GAIN_FAR) * excess
        # A Newton step is worth four sweeps.
        if near and excess > 0.0 and (stuck or sweep % 4 == 3):
            excess, share, multiplier = _newton(vertices, values, goal, excess, share, multiplier)
            stuck = previous - excess < _LEAST_GAIN * excess
        if stuck or excess == 0.0:
            break
        previous = excess
    return share, multiplier


@njit(cache=True, nogil=True, error_model="numpy")
def _piece_values(vertices, tau):
    """Each piece at the vertices; zeros where there is one only."""
    pieces, d = vertices.PV.shape
    values = np.zeros((2, d))
    if pieces == 2:
        for k in range(2):
            for a in range(d):
                s = vertices.PV[k, a]
                for l in range(d):
                    s -= vertices.falling[k, l] * vertices.V[a, l]
                for j in range(vertices.open_units.shape[0]):
                    s -= vertices.weights[k, vertices.open_units[j]] * tau[j] * vertices.T[a, j]
                values[k, a] = s
    return values


@njit(cache=True, nogil=True, error_model="numpy")
def _shift(values, delta):
    """Add a multiple of the cut off half space."""
    for a in range(values.at.shape[0]):
        values.at[a] += delta * values.beyond[a]
        values.pieces[0, a] += delta * values.beyond[a]
        values.pieces[1, a] += delta * values.beyond[a]


@njit(cache=True, nogil=True, error_model="numpy")
def _tilt(vertices, values, j, c, delta):
    """Change the tau of an open unit, whose combined weight is c, by delta."""
    TN, weights = vertices.T, vertices.weights
    two = weights.shape[0] == 2
    for a in range(values.at.shape[0]):
        values.at[a] -= delta * c * TN[a, j]
        if two:
            for k in range(2):
                values.pieces[k, a] -= delta * weights[k, vertices.open_units[j]] * TN[a, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _lower_by_share(values, goal, share):
    """Lower the excess over the weight of the first piece, which is returned."""
    at, pieces = values.at, values.pieces
    top = 0.0
    bottom = 0.0
    for a in range(at.shape[0]):
        change = pieces[0, a] - pieces[1, a]
        top += max(0.0, at[a] - goal) * change
        bottom += change * change
    if bottom > 0.0:
        share = min(1.0, max(0.0, share - top / bottom))
        _combine(values, share)
    return share


@njit(cache=True, nogil=True, error_model="numpy")
def _combine(values, share):
    for a in range(values.at.shape[0]):
        values.at[a] = share * values.pieces[0, a] + (1.0 - share) * values.pieces[1, a]


@njit(cache=True, nogil=True, error_model="numpy")
def _excess(at, goal):
    total = 0.0
    for a in range(at.shape[0]):
        total += max(0.0, at[a] - goal) ** 2
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _newton(vertices, values, goal, excess, share, multiplier):
    """One step of `lower_vertices` in all its variables at once: the shortest that brings all
    vertex values above the goal down to it, in units of the room each variable has. In place if
    it lowers the excess; returns excess, weight of the first piece and multiplier."""
    TN, index, weights = vertices.T, vertices.open_units, vertices.weights
    tau, at, both, beyond = values.tau, values.at, values.pieces, values.beyond
    pieces, d = weights.shape[0], at.shape[0]
    mN = index.shape[0]
    r = np.empty(d)
    for a in range(d):
        r[a] = max(0.0, at[a] - goal)
    gram = np.zeros((d, d))
    column = np.empty(d)
    room = np.zeros(mN + 2)
    for j in range(mN):
        c = mixed(weights, index[j], share)
        for a in range(d):
            column[a] = -c * TN[a, j]
        room[j] = _enter(column, r, tau[j], 1.0 - tau[j], gram)
    if pieces == 2:
        for a in range(d):
            column[a] = both[0, a] - both[1, a]
        room[mN] = _enter(column, r, share, 1.0 - share, gram)
    room[mN + 1] = _enter(beyond, r, multiplier, 1.0 + multiplier, gram)
    if not _solve(gram, r):
        return excess, share, multiplier
    old_tau, old_at, old_both = tau[:mN].copy(), at.copy(), both.copy()
    for j in range(mN):
        c = mixed(weights, index[j], share)
        g = 0.0
        for a in range(d):
            g += r[a] * TN[a, j]
        tau[j] = min(1.0, max(0.0, tau[j] + room[j] * c * g))
        _tilt(vertices, values, j, c, tau[j] - old_tau[j])
    g = 0.0
    for a in range(d):
        g -= r[a] * beyond[a]
    more = max(-multiplier, room[mN + 1] * g)
    _shift(values, more)
    moved = share
    if pieces == 2:
        g = 0.0
        for a in range(d):
            g -= r[a] * (old_both[0, a] - old_both[1, a])
        moved = min(1.0, max(0.0, share + room[mN] * g))
        _combine(values, moved)
    left = _excess(at, goal)
    if left < excess:
        return left, moved, multiplier + more
    copy_vector(tau, old_tau)
    copy_vector(at, old_at)
    copy_matrix(both, old_both)
    return excess, share, multiplier


@njit(cache=True, nogil=True, error_model="numpy")
def _enter(column, r, low, high, gram):
    """Add a variable to the Gram matrix of the values above the goal: `column` is what they change
    by, `low` and `high` how far it can go down and up. Returns the square of its room."""
    d = r.shape[0]
    g = 0.0
    for a in range(d):
        g -= column[a] * r[a]
    room = high if g > 0.0 else low
    room *= room
    if room > 0.0:
        for a in range(d):
            if r[a] > 0.0:
                for b in range(a + 1):
                    if r[b] > 0.0:
                        gram[a, b] += room * column[a] * column[b]
    return room


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(gram, r):
    """r <- gram^-1 r, in the entries that are above the goal; False if it cannot be done."""
    d = r.shape[0]
    trace = 0.0
    for a in range(d):
        trace += gram[a, a]
    for a in range(d):
        # Regular, and changed by no more than a descent step makes good.
        gram[a, a] += 1e-13 * trace if r[a] > 0.0 else 1.0
    factor = np.zeros((d, d))
    if not (trace > 0.0 and cholesky(gram, factor)):
        return False
    forward(factor, r)
    for a in range(d - 1, -1, -1):
        for b in range(a + 1, d):
            r[a] -= factor[b, a] * r[b]
        r[a] /= factor[a, a]
    return True
