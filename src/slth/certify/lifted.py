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

from slth.certify.dual_proof import cholesky, dual_matrix, norm, proven
from slth.certify.newton import inverse, newton_step
from slth.limits import Deadline
from slth.network import FloatArray

# Newton steps at most, and the multiply-adds of one compiled call (well under 0.3 s).
_STEPS = 100
_SLICE = 2e8
# mu times the number of barriers estimates how far the dual value is from its minimum: the method
# stops once that many of it fit above the target, and children start where it was this fraction.
_MARGIN = 2.0
_NEAR = 0.1


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
class Iterate:
    """A point near the central path: rho [nf], policies [nN, d+1], multipliers [nk] and
    (eta, sigma, mu); mu = 0 when none was met."""

    rho: FloatArray
    policies: FloatArray
    multipliers: FloatArray
    scalars: FloatArray


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
    iterate: Iterate


def step_cost(d: int, width: int) -> float:
    """Multiply-adds of one Newton step, roughly."""
    space = (d + 1) * (d + 2) / 2
    return space**2 * (space / 3 + width)


def solve(region: Region, target: float, deadline: Deadline, near: Iterate | None = None) -> Dual:
    """Minimise the dual until it is proven <= `target` or known to stay above, or time is up.

    near: a strictly feasible iterate of a similar region with the same units, to start from.
    """
    d = region.linear.shape[0]
    units = region.free_weights.shape[0], region.concave_weights.shape[0], region.fixed.shape[0]
    if near is None:
        variables = (np.empty(units[0]), np.empty((units[1], d + 1)), np.empty(units[2]))
    else:
        variables = (near.rho.copy(), near.policies.copy(), near.multipliers.copy())
    scalars = np.zeros(6)
    if near is not None:
        scalars[:3] = near.scalars
    rho, policies, multipliers = variables
    centred = (
        np.empty_like(rho),
        np.empty_like(policies),
        np.empty_like(multipliers),
        np.zeros(3),
    )
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
    if near is None:
        _first(arrays, variables, scalars)
    _make_feasible(arrays, variables, scalars, factor, matrix)
    each = max(1, int(_SLICE / step_cost(d, units[0] + units[1])))
    done = 0
    finished = False
    while not finished and done < _STEPS and not deadline.expired:
        done += each
        finished = _advance(
            arrays, variables, scalars, factor, matrix, target, each, point, moments, centred
        )
    bound, value, charge = float(scalars[3]), float(scalars[4]), float(scalars[5])
    iterate = Iterate(centred[0], centred[1], centred[2], centred[3])
    return Dual(bound, value, charge, matrix, point, moments, iterate)


@njit(cache=True, nogil=True, error_model="numpy")
def _first(region, variables, scalars):
    """Starting values of the variables. scalars: eta, sigma, mu, best bound, value, charge."""
    cf, Wf, Wk, cN, WN, q0 = region
    rho, Z, y = variables
    d = q0.shape[0]
    nf, nN, nk = cf.shape[0], cN.shape[0], Wk.shape[0]
    for i in range(nf):
        rho[i] = math.sqrt(d) / norm(Wf[i])
    for j in range(nN):
        Z[j, 0] = 0.5
        scale = 0.15 / norm(WN[j])
        for l in range(d):
            Z[j, 1 + l] = scale * WN[j, l]
    for k in range(nk):
        y[k] = 0.02 * (norm(q0) + 1e-3) / nk
    scalars[0] = 0.05 * (norm(q0) + 1e-3)
    scalars[1] = scalars[0]
    scalars[2] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _make_feasible(region, variables, scalars, L, S):
    """Raise eta and sigma until S is well inside the cone; set the bound and, if unset, mu."""
    cf, Wf, Wk, cN, WN, q0 = region
    rho, Z, y = variables
    units = cf.shape[0] + cN.shape[0] + y.shape[0]
    eta = scalars[0]
    sigma = scalars[1]
    inside = False
    for _ in range(200):
        dual_matrix(cf, Wf, Wk, cN, WN, q0, rho, Z, y, eta, sigma, S)
        if cholesky(S, L):
            inside = True
            break
        rise = 0.05 * (abs(eta) + abs(sigma)) if scalars[2] > 0.0 else 0.5 * eta
        eta += rise
        sigma += rise
    if scalars[2] == 0.0:
        eta *= 1.3
        sigma *= 1.3
    mass = dual_matrix(cf, Wf, Wk, cN, WN, q0, rho, Z, y, eta, sigma, S)
    value, charge = np.inf, 0.0
    if inside and cholesky(S, L):
        value, charge = proven(cf, rho, eta, sigma, S, mass, units)
    scalars[0] = eta
    scalars[1] = sigma
    if scalars[2] == 0.0:
        barrier = S.shape[0] + cf.shape[0] + 4 * cN.shape[0] + y.shape[0]
        scalars[2] = 0.5 * max(value, 1e-6) / barrier
    scalars[3] = value + charge
    scalars[4] = value
    scalars[5] = charge


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(region, variables, scalars, L, S, target, steps, x, X, centred):
    """At most `steps` Newton steps in place; True when there is nothing left to do.

    x and X receive the relaxation's point and moments, centred a point near the central path.
    """
    cf, Wf, Wk, cN, WN, q0 = region
    rho, Z, y = variables
    near_rho, near_Z, near_y, near_scalars = centred
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
        inverse(L, T)
        done, decrement, deta, dsigma = newton_step(
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
                mass = dual_matrix(
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
                if cholesky(S_new, L_new):
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
        value, charge = proven(cf, rho, eta, sigma, S, mass, nf + nN + nk)
        if value + charge < best:
            best = value + charge
        finished = best <= target
        if decrement < 1.0 and step > 0.3:
            # mu S^-1 is nearly feasible for the relaxation: where it stands, and its value.
            inverse(L, T)
            for a in range(d):
                x[a] = T[1 + a, 0] / T[0, 0]
                for b in range(d):
                    X[a, b] = T[1 + a, 1 + b] / T[0, 0]
            if value - _MARGIN * mu * barrier > target or mu * barrier < 1e-9 * abs(value):
                finished = True
            if not near_scalars[0] > 0.0 and mu * barrier < _NEAR * value:
                # Here children start: centred, but not yet at the boundary.
                near_rho[:] = rho
                near_Z[:] = Z
                near_y[:] = y
                near_scalars[0] = eta
                near_scalars[1] = sigma
                near_scalars[2] = mu
            mu *= 0.1 if decrement < 0.3 else 0.3
    scalars[0] = eta
    scalars[1] = sigma
    scalars[2] = mu
    scalars[3] = best
    scalars[4] = value
    scalars[5] = charge
    return finished
