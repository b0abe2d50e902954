"""The dual matrix of the lifted relaxation and what its Cholesky factorisation proves.

The compiled kernels every bound of `lifted` and `signs` rests on; strict arithmetic only. The
constants are derived in docs/certify.md.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_U = 2.0**-53


@njit(cache=True, nogil=True, error_model="numpy")
def excluded_signs(S, Wf, excess, signs):
    """Which free units cannot change sign where the bound would have to be missed by `excess`.

    The objective is at most value + charge - z'Sz, z = (1, x); excess = value + charge - (what
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
            z[a] = Wf[i, a]
        forward(L, z)
        middle = 0.0
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
        for a in range(d):
            trial[1 + a, 0] += multiplier * Wf[i, a]
        # What Cholesky's and this update's own rounding can hide.
        hidden = 0.0
        for a in range(n):
            hidden += abs(S[a, a])
        hidden = 8.0 * (n + 4) * _U * (hidden + abs(multiplier) * norm(Wf[i]) + abs(excess))
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
def dual_matrix(cf, Wf, Wk, cN, WN, q0, rho, Z, y, eta, sigma, S):
    """S (lower half) and the sum of its summands' norms, against which rounding is measured."""
    d = q0.shape[0]
    for a in range(d + 1):
        for b in range(a + 1):
            S[a, b] = 0.0
    mass = norm(q0)
    for l in range(d):
        S[1 + l, 0] = -0.5 * q0[l]
    for i in range(cf.shape[0]):
        c = 0.25 * cf[i] * rho[i]
        mass += c * norm(Wf[i]) ** 2
        for a in range(d):
            w = c * Wf[i, a]
            for b in range(a + 1):
                S[1 + a, 1 + b] -= w * Wf[i, b]
    for j in range(cN.shape[0]):
        c = 0.5 * cN[j]
        mass += 2.0 * cN[j] * norm(WN[j])
        for a in range(d):
            w = c * WN[j, a]
            g = c * Z[j, 1 + a]
            S[1 + a, 0] += w * Z[j, 0]
            for b in range(a + 1):
                S[1 + a, 1 + b] += w * Z[j, 1 + b] + g * WN[j, b]
    for k in range(y.shape[0]):
        mass += y[k] * norm(Wk[k])
        for a in range(d):
            S[1 + a, 0] -= 0.5 * y[k] * Wk[k, a]
    S[0, 0] = sigma
    for a in range(d):
        S[1 + a, 1 + a] += eta
    return mass + abs(sigma) + d * abs(eta)


@njit(cache=True, nogil=True, error_model="numpy")
def proven(cf, rho, eta, sigma, S, mass, units):
    """(value, charge): value + charge bounds the objective, once Cholesky of S has succeeded.

    S as computed differs from the exact one by less than (units + 8) u mass in norm, and is
    positive semidefinite up to (n + 2) u trace; both are made good by adding that to eta and
    sigma. Policies may leave [0, 1] by a few u.
    """
    n = S.shape[0]
    value = eta + sigma
    terms = 0.0
    for i in range(cf.shape[0]):
        terms += 0.25 * cf[i] / rho[i]
    value += terms
    trace = 0.0
    for a in range(n):
        trace += abs(S[a, a])
    charge = 2.0 * ((2 * units + 16) * mass + 2 * (n + 4) * trace) * 2.0 * _U
    charge += (2 * units + 16) * 2.0 * _U * (terms + abs(eta) + abs(sigma))
    charge += 8.0 * (n + 8) * _U * mass
    return value, charge + max(0.0, -eta)


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
