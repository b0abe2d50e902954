"""The cones of the concave units' policies, for all units at once: scalings and Newton steps.

Untrusted, with fast arithmetic. A policy z has a lower cone, p = z - sum low_k w_k, and an upper
one, p = z - e_0 + sum high_k w_k with its first coordinate mirrored; p lies inside the Lorentz cone
p_0 > |p'|, and so does the force f dual to it. The slacks dual to low_k and high_k are <w_k, f>
and -<w_k, f>, f not mirrored. Arrays have the units last, so that loops over units are the inner
ones: P, F [n, units], low [fixed, units]; Wk [fixed, n].
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.copying import copy_matrix


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def lower_cones(Z, low, Wk):
    """The lower cone's p of each policy."""
    return _leaning(Z, low, Wk, -1.0)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def upper_cones(Z, high, Wk):
    """The upper cone's p of each policy, mirrored."""
    P = _leaning(Z, high, Wk, 1.0)
    for j in range(Z.shape[1]):
        P[0, j] = 1.0 - P[0, j]
    return P


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _leaning(Z, along, Wk, sign):
    """z + sign * sum along_k w_k for each policy z."""
    P = Z.copy()
    for k in range(along.shape[0]):
        for l in range(Z.shape[0]):
            w = sign * Wk[k, l]
            for j in range(Z.shape[1]):
                P[l, j] += w * along[k, j]
    return P


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def squares(P):
    """p_0^2 - |p'|^2 of each column."""
    total = np.empty(P.shape[1])
    for j in range(P.shape[1]):
        total[j] = P[0, j] * P[0, j]
    for l in range(1, P.shape[0]):
        for j in range(P.shape[1]):
            total[j] -= P[l, j] * P[l, j]
    return total


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def scale_cones(P, F, mirror, mu, B, h):
    """B with B f = p, at the Nesterov-Todd point of each cone, and h = mu f^-1; both with their
    first coordinate times `mirror`."""
    n, count = P.shape
    p, f = squares(P), squares(F)
    ratio, dot = np.empty(count), np.zeros(count)
    for l in range(n):
        for j in range(count):
            dot[j] += P[l, j] * F[l, j]
    w = np.empty((n, count))
    for j in range(count):
        back = 1.0 / f[j]
        f[j] = math.sqrt(f[j])
        p[j] = math.sqrt(p[j])
        ratio[j] = p[j] / f[j]
        dot[j] = 1.0 / math.sqrt(2.0 + 2.0 * dot[j] / (p[j] * f[j]))
        h[0, j] = mirror * mu * F[0, j] * back
        w[0, j] = mirror * dot[j] * (P[0, j] / p[j] + F[0, j] / f[j])
        for l in range(1, n):
            h[l, j] = -mu * F[l, j] * back
            w[l, j] = dot[j] * (P[l, j] / p[j] - F[l, j] / f[j])
    for a in range(n):
        for b in range(n):
            for j in range(count):
                B[a, b, j] = 2.0 * ratio[j] * w[a, j] * w[b, j]
        sign = -1.0 if a == 0 else 1.0
        for j in range(count):
            B[a, a, j] += sign * ratio[j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def lean(along, slack, Wk, mu, sign, B, h):
    """B += sum (along / slack)_k w_k w_k', h += sign sum (mu / slack)_k w_k, for each unit."""
    fixed, count = along.shape
    n = Wk.shape[1]
    scaled = along / slack
    back = mu * sign / slack
    for k in range(fixed):
        for a in range(n):
            w = Wk[k, a]
            for j in range(count):
                h[a, j] += w * back[k, j]
            for b in range(a + 1):
                t = w * Wk[k, b]
                for j in range(count):
                    B[a, b, j] += t * scaled[k, j]
    for a in range(n):
        for b in range(a):
            for j in range(count):
                B[b, a, j] = B[a, b, j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def parallel_sum(B1, B2, h1, h2, L, H, K):
    """The Cholesky factor L of B1 + B2, H = (B1^-1 + B2^-1)^-1 and
    K = h1 - B1 (B1 + B2)^-1 (h1 - h2), for each unit."""
    n, count = h1.shape
    for i in range(n):
        for c in range(i + 1):
            for j in range(count):
                L[i, c, j] = B1[i, c, j] + B2[i, c, j]
            for k in range(c):
                for j in range(count):
                    L[i, c, j] -= L[i, k, j] * L[c, k, j]
            if i == c:
                for j in range(count):
                    L[i, i, j] = math.sqrt(L[i, i, j])
            else:
                for j in range(count):
                    L[i, c, j] /= L[c, c, j]
    half1, half2, v = B1.copy(), B2.copy(), h1 - h2
    for i in range(n):
        for k in range(i):
            for c in range(n):
                for j in range(count):
                    half1[i, c, j] -= L[i, k, j] * half1[k, c, j]
                    half2[i, c, j] -= L[i, k, j] * half2[k, c, j]
            for j in range(count):
                v[i, j] -= L[i, k, j] * v[k, j]
        for c in range(n):
            for j in range(count):
                half1[i, c, j] /= L[i, i, j]
                half2[i, c, j] /= L[i, i, j]
        for j in range(count):
            v[i, j] /= L[i, i, j]
    copy_matrix(K, h1)
    for a in range(n):
        for k in range(n):
            for j in range(count):
                K[a, j] -= half1[k, a, j] * v[k, j]
        for b in range(a + 1):
            for j in range(count):
                H[a, b, j] = half1[0, a, j] * half2[0, b, j]
            for k in range(1, n):
                for j in range(count):
                    H[a, b, j] += half1[k, a, j] * half2[k, b, j]
            for j in range(count):
                H[b, a, j] = H[a, b, j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def share_out(B1, B2, h1, h2, L, total, dZ, F1, F2):
    """The forces of both cones, which sum up to `total`, and the policies' steps:
    (B1 + B2) F1 = h1 - h2 + B2 total, dZ = h1 - B1 F1."""
    n, count = h1.shape
    for a in range(n):
        for j in range(count):
            F1[a, j] = h1[a, j] - h2[a, j]
        for b in range(n):
            for j in range(count):
                F1[a, j] += B2[a, b, j] * total[b, j]
        for k in range(a):
            for j in range(count):
                F1[a, j] -= L[a, k, j] * F1[k, j]
        for j in range(count):
            F1[a, j] /= L[a, a, j]
    for a in range(n - 1, -1, -1):
        for k in range(a + 1, n):
            for j in range(count):
                F1[a, j] -= L[k, a, j] * F1[k, j]
        for j in range(count):
            F1[a, j] /= L[a, a, j]
    for a in range(n):
        for j in range(count):
            F2[a, j] = total[a, j] - F1[a, j]
            dZ[a, j] = h1[a, j]
        for b in range(n):
            for j in range(count):
                dZ[a, j] -= B1[a, b, j] * F1[b, j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def lean_step(along, slack, Wk, force, mu, sign, step, arrived):
    """The slacks sign * <w_k, force> at which a full step arrives, and the steps of what they are
    dual to."""
    fixed, count = along.shape
    for k in range(fixed):
        for j in range(count):
            arrived[k, j] = 0.0
        for l in range(Wk.shape[1]):
            w = sign * Wk[k, l]
            for j in range(count):
                arrived[k, j] += w * force[l, j]
        for j in range(count):
            step[k, j] = (mu - along[k, j] * arrived[k, j]) / slack[k, j]
