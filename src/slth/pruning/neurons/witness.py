"""Lower bound for every subset from the target's own kink (paper.md note 4; Lemma 2).

At a point x0 of the hyperplane of a target unit b max(<v, .>, 0), b > 0, the target bends upward.
Masks can follow only with units that bend upward too, a_i > 0, and whose hyperplanes pass near x0:
on the cone up to the nearest such hyperplane on either side a three-point certificate holds
whatever the subset. For d = 2 there are two points x0 to try; for d >= 3 the one farthest from all
blocking hyperplanes is searched for over the target's hyperplane.

Linear readout only: relu(linear) has the target's kink without any unit near it.
"""

from __future__ import annotations

import numpy as np
import scipy

from slth.limits import Deadline
from slth.network import FloatArray
from slth.pruning.neurons.dual import Certificate, certified_bound
from slth.pruning.neurons.kink import free_span, kink_certificate
from slth.pruning.neurons.problem import Problem

# Entries of a matrix of spots by units: 4 million doubles are 32 MiB.
_SCAN_ENTRIES = 4_000_000
# Scans of so many entries where one holds few spots, in networks of more than 20,000 units.
_SCANS = 20
# Units of the target tried, each with scans and linear programs: those of least jump bound little.
_TARGET_UNITS = 20
# Nearest hyperplanes on either side at which a cone may end; all pairs are tried.
_RANKS = 4
# Linear programs for a spot, at most: they end by themselves when one gains less than 1e-6.
_PUSHES = 12


def witness_bound(
    problem: Problem, rng: np.random.Generator, deadline: Deadline
) -> tuple[float, Certificate | None]:
    """A proven lower bound on the error of every subset, and the certificate that proves it.

    (0.0, None) for the relu readout, d = 1, and where nothing is proven. Memory is bounded for
    every width; the target's 20 units of largest jump are tried.
    """
    best, proof = 0.0, None
    if not problem.linear or problem.d < 2 or problem.target.width == 0:
        return best, proof
    jumps = problem.target.output * np.linalg.norm(problem.target.hidden, axis=1)
    for unit in np.argsort(-np.abs(jumps))[:_TARGET_UNITS]:
        if jumps[unit] == 0.0 or deadline.expired:
            break
        sign = float(np.sign(jumps[unit]))
        normal = problem.target.hidden[unit] / np.linalg.norm(problem.target.hidden[unit])
        blocking = problem.net.output * sign > 0.0
        hidden = problem.net.hidden[blocking]
        for x0 in _open_spots(hidden, normal, rng, deadline):
            for certificate in _certificates(hidden, x0, normal, -sign):
                bound = certified_bound(problem, certificate)
                if bound > best:
                    best, proof = bound, certificate
    return best, proof


def _certificates(
    hidden: FloatArray, x0: FloatArray, normal: FloatArray, sign: float
) -> list[Certificate]:
    """Cones up to the nearest blocking hyperplanes, and a little beyond."""
    ranks = _RANKS if hidden.shape[0] <= 20_000 else 1
    left, right = free_span(hidden @ x0, hidden @ normal, ranks)
    return [kink_certificate(x0, normal, float(a), float(b), sign) for a in left for b in right]


def _open_spots(
    hidden: FloatArray, normal: FloatArray, rng: np.random.Generator, deadline: Deadline
) -> list[FloatArray]:
    """Unit vectors on the hyperplane of `normal` far from the hyperplanes of `hidden`.

    Far means a large min_i |<w_i, x0>| / |<w_i, normal>|, the tangent of the angle towards the
    normal at which unit i bends.
    """
    d = normal.shape[0]
    basis = np.linalg.svd(normal[None])[2][1:]
    if d == 2:
        return [basis[0], -basis[0]]
    within = hidden @ basis.T
    steep = np.abs(hidden @ normal)
    count = max(1, min(2000, _SCAN_ENTRIES // max(1, hidden.shape[0])))
    spots, spans = [], []
    for _ in range(_SCANS):
        trial = rng.standard_normal((count, d - 1))
        trial /= np.linalg.norm(trial, axis=1, keepdims=True)
        span = _spans(within, steep, trial)
        top = np.argsort(-span)[:3]
        spots.append(trial[top])
        spans.append(span[top])
        if deadline.expired or (hidden.shape[0] <= 20_000 and len(spots) >= 4):
            break
    order = np.argsort(-np.concatenate(spans))[:6]
    chosen = np.concatenate(spots)[order]
    return [_pushed(within, steep, y, deadline) @ basis for y in chosen]


def _spans(within: FloatArray, steep: FloatArray, trial: FloatArray) -> FloatArray:
    if within.shape[0] == 0:
        return np.ones(trial.shape[0])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratios = np.abs(trial @ within.T) / steep
    return np.nanmin(ratios, axis=1, initial=1e9)


def _pushed(within: FloatArray, steep: FloatArray, y: FloatArray, deadline: Deadline) -> FloatArray:
    """Move y inside its cell away from the walls: maximise r with |<w_i, y>| >= r steep_i.

    The norm is held by the tangent <y_old, y> = 1, so every round is a linear program; only the
    nearest walls are put in.
    """
    k = y.shape[0]
    best, best_span = y, float(_spans(within, steep, y[None])[0])
    for _ in range(_PUSHES):
        if deadline.expired or within.shape[0] == 0:
            break
        inner = within @ best
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            near = np.argsort(np.abs(inner) / steep)[: 40 * k]
        walls = -np.sign(inner[near])[:, None] * within[near]
        result = scipy.optimize.linprog(
            np.r_[np.zeros(k), -1.0],
            A_ub=np.c_[walls, steep[near]],
            b_ub=np.zeros(near.shape[0]),
            A_eq=np.r_[best, 0.0][None],
            b_eq=[1.0],
            bounds=[(-4.0, 4.0)] * k + [(0.0, None)],
            method="highs",
        )
        if result.x is None:
            break
        moved = result.x[:k] / np.linalg.norm(result.x[:k])
        span = float(_spans(within, steep, moved[None])[0])
        if span <= best_span * (1.0 + 1e-6):
            break
        best, best_span = moved, span
    return best
