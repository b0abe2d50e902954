"""Primal-dual Newton steps for the lifted dual. Untrusted: what they lead to is proven after.

Hence fast arithmetic is allowed here, as in the other untrusted steps, whose results are all proven
after in strict arithmetic: `policies`; descent and the choice of an edge in `cones.bound` and
`cones.bisect`; simplex, trees and local search of the search for tickets. The forces are the
primal's variables. eta has a slack, 1 minus the trace of X without its first row, if it must not be
negative. Every product of what is dual to each other is
led to its weight times mu, linearised at the Nesterov-Todd point.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.signs.policies import (
    lean,
    lean_step,
    lower_cones,
    parallel_sum,
    scale_cones,
    share_out,
    squares,
    upper_cones,
)
from slth.copying import copy_matrix

# Weights, that of S being 1: where the method starts, most multiples are further from their
# boundary than they will be, the matrix is not.
CONE_WEIGHT, MULTIPLE_WEIGHT = 0.2, 0.02
# Multiply-adds up to which BLAS computes a product on the calling thread.
_ONE_THREAD = 200_000


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def newton_step(region, variables, forces, scalars, L, mu, direction, arrived):
    """One step towards the point of the central path with that mu.

    L: Cholesky factor of S; scalars: eta and its slack. Writes the variables' direction, and the
    forces at which a full step arrives. With A the map from the variables to S and H the scalings
    of all other products, these solve (A H A' + W (x) W) X = W S^-1 W mu - (what of dS does not
    depend on X), bordered by eta and sigma. Returns (success, d eta, d sigma).
    """
    cf, Wf, Wk, cN, WN, _q0, sphere = region
    rho, Z, low, high, Y = variables
    X, F1, F2, below, above, E = forces
    eta, slack = scalars
    drho, dZ, dlow, dhigh, dY = direction
    X_new, F1_new, F2_new, below_new, above_new, E_new = arrived
    n = L.shape[0]
    D = n * (n + 1) // 2
    nf, nN, nk = cf.shape[0], cN.shape[0], Wk.shape[0]
    pair, first, second, scale = _pairs_of(n)
    W, center = np.empty((n, n)), np.empty((n, n))
    if not _scale_matrix(L, X, mu, W, center):
        return False, 0.0, 0.0
    # Policies: dz = H (c X w) + K, H = (B1^-1 + B2^-1)^-1.
    B1, B2 = np.empty((n, n, nN)), np.empty((n, n, nN))
    h1, h2 = np.empty((n, nN)), np.empty((n, nN))
    scale_cones(lower_cones(Z, low, Wk), F1, 1.0, mu * CONE_WEIGHT, B1, h1)
    scale_cones(upper_cones(Z, high, Wk), F2, -1.0, mu * CONE_WEIGHT, B2, h2)
    lean(low, below, Wk, mu * MULTIPLE_WEIGHT, 1.0, B1, h1)
    lean(high, above, Wk, mu * MULTIPLE_WEIGHT, -1.0, B2, h2)
    factor, H, K = np.empty((n, n, nN)), np.empty((n, n, nN)), np.empty((n, nN))
    parallel_sum(B1, B2, h1, h2, factor, H, K)
    # Multipliers: dz = B (-X w) + h.
    B, h = np.empty((n, n, nk)), np.empty((n, nk))
    scale_cones(Y, E, 1.0, mu * CONE_WEIGHT, B, h)
    count = nN + nk
    outer, inner = np.zeros((D, count)), np.empty((count, D))
    constant = np.zeros((n, n))
    for j in range(nN):
        _enter(cN[j], WN[j], H[:, :, j], K[:, j], first, second, outer[:, j], inner[j], constant)
    for k in range(nk):
        j = nN + k
        _enter(-1.0, Wk[k], B[:, :, k], h[:, k], first, second, outer[:, j], inner[j], constant)
    mixed = np.zeros((D, D))
    _add_products(outer, inner, mixed)
    # Free convex units: d rho = rho / 2 (1 - rho^2 w'Xw).
    M = np.zeros((D, D))
    r = np.zeros(D)
    rows, columns = np.zeros((nf, D)), np.zeros((D, nf))
    for i in range(nf):
        c = math.sqrt(0.125 * cf[i] * rho[i] ** 3)
        g = 0.125 * cf[i] * rho[i] / c
        for u in range(D):
            v = c * Wf[i, first[u]] * Wf[i, second[u]] * scale[u]
            rows[i, u] = v
            columns[u, i] = v
            r[u] += g * v
    _add_products(columns, rows, M)
    _add_kronecker(W, mixed, pair, first, second, scale, M)
    for u in range(D):
        a = first[u]
        b = second[u]
        r[u] += (center[a, b] - 0.5 * (constant[a, b] + constant[b, a])) * scale[u]
    give, trace = (0.0, 1.0) if sphere else (slack / eta, 1.0 - mu / eta)
    solved, deta, dsigma = _solve_bordered(M, r, first, second, scale, give, trace, X_new)
    if not solved:
        return False, 0.0, 0.0
    for i in range(nf):
        drho[i] = 0.5 * rho[i] * (1.0 - rho[i] ** 2 * _moment(X_new, Wf[i]))
    total = np.empty((n, nN))
    for l in range(n):
        for j in range(nN):
            s = 0.0
            for m in range(n):
                s += X_new[l, m] * WN[j, m]
            total[l, j] = -cN[j] * s
    share_out(B1, B2, h1, h2, factor, total, dZ, F1_new, F2_new)
    lean_step(low, below, Wk, F1_new, mu * MULTIPLE_WEIGHT, 1.0, dlow, below_new)
    lean_step(high, above, Wk, F2_new, mu * MULTIPLE_WEIGHT, -1.0, dhigh, above_new)
    for j in range(nN):
        # In the coordinates of the upper cone, not of the policy.
        F2_new[0, j] = -F2_new[0, j]
    for k in range(nk):
        for l in range(n):
            s = 0.0
            for m in range(n):
                s += X_new[l, m] * Wk[k, m]
            E_new[l, k] = s
        for l in range(n):
            s = h[l, k]
            for m in range(n):
                s -= B[l, m, k] * E_new[m, k]
            dY[l, k] = s
    return True, deta, dsigma


@njit(cache=True, nogil=True, error_model="numpy")
def degree(region):
    """The sum of all products' weights."""
    _cf, _Wf, Wk, cN, _WN, q0, sphere = region
    nN, nk = cN.shape[0], Wk.shape[0]
    return q0.shape[0] + (not sphere) + CONE_WEIGHT * (2 * nN + nk) + MULTIPLE_WEIGHT * 2 * nk * nN


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def complementarity(region, variables, forces, scalars, S, value):
    """(gap, distance, least): the sum of all products; how far the dual value is from the primal
    one, and what the primal's equations are missed by; the least product in units of its weight
    (that of S left out)."""
    cf, Wf, Wk, _cN, _WN, q0, sphere = region
    rho, Z, low, high, Y = variables
    X, F1, F2, below, above, E = forces
    gap = 0.0 if sphere else scalars[0] * scalars[1]
    for a in range(S.shape[0]):
        gap += S[a, a] * X[a, a]
        for b in range(a):
            gap += 2.0 * S[a, b] * X[a, b]
    rest = 0.0
    primal = -F2[0].sum()
    for l in range(q0.shape[0]):
        primal += q0[l] * X[0, l]
    for i in range(cf.shape[0]):
        spread = math.sqrt(max(_moment(X, Wf[i]), 0.0))
        primal += 0.5 * cf[i] * spread
        rest += 0.25 * cf[i] * (1.0 - rho[i] * spread) ** 2 / rho[i]
    multiple = np.inf
    for k in range(Wk.shape[0]):
        for j in range(Z.shape[1]):
            s = low[k, j] * below[k, j]
            t = high[k, j] * above[k, j]
            gap += s + t
            multiple = min(multiple, min(s, t))
    below_sum, below_least = _cone_products(lower_cones(Z, low, Wk), F1)
    above_sum, above_least = _cone_products(upper_cones(Z, high, Wk), F2)
    fixed_sum, fixed_least = _cone_products(Y, E)
    cone = min(min(below_least, above_least), fixed_least)
    gap += below_sum + above_sum + fixed_sum
    distance = gap + rest + abs(value - primal - gap - rest)
    return gap, distance, min(multiple / MULTIPLE_WEIGHT, cone / CONE_WEIGHT)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _cone_products(P, F):
    """The sum of <p, f>, and the least product of lengths in the sense of `squares`."""
    p, f = squares(P), squares(F)
    least = np.inf
    for j in range(P.shape[1]):
        least = min(least, p[j] * f[j])
    return (P * F).sum(), math.sqrt(max(least, 0.0))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _moment(X, w):
    """The mean of <w, z>^2 under X."""
    total = 0.0
    for a in range(w.shape[0]):
        t = 0.0
        for b in range(w.shape[0]):
            t += X[a, b] * w[b]
        total += t * w[a]
    return total


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _pairs_of(n):
    """The entries u = (a, b), a <= b, of a symmetric matrix: the u of each pair, a, b, and the
    factor by which svec counts them."""
    D = n * (n + 1) // 2
    pair = np.empty((n, n), np.int64)
    first = np.empty(D, np.int64)
    second = np.empty(D, np.int64)
    scale = np.empty(D)
    u = 0
    for a in range(n):
        for b in range(a, n):
            pair[a, b] = u
            pair[b, a] = u
            first[u] = a
            second[u] = b
            scale[u] = 1.0 if a == b else math.sqrt(2.0)
            u += 1
    return pair, first, second, scale


