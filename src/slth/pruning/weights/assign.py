"""Which hidden unit serves which coordinate: untrusted search for single-coordinate masks.

Unit i can serve any coordinate j, on the side that the sign of w_ij names, with the value
a_i |w_ij| (see construct.py). Every coordinate side is a subset-sum problem over the units still
free, so the sides compete for units. The search takes the coordinates in random order and gives
each side the *fewest* units that meet its share of the error budget: fewer units spent early leave
larger pools, hence exponentially smaller errors, for the sides that come last. The budget is the
square of the closed-form error, which is a sum over coordinates: what one leaves over, the
others share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slth.limits import Deadline
from slth.network import FloatArray, Mask, ReLUNetwork
from slth.pruning.weights.meet_in_middle import PAD, closest_batch
from slth.pruning.weights.sparsest import LARGEST, scratch, sparsest_one

# How much more than an equal share a coordinate may take at first: errors inside a tolerance are
# about uniform, so equal shares would leave two thirds of the budget unused.
_GENEROSITY = (1.0, 2.0, 0.5)
# Pools up to this size are solved to optimality when few subsets can be expected to fit.
_OPTIMAL_POOL = 26
# Orders tried before giving up.
_ATTEMPTS = 30
# After this many orders an error still so many times eps will not be closed by another order.
_FEW = 8
_HOPELESS = 30.0
# Rounds of re-solving single sides after an order failed.
_POLISH_ROUNDS = 3


@dataclass(frozen=True)
class AssignmentProblem:
    """values: float64 [width, d], a_i |w_ij|. positive: bool [width, d], w_ij > 0.
    wanted: float64 [2, d], the sides to reach: positive, negative."""

    values: FloatArray
    positive: NDArray[np.bool_]
    wanted: FloatArray

    @classmethod
    def of(cls, net: ReLUNetwork, wanted: FloatArray) -> AssignmentProblem:
        """The problem of reaching the sides `wanted` [2, d] with the units of `net`."""
        return cls(net.output[:, None] * np.abs(net.hidden), net.hidden > 0.0, wanted)

    def mask(self, served: NDArray[np.int64]) -> Mask:
        """The mask that keeps, of unit i, its output and its weight served[i]; -1 drops it."""
        hidden = np.zeros(self.values.shape, dtype=bool)
        units = np.flatnonzero(served >= 0)
        hidden[units, served[units]] = True
        return Mask(hidden, served >= 0)


@dataclass(frozen=True)
class Assignment:
    """served: int64 [width], the coordinate of each unit or -1. error: the closed form in float64.
    attempts: orders tried."""

    served: NDArray[np.int64]
    error: float
    attempts: int


def assign(
    problem: AssignmentProblem,
    eps: float,
    generator: np.random.Generator,
    deadline: Deadline,
    *,
    attempts: int = _ATTEMPTS,
    fewest: bool = False,
) -> Assignment:
    """The first assignment within eps, or the closest seen; fewest: of all attempts, the one
    within eps that keeps the fewest units."""
    best = Assignment(np.full(len(problem.values), -1), _error(-problem.wanted), 0)
    tried = 0
    while tried < attempts and (fewest or best.error > eps) and not (tried and deadline.expired):
        if tried >= _FEW and best.error > _HOPELESS * eps:
            break
        generosity = _GENEROSITY[tried % len(_GENEROSITY)]
        tried += 1
        served, residual = _attempt(problem, eps, generosity, generator)
        error = _error(residual)
        if error > eps:
            error = _polish(problem, served, residual, eps, generator)
        if _better(error, served, best, eps):
            best = Assignment(served, error, tried)
    return Assignment(best.served, best.error, tried)


def _better(error: float, served: NDArray[np.int64], best: Assignment, eps: float) -> bool:
    """Prefer a smaller excess over eps, then fewer units."""
    if max(error, eps) != max(best.error, eps):
        return error < best.error
    return int((served >= 0).sum()) < int((best.served >= 0).sum())


def _error(residual: FloatArray) -> float:
    """The closed form for residual [2, d] = found - wanted, in float64."""
    above = np.maximum(residual.max(axis=0), 0.0)
    below = np.maximum((-residual).max(axis=0), 0.0)
    return math.sqrt(max(float(above @ above), float(below @ below)))


def _attempt(
    problem: AssignmentProblem, eps: float, generosity: float, generator: np.random.Generator
) -> tuple[NDArray[np.int64], FloatArray]:
    """Serve the coordinates in random order. Returns (served, residual [2, d])."""
    width, d = problem.values.shape
    served = np.full(width, -1)
    residual = -problem.wanted
    spent = np.zeros(2)
    for place, j in enumerate(generator.permutation(d)):
        left = d - place
        rest = np.maximum(eps * eps - spent, 0.0)
        share = np.minimum(rest, rest * generosity / left) if left > 1 else rest
        above, below = math.sqrt(share[0]), math.sqrt(share[1])
        for side in generator.permutation(2):
            pool = _pool(problem, served, j, side, LARGEST, generator)
            chosen = _serve(problem.values[pool, j], float(problem.wanted[side, j]), below, above)
            served[pool[chosen]] = j
            residual[side, j] += problem.values[pool[chosen], j].sum()
        spent += np.maximum([residual[:, j].max(), (-residual[:, j]).max()], 0.0) ** 2
    return served, residual


def _pool(
    problem: AssignmentProblem,
    served: NDArray[np.int64],
    j: int,
    side: int,
    largest: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Free units whose weight to coordinate j has the sign of the side, at most `largest`."""
    usable = (served < 0) & (problem.positive[:, j] == (side == 0)) & (problem.values[:, j] != 0.0)
    pool = np.flatnonzero(usable)
    if len(pool) > largest:
        pool = np.sort(generator.choice(pool, largest, replace=False))
    return pool


