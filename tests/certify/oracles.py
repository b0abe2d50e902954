"""Independent oracles for the supremum of a ReLU sum over the unit ball."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np

from slth.certify.objective import Objective


def objective(coefficients, hidden, linear=None, slack=0.0) -> Objective:
    coefficients = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
    hidden = np.asarray(hidden, dtype=np.float64)
    if linear is None:
        linear = np.zeros((coefficients.shape[0], hidden.shape[1]))
    return Objective(
        np.atleast_2d(np.asarray(linear, dtype=np.float64)), coefficients, hidden, slack
    )


def value_squared(problem: Objective, x) -> Fraction:
    """(max(0, min_k A_k(x)))^2 / |x|^2 in exact rationals."""
    point = [Fraction(float(t)) for t in x]
    inner = [
        sum(Fraction(float(w)) * t for w, t in zip(row, point, strict=True))
        for row in problem.hidden
    ]
    values = []
    for linear, coefficients in zip(problem.linear, problem.coefficients, strict=True):
        total = sum(Fraction(float(w)) * t for w, t in zip(linear, point, strict=True))
        for c, t in zip(coefficients, inner, strict=True):
            total += Fraction(float(c)) * max(t, Fraction(0))
        values.append(total)
    lowest = max(min(values), Fraction(0))
    return lowest * lowest / sum(t * t for t in point)


def supremum_squared(problem: Objective) -> Fraction:
    """(max(0, sup over the unit ball))^2 exactly, one piece, few units (4^up 3^down work).

    sup (P - N) = max over the subsets S of convex units of the distance from
    v_S = linear + sum_S c_i w_i to the zonotope of N: <v_S, x> <= P(x) for every S, with equality
    for the active ones. The distance is attained at a vector of box coordinates each of which is
    0, 1 or free, the free ones solving the normal equations.
    """
    rows = [[Fraction(float(w)) for w in row] for row in problem.hidden]
    scaled = [
        [Fraction(float(c)) * w for w in row]
        for c, row in zip(problem.coefficients[0], rows, strict=True)
    ]
    up = [r for c, r in zip(problem.coefficients[0], scaled, strict=True) if c > 0]
    down = [[-w for w in r] for c, r in zip(problem.coefficients[0], scaled, strict=True) if c < 0]
    linear = [Fraction(float(w)) for w in problem.linear[0]]
    best = Fraction(0)
    for subset in itertools.product((0, 1), repeat=len(up)):
        v = list(linear)
        for keep, row in zip(subset, up, strict=True):
            if keep:
                v = [a + b for a, b in zip(v, row, strict=True)]
        best = max(best, _distance_squared(v, down))
    return best


def _distance_squared(v, rows) -> Fraction:
    best = None
    for kinds in itertools.product((0, 1, 2), repeat=len(rows)):
        base = list(v)
        for kind, row in zip(kinds, rows, strict=True):
            if kind == 1:
                base = [a - b for a, b in zip(base, row, strict=True)]
        free = [row for kind, row in zip(kinds, rows, strict=True) if kind == 2]
        solution = _least_squares(free, base)
        if solution is None or not all(0 <= t <= 1 for t in solution):
            continue
        for t, row in zip(solution, free, strict=True):
            base = [a - t * b for a, b in zip(base, row, strict=True)]
        size = sum(a * a for a in base)
        best = size if best is None else min(best, size)
    assert best is not None
    return best


def _least_squares(rows, v):
    """Coordinates t minimising |v - sum t_i rows_i|^2 exactly; None if not unique."""
    n = len(rows)
    system = [
        [sum(a * b for a, b in zip(rows[i], rows[j], strict=True)) for j in range(n)]
        + [sum(a * b for a, b in zip(rows[i], v, strict=True))]
        for i in range(n)
    ]
    for column in range(n):
        pivot = next((r for r in range(column, n) if system[r][column] != 0), None)
        if pivot is None:
            return None
        system[column], system[pivot] = system[pivot], system[column]
        system[column] = [t / system[column][column] for t in system[column]]
        for r in range(n):
            if r != column and system[r][column] != 0:
                factor = system[r][column]
                system[r] = [a - factor * b for a, b in zip(system[r], system[column], strict=True)]
    return [row[n] for row in system]


def sampled_maximum(problem: Objective, count: int, seed: int) -> float:
    """The largest value at random unit points (floats)."""
    points = np.random.default_rng(seed).standard_normal((count, problem.hidden.shape[1]))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    active = np.maximum(points @ problem.hidden.T, 0.0)
    pieces = points @ problem.linear.T + active @ problem.coefficients.T
    return float(pieces.min(axis=1).max())


def gaussian(width: int, d: int, seed: int) -> Objective:
    """Random units, the last one a unit target with coefficient -1."""
    generator = np.random.default_rng([seed, width, d])
    hidden = generator.standard_normal((width, d))
    coefficients = generator.standard_normal(width)
    hidden[-1] /= np.linalg.norm(hidden[-1])
    coefficients[-1] = -1.0
    return objective(coefficients, hidden)
