"""The proven bound of one simplex of a slice {(y, 1)}: concave envelopes, dual descent, a check.

Compiled kernels of `cones` for domains that are not the ball around 0; mathematics and rounding in
docs/certify.md, "Slices".
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.cones.bound import along_share, assemble, chords, excess_over
from slth.certify.cones.records import OPEN_N, OPEN_P, SHARE, mixed
from slth.certify.cones.vertices import Vertices, lower_vertices


@njit(cache=True, nogil=True, error_model="numpy")
def bound_slice(parts, level, below, ball, memory, q):
    """A proven bound on the simplex at `level` (within the unit ball if `ball`) and, if it is above
    `below.cut`, the objective's value at a point of it (then in q), else -inf."""
    cut, error, displaced, rounding = below
    V, PV, linN = memory.V[level], memory.PV[level], memory.linN[level]
    index = memory.indexN[level, : memory.counts[level, OPEN_N]]
    exact = memory.counts[level, OPEN_P] == 0
    d = V.shape[0]
    tau = memory.scratch[0]
    points = memory.points[level]
    share = memory.numbers[level, SHARE]
    n = np.empty(d)
    at = np.empty(d)
    # <cut_off, (y, 1)> >= 0 on the ball, but perhaps not on all of the simplex.
    cut_off = np.zeros(d)
    crossing = False
    outside = 0.0
    if ball:
        for a in range(d):
            s = 0.0
            for l in range(d):
                s += V[a, l] * V[a, l]
            outside = max(outside, s)
        crossing, empty = _tangent(V, cut_off)
        if empty:
            return 0.0, -np.inf
    chords(level, memory)
    assemble(parts.falling, parts.falling_weights, index, tau, share, linN, n)
    bound = excess_over(V, PV, share, n, at) + error + displaced
    if bound <= cut:
        return bound, -np.inf
    goal = cut - displaced - error
    vertices = Vertices(parts.falling_weights, index, memory.TN[level], V, PV, linN)
    share, multiplier = lower_vertices(
        vertices, share, goal, exact, cut_off if crossing else n[:0], tau, at
    )
    # Weights of the vertices at the relaxation's solution.
    total = 0.0
    for a in range(d):
        points[a] = max(0.0, at[a] - goal)
        total += points[a]
    assemble(parts.falling, parts.falling_weights, index, tau, share, linN, n)
    for l in range(d):
        n[l] -= multiplier * cut_off[l]
    lowered = excess_over(V, PV, share, n, at) + 2.0 * rounding * multiplier
    bound = min(bound, lowered + error + displaced)
    memory.numbers[level, SHARE] = share
    if bound <= cut:
        return bound, -np.inf
    if outside > 2.0:
        goal = cut - displaced - 2.0 * error
        assemble(parts.falling, parts.falling_weights, index, tau, share, linN, n)
        excess_over(V, PV, share, n, at)
        share = _lower_over_ball(parts, level, share, goal, memory, at, q)
        memory.numbers[level, SHARE] = share
        assemble(parts.falling, parts.falling_weights, index, tau, share, linN, n)
        for l in range(d):
            n[l] += q[l]
        worst = max(0.0, excess_over(V, PV, share, n, at))
        steep = _slope(q)
        over = q[d - 1] + steep + worst + error + displaced
        over += rounding * (abs(q[d - 1]) + steep)
        bound = min(bound, over)
        if bound <= cut:
            return bound, -np.inf
        if steep > 0.0:
            total = 0.0
            for a in range(d):
                s = memory.B[level, a, d - 1]
                for l in range(d - 1):
                    s += memory.B[level, a, l] * q[l] / steep
                points[a] = max(0.0, s)
                total += points[a]
    if not total > 0.0:
        return bound, -np.inf
    for l in range(d):
        q[l] = 0.0
        for a in range(d):
            q[l] += points[a] / total * V[a, l]
    steep = _slope(q)
    if ball and steep > 1.0:
        for l in range(d - 1):
            q[l] /= steep
    q[d - 1] = 1.0
    return bound, _value_at(q, parts, level, memory)