def _serve(values: FloatArray, wanted: float, below: float, above: float) -> NDArray[np.int64]:
    """Indices of few values whose sum lies in [wanted - below, wanted + above], or the closest."""
    centre = wanted + 0.5 * (above - below)
    tolerance = 0.5 * (above + below)
    n = len(values)
    if n == 0:
        return np.empty(0, dtype=np.int64)
    # 2^n subsets spread over a few units of length: expect 2^n * tolerance of them to fit.
    if n > _OPTIMAL_POOL or math.ldexp(tolerance, n) > 8.0:
        mask, count, _ = sparsest_one(values, n, centre, tolerance, n, *scratch())
        if count >= 0:
            return _bits(int(mask), n)
    return closest_values(values[:_OPTIMAL_POOL], centre)


def closest_values(values: FloatArray, wanted: float) -> NDArray[np.int64]:
    """Indices of the values whose sum is closest to `wanted`."""
    n = len(values)
    if n == 0:
        return np.empty(0, dtype=np.int64)
    mask = np.zeros(1, dtype=np.uint64)
    work = np.empty((4, (1 << (n - n // 2)) + PAD), dtype=np.int64)
    closest_batch(
        values[None, :], n, np.array([wanted]), -1.0, np.empty(n, np.int64), work, mask, np.zeros(1)
    )
    return _bits(int(mask[0]), n)


def _bits(mask: int, n: int) -> NDArray[np.int64]:
    return np.array([k for k in range(n) if mask >> k & 1], dtype=np.int64)


def _polish(
    problem: AssignmentProblem,
    served: NDArray[np.int64],
    residual: FloatArray,
    eps: float,
    generator: np.random.Generator,
) -> float:
    """Re-solve the worst sides over their own and the free units, in place; returns the error."""
    error = _error(residual)
    d = residual.shape[1]
    for _ in range(_POLISH_ROUNDS):
        before = error
        for flat in np.argsort(-np.abs(residual), axis=None, kind="stable"):
            side, j = divmod(int(flat), d)
            if abs(residual[side, j]) * math.sqrt(2 * d) <= eps:
                break
            own = np.flatnonzero((served == j) & (problem.positive[:, j] == (side == 0)))
            free = _pool(problem, served, j, side, max(0, _OPTIMAL_POOL - len(own)), generator)
            pool = np.concatenate([own, free])[:_OPTIMAL_POOL]
            fixed = own[_OPTIMAL_POOL:]
            wanted = problem.wanted[side, j] - problem.values[fixed, j].sum()
            chosen = pool[closest_values(problem.values[pool, j], wanted)]
            rest = problem.values[chosen, j].sum() - wanted
            if abs(rest) < abs(residual[side, j]):
                served[own] = -1
                served[np.concatenate([chosen, fixed])] = j
                residual[side, j] = rest
        error = _error(residual)
        if error <= eps or error >= before:
            break
    return error
