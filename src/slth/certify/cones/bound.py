"""The proven bound of one cone: dual coordinate descent, then a check of what it found.

Compiled kernels of `cones`; mathematics and rounding in docs/certify.md. Only the check is trusted:
what comes before it may use fast arithmetic.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.ascent import shortest_share
from slth.certify.cones.records import OPEN_N, OPEN_P, SHARE

# Sweeps before it is asked whether the cone has to be cut anyway: fewer leave a point of the
# relaxation that chooses a worse edge to cut.
_SWEEPS = 4
# Sweeps at most, and the relative gain below which more are of no use: in thin cones near the
# maximum each sweep gains little, and ending earlier cuts such cones for ever.
_MOST_SWEEPS = 2000
_LEAST_GAIN = 1e-5
# Rounds of ten sweeps, each round's result a bound, for a cone on which P is linear.
_LEAF_ROUNDS = 100
# Sums in any order; infinities and numbers that are none stay what they are.
FAST = {"reassoc", "contract", "arcp", "nsz"}


@njit(cache=True, nogil=True, error_model="numpy")
def bound_cone(rising_weights, falling, falling_weights, norms, level, below, memory, q):
    """A proven bound of the cone at `level` and, if it is above `below.cut`, the objective's value
    at a point of the cone (then in q, normalised), else -inf."""
    cut, error, displaced, _affine = below
    V, PV, linN = memory.V, memory.PV, memory.linN
    points, tau, numbers = memory.points, memory.scratch[0], memory.numbers
    index = memory.indexN[level, : memory.counts[level, OPEN_N]]
    d = V.shape[1]

    # How the generators lie: smallest inner product, and the length of a z with <z, v_a> >= 1.
    narrow = 1.0
    total = np.zeros(d)
    for a in range(d):
        for l in range(d):
            total[l] += V[level, a, l]
        for b in range(a):
            s = 0.0
            for l in range(d):
                s += V[level, a, l] * V[level, b, l]
            narrow = min(narrow, s)
    narrow -= (d + 8) * 2.0**-51
    least = np.inf
    length = 0.0
    for a in range(d):
        s = 0.0
        for l in range(d):
            s += total[l] * V[level, a, l]
        least = min(least, s)
        length += total[a] * total[a]
    mend = math.sqrt(length) / least * (1.0 + 2.0**-40)

    # The bound at the generators that the chords of the open concave units give.
    n = np.empty(d)
    at = np.empty(d)
    chords(level, memory)
    share = numbers[level, SHARE]
    top = _excess(
        falling, falling_weights, index, tau, share, PV[level], linN[level], V[level], n, at
    )
    if narrow > 0.05:
        bound = (max(0.0, top) + error) / math.sqrt(narrow) * (1.0 + 2.0**-40) + displaced
        if bound <= cut:
            return bound, -np.inf

    goal = max(0.0, cut - displaced - 2.0 * error * mend) * (1.0 - 2.0**-40)
    share = _search(falling, falling_weights, norms, level, goal, cut, memory, at, q)
    numbers[level, SHARE] = share

    # Proof, from q, tau and the weight alone.
    _excess(falling, falling_weights, index, tau, share, PV[level], linN[level], V[level], n, at)
    worst = 0.0
    size = 0.0
    for a in range(d):
        size += q[a] * q[a]
        s = at[a]
        for l in range(d):
            s -= q[l] * V[level, a, l]
        worst = max(worst, s)
    bound = (math.sqrt(size) + (worst + error) * mend) * (1.0 + 2.0**-40) + displaced
    if bound <= cut:
        return bound, -np.inf
    if memory.counts[level, OPEN_P] == 0:
        # P is linear here: its gradient's distance from the zonotope of N will do.
        size, value = _leaf(
            falling, falling_weights, norms, memory.linP[level], share, goal, total, tau, q
        )
        bound = min(bound, (math.sqrt(size) + error * mend) * (1.0 + 2.0**-40) + displaced)
        return bound, value
    convex = memory.counts[level, OPEN_P]
    _relaxed, value = _point(rising_weights, convex, falling_weights, level, memory, q)
    for l in range(d):
        q[l] = 0.0
        for a in range(d):
            q[l] += points[level, a] * V[level, a, l]
    return bound, value


@njit(cache=True, nogil=True, error_model="numpy")
def _excess(falling, falling_weights, index, tau, share, PV, linN, V, n, at):
    """at[a] = P(v_a) - <n_tau, v_a>, n = n_tau; returns the largest."""
    assemble(falling, falling_weights, index, tau, share, linN, n)
    return excess_over(V, PV, share, n, at)


@njit(cache=True, nogil=True, error_model="numpy")
def excess_over(V, PV, share, n, at):
    """at[a] = P(v_a) - <n, v_a>; returns the largest."""
    pieces, d = PV.shape
    top = -np.inf
    for a in range(d):
        s = share * PV[0, a]
        if pieces == 2:
            s += (1.0 - share) * PV[1, a]
        for l in range(d):
            s -= n[l] * V[a, l]
        at[a] = s
        top = max(top, s)
    return top


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def chords(level, memory):
    """tau: the slopes of the open concave units' chords on the cone."""
    TN, mN, scratch = memory.TN[level], memory.counts[level, OPEN_N], memory.scratch
    tau, low, high = scratch[0], scratch[1], scratch[2]
    for j in range(mN):
        low[j] = TN[0, j]
        high[j] = TN[0, j]
    for a in range(1, TN.shape[0]):
        for j in range(mN):
            low[j] = min(low[j], TN[a, j])
            high[j] = max(high[j], TN[a, j])
    for j in range(mN):
        # Fast division may round above 1, where the chord is no minorant.
        tau[j] = min(1.0, high[j] / (high[j] - low[j]))


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy", inline="always")
def _search(falling, falling_weights, norms, level, goal, cut, memory, at, q):
    """The dual: q = u, y >= 0 the slack of the generators' inequalities, tau, and the weight,
    by coordinate descent on |q| until it is at most `goal` or known to be of no use. Returns the
    weight; leaves q and tau."""
    B, PV = memory.B[level], memory.PV[level]
    linN, index = memory.linN[level], memory.indexN[level]
    mN = memory.counts[level, OPEN_N]
    pieces, d = linN.shape
    tau, weights = memory.scratch[0], memory.scratch[1]
    share = memory.numbers[level, SHARE]
    y = np.zeros(d)
    lengths = np.zeros(d)
    q[:] = 0.0
    for a in range(d):
        for l in range(d):
            q[l] += at[a] * B[a, l]
            lengths[a] += B[a, l] * B[a, l]
    goal *= goal
    previous = np.inf
    for sweep in range(_MOST_SWEEPS):
        if pieces == 2:
            share = _share_step(falling, falling_weights, index[:mN], tau, share, PV, B, linN, q)
        if pieces == 2 or sweep == 0:
            for j in range(mN):
                i = index[j]
                weights[j] = share * falling_weights[0, i]
                if pieces == 2:
                    weights[j] += (1.0 - share) * falling_weights[1, i]
        for a in range(d):
            g = 0.0
            for l in range(d):
                g += B[a, l] * q[l]
            moved = max(0.0, y[a] - g / lengths[a])
            delta = moved - y[a]
            if delta != 0.0:
                y[a] = moved
                for l in range(d):
                    q[l] += delta * B[a, l]
        for j in range(mN):
            i = index[j]
            g = 0.0
            for l in range(d):
                g += falling[i, l] * q[l]
            c = weights[j]
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
        if previous - size < _LEAST_GAIN * (size - goal):
            break
        previous = size
        if sweep + 1 >= _SWEEPS:
            relaxed, _ = _point(falling_weights, np.int64(0), falling_weights, level, memory, q)
            if relaxed > cut:
                break
    return share


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _leaf(falling, falling_weights, norms, linP, share, goal, inside, tau, q):
    """Where P is linear: |v - n_tau|^2, v its gradient, nearly least over tau (all concave units,
    from their signs at the point `inside`) and the weight. Also the direction of v - n_tau (in q)
    and the value of <v, .> - N there."""
    pieces, d = linP.shape
    every = np.arange(falling.shape[0])
    for j in every:
        t = 0.0
        for l in range(d):
            t += falling[j, l] * inside[l]
        tau[j] = 1.0 if t > 0.0 else 0.0
    n = np.empty((pieces, d))
    size = np.inf
    for _ in range(_LEAF_ROUNDS):
        for k in range(pieces):
            assemble(falling, falling_weights, every, tau, 1.0 - k, -linP, n[k])
        if pieces == 2:
            share = shortest_share(n[0], n[1], share)
        previous = size
        size = 0.0
        for l in range(d):
            q[l] = -share * n[0, l]
            if pieces == 2:
                q[l] -= (1.0 - share) * n[1, l]
            size += q[l] * q[l]
        if size <= goal * goal or previous - size <= 1e-15 * size:
            break
        _shorten(falling, falling_weights, norms, share, tau, q)
    root = math.sqrt(size) if size > 0.0 else 1.0
    for l in range(d):
        q[l] /= root
    value = np.inf
    for k in range(pieces):
        s = 0.0
        for l in range(d):
            s += linP[k, l] * q[l]
        for j in every:
            t = 0.0
            for l in range(d):
                t += falling[j, l] * q[l]
            s -= falling_weights[k, j] * max(t, 0.0)
        value = min(value, s)
    return size, value


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _shorten(falling, falling_weights, norms, share, tau, q):
    """Some sweeps of coordinate descent on |q| over tau."""
    pieces, d = falling_weights.shape[0], q.shape[0]
    for _ in range(10):
        for j in range(falling.shape[0]):
            c = share * falling_weights[0, j]
            if pieces == 2:
                c += (1.0 - share) * falling_weights[1, j]
            g = 0.0
            for l in range(d):
                g += falling[j, l] * q[l]
            if c <= 0.0:
                tau[j] = 1.0 if g > 0.0 else 0.0
                continue
            moved = min(1.0, max(0.0, tau[j] + g / (c * norms[j])))
            delta = (moved - tau[j]) * c
            if delta != 0.0:
                tau[j] = moved
                for l in range(d):
                    q[l] -= delta * falling[j, l]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _point(rising_weights, convex_units, falling_weights, level, memory, q):
    """The direction x of the cone near q's, in terms of the generators (in `points`), and two
    values there: the relaxation's (P interpolated) and the objective's with that many of the open
    convex units. Where the first is above the cut no multipliers will do."""
    V, B, PV, points = memory.V, memory.B, memory.PV, memory.points
    linP, linN, TP, TN = memory.linP, memory.linN, memory.TP, memory.TN
    indexP, indexN, scratch = memory.indexP, memory.indexN, memory.scratch
    pieces, d = linN.shape[1], linN.shape[2]
    mN = memory.counts[level, OPEN_N]
    t = points[level]
    x = np.zeros(d)
    for a in range(d):
        s = 0.0
        for l in range(d):
            s += B[level, a, l] * q[l]
        t[a] = max(s, 0.0)
        for l in range(d):
            x[l] += t[a] * V[level, a, l]
    size = 0.0
    for l in range(d):
        size += x[l] * x[l]
    size = 1.0 / math.sqrt(size) if size > 0.0 else 0.0
    for a in range(d):
        t[a] *= size
        x[a] *= size
    rising, falling = scratch[4], scratch[5]
    rising[:convex_units] = 0.0
    falling[:mN] = 0.0
    for a in range(d):
        s = t[a]
        for i in range(convex_units):
            rising[i] += s * TP[level, a, i]
        for j in range(mN):
            falling[j] += s * TN[level, a, j]
    relaxed = np.inf
    value = np.inf
    for k in range(pieces):
        interpolated = 0.0
        convex = 0.0
        concave = 0.0
        for a in range(d):
            interpolated += t[a] * PV[level, k, a]
            convex += linP[level, k, a] * x[a]
            concave += linN[level, k, a] * x[a]
        for i in range(convex_units):
            convex += rising_weights[k, indexP[level, i]] * max(rising[i], 0.0)
        for j in range(mN):
            concave += falling_weights[k, indexN[level, j]] * max(falling[j], 0.0)
        relaxed = min(relaxed, interpolated - concave)
        value = min(value, convex - concave)
    return relaxed, value