@njit(cache=True, nogil=True, error_model="numpy")
def _value_at(q, parts, level, memory):
    """The objective at a point q of the cone at `level`, in plain floats."""
    counts, linP, linN = memory.counts, memory.linP[level], memory.linN[level]
    indexP = memory.indexP[level, : counts[level, OPEN_P]]
    indexN = memory.indexN[level, : counts[level, OPEN_N]]
    value = np.inf
    for k in range(linP.shape[0]):
        convex = _piece_at(q, parts.rising, parts.rising_weights[k], indexP, linP[k])
        concave = _piece_at(q, parts.falling, parts.falling_weights[k], indexN, linN[k])
        value = min(value, convex - concave)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _piece_at(q, rows, weights, index, linear):
    """What the units of one sign sum up to in one piece."""
    total = 0.0
    for l in range(q.shape[0]):
        total += linear[l] * q[l]
    for i in index:
        t = 0.0
        for l in range(q.shape[0]):
            t += rows[i, l] * q[l]
        total += weights[i] * max(t, 0.0)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _tangent(V, cut_off):
    """cut_off = (-c, 1) and a little, c the direction of the simplex's centre: on the ball <c, y>
    is at most 1. Returns whether a vertex lies beyond, and whether all do."""
    d = V.shape[0]
    for l in range(d - 1):
        for a in range(d):
            cut_off[l] -= V[a, l]
    size = _slope(cut_off)
    if not size > 0.0:
        cut_off[:] = 0.0
        return False, False
    for l in range(d - 1):
        cut_off[l] /= size
    cut_off[d - 1] = 1.0 + (d + 8) * 2.0**-51
    least = np.inf
    most = -np.inf
    for a in range(d):
        s = 0.0
        for l in range(d):
            s += cut_off[l] * V[a, l]
        least = min(least, s)
        most = max(most, s)
    return least < 0.0, most < -1e-11


@njit(cache=True, nogil=True, error_model="numpy")
def _slope(q):
    """The norm of all but the last entry."""
    s = 0.0
    for l in range(q.shape[0] - 1):
        s += q[l] * q[l]
    return math.sqrt(s)


@njit(cache=True, nogil=True, error_model="numpy")
def _lower_over_ball(parts, level, share, goal, memory, at, q):
    """An affine function q above P - <n_tau, .> at the vertices with a small maximum q_0 + |q_x|
    over the ball, by descent over q's excess y at the vertices, tau (in place) and the weight of
    the first piece, which is returned. Each step minimises q_0 + (|q_x|^2 / k + k) / 2, k = |q_x|.
    """
    falling, falling_weights, norms = parts.falling, parts.falling_weights, parts.norms
    B, PV, linN = memory.B[level], memory.PV[level], memory.linN[level]
    index = memory.indexN[level, : memory.counts[level, OPEN_N]]
    exact = memory.counts[level, OPEN_P] == 0
    tau = memory.scratch[0]
    pieces, d = linN.shape
    last = d - 1
    y = np.zeros(d)
    for l in range(d):
        q[l] = 0.0
        for a in range(d):
            q[l] += at[a] * B[a, l]
    steep = _slope(q)
    previous = q[last] + steep
    direction = np.empty(d)
    # Where P is linear the bound is exact, and patience pays.
    sweeps, least_gain = (2000, 1e-5) if exact else (100, 1e-3)
    for _ in range(sweeps):
        if pieces == 2:
            along_share(falling, falling_weights, index, tau, PV, B, linN, direction)
            top = steep * direction[last]
            bottom = 0.0
            for l in range(last):
                top += q[l] * direction[l]
                bottom += direction[l] * direction[l]
            if bottom > 0.0:
                moved = min(1.0, max(0.0, share - top / bottom))
                for l in range(d):
                    q[l] += (moved - share) * direction[l]
                share = moved
        for a in range(d):
            g = steep * B[a, last]
            s = 0.0
            for l in range(last):
                g += B[a, l] * q[l]
                s += B[a, l] * B[a, l]
            moved = max(0.0, y[a] - g / s)
            delta = moved - y[a]
            if delta != 0.0:
                y[a] = moved
                for l in range(d):
                    q[l] += delta * B[a, l]
        for j in range(index.shape[0]):
            i = index[j]
            c = mixed(falling_weights, i, share)
            g = steep * falling[i, last]
            for l in range(last):
                g += falling[i, l] * q[l]
            if c <= 0.0 or norms[i] == 0.0:
                continue
            moved = min(1.0, max(0.0, tau[j] + g / (c * norms[i])))
            delta = (moved - tau[j]) * c
            if delta != 0.0:
                tau[j] = moved
                for l in range(d):
                    q[l] -= delta * falling[i, l]
        steep = _slope(q)
        size = q[last] + steep
        if size <= goal or previous - size < least_gain * (size - goal):
            break
        previous = size
    return share
