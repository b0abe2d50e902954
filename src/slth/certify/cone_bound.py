"""The proven bound of one cone: dual coordinate descent, then a check of what it found.

Compiled kernels of `cones`; mathematics and rounding in docs/certify.md.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def bound_cone(
    rising,
    rising_weights,
    falling,
    falling_weights,
    norms,
    level,
    cut,
    error,
    displaced,
    floats,
    integers,
    q,
):
    """A proven bound of the cone at `level` and, if it is above `cut`, the objective's value at a
    point of the cone (then in q, normalised), else -inf."""
    allV, allB, allPV, _linP, all_linN, _allTP, allTN, _midP, _midN, scalars, scratch = floats
    _indexP, indexN, counts = integers
    V = allV[level]
    B = allB[level]
    PV = allPV[level]
    linN = all_linN[level]
    TN = allTN[level]
    index = indexN[level]
    mP = counts[level, 0]
    mN = counts[level, 1]
    pieces, d = linN.shape
    tau = scratch[0]
    weights = scratch[1]
    share = scalars[level, 0]
    y = np.empty(d)
    n = np.empty(d)

    # How the generators lie: smallest inner product, and a vector z with <z, v_a> >= 1.
    narrow = 1.0
    total = np.zeros(d)
    for a in range(d):
        for l in range(d):
            total[l] += V[a, l]
        for b in range(a + 1, d):
            s = 0.0
            for l in range(d):
                s += V[a, l] * V[b, l]
            narrow = min(narrow, s)
    narrow -= (d + 8) * 2.0**-51
    least = np.inf
    length = 0.0
    for a in range(d):
        s = 0.0
        for l in range(d):
            s += total[l] * V[a, l]
        least = min(least, s)
        length += total[a] * total[a]
    mend = math.sqrt(length) / least * (1.0 + 2.0**-40)

    # Chord slopes of the open concave units, and the bound at the generators they give.
    for j in range(mN):
        low = np.inf
        high = -np.inf
        for a in range(d):
            t = TN[a, j]
            low = min(low, t)
            high = max(high, t)
        tau[j] = high / (high - low)
        c = share * falling_weights[0, index[j]]
        if pieces == 2:
            c += (1.0 - share) * falling_weights[1, index[j]]
        weights[j] = c
    if narrow > 0.05:
        top = 0.0
        for a in range(d):
            s = share * PV[0, a]
            if pieces == 2:
                s += (1.0 - share) * PV[1, a]
            for l in range(d):
                t = share * linN[0, l]
                if pieces == 2:
                    t += (1.0 - share) * linN[1, l]
                s -= t * V[a, l]
            for j in range(mN):
                s -= weights[j] * tau[j] * TN[a, j]
            top = max(top, s)
        bound = (top + error) / math.sqrt(narrow) * (1.0 + 2.0**-40) + displaced
        if bound <= cut:
            return bound, -np.inf

    # The dual: q = u, y >= 0 the slack of the generators' inequalities, tau, and the weight.
    goal = cut - displaced - 2.0 * error * mend
    goal = max(goal, 0.0) * (1.0 - 2.0**-40)
    goal *= goal
    assemble(falling, falling_weights, index, mN, tau, share, linN, n)
    for l in range(d):
        q[l] = -n[l]
    for a in range(d):
        y[a] = 0.0
        s = share * PV[0, a]
        if pieces == 2:
            s += (1.0 - share) * PV[1, a]
        for l in range(d):
            q[l] += s * B[a, l]
    size = 0.0
    previous = np.inf
    exact = mP == 0
    for _ in range(2000 if exact else 100):
        if pieces == 2:
            share = _share_step(falling, falling_weights, index, mN, tau, share, PV, B, linN, q)
        for a in range(d):
            g = 0.0
            s = 0.0
            for l in range(d):
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
            g = 0.0
            for l in range(d):
                g += falling[i, l] * q[l]
            if c <= 0.0:
                tau[j] = 1.0 if g > 0.0 else 0.0
                continue
            moved = min(1.0, max(0.0, tau[j] + g / (c * norms[i])))
            delta = (moved - tau[j]) * c
            if delta != 0.0:
                tau[j] = moved
                for l in range(d):
                    q[l] -= delta * falling[i, l]
        size = 0.0
        for l in range(d):
            size += q[l] * q[l]
        if size <= goal:
            break
        if previous - size < (1e-5 if exact else 1e-3) * (size - goal):
            break
        previous = size
    scalars[level, 0] = share

    # Proof, from q, tau and the weight alone.
    assemble(falling, falling_weights, index, mN, tau, share, linN, n)
    worst = 0.0
    for a in range(d):
        s = share * PV[0, a]
        if pieces == 2:
            s += (1.0 - share) * PV[1, a]
        for l in range(d):
            s -= (n[l] + q[l]) * V[a, l]
        worst = max(worst, s)
    bound = (math.sqrt(size) + (worst + error) * mend) * (1.0 + 2.0**-40) + displaced
    if bound <= cut:
        return bound, -np.inf

    # A point of the cone: q's coordinates there, the negative ones dropped.
    x = np.zeros(d)
    for a in range(d):
        s = 0.0
        for l in range(d):
            s += B[a, l] * q[l]
        y[a] = max(s, 0.0)
        for l in range(d):
            x[l] += y[a] * V[a, l]
    size = 0.0
    for l in range(d):
        size += x[l] * x[l]
    for a in range(d):
        scalars[level, 3 + a] = y[a]
    if not size > 0.0:
        return bound, -np.inf
    for l in range(d):
        q[l] = x[l] / math.sqrt(size)
    return bound, value_at(
        q, level, rising, rising_weights, falling, falling_weights, floats, integers
    )


@njit(cache=True, nogil=True, error_model="numpy")
def value_at(q, level, rising, rising_weights, falling, falling_weights, floats, integers):
    """The objective at a point q of the cone at `level`, in plain floats."""
    _V, _B, _PV, linP, linN, _TP, _TN, _midP, _midN, _scalars, _scratch = floats
    indexP, indexN, counts = integers
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
def assemble(falling, falling_weights, index, mN, tau, share, linN, n):
    """n = the gradient sum_j n_j tau_j w_j of the concave part's minorant, in place."""
    pieces, d = linN.shape
    for l in range(d):
        n[l] = share * linN[0, l]
        if pieces == 2:
            n[l] += (1.0 - share) * linN[1, l]
    for j in range(mN):
        i = index[j]
        c = share * falling_weights[0, i]
        if pieces == 2:
            c += (1.0 - share) * falling_weights[1, i]
        c *= tau[j]
        for l in range(d):
            n[l] += c * falling[i, l]


@njit(cache=True, nogil=True, error_model="numpy")
def _share_step(falling, falling_weights, index, mN, tau, share, PV, B, linN, q):
    """Minimise |q| over the weight of the first piece (two pieces); updates q."""
    d = q.shape[0]
    g = np.empty(d)
    for l in range(d):
        g[l] = linN[1, l] - linN[0, l]
    for a in range(d):
        s = PV[0, a] - PV[1, a]
        for l in range(d):
            g[l] += s * B[a, l]
    for j in range(mN):
        i = index[j]
        c = (falling_weights[0, i] - falling_weights[1, i]) * tau[j]
        for l in range(d):
            g[l] -= c * falling[i, l]
    top = 0.0
    bottom = 0.0
    for l in range(d):
        top += g[l] * q[l]
        bottom += g[l] * g[l]
    if bottom > 0.0:
        moved = min(1.0, max(0.0, share - top / bottom))
        for l in range(d):
            q[l] += (moved - share) * g[l]
        share = moved
    return share
