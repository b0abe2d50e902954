"""The lifted semidefinite dual: a proven bound of P - N on the ball where some signs are fixed.

Let z = (1, x), x on the unit sphere or in the unit ball, with s_k <w_k, z> >= 0 (k fixed). For
t = <w, z>, any rho > 0, any policy <f, z> whose values there lie in [0, 1], any multiplier <h, z>
whose values are >= 0:

    free convex unit      relu(t) <= t/2 + 1/(4 rho) + rho t^2/4
    concave unit          relu(t) >= t <f, z>
    fixed sign            0 <= s t <h, z>

so P - N <= sum c/(4 rho) + z'Qz, and that is at most sum c/(4 rho) + sigma + eta |x|^2 whenever
S = [[sigma, 0], [0, eta I]] - Q is positive semidefinite; on the ball eta must not be negative. A
policy is within [0, 1] if, with low, high >= 0, f - sum low_k s_k w_k and
e_0 - f - sum high_k s_k w_k lie in the Lorentz cone p_0 >= |p'|; a multiplier is >= 0 if h does.

The dual is solved by a primal-dual method whose Newton steps are taken in the (d+1)(d+2)/2
dimensional space of S. The dual's iterates all have a Cholesky factor of S, which with an explicit
rounding term makes them proofs (docs/certify.md); the steps themselves are untrusted and compiled
with fast arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from slth.certify.signs.newton import (
    CONE_WEIGHT,
    MULTIPLE_WEIGHT,
    complementarity,
    degree,
    newton_step,
)
from slth.certify.signs.policies import lower_cones, squares, upper_cones
from slth.certify.signs.proven import admissible, cholesky, dual_matrix, norm, proven
from slth.certify.signs.records import Forces, SignDual, Standing, Variables
from slth.copying import copy_matrix, copy_vector
from slth.limits import Deadline
from slth.network import FloatArray

# Newton steps at most, and the multiply-adds of one compiled call (well under 0.3 s).
_STEPS = 60
_SLICE = 2e8
# Steps end this fraction of the way to the boundary.
_INSIDE = 0.95
# As far as is sensible where a region will be split.
DECIDED = 1.0
# Rounding keeps the primal from coming much nearer, relatively.
_EXACT = 2e-8
# The part of mu at which the next step aims, by the last step's length; and at least, where some
# product is that much smaller than the mean.
_AIMS = ((0.7, 0.1), (0.3, 0.25), (0.0, 0.6))
_GUARDS = ((0.03, 0.9), (0.1, 0.5))


@dataclass(frozen=True)
class Dual:
    """What the method reached on a region.

    Attributes:
        bound: proven: the objective is at most this on the region.
        value, charge, matrix: matrix, float64 [n, n], is the lower half of the last dual matrix S;
            the objective at x is at most value + charge - z'Sz.
        moments: float64 [n, n], those of z where the relaxation is attained (not proven).
    """

    bound: float
    value: float
    charge: float
    matrix: FloatArray
    moments: FloatArray


def step_cost(d: int, width: int) -> float:
    """Multiply-adds of one Newton step, roughly."""
    space = (d + 1) * (d + 2) / 2
    return space**2 * (space / 3 + width)


def solve(region: SignDual, target: float, deadline: Deadline, *, decided: float = DECIDED) -> Dual:
    """Minimise the dual until it is proven <= `target` or stays above, or time is up.

    It is taken to stay above when its value is nearer to the minimum than `decided` times what it
    is too large by (0: not before nothing more is to be gained).
    """
    n, free = len(region.linear), len(region.free)
    concave, fixed = len(region.concave), len(region.fixed)
    policies, multiples = (n, concave), (fixed, concave)
    variables = Variables(
        np.empty(free),
        np.empty(policies),
        np.empty(multiples),
        np.empty(multiples),
        np.empty((n, fixed)),
    )
    forces = Forces(
        np.empty((n, n)),
        np.empty(policies),
        np.empty(policies),
        np.empty(multiples),
        np.empty(multiples),
        np.empty((n, fixed)),
    )
    S, L, moments = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    standing = _start(region, variables, forces, S, L)
    each = max(1, min(_STEPS, int(_SLICE / step_cost(n - 1, free + concave))))
    done = 0
    finished = False
    while not finished and done < _STEPS and not deadline.expired:
        done += each
        standing, finished = _advance(
            region, variables, forces, standing, S, L, moments, target, decided, each
        )
    return Dual(standing.best, standing.value, standing.charge, S, moments)


@njit(cache=True, nogil=True, error_model="numpy")
def _start(region, variables, forces, S, L):
    """Where the method starts: products in proportion to their weights, except that those of S are
    smaller."""
    Wf, Wk, q0 = region.free, region.fixed, region.linear
    rho, Z, low, high, Y = variables
    X, F1, F2, below, above, E = forces
    n = q0.shape[0]
    nk = Wk.shape[0]
    for i in range(rho.shape[0]):
        rho[i] = 1.0 / math.sqrt(Wf[i, 0] ** 2 + norm(Wf[i, 1:]) ** 2 / (n - 1))
    size = norm(q0) + 1e-3
    together = np.zeros(n)
    Y[:] = 0.0
    for k in range(nk):
        length = norm(Wk[k])
        Y[0, k] = 0.05 * size / (nk * length)
        for l in range(n):
            together[l] += Wk[k, l] / (nk * length)
    # Multiples rather large than small: Newton steps shrink them quicker than they let them grow.
    most = min(0.95, 0.4 / (max(together[0], 0.0) + norm(together[1:]) + 1e-3))
    for k in range(nk):
        low[k] = most / (nk * norm(Wk[k]))
    copy_matrix(high, low)
    Z[:] = 0.0
    Z[0] = 0.5
    eta = 0.05 * size
    sigma = eta
    for _ in range(80):
        dual_matrix(region, variables, eta, sigma, S)
        if cholesky(S, L):
            break
        eta *= 1.25
        sigma *= 1.25
    eta *= 1.3
    sigma *= 1.3
    dual_matrix(region, variables, eta, sigma, S)
    value, charge, slack = np.inf, 0.0, 0.0
    if cholesky(S, L) and admissible(region, variables):
        value, charge = proven(region, variables, eta, sigma, S)
        full = S.copy()
        for a in range(n):
            for b in range(a):
                full[b, a] = full[a, b]
        copy_matrix(X, np.linalg.inv(full))
        mu = 1.0 / X[0, 0]
        X *= mu
        slack = mu / eta
        _dual_to(lower_cones(Z, low, Wk), CONE_WEIGHT * mu, F1)
        _dual_to(upper_cones(Z, high, Wk), CONE_WEIGHT * mu, F2)
        _dual_to(Y, CONE_WEIGHT * mu, E)
        for k in range(nk):
            for j in range(low.shape[1]):
                below[k, j] = MULTIPLE_WEIGHT * mu / low[k, j]
                above[k, j] = MULTIPLE_WEIGHT * mu / high[k, j]
    return Standing(eta, sigma, slack, _AIMS[0][1], value + charge, value, charge, np.inf)


@njit(cache=True, nogil=True, error_model="numpy")
def _dual_to(P, product, F):
    """F = product p^-1, column by column."""
    size = squares(P)
    for j in range(P.shape[1]):
        F[0, j] = product * P[0, j] / size[j]
        for l in range(1, P.shape[0]):
            F[l, j] = -product * P[l, j] / size[j]


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(region, variables, forces, standing, S, L, moments, target, decided, steps):
    """At most `steps` Newton steps in place: the new standing, and whether nothing is left to do.

    moments: X, scaled, where the primal was nearest to the dual.
    """
    eta, sigma, slack, aim, best, value, charge, nearest = standing
    sphere = region.sphere
    total = degree(region)
    direction = _copied(variables)
    trial = _copied(variables)
    X, F1, F2, below, above, E = forces
    arrived = Forces(X.copy(), F1.copy(), F2.copy(), below.copy(), above.copy(), E.copy())
    S_new, L_new = S.copy(), L.copy()
    finished = best <= target or not math.isfinite(best)
    for _ in range(steps):
        if finished:
            break
        gap, distance, least = complementarity(region, variables, forces, (eta, slack), S, value)
        if distance < nearest:
            nearest = distance
            for a in range(X.shape[0]):
                for b in range(X.shape[0]):
                    moments[a, b] = X[a, b] / X[0, 0]
        enough = max(decided * (value + charge - target), _EXACT * abs(value))
        if distance < enough:
            finished = True
            break
        for limit, most in _GUARDS:
            if least * total < limit * gap:
                aim = max(aim, most)
        mu = aim * gap / total
        solved, deta, dsigma = newton_step(
            region, variables, forces, (eta, slack), L, mu, direction, arrived
        )
        step = _to_positive(variables, direction) if solved else 0.0
        if not sphere and deta < 0.0:
            step = min(step, -_INSIDE * eta / deta)
        found = False
        while step > 1e-6 and not found:
            _move(variables, direction, step, trial)
            dual_matrix(region, trial, eta + step * deta, sigma + step * dsigma, S_new)
            found = admissible(region, trial) and cholesky(S_new, L_new)
            if not found:
                step *= 0.8
        if not found:
            finished = True
            break
        _become(variables, trial)
        copy_matrix(S, S_new)
        copy_matrix(L, L_new)
        eta += step * deta
        sigma += step * dsigma
        value, charge = proven(region, variables, eta, sigma, S)
        best = min(best, value + charge)
        back = _force_step(forces, arrived)
        if not sphere:
            slack_new = 1.0 + arrived.X[0, 0] - np.trace(arrived.X)
            if slack_new < slack:
                back = min(back, _INSIDE * slack / (slack - slack_new))
            slack += back * (slack_new - slack)
        _approach(forces, arrived, back)
        finished = best <= target
        aim = 1.0
        for length, part in _AIMS:
            if min(step, back) > length:
                aim = min(aim, part)
    return Standing(eta, sigma, slack, aim, best, value, charge, nearest), finished


@njit(cache=True, nogil=True, error_model="numpy")
def _copied(variables):
    rho, Z, low, high, Y = variables
    return Variables(rho.copy(), Z.copy(), low.copy(), high.copy(), Y.copy())


@njit(cache=True, nogil=True, error_model="numpy")
def _move(variables, direction, step, moved):
    """moved = variables + step * direction."""
    for i in range(variables.rho.shape[0]):
        moved.rho[i] = variables.rho[i] + step * direction.rho[i]
    _add(variables.Z, direction.Z, step, moved.Z)
    _add(variables.low, direction.low, step, moved.low)
    _add(variables.high, direction.high, step, moved.high)
    _add(variables.Y, direction.Y, step, moved.Y)


@njit(cache=True, nogil=True, error_model="numpy")
def _add(values, changes, step, moved):
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            moved[i, j] = values[i, j] + step * changes[i, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _become(variables, others):
    copy_vector(variables.rho, others.rho)
    copy_matrix(variables.Z, others.Z)
    copy_matrix(variables.low, others.low)
    copy_matrix(variables.high, others.high)
    copy_matrix(variables.Y, others.Y)


@njit(cache=True, nogil=True, error_model="numpy")
def _approach(forces, arrived, share):
    """Move the forces by that share of the way to where a full step arrives."""
    _mix(forces.X, arrived.X, share)
    _mix(forces.F1, arrived.F1, share)
    _mix(forces.F2, arrived.F2, share)
    _mix(forces.below, arrived.below, share)
    _mix(forces.above, arrived.above, share)
    _mix(forces.E, arrived.E, share)


@njit(cache=True, nogil=True, error_model="numpy")
def _mix(values, others, share):
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            values[i, j] += share * (others[i, j] - values[i, j])


@njit(cache=True, nogil=True, error_model="numpy")
def _to_positive(variables, direction):
    """The step, at most 1, that keeps rho and the multiples positive."""
    step = _longest(variables.rho, direction.rho, 1.0)
    step = _longest(variables.low, direction.low, step)
    return _longest(variables.high, direction.high, step)


@njit(cache=True, nogil=True, error_model="numpy")
def _longest(values, changes, step):
    """The step shortened so that values + step * changes stays positive."""
    for value, change in zip(values.flat, changes.flat):  # noqa: B905
        if change < 0.0:
            step = min(step, -_INSIDE * value / change)
    return step


@njit(cache=True, nogil=True, error_model="numpy")
def _force_step(forces, arrived):
    """How far the forces can go to where a full step arrives."""
    X, F1, F2, below, above, E = forces
    step = _longest(below, _changes(below, arrived.below), 1.0)
    step = _longest(above, _changes(above, arrived.above), step)
    step = _in_cones(F1, _changes(F1, arrived.F1), step)
    step = _in_cones(F2, _changes(F2, arrived.F2), step)
    step = _in_cones(E, _changes(E, arrived.E), step)
    L, moved, change = np.zeros_like(X), np.empty_like(X), _changes(X, arrived.X)
    _add(X, change, step, moved)
    while step > 1e-6 and not cholesky(moved, L):
        step *= 0.85
        _add(X, change, step, moved)
    return step if step == 1.0 else _INSIDE * step


@njit(cache=True, nogil=True, error_model="numpy")
def _changes(values, arrived):
    changes = np.empty_like(values)
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            changes[i, j] = arrived[i, j] - values[i, j]
    return changes


@njit(cache=True, nogil=True, error_model="numpy")
def _in_cones(F, change, step):
    """The step shortened until every column stays in the Lorentz cone."""
    moved = np.empty_like(F)
    while step > 1e-6:
        _add(F, change, step, moved)
        inside = True
        for j in range(F.shape[1]):
            s = 0.0
            for l in range(1, F.shape[0]):
                s += moved[l, j] * moved[l, j]
            inside = inside and math.sqrt(s) < moved[0, j]
        if inside:
            break
        step *= 0.85
    return step
