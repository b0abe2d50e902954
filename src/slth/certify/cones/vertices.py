"""Lowering an affine majorant's values at the vertices of a simplex: the dual of concave envelopes.

Compiled kernels of `slice_bound`, which proves what they find.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from slth.certify.signs.proven import cholesky, forward


@njit(cache=True, nogil=True, error_model="numpy")
def lower_vertices(
    falling_weights, index, mN, TN, V, PV, linN, share, goal, exact, cut_off, tau, at
):
    """Lower all vertex values `at` to the goal: descent on sum_a max(0, at_a - goal)^2 over tau
    (in place), the weight of the first piece and a multiplier >= 0 of `cut_off` (if it is not
    empty); returns the last two."""
    pieces, d = PV.shape
    other = np.zeros((2, d))
    if pieces == 2:
        for k in range(2):
            for a in range(d):
                s = PV[k, a]
                for l in range(d):
                    s -= linN[k, l] * V[a, l]
                for j in range(mN):
                    s -= falling_weights[k, index[j]] * tau[j] * TN[a, j]
                other[k, a] = s
    size = np.empty(mN)
    for j in range(mN):
        s = 0.0
        for a in range(d):
            s += TN[a, j] * TN[a, j]
        size[j] = s
    multiplier = 0.0
    beyond = np.zeros(d)
    total = 0.0
    if cut_off.shape[0] > 0:
        for a in range(d):
            for l in range(d):
                beyond[a] += cut_off[l] * V[a, l]
            total += beyond[a] * beyond[a]
    previous = np.inf
    for sweep in range(400):
        if total > 0.0:
            g = 0.0
            for a in range(d):
                if at[a] > goal:
                    g += (at[a] - goal) * beyond[a]
            moved = max(0.0, multiplier - g / total)
            delta = moved - multiplier
            multiplier = moved
            for a in range(d):
                at[a] += delta * beyond[a]
                other[0, a] += delta * beyond[a]
                other[1, a] += delta * beyond[a]
        if pieces == 2:
            top = 0.0
            bottom = 0.0
            for a in range(d):
                change = other[0, a] - other[1, a]
                top += max(0.0, at[a] - goal) * change
                bottom += change * change
            if bottom > 0.0:
                share = min(1.0, max(0.0, share - top / bottom))
                for a in range(d):
                    at[a] = share * other[0, a] + (1.0 - share) * other[1, a]
        for j in range(mN):
            i = index[j]
            c = share * falling_weights[0, i]
            if pieces == 2:
                c += (1.0 - share) * falling_weights[1, i]
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
                for a in range(d):
                    at[a] -= delta * c * TN[a, j]
                    if pieces == 2:
                        for k in range(2):
                            other[k, a] -= delta * falling_weights[k, i] * TN[a, j]
        excess = 0.0
        for a in range(d):
            excess += max(0.0, at[a] - goal) ** 2
        # Near the goal patience pays.
        near = exact or excess < 1e-4 * goal * goal
        stuck = previous - excess < (1e-4 if near else 1e-2) * excess
        if near and excess > 0.0 and (stuck or sweep % 4 == 3):
            excess, share, multiplier = _newton_vertices(
                falling_weights,
                index,
                mN,
                TN,
                other,
                beyond,
                goal,
                excess,
                share,
                multiplier,
                tau,
                at,
            )
            stuck = previous - excess < 1e-4 * excess
        if stuck or excess == 0.0:
            break
        previous = excess
    return share, multiplier


@njit(cache=True, nogil=True, error_model="numpy")
def _newton_vertices(
    falling_weights, index, mN, TN, other, beyond, goal, excess, share, multiplier, tau, at
):
    """One step of `lower_vertices` in all its variables at once: the shortest that brings all
    vertex values above the goal down to it, in units of the room each variable has. In place if
    it lowers the excess; returns excess, weight of the first piece and multiplier."""
    pieces, d = falling_weights.shape[0], at.shape[0]
    r = np.empty(d)
    for a in range(d):
        r[a] = max(0.0, at[a] - goal)
    gram = np.zeros((d, d))
    column = np.empty(d)
    weight = np.empty(mN + 2)
    for j in range(mN + 2):
        weight[j] = 0.0
        g = 0.0
        if j < mN:
            c = share * falling_weights[0, index[j]]
            if pieces == 2:
                c += (1.0 - share) * falling_weights[1, index[j]]
            for a in range(d):
                column[a] = -c * TN[a, j]
                g -= column[a] * r[a]
            weight[j] = 1.0 - tau[j] if g > 0.0 else tau[j]
        elif j == mN and pieces == 2:
            for a in range(d):
                column[a] = other[0, a] - other[1, a]
                g -= column[a] * r[a]
            weight[j] = 1.0 - share if g > 0.0 else share
        elif j == mN + 1:
            for a in range(d):
                column[a] = beyond[a]
                g -= column[a] * r[a]
            weight[j] = 1.0 + multiplier if g > 0.0 else multiplier
        weight[j] *= weight[j]
        if weight[j] > 0.0:
            for a in range(d):
                if r[a] > 0.0:
                    for b in range(a + 1):
                        if r[b] > 0.0:
                            gram[a, b] += weight[j] * column[a] * column[b]
    trace = 0.0
    for a in range(d):
        trace += gram[a, a]
    for a in range(d):
        gram[a, a] += 1e-13 * trace if r[a] > 0.0 else 1.0
    factor = np.zeros((d, d))
    if not (trace > 0.0 and cholesky(gram, factor)):
        return excess, share, multiplier
    forward(factor, r)
    for a in range(d - 1, -1, -1):
        for b in range(a + 1, d):
            r[a] -= factor[b, a] * r[b]
        r[a] /= factor[a, a]
    old_tau, old_at, old_other = tau[:mN].copy(), at.copy(), other.copy()
    for j in range(mN):
        c = share * falling_weights[0, index[j]]
        if pieces == 2:
            c += (1.0 - share) * falling_weights[1, index[j]]
        g = 0.0
        for a in range(d):
            g += r[a] * TN[a, j]
        tau[j] = min(1.0, max(0.0, tau[j] + weight[j] * c * g))
        delta = tau[j] - old_tau[j]
        for a in range(d):
            at[a] -= delta * c * TN[a, j]
            if pieces == 2:
                for k in range(2):
                    other[k, a] -= delta * falling_weights[k, index[j]] * TN[a, j]
    g = 0.0
    for a in range(d):
        g -= r[a] * beyond[a]
    more = max(-multiplier, weight[mN + 1] * g)
    for a in range(d):
        at[a] += more * beyond[a]
        other[0, a] += more * beyond[a]
        other[1, a] += more * beyond[a]
    moved = share
    if pieces == 2:
        g = 0.0
        for a in range(d):
            g -= r[a] * (old_other[0, a] - old_other[1, a])
        moved = min(1.0, max(0.0, share + weight[mN] * g))
        for a in range(d):
            at[a] = moved * other[0, a] + (1.0 - moved) * other[1, a]
    left = 0.0
    for a in range(d):
        left += max(0.0, at[a] - goal) ** 2
    if left < excess:
        return left, moved, multiplier + more
    tau[:mN] = old_tau
    at[:] = old_at
    other[:] = old_other
    return excess, share, multiplier
