"""Local maxima of a difference of ReLU sums on the unit sphere: lower bounds and violated points.

Inside one cell of the hyperplane arrangement every piece of the objective is linear, so the next
point is the direction of the gradient (of the shortest convex combination of the gradients, when
the objective is a minimum of two). From many starts at once this fixed-point iteration climbs to
good points; the best are polished by the difference-of-convex-functions algorithm: with the
gradient v of the convex part fixed, the maximum of <v, x> - N(x) over the unit ball is attained at
the direction of v - (projection of v on the zonotope of N), a box-constrained least-squares
problem. Nothing here is trusted: a caller re-evaluates the points it reports.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from slth.certify.problem.objective import Objective
from slth.certify.problem.place import AROUND_ZERO, Place
from slth.limits import Deadline
from slth.network import FloatArray

# Pre-activations held at once: 4 million doubles are 32 MiB.
_BLOCK_ENTRIES = 4_000_000
_STEPS = 40
_POLISH_ROUNDS = 30
_SMALLEST_NORM = 1e-280


@dataclass(frozen=True)
class LocalMaxima:
    """Points of the place and the objective there (floats, not rigorous), best first.

    points: float64 [n, d]; values: float64 [n].
    """

    points: FloatArray
    values: FloatArray


def local_maxima(
    objective: Objective,
    starts: int,
    generator: np.random.Generator,
    deadline: Deadline,
    *,
    polished: int = 8,
    seeds: FloatArray | None = None,
    place: Place = AROUND_ZERO,
) -> LocalMaxima:
    """Climb from `starts` random points (and from `seeds`), polish the best `polished` of them.

    Args:
        objective: what to maximise.
        starts: number of random starts; fewer are used where width * starts is large.
        generator: randomness of the starts.
        deadline: climbing and polishing stop early there.
        polished: how many distinct points are refined to a stationary point.
        seeds: float64 [s, d], further starts (need not be normalised; zero rows are dropped).
        place: where; points are polished on the sphere only.
    """
    width, d = objective.hidden.shape
    affordable = max(8, 3_000_000 // max(1, width))
    points = generator.standard_normal((min(starts, affordable), d))
    extra = [points]
    if width and width <= affordable:
        extra += [objective.hidden, -objective.hidden]
    if seeds is not None:
        extra.append(seeds)
    points = place.onto(np.vstack(extra))
    points, values = _climb(objective, points, deadline, place)
    order = np.argsort(-values, kind="stable")
    points, values = points[order], values[order]
    chosen = _distinct(points, values, polished) if place == AROUND_ZERO else []
    for row in chosen:
        if deadline.expired:
            break
        points[row], values[row] = polish(objective, points[row], deadline)
    order = np.argsort(-values, kind="stable")
    return LocalMaxima(points[order], values[order])


def evaluate(objective: Objective, points: FloatArray) -> FloatArray:
    """min_k A_k at points [n, d] (floats, not rigorous) -> [n]."""
    values = np.empty(len(points))
    for rows in _blocks(objective, len(points)):
        active = np.maximum(points[rows] @ objective.hidden.T, 0.0)
        pieces = points[rows] @ objective.linear.T + active @ objective.coefficients.T
        values[rows] = pieces.min(axis=1)
    return values


def polish(objective: Objective, point: FloatArray, deadline: Deadline) -> tuple[FloatArray, float]:
    """Refine one point of the sphere to a stationary point; never returns a worse one."""
    value = float(evaluate(objective, point[None])[0])
    for _ in range(_POLISH_ROUNDS):
        if deadline.expired:
            break
        direction, _, _ = nearest_in_zonotope(
            objective.hidden,
            objective.coefficients,
            objective.linear,
            objective.hidden @ point > 0.0,
        )
        norm = float(np.linalg.norm(direction))
        if not norm > _SMALLEST_NORM:
            break
        candidates = direction[None] / norm
        if objective.linear.shape[0] == 2:
            between = candidates + 3.0 * point
            candidates = np.vstack([candidates, AROUND_ZERO.onto(between)])
        found = evaluate(objective, candidates)
        best = int(np.argmax(found))
        if not found[best] > value + 1e-15 * abs(value):
            break
        point, value = candidates[best], float(found[best])
    return point, value


def _blocks(objective: Objective, count: int) -> list[slice]:
    step = max(1, _BLOCK_ENTRIES // max(1, objective.hidden.shape[0]))
    return [slice(start, start + step) for start in range(0, count, step)]


def _climb(
    objective: Objective, points: FloatArray, deadline: Deadline, place: Place
) -> tuple[FloatArray, FloatArray]:
    """x <- x + s (x' - x), moved back into the place, x' the best point for the current cell's
    linear piece; s is halved on failure and doubled on success."""
    points = points.copy()
    values = np.empty(len(points))
    for rows in _blocks(objective, len(points)):
        points[rows], values[rows] = _climb_block(objective, points[rows], deadline, place)
    return points, values


def _climb_block(
    objective: Objective, points: FloatArray, deadline: Deadline, place: Place
) -> tuple[FloatArray, FloatArray]:
    values, gradient = _directions(objective, points)
    target = place.toward(gradient, points)
    step = np.ones(len(points))
    for _ in range(_STEPS):
        moved = points + step[:, None] * (target - points)
        if not place.flat:
            norms = np.linalg.norm(moved, axis=1)
            moved /= np.maximum(norms, _SMALLEST_NORM)[:, None]
        moved_values, gradient = _directions(objective, moved)
        moved_target = place.toward(gradient, moved)
        better = moved_values > values + 1e-14 * np.abs(values)
        points[better], values[better] = moved[better], moved_values[better]
        target[better] = moved_target[better]
        step = np.where(better, np.minimum(1.0, 2.0 * step), 0.4 * step)
        if deadline.expired or not (step > 1e-3).any():
            break
    return points, values


def _directions(objective: Objective, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values and gradients of the current cells' linear pieces."""
    inner = points @ objective.hidden.T
    active = (inner > 0.0).astype(np.float64)
    gradients = [
        linear + active @ (coefficients[:, None] * objective.hidden)
        for linear, coefficients in zip(objective.linear, objective.coefficients, strict=True)
    ]
    pieces = np.stack([np.einsum("nd,nd->n", points, g) for g in gradients])
    gradient = gradients[0]
    if len(gradients) == 2:
        difference = gradients[0] - gradients[1]
        length = np.einsum("nd,nd->n", difference, difference)
        share = -np.einsum("nd,nd->n", gradients[1], difference)
        share = np.clip(share / np.maximum(length, _SMALLEST_NORM), 0.0, 1.0)
        gradient = gradients[1] + share[:, None] * difference
    return pieces.min(axis=0), gradient


def _distinct(points: FloatArray, values: FloatArray, count: int) -> list[int]:
    """Rows of the best points that are not within a small angle of a better one."""
    chosen: list[int] = []
    for row in range(min(len(points), 20 * count)):
        if len(chosen) == count:
            break
        if all(points[row] @ points[other] < 1.0 - 1e-6 for other in chosen):
            chosen.append(row)
    return chosen


@njit(cache=True, nogil=True)
def shortest_share(first, second, share):
    """The weight of the first vector in the shortest convex combination of both; `share` where
    they are equal."""
    top = 0.0
    bottom = 0.0
    for l in range(first.shape[0]):
        difference = first[l] - second[l]
        top -= second[l] * difference
        bottom += difference * difference
    return min(1.0, max(0.0, top / bottom)) if bottom > 0.0 else share


@njit(cache=True, nogil=True)
def nearest_in_zonotope(hidden, coefficients, linear, active):
    """v - (its projection on the zonotope of the concave part), v the convex part's gradient.

    active: bool [M], which units count in v, and where the search for tau starts. Returns
    (residual [d], tau [M] of the concave units, weight of the first piece). For two pieces the
    weight of the first is minimised over, too; coordinate descent over weight and units in turn.
    """
    pieces, width = coefficients.shape
    d = hidden.shape[1]
    gradient = np.zeros((pieces, d))
    tau = np.empty(width)
    norm2 = np.empty(width)
    for k in range(pieces):
        for l in range(d):
            gradient[k, l] = linear[k, l]
    concave = np.zeros(width, np.bool_)
    used = 0
    for i in range(width):
        s = 0.0
        for l in range(d):
            s += hidden[i, l] * hidden[i, l]
        norm2[i] = s
        tau[i] = 1.0 if active[i] else 0.0
        for k in range(pieces):
            if coefficients[k, i] < 0.0:
                concave[i] = True
            if active[i]:
                for l in range(d):
                    gradient[k, l] += coefficients[k, i] * hidden[i, l]
        if concave[i]:
            used += 1
    share = 1.0
    residual = gradient[0].copy()
    sweeps = max(20, min(3000, 6_000_000 // (d * max(1, used))))
    previous = np.inf
    for _ in range(sweeps):
        if pieces == 2:
            share = shortest_share(gradient[0], gradient[1], share)
            for l in range(d):
                residual[l] = share * gradient[0, l] + (1.0 - share) * gradient[1, l]
        for i in range(width):
            if not concave[i]:
                continue
            c = coefficients[0, i]
            if pieces == 2:
                c = share * c + (1.0 - share) * coefficients[1, i]
            if c > 0.0:
                continue
            g = 0.0
            for l in range(d):
                g += hidden[i, l] * residual[l]
            if c < 0.0:
                moved = min(1.0, max(0.0, tau[i] - g / (c * norm2[i])))
            else:
                moved = 1.0 if g > 0.0 else 0.0
            delta = moved - tau[i]
            if delta != 0.0:
                tau[i] = moved
                for l in range(d):
                    residual[l] += delta * c * hidden[i, l]
                if pieces == 2:
                    for k in range(pieces):
                        for l in range(d):
                            gradient[k, l] += delta * coefficients[k, i] * hidden[i, l]
        size = 0.0
        for l in range(d):
            size += residual[l] * residual[l]
        if previous - size <= 1e-15 * size:
            break
        previous = size
    _fit_free_units(hidden, concave, tau, residual)
    return residual, tau, share


@njit(cache=True, nogil=True)
def _fit_free_units(hidden, concave, tau, residual):
    """At the optimum the residual is orthogonal to every unit with 0 < tau < 1: make it so
    (modified Gram-Schmidt; at most d - 1 units count)."""
    d = residual.shape[0]
    basis = np.empty((d, d))
    row = np.empty(d)
    rank = 0
    for i in range(hidden.shape[0]):
        if rank == d - 1:
            break
        if not (concave[i] and 0.0 < tau[i] < 1.0):
            continue
        start = 0.0
        for l in range(d):
            row[l] = hidden[i, l]
            start += row[l] * row[l]
        _remove(basis, rank, row)
        left = 0.0
        for l in range(d):
            left += row[l] * row[l]
        if left > 1e-18 * start:
            for l in range(d):
                basis[rank, l] = row[l] / np.sqrt(left)
            rank += 1
    _remove(basis, rank, residual)


@njit(cache=True, nogil=True)
def _remove(basis, rank, vector):
    """Make the vector orthogonal to the first rows of an orthonormal basis, in place, twice."""
    for _ in range(2):
        for r in range(rank):
            s = 0.0
            for l in range(vector.shape[0]):
                s += vector[l] * basis[r, l]
            for l in range(vector.shape[0]):
                vector[l] -= s * basis[r, l]
