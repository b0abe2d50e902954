"""The dual matrix of the lifted relaxation and what its Cholesky factorisation proves.

The compiled kernels every bound of `lifted` and `signs` rests on; strict arithmetic only. Regions
and variables are those of `records`.
The constants are derived in docs/certify.md.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.rounding.outward import UNIT


@njit(cache=True, nogil=True, error_model="numpy")
def excluded_signs(S, Wf, excess, signs):
    """Which free units cannot change sign where the bound would have to be missed by `excess`.

    On the region the objective is at most value + charge - z'Sz; excess = value + charge - (what
    must be exceeded). A half space is excluded when some multiple of its inequality makes
    S - excess e_0 e_0' positive semidefinite; Cholesky proves it for each unit. Writes -1, 0, 1
    into signs [nf]; returns how many are not 0.
    """
    n = S.shape[0]
    d = n - 1
    block = np.empty((d, d))
    for a in range(d):
        for b in range(a + 1):
            block[a, b] = S[1 + a, 1 + b]
    L = np.zeros((d, d))
    signs[:] = 0
    if not cholesky(block, L):
        return 0
    center = np.empty(d)
    for a in range(d):
        center[a] = -S[1 + a, 0]
    forward(L, center)
    least = S[0, 0]
    for a in range(d):
        least -= center[a] * center[a]
    trial = np.empty((n, n))
    factor = np.zeros((n, n))
    z = np.empty(d)
    count = 0
    for i in range(Wf.shape[0]):
        for a in range(d):
            z[a] = Wf[i, 1 + a]
        forward(L, z)
        middle = Wf[i, 0]
        spread = 0.0
        for a in range(d):
            middle += z[a] * center[a]
            spread += z[a] * z[a]
        if not least + middle * middle / spread > excess:
            continue
        multiplier = middle / spread
        for a in range(n):
            for b in range(a + 1):
                trial[a, b] = S[a, b]
        trial[0, 0] += 2.0 * multiplier * Wf[i, 0]
        for a in range(d):
            trial[1 + a, 0] += multiplier * Wf[i, 1 + a]
        # What Cholesky's and this update's own rounding can hide.
        hidden = 0.0
        for a in range(n):
            hidden += abs(S[a, a])
        hidden = 8.0 * (n + 4) * UNIT * (hidden + 2.0 * abs(multiplier) * norm(Wf[i]) + abs(excess))
        trial[0, 0] -= excess + 2.0 * hidden
        if cholesky(trial, factor):
            signs[i] = 1 if middle > 0.0 else -1
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def norm(v):
    s = 0.0
    for l in range(v.shape[0]):
        s += v[l] * v[l]
    return math.sqrt(s)


@njit(cache=True, nogil=True, error_model="numpy")
def admissible(region, variables):
    """Whether rho > 0, all policies have values in [0, 1] and all multipliers are >= 0 on the
    region, up to the rounding of these sums."""
    Wk = region.fixed
    rho, Z, low, high, Y = variables
    n, nN = Z.shape
    if not (_positive(rho) and _positive(low) and _positive(high)):
        return False
    for k in range(Y.shape[1]):
        s = 0.0
        for l in range(1, n):
            s += Y[l, k] * Y[l, k]
        if not math.sqrt(s) < Y[0, k]:
            return False
    below, above = np.zeros(nN), np.zeros(nN)
    p, q = np.empty((n, nN)), np.empty((n, nN))
    for l in range(n):
        copy_vector(p[l], Z[l])
        copy_vector(q[l], Z[l])
        for k in range(Wk.shape[0]):
            w = Wk[k, l]
            for j in range(nN):
                p[l, j] -= w * low[k, j]
                q[l, j] += w * high[k, j]
    for l in range(1, n):
        for j in range(nN):
            below[j] += p[l, j] * p[l, j]
            above[j] += q[l, j] * q[l, j]
    for j in range(nN):
        if not (math.sqrt(below[j]) < p[0, j] and math.sqrt(above[j]) < 1.0 - q[0, j]):
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _positive(values):
    """Whether all are (and none is NaN)."""
    count = 0
    for value in values.flat:
        count += value > 0.0
    return count == values.size


@njit(cache=True, nogil=True, error_model="numpy")
def dual_matrix(region, variables, eta, sigma, S):
    """S (lower half)."""
    cf, Wf, Wk, cN, WN, q0, _sphere = region
    rho, Z, _low, _high, Y = variables
    n = q0.shape[0]
    P = np.zeros((n, n))
    for i in range(cf.shape[0]):
        c = -0.25 * cf[i] * rho[i]
        for a in range(n):
            w = c * Wf[i, a]
            for b in range(n):
                P[a, b] += w * Wf[i, b]
    for j in range(cN.shape[0]):
        for a in range(n):
            w = cN[j] * WN[j, a]
            for b in range(n):
                P[a, b] += w * Z[b, j]
    for k in range(Y.shape[1]):
        for a in range(n):
            w = -Wk[k, a]
            for b in range(n):
                P[a, b] += w * Y[b, k]
    for a in range(n):
        P[a, 0] -= q0[a]
        for b in range(a + 1):
            S[a, b] = 0.5 * (P[a, b] + P[b, a])
        S[a, a] += eta if a > 0 else sigma


@njit(cache=True, nogil=True, error_model="numpy")
def proven(region, variables, eta, sigma, S):
    """(value, charge): value + charge bounds the objective, once `admissible` holds and Cholesky
    of S has succeeded.

    With U units and K fixed signs, S as computed differs from the exact one by less than
    (U + 8) u mass in norm, and is positive semidefinite up to (n + 2) u trace; both are made good
    by adding that to eta and sigma. Policies may leave [0, 1], and multipliers fall below 0, by
    (n + K + 8) u of what they are sums of.
    """
    cf, Wf, Wk, cN, WN, q0, sphere = region
    rho, Z, low, high, Y = variables
    n, nN = Z.shape
    fixed = Wk.shape[0]
    units = cf.shape[0] + nN + fixed
    mass = norm(q0) + abs(sigma) + (n - 1) * abs(eta)
    reach = np.ones(nN)
    for l in range(n):
        for j in range(nN):
            reach[j] += abs(Z[l, j])
    for k in range(fixed):
        size = norm(Wk[k])
        mass += 2.0 * Y[0, k] * size
        for j in range(nN):
            reach[j] += (low[k, j] + high[k, j]) * size
    for j in range(nN):
        mass += 2.0 * cN[j] * norm(WN[j]) * reach[j]
    terms = 0.0
    for i in range(cf.shape[0]):
        mass += 0.25 * cf[i] * rho[i] * norm(Wf[i]) ** 2
        terms += 0.25 * cf[i] / rho[i]
    trace = 0.0
    for a in range(n):
        trace += abs(S[a, a])
    value = eta + sigma + terms
    charge = 2.0 * ((2 * units + 16) * mass + 2 * (n + 4) * trace) * 2.0 * UNIT
    charge += (2 * units + 16) * 2.0 * UNIT * (terms + abs(eta) + abs(sigma))
    charge += 8.0 * (n + fixed + 8) * UNIT * mass
    if not sphere:
        charge += max(0.0, -eta)
    return value, charge


@njit(cache=True, nogil=True, error_model="numpy")
def cholesky(A, L):
    """L L' = A from the lower half of A; False when a pivot is not positive."""
    n = A.shape[0]
    for i in range(n):
        for j in range(i + 1):
            s = A[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                if not s > 0.0:
                    return False
                L[i, i] = math.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def forward(L, v):
    """v <- L^-1 v."""
    for a in range(L.shape[0]):
        s = v[a]
        for b in range(a):
            s -= L[a, b] * v[b]
        v[a] = s / L[a, a]
