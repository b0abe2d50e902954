"""The lifted semidefinite dual: a proven bound of P - N on the ball where some signs are fixed.

For x in the unit ball with s_k <w_k, x> >= 0 (k fixed), t = <w, x> and any rho > 0, y >= 0,
(a, g) with |g| <= min(a, 1 - a):

    free convex unit      relu(t) <= t/2 + 1/(4 rho) + rho t^2/4
    concave unit          relu(t) >= t (a + <g, x>)        (a policy with values in [0, 1])
    fixed sign            0 <= y s t

so P - N <= sum c/(4 rho) + <q, x> + x'Qx, and that is at most sum c/(4 rho) + eta + sigma whenever
S = [[sigma, -q'/2], [-q/2, eta I - Q]] is positive semidefinite and eta >= 0. The dual is solved by
a barrier method whose Newton steps are taken in the (d+1)(d+2)/2 dimensional space of S. Every
iterate comes with a Cholesky factor of S, which with an explicit rounding term makes it a proof
(docs/certify.md); the Newton steps themselves are untrusted and compiled with fast arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from slth.limits import Deadline
from slth.network import FloatArray

_U = 2.0**-53


# Newton steps at most, and the multiply-adds of one compiled call (well under 0.3 s).
_STEPS = 100
_SLICE = 2e8


@dataclass(frozen=True)
class Region:
    """The arrays of one dual problem.

    free_weights [nf], free [nf, d]: convex units of unknown sign; fixed [nk, d]: s_k w_k; the
    concave units concave_weights [nN] > 0, concave [nN, d]; linear [d]: the linear part including
    half of the free units.
    """

    free_weights: FloatArray
    free: FloatArray
    fixed: FloatArray
    concave_weights: FloatArray
    concave: FloatArray
    linear: FloatArray


@dataclass(frozen=True)
class Dual:
    """What the barrier method reached on a region.

    Attributes:
        bound: proven: the objective is at most this on the region.
        matrix: float64 [d+1, d+1], lower half of the last dual matrix S; the objective at x is at
            most value + charge - (1, x)'S(1, x).
        point, moments: float64 [d], [d, d]: where the relaxation is attained (not proven).
    """

    bound: float
    value: float
    charge: float
    matrix: FloatArray
    point: FloatArray
    moments: FloatArray


def step_cost(d: int, width: int) -> float:
    """Multiply-adds of one Newton step, roughly."""
    space = (d + 1) * (d + 2) / 2
    return space**2 * (space / 3 + width)


def solve(region: Region, target: float, deadline: Deadline) -> Dual:
    """Minimise the dual until it is proven <= `target` or known to stay above, or time is up."""
    d = region.linear.shape[0]
    units = region.free_weights.shape[0], region.concave_weights.shape[0], region.fixed.shape[0]
    variables = (np.empty(units[0]), np.empty((units[1], d + 1)), np.empty(units[2]))
    scalars = np.empty(6)
    point, moments = np.zeros(d), np.zeros((d, d))
    matrix = np.zeros((d + 1, d + 1))
    factor = np.zeros((d + 1, d + 1))
    arrays = (
        region.free_weights,
        region.free,
        region.fixed,
        region.concave_weights,
        region.concave,
        region.linear,
    )
    _start(*arrays, *variables, scalars, factor, matrix)
    each = max(1, int(_SLICE / step_cost(d, units[0] + units[1])))
    done = 0
    while done < _STEPS and not deadline.expired:
        done += each
        if _advance(*arrays, *variables, scalars, factor, matrix, target, each, point, moments):
            break
    return Dual(float(scalars[3]), float(scalars[4]), float(scalars[5]), matrix, point, moments)


@njit(cache=True, nogil=True)
def _start(cf, Wf, Wk, cN, WN, q0, rho, Z, y, scalars, L, S):
    """A first strictly feasible point. scalars: eta, sigma, mu, best bound, value, charge."""
    d = q0.shape[0]
    nf, nN, nk = cf.shape[0], cN.shape[0], Wk.shape[0]
    for i in range(nf):
        rho[i] = math.sqrt(d) / _norm(Wf[i])
    for j in range(nN):
        Z[j, 0] = 0.5
        scale = 0.15 / _norm(WN[j])
        for l in range(d):
            Z[j, 1 + l] = scale * WN[j, l]
    for k in range(nk):
        y[k] = 0.02 * (_norm(q0) + 1e-3) / nk
    eta = 0.05 * (_norm(q0) + 1e-3)
    for _ in range(200):
        _dual_matrix(cf, Wf, Wk, cN, WN, q0, rho, Z, y, eta, eta, S)
        if _cholesky(S, L):
            break
        eta *= 1.5
    eta *= 1.3
    mass = _dual_matrix(cf, Wf, Wk, cN, WN, q0, rho, Z, y, eta, eta, S)
    if _cholesky(S, L):
        value, charge = _proven(cf, rho, eta, eta, S, mass, nf + nN + nk)
    else:
        value, charge = np.inf, 0.0
    scalars[0] = eta
    scalars[1] = eta
    scalars[2] = 0.5 * max(value, 1e-6) / (d + 1 + nf + 4 * nN + nk)
    scalars[3] = value + charge
    scalars[4] = value
    scalars[5] = charge


@njit(cache=True, nogil=True)
def _advance(cf, Wf, Wk, cN, WN, q0, rho, Z, y, scalars, L, S, target, steps, x, X):
    """At most `steps` Newton steps in place; True when there is nothing left to do."""
    d = q0.shape[0]
    n = d + 1
    nf, nN, nk = cf.shape[0], cN.shape[0], Wk.shape[0]
    eta, sigma, mu, best, value, charge = scalars
    barrier = n + nf + 4 * nN + nk
    T = np.empty((n, n))
    rho_new, Z_new, y_new = rho.copy(), Z.copy(), y.copy()
    S_new, L_new = S.copy(), L.copy()
    drho, dZ, dy = np.empty(nf), np.empty((nN, n)), np.empty(nk)
    finished = best <= target or not math.isfinite(best)
    for _ in range(steps):
        if finished:
            break
        _inverse(L, T)
        done, decrement, deta, dsigma = _newton_step(
            cf, Wf, Wk, cN, WN, rho, Z, y, S, T, mu, drho, dZ, dy
        )
        if not done:
            finished = True
            break
        step = 1.0
        for i in range(nf):
            if drho[i] < 0.0:
                step = min(step, -0.9 * rho[i] / drho[i])
        for k in range(nk):
            if dy[k] < 0.0:
                step = min(step, -0.9 * y[k] / dy[k])
        found = False
        mass = 0.0
        for _ in range(40):
            inside = True
            for j in range(nN):
                length = 0.0
                for l in range(n):
                    Z_new[j, l] = Z[j, l] + step * dZ[j, l]
                    if l > 0:
                        length += Z_new[j, l] * Z_new[j, l]
                length = math.sqrt(length)
                if not (Z_new[j, 0] > length and 1.0 - Z_new[j, 0] > length):
                    inside = False
                    break
            if inside:
                for i in range(nf):
                    rho_new[i] = rho[i] + step * drho[i]
                for k in range(nk):
                    y_new[k] = y[k] + step * dy[k]
                mass = _dual_matrix(
                    cf,
                    Wf,
                    Wk,
                    cN,
                    WN,
                    q0,
                    rho_new,
                    Z_new,
                    y_new,
                    eta + step * deta,
                    sigma + step * dsigma,
                    S_new,
                )
                if _cholesky(S_new, L_new):
                    found = True
                    break
            step *= 0.7
        if not found:
            finished = True
            break
        rho[:] = rho_new
        Z[:] = Z_new
        y[:] = y_new
        L[:] = L_new
        S[:] = S_new
        eta += step * deta
        sigma += step * dsigma
        value, charge = _proven(cf, rho, eta, sigma, S, mass, nf + nN + nk)
        best = min(best, value + charge)
        finished = best <= target
        if decrement < 1.0 and step > 0.3:
            # mu S^-1 is nearly feasible for the relaxation: where it stands, and its value.
            _inverse(L, T)
            for a in range(d):
                x[a] = T[1 + a, 0] / T[0, 0]
                for b in range(d):
                    X[a, b] = T[1 + a, 1 + b] / T[0, 0]
            if decrement < 0.3 and value - 1.3 * mu * barrier > target:
                finished = True
            if mu * barrier < 1e-9 * abs(value):
                finished = True
            mu *= 0.1 if decrement < 0.3 else 0.3
    scalars[0] = eta
    scalars[1] = sigma
    scalars[2] = mu
    scalars[3] = best
    scalars[4] = value
    scalars[5] = charge
    return finished


@njit(cache=True, nogil=True)
def excluded_signs(S, Wf, excess, signs):
    """Which free units cannot change sign where the bound would have to be missed by `excess`.

    The objective is at most value + charge - z'Sz, z = (1, x); excess = value + charge - (what
    must be exceeded). A half space is excluded when some multiple of its inequality makes
    S - excess e_0 e_0' positive semidefinite; proven by Cholesky for each unit. Writes -1, 0, 1 into signs [nf], returns the number of non-zeros.
    """
    n = S.shape[0]
    d = n - 1
    block = np.empty((d, d))
    for a in range(d):
        for b in range(a + 1):
            block[a, b] = S[1 + a, 1 + b]
    L = np.zeros((d, d))
    signs[:] = 0
    if not _cholesky(block, L):
        return 0
    center = np.empty(d)
    for a in range(d):
        center[a] = -S[1 + a, 0]
    _forward(L, center)
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
        _forward(L, z)
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
        hidden = 8.0 * (n + 4) * _U * (hidden + abs(multiplier) * _norm(Wf[i]) + abs(excess))
        trial[0, 0] -= excess + 2.0 * hidden
        if _cholesky(trial, factor):
            signs[i] = 1 if middle > 0.0 else -1
            count += 1
    return count


@njit(cache=True, nogil=True)
def _norm(v):
    s = 0.0
    for l in range(v.shape[0]):
        s += v[l] * v[l]
    return math.sqrt(s)


@njit(cache=True, nogil=True)
def _dual_matrix(cf, Wf, Wk, cN, WN, q0, rho, Z, y, eta, sigma, S):
    """S (lower half) and the sum of its summands' norms, against which rounding is measured."""
    d = q0.shape[0]
    for a in range(d + 1):
        for b in range(a + 1):
            S[a, b] = 0.0
    mass = _norm(q0)
    for l in range(d):
        S[1 + l, 0] = -0.5 * q0[l]
    for i in range(cf.shape[0]):
        c = 0.25 * cf[i] * rho[i]
        mass += c * _norm(Wf[i]) ** 2
        for a in range(d):
            w = c * Wf[i, a]
            for b in range(a + 1):
                S[1 + a, 1 + b] -= w * Wf[i, b]
    for j in range(cN.shape[0]):
        c = 0.5 * cN[j]
        mass += 2.0 * cN[j] * _norm(WN[j])
        for a in range(d):
            w = c * WN[j, a]
            g = c * Z[j, 1 + a]
            S[1 + a, 0] += w * Z[j, 0]
            for b in range(a + 1):
                S[1 + a, 1 + b] += w * Z[j, 1 + b] + g * WN[j, b]
    for k in range(y.shape[0]):
        mass += y[k] * _norm(Wk[k])
        for a in range(d):
            S[1 + a, 0] -= 0.5 * y[k] * Wk[k, a]
    S[0, 0] = sigma
    for a in range(d):
        S[1 + a, 1 + a] += eta
    return mass + abs(sigma) + d * abs(eta)


@njit(cache=True, nogil=True)
def _proven(cf, rho, eta, sigma, S, mass, units):
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


@njit(cache=True, nogil=True)
def _cholesky(A, L):
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


@njit(cache=True, nogil=True)
def _forward(L, v):
    """v <- L^-1 v."""
    for a in range(L.shape[0]):
        s = v[a]
        for b in range(a):
            s -= L[a, b] * v[b]
        v[a] = s / L[a, a]


@njit(cache=True, nogil=True, fastmath=True)
def _inverse(L, T):
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


@njit(cache=True, nogil=True, fastmath=True)
def _newton_step(cf, Wf, Wk, cN, WN, rho, Z, y, S, T, mu, drho, dZ, dy):
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
            value = half * (S_at(S, p, s) * S_at(S, q, t) + S_at(S, p, t) * S_at(S, q, s))
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
def S_at(S, a, b):  # noqa: N802
    """The symmetric matrix of which S holds the lower half."""
    return S[a, b] if a >= b else S[b, a]


@njit(cache=True, nogil=True, fastmath=True)
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