@njit(cache=True, nogil=True, error_model="numpy")
def assemble(falling, falling_weights, index, tau, share, linN, n):
    """n = the gradient sum_j n_j tau_j w_j of the concave part's minorant, in place."""
    pieces, d = linN.shape
    for l in range(d):
        n[l] = share * linN[0, l]
        if pieces == 2:
            n[l] += (1.0 - share) * linN[1, l]
    for j in range(index.shape[0]):
        i = index[j]
        c = share * falling_weights[0, i]
        if pieces == 2:
            c += (1.0 - share) * falling_weights[1, i]
        c *= tau[j]
        for l in range(d):
            n[l] += c * falling[i, l]


@njit(cache=True, nogil=True, error_model="numpy")
def _share_step(falling, falling_weights, index, tau, share, PV, B, linN, q):
    """Minimise |q| over the weight of the first piece (two pieces); updates q."""
    d = q.shape[0]
    g = np.empty(d)
    along_share(falling, falling_weights, index, tau, PV, B, linN, g)
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


@njit(cache=True, nogil=True, error_model="numpy")
def along_share(falling, falling_weights, index, tau, PV, B, linN, g):
    """g = how the affine function with the values P - <n_tau, .> at the generators changes with
    the weight of the first piece."""
    d = g.shape[0]
    for l in range(d):
        g[l] = linN[1, l] - linN[0, l]
    for a in range(d):
        s = PV[0, a] - PV[1, a]
        for l in range(d):
            g[l] += s * B[a, l]
    for j in range(index.shape[0]):
        i = index[j]
        c = (falling_weights[0, i] - falling_weights[1, i]) * tau[j]
        for l in range(d):
            g[l] -= c * falling[i, l]