@njit(cache=True, nogil=True, error_model="numpy")
def _scale_matrix(L, X, mu, W, center):
    """W with W X W = S = L L', and center = W (mu S^-1) W = mu X^-1; False if there is none."""
    n = L.shape[0]
    A = L.T @ X @ L
    if not math.isfinite(A.sum()):
        return False
    values, vectors = np.linalg.eigh(A)
    if not values[0] > 0.0:
        return False
    spread = L @ vectors
    scaled, inverse = np.empty((n, n)), np.empty((n, n))
    for c in range(n):
        for a in range(n):
            scaled[a, c] = spread[a, c] / math.sqrt(values[c])
            inverse[a, c] = mu * spread[a, c] / values[c]
    copy_matrix(W, scaled @ spread.T)
    copy_matrix(center, inverse @ spread.T)
    return True


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _enter(c, w, H, k, first, second, outer, inner, constant):
    """Enter a unit's c^2 w w' and H, by entries, and c w k' into the constant part of dS."""
    n = constant.shape[0]
    for u in range(first.shape[0]):
        outer[u] = c * c * w[first[u]] * w[second[u]]
        inner[u] = H[first[u], second[u]]
    for m in range(n):
        for l in range(n):
            constant[m, l] += c * w[m] * k[l]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_products(left, right, M):
    """M += left right, in parts that do not make BLAS start threads of its own."""
    D, count = left.shape
    if count == 0:
        return
    size = max(1, _ONE_THREAD // (count * M.shape[1]))
    for start in range(0, D, size):
        part = np.dot(left[start : start + size], right)
        for a in range(part.shape[0]):
            for b in range(part.shape[1]):
                M[start + a, b] += part[a, b]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _add_kronecker(W, mixed, pair, first, second, scale, M):
    """Add W (x) W and the policies' part to the lower half of M."""
    for u in range(first.shape[0]):
        p = first[u]
        q = second[u]
        for v in range(u + 1):
            s = first[v]
            t = second[v]
            value = 0.5 * (W[p, s] * W[q, t] + W[p, t] * W[q, s])
            value += 0.25 * (
                mixed[pair[q, t], pair[p, s]]
                + mixed[pair[q, s], pair[p, t]]
                + mixed[pair[p, t], pair[q, s]]
                + mixed[pair[p, s], pair[q, t]]
            )
            M[u, v] += scale[u] * scale[v] * value


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _solve_bordered(M, r, first, second, scale, give, trace, X):
    """Solve M svec(X) + d eta svec(diag(0, I)) + d sigma svec(e0 e0') = r, X_00 = 1, the trace of
    X's other rows being `trace` + give * d eta: (success, d eta, d sigma)."""
    D = r.shape[0]
    right = np.zeros((3, D))
    for u in range(D):
        right[0, u] = r[u]
        if u > 0 and first[u] == second[u]:
            right[1, u] = 1.0
    right[2, 0] = 1.0
    if not _solve_in_place(M, right):
        return False, 0.0, 0.0
    a11, a12, b1 = give, 0.0, -trace
    for u in range(1, D):
        if first[u] == second[u]:
            a11 += right[1, u]
            a12 += right[2, u]
            b1 += right[0, u]
    a22 = right[2, 0]
    b2 = right[0, 0] - 1.0
    det = a11 * a22 - a12 * a12
    if not det > 0.0:
        return False, 0.0, 0.0
    deta = (a22 * b1 - a12 * b2) / det
    dsigma = (a11 * b2 - a12 * b1) / det
    for u in range(D):
        v = (right[0, u] - deta * right[1, u] - dsigma * right[2, u]) / scale[u]
        X[first[u], second[u]] = v
        X[second[u], first[u]] = v
    return True, deta, dsigma


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _solve_in_place(M, right):
    """right <- M^-1 right for each row; M (lower half) is overwritten by its Cholesky factor."""
    D = M.shape[0]
    for i in range(D):
        for j in range(i):
            s = M[i, j]
            for k in range(j):
                s -= M[i, k] * M[j, k]
            M[i, j] = s / M[j, j]
        s = M[i, i]
        for k in range(i):
            s -= M[i, k] * M[i, k]
        if not s > 0.0:
            return False
        M[i, i] = math.sqrt(s)
    for row in range(right.shape[0]):
        for i in range(D):
            s = right[row, i]
            for k in range(i):
                s -= M[i, k] * right[row, k]
            right[row, i] = s / M[i, i]
        for i in range(D - 1, -1, -1):
            s = right[row, i] / M[i, i]
            right[row, i] = s
            for k in range(i):
                right[row, k] -= M[i, k] * s
    return True
