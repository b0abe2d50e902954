"""Newton steps of the lifted dual's barrier method. Untrusted: what they lead to is proven after.

Hence fast arithmetic is allowed here, and only here.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def inverse(L, T):
    """T = (L L')^-1, both halves."""
    n = L.shape[0]
    half = np.zeros((n, n))
    for c in range(n):
        half[c, c] = 1.0 / L[c, c]
        for a in range(c + 1, n):
            s = 0.0
            for b in range(c, a):
                s -= L[a, b] * half[b, c]
            half[a, c] = s / L[a, a]
    for a in range(n):
        for b in range(a + 1):
            s = 0.0
            for k in range(a, n):
                s += half[k, a] * half[k, b]
            T[a, b] = s
            T[b, a] = s


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def newton_step(cf, Wf, Wk, cN, WN, rho, Z, y, S, T, mu, drho, dZ, dy):
    """Newton direction of F - mu log det S - mu (log rho + log y + the policies' cones).

    With H the Hessian of all but log det S (block diagonal) and A the map from the variables to
    svec(S), the step solves (A H^-1 A' + S (x) S / mu) z = A H^-1 gradient, bordered by eta, sigma.
    Returns (success, decrement / mu, d eta, d sigma).
    """
    n = S.shape[0]
    d = n - 1
    D = n * (n + 1) // 2
    nf, nN, nk = cf.shape[0], cN.shape[0], Wk.shape[0]
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
    M = np.zeros((D, D))
    r = np.zeros(D)
    # Free convex units.
    grad_rho = np.empty(nf)
    hess_rho = np.empty(nf)
    rows = np.empty((nf, D))
    for i in range(nf):
        s = 0.0
        for a in range(d):
            t = 0.0
            for b in range(d):
                t += T[1 + a, 1 + b] * Wf[i, b]
            s += t * Wf[i, a]
        grad_rho[i] = -0.25 * cf[i] / rho[i] ** 2 + 0.25 * mu * cf[i] * s - mu / rho[i]
        hess_rho[i] = 0.5 * cf[i] / rho[i] ** 3 + mu / rho[i] ** 2
        c = -0.25 * cf[i] / math.sqrt(hess_rho[i])
        g = grad_rho[i] / math.sqrt(hess_rho[i])
        for u in range(n):
            rows[i, u] = 0.0
        for u in range(n, D):
            v = c * Wf[i, first[u] - 1] * Wf[i, second[u] - 1] * scale[u]
            rows[i, u] = v
            r[u] += g * v
    for u in range(n, D):
        for i in range(nf):
            s = rows[i, u]
            for v in range(n, u + 1):
                M[u, v] += s * rows[i, v]
    # Policies: H^-1 = k0 e0 e0' + k1 (e0 g' + g e0') + k2 g g' + k3 I on the last d.
    K = np.empty((nN, 4))
    grad_Z = np.empty((nN, n))
    pairs = np.empty((nN, D))
    inverse_pairs = np.empty((nN, D))
    matrix = np.zeros((n, n))
    for j in range(nN):
        a = Z[j, 0]
        b = 1.0 - a
        length = 0.0
        for l in range(1, n):
            length += Z[j, l] * Z[j, l]
        f1 = a * a - length
        f2 = b * b - length
        haa = -2.0 / f1 - 2.0 / f2 + 4.0 * (a / f1) ** 2 + 4.0 * (b / f2) ** 2
        h0 = 2.0 / f1 + 2.0 / f2
        e = 4.0 / f1**2 + 4.0 / f2**2
        k = 4.0 * b / f2**2 - 4.0 * a / f1**2
        det = haa * (h0 + length * e) - length * k * k
        k0 = (h0 + length * e) / (det * mu)
        k1 = -k / (det * mu)
        k2 = -(haa * e - k * k) / (mu * h0 * det)
        k3 = 1.0 / (mu * h0)
        K[j, 0], K[j, 1], K[j, 2], K[j, 3] = k0, k1, k2, k3
        along = 0.0
        for l in range(n):
            s = 0.0
            for m in range(d):
                s += T[l, 1 + m] * WN[j, m]
            s *= -mu * cN[j]
            if l == 0:
                s += mu * (-2.0 * a / f1 + 2.0 * b / f2)
            else:
                s += mu * h0 * Z[j, l]
                along += Z[j, l] * s
            grad_Z[j, l] = s
        top = k0 * grad_Z[j, 0] + k1 * along
        rest = k1 * grad_Z[j, 0] + k2 * along
        for l in range(n):
            s = top if l == 0 else rest * Z[j, l] + k3 * grad_Z[j, l]
            s *= cN[j]
            for m in range(d):
                matrix[1 + m, l] += WN[j, m] * s
        c2 = cN[j] * cN[j]
        for u in range(n):
            pairs[j, u] = 0.0
            inverse_pairs[j, u] = k0 if u == 0 else k1 * Z[j, u]
        for u in range(n, D):
            p = first[u]
            q = second[u]
            pairs[j, u] = c2 * WN[j, p - 1] * WN[j, q - 1]
            s = k2 * Z[j, p] * Z[j, q]
            if p == q:
                s += k3
            inverse_pairs[j, u] = s
    for u in range(D):
        r[u] += 0.5 * (matrix[first[u], second[u]] + matrix[second[u], first[u]]) * scale[u]
    mixed = np.zeros((D, D))
    for u in range(n, D):
        for j in range(nN):
            s = pairs[j, u]
            for v in range(D):
                mixed[u, v] += s * inverse_pairs[j, v]
    half = 0.5 / mu
    for u in range(D):
        p = first[u]
        q = second[u]
        for v in range(u + 1):
            s = first[v]
            t = second[v]
            value = half * (_at(S, p, s) * _at(S, q, t) + _at(S, p, t) * _at(S, q, s))
            value += 0.25 * (
                mixed[pair[q, t], pair[p, s]]
                + mixed[pair[q, s], pair[p, t]]
                + mixed[pair[p, t], pair[q, s]]
                + mixed[pair[p, s], pair[q, t]]
            )
            M[u, v] += scale[u] * scale[v] * value
    # Multipliers of the fixed signs touch only the first row of S.
    grad_y = np.empty(nk)
    for k in range(nk):
        s = 0.0
        for m in range(d):
            s += T[0, 1 + m] * Wk[k, m]
        grad_y[k] = mu * s - mu / y[k]
        weight = y[k] * y[k] / mu
        for a in range(d):
            v = -math.sqrt(0.5) * Wk[k, a]
            r[1 + a] += v * grad_y[k] * weight
            for b in range(a + 1):
                M[1 + a, 1 + b] -= v * math.sqrt(0.5) * Wk[k, b] * weight
    # Solve, with eta and sigma as bordering variables.
    right = np.zeros((3, D))
    for u in range(D):
        right[0, u] = r[u]
        if u > 0 and first[u] == second[u]:
            right[1, u] = 1.0
    right[2, 0] = 1.0
    if not _solve_in_place(M, right):
        return False, 0.0, 0.0, 0.0
    trace = 0.0
    for a in range(1, n):
        trace += T[a, a]
    grad_eta = 1.0 - mu * trace
    grad_sigma = 1.0 - mu * T[0, 0]
    a11 = a12 = b1 = 0.0
    for u in range(1, D):
        if first[u] == second[u]:
            a11 += right[1, u]
            a12 += right[2, u]
            b1 += right[0, u]
    a22 = right[2, 0]
    b1 -= grad_eta
    b2 = right[0, 0] - grad_sigma
    det = a11 * a22 - a12 * a12
    if not det > 0.0:
        return False, 0.0, 0.0, 0.0
    deta = (a22 * b1 - a12 * b2) / det
    dsigma = (a11 * b2 - a12 * b1) / det
    for u in range(D):
        v = (right[0, u] - deta * right[1, u] - dsigma * right[2, u]) / scale[u]
        matrix[first[u], second[u]] = v
        matrix[second[u], first[u]] = v
    decrement = grad_eta * deta + grad_sigma * dsigma
    for i in range(nf):
        s = 0.0
        for a in range(d):
            t = 0.0
            for b in range(d):
                t += matrix[1 + a, 1 + b] * Wf[i, b]
            s += t * Wf[i, a]
        drho[i] = (-grad_rho[i] - 0.25 * cf[i] * s) / hess_rho[i]
        decrement += grad_rho[i] * drho[i]
    vector = np.empty(n)
    for j in range(nN):
        along = 0.0
        for l in range(n):
            s = 0.0
            for m in range(d):
                s += matrix[l, 1 + m] * WN[j, m]
            vector[l] = cN[j] * s - grad_Z[j, l]
            if l > 0:
                along += Z[j, l] * vector[l]
        top = K[j, 0] * vector[0] + K[j, 1] * along
        rest = K[j, 1] * vector[0] + K[j, 2] * along
        for l in range(n):
            dZ[j, l] = top if l == 0 else rest * Z[j, l] + K[j, 3] * vector[l]
            decrement += grad_Z[j, l] * dZ[j, l]
    for k in range(nk):
        s = 0.0
        for m in range(d):
            s += matrix[0, 1 + m] * Wk[k, m]
        dy[k] = (-grad_y[k] - s) * y[k] * y[k] / mu
        decrement += grad_y[k] * dy[k]
    return True, -decrement / mu, deta, dsigma


@njit(cache=True, nogil=True, inline="always")
def _at(S, a, b):
    """The symmetric matrix of which S holds the lower half."""
    return S[a, b] if a >= b else S[b, a]


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
