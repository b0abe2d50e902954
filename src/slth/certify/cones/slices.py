"""The proven bound of one simplex of a slice {(y, 1)}: concave envelopes, dual descent, a check.

Compiled kernels of `cones` for domains that are not the ball around 0; mathematics and rounding in
docs/certify.md, "Slices".
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.cones.bound import assemble, excess_over
from slth.certify.cones.vertices import lower_vertices


@njit(cache=True, nogil=True, error_model="numpy")
def bound_slice(
    rising,
    rising_weights,
    falling,
    falling_weights,
    norms,
    level,
    cut,
    error,
    displaced,
    rounding,
    ball,
    floats,
    integers,
    q,
):
    """A proven bound on the simplex at `level` (within the unit ball if `ball`) and, if it is above
    `cut`, the objective's value at a point of it (then in q), else -inf.

    norms: squared norms of the concave units' rows without their last entry. error, displaced,
    rounding: outward terms, the last relative to the size of an affine function.
    """
    allV, allB, allPV, _linP, all_linN, _TP, allTN, _midP, _midN, scalars, points, scratch = floats
    _indexP, indexN, counts, _kept = integers
    V, B, PV = allV[level], allB[level], allPV[level]
    linN, TN, index = all_linN[level], allTN[level], indexN[level]
    mN = counts[level, 1]
    exact = counts[level, 0] == 0
    d = V.shape[0]
    tau = scratch[0]
    share = scalars[level, 0]
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
    for j in range(mN):
        low = np.inf
        high = -np.inf
        for a in range(d):
            low = min(low, TN[a, j])
            high = max(high, TN[a, j])
        tau[j] = high / (high - low)
    assemble(falling, falling_weights, index, mN, tau, share, linN, n)
    bound = excess_over(V, PV, share, n, at) + error + displaced
    if bound <= cut:
        return bound, -np.inf
    share, multiplier = lower_vertices(
        falling_weights,
        index,
        mN,
        TN,
        V,
        PV,
        linN,
        share,
        cut - displaced - error,
        exact,
        cut_off if crossing else n[:0],
        tau,
        at,
    )
    # Weights of the vertices at the relaxation's solution.
    total = 0.0
    for a in range(d):
        points[level, a] = max(0.0, at[a] - (cut - displaced - error))
        total += points[level, a]
    assemble(falling, falling_weights, index, mN, tau, share, linN, n)
    for l in range(d):
        n[l] -= multiplier * cut_off[l]
    below = excess_over(V, PV, share, n, at) + 2.0 * rounding * multiplier
    bound = min(bound, below + error + displaced)
    scalars[level, 0] = share
    if bound <= cut:
        return bound, -np.inf
    if outside > 2.0:
        goal = cut - displaced - 2.0 * error
        assemble(falling, falling_weights, index, mN, tau, share, linN, n)
        excess_over(V, PV, share, n, at)
        share = _lower_over_ball(
            falling, falling_weights, norms, index, mN, PV, B, linN, share, goal, exact, tau, at, q
        )
        scalars[level, 0] = share
        assemble(falling, falling_weights, index, mN, tau, share, linN, n)
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
                s = B[a, d - 1]
                for l in range(d - 1):
                    s += B[a, l] * q[l] / steep
                points[level, a] = max(0.0, s)
                total += points[level, a]
    if not total > 0.0:
        return bound, -np.inf
    for l in range(d):
        q[l] = 0.0
        for a in range(d):
            q[l] += points[level, a] / total * V[a, l]
    steep = _slope(q)
    if ball and steep > 1.0:
        for l in range(d - 1):
            q[l] /= steep
    q[d - 1] = 1.0
    return bound, _value_at(
        q, level, rising, rising_weights, falling, falling_weights, floats, integers
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _value_at(q, level, rising, rising_weights, falling, falling_weights, floats, integers):
    """The objective at a point q of the cone at `level`, in plain floats."""
    _V, _B, _PV, linP, linN, _TP, _TN, _midP, _midN, _scalars, _points, _scratch = floats
    indexP, indexN, counts, _kept = integers
    pieces, d = linN.shape[1], linN.shape[2]
    value = np.inf
    for k in range(pieces):
        s = 0.0
        for l in range(d):
            s += (linP[level, k, l] - linN[level, k, l]) * q[l]
        for i in range(counts[level, 0]):
            t = 0.0
            for l in range(d):
                t += rising[indexP[level, i], l] * q[l]
            s += rising_weights[k, indexP[level, i]] * max(t, 0.0)
        for j in range(counts[level, 1]):
            t = 0.0
            for l in range(d):
                t += falling[indexN[level, j], l] * q[l]
            s -= falling_weights[k, indexN[level, j]] * max(t, 0.0)
        value = min(value, s)
    return value


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
def _lower_over_ball(
    falling, falling_weights, norms, index, mN, PV, B, linN, share, goal, exact, tau, at, q
):
    """An affine function q above P - <n_tau, .> at the vertices with a small maximum q_0 + |q_x|
    over the ball, by descent over q's excess y at the vertices, tau (in place) and the weight of
    the first piece, which is returned. Each step minimises q_0 + (|q_x|^2 / k + k) / 2, k = |q_x|.
    """
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
    for _ in range(2000 if exact else 100):
        if pieces == 2:
            for l in range(d):
                direction[l] = linN[1, l] - linN[0, l]
            for a in range(d):
                for l in range(d):
                    direction[l] += (PV[0, a] - PV[1, a]) * B[a, l]
            for j in range(mN):
                i = index[j]
                c = (falling_weights[0, i] - falling_weights[1, i]) * tau[j]
                for l in range(d):
                    direction[l] -= c * falling[i, l]
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
        for j in range(mN):
            i = index[j]
            c = share * falling_weights[0, i]
            if pieces == 2:
                c += (1.0 - share) * falling_weights[1, i]
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
        if size <= goal or previous - size < (1e-5 if exact else 1e-3) * (size - goal):
            break
        previous = size
    return share
