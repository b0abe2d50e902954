"""Lower bound for every subset from the linear relaxation: keep in [0, 1]^N, points added lazily.

min t subject to s (sum_i z_i phi_i(x) - f(x)) <= t at finitely many (x, s); then the points of the
sphere that the optimum violates most are added, and so on. Every round's dual multipliers are
re-evaluated outward (`dual.py`), so an early stop still returns a proven bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.neurons.dual import Certificate, certified_bound
from slth.pruning.neurons.pool import PointPool
from slth.pruning.neurons.problem import Problem, random_sphere
from slth.pruning.neurons.simplex import (
    STUCK,
    Dictionary,
    add_row,
    dual_simplex,
    empty_dictionary,
    rows_of,
    start,
    weights_of,
)
from slth.pruning.neurons.sphere import peaks

# The dense dictionary is quadratic in the width; beyond this the witness bound is stronger anyway.
WIDEST = 400
# Rounds of new rows, at most; rounds end by themselves when no row is violated.
_ROUNDS = 300
# Entries of the dictionary rewritten in one slice, some tenths of a second; a simplex that has not
# settled after so many slices is given up.
_PIVOT_WORK = 200_000_000
_STUCK_SLICES = 200


@dataclass(frozen=True, eq=False)
class Relaxed:
    """What the relaxation proved and found.

    bound: proven lower bound on every mask's error (min(cutoff, .) for the relu readout).
    certificate: its multipliers (None if nothing was proven).
    weights: float64 [N], the last optimum in [0, 1]^N.
    points: float64 [P, d], all points that ever made a row.
    tight: float64 [Q, d], those whose rows bind or nearly bind at the end.
    """

    bound: float
    certificate: Certificate | None
    weights: FloatArray
    points: FloatArray
    tight: FloatArray


def relax(
    problem: Problem,
    rng: np.random.Generator,
    deadline: Deadline,
    *,
    cutoff: float = math.inf,
    points: FloatArray | None = None,
    dropped: BoolArray | None = None,
    rtol: float = 2e-3,
) -> Relaxed:
    """Solve the relaxation to `rtol`, or until the deadline or a bound >= cutoff.

    Args:
        problem: of width 1 .. WIDEST.
        cutoff: masks of error >= cutoff need not be spoken of; for the relu readout it decides
            where the lower rows hold, so it must be given for a bound above 0 there.
        points: float64 [P, d] in the ball to start from.
        dropped: bool [N], units held at 0.
    """
    width = problem.width
    known = random_sphere(rng, 40, problem.d)
    if points is not None:
        known = np.concatenate([points, known])
    pool = PointPool(problem, known.shape[0] + 3000, cutoff)
    numbers = np.concatenate([pool.always, pool.add(known)])
    dictionary = empty_dictionary(width, 5 * width + 400)
    if dropped is not None:
        dictionary.high[dropped] = 0.0
    best, proof = 0.0, None
    weights = np.zeros(width)
    start(dictionary, pool.arrays, numbers[: 2 * width + 40])
    for _ in range(_ROUNDS):
        if not _solved(dictionary, pool, cutoff, deadline):
            break
        weights_of(dictionary, weights)
        certificate = pool.certificate(dictionary)
        bound = certified_bound(problem, certificate, cutoff=cutoff, dropped=dropped)
        if bound > best:
            best, proof = bound, certificate
        if best >= cutoff or deadline.expired or pool.room == 0:
            break
        value = float(dictionary.value[0]) * (1.0 + rtol) + 1e-12
        rows = pool.violated(numbers, weights, value)[:60]
        if rows.size == 0:
            new, _ = peaks(problem, np.clip(weights, 0.0, 1.0), rng, deadline, starts=60, count=30)
            fresh = pool.add(new)
            numbers = np.concatenate([numbers, fresh])
            rows = pool.violated(fresh, weights, value)
        if rows.size == 0:
            break
        for row in rows:
            add_row(dictionary, pool.arrays, row)
    tight = pool.tight(dictionary, 0.2 * max(best, 1e-12))
    return Relaxed(
        best, proof, np.clip(weights, 0.0, 1.0), pool.points, pool.points[np.unique(tight >> 1)]
    )


def _solved(dictionary: Dictionary, pool: PointPool, cutoff: float, deadline: Deadline) -> bool:
    """Solve in slices; False when the time is up or the arithmetic does not settle."""
    limit = max(20, min(2000, _PIVOT_WORK // dictionary.table.size))
    for _ in range(_STUCK_SLICES):
        status, pivots = dual_simplex(dictionary, pool.arrays, cutoff + pool.tilted, limit)
        if status != STUCK:
            return True
        if deadline.expired:
            return False
        if pivots < limit:
            start(dictionary, pool.arrays, rows_of(dictionary))
    return False
