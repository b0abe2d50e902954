"""Independent oracles for the supremum of a ReLU sum over the unit ball."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from slth.certify.problem.objective import Objective
from slth.certify.protocol import Ask
from slth.limits import Deadline
from slth.network import ReLUNetwork

Vector = list[int]


def objective(coefficients, hidden, linear=None, slack=0.0) -> Objective:
    coefficients = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
    hidden = np.asarray(hidden, dtype=np.float64)
    if linear is None:
        linear = np.zeros((coefficients.shape[0], hidden.shape[1]))
    return Objective(
        np.atleast_2d(np.asarray(linear, dtype=np.float64)), coefficients, hidden, slack
    )


def ask(**options) -> Ask:
    """What is asked of an engine, by default all that 1e-6 tells."""
    wanted = {
        "incumbent": 0.0,
        "rtol": 1e-6,
        "floor": 0.0,
        "stop_above": math.inf,
        "deadline": Deadline(),
        "generator": np.random.default_rng(0),
    }
    return Ask(**(wanted | options))


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


def difference_squared(net: ReLUNetwork, target: ReLUNetwork) -> Fraction:
    """(sup over the unit ball of |net - target|)^2 exactly; any readouts, no biases, d <= 3 or so.

    With the sums G and F in front of the readouts, the difference is linear on each face of the
    arrangement of all units cut by G = 0 and F = 0 where there is a ReLU: G - F, G, -F or 0.
    """
    relu = net.readout == "relu", target.readout == "relu"

    def difference(inner: Vector) -> int:
        g, f = (max(t, 0) if r else t for r, t in zip(relu, inner, strict=True))
        return abs(g - f)

    hidden = [*net.hidden.tolist(), *target.hidden.tolist()]
    outputs = (
        [*net.output.tolist(), *(0.0 for _ in target.output)],
        [*(0.0 for _ in net.output), *target.output.tolist()],
    )
    cuts = [cut for cut, r in zip([(1, 0), (0, 1)], relu, strict=True) if r]
    linear = np.zeros((2, net.d)).tolist()
    return _largest_squared(hidden, linear, outputs, [(1, -1), (1, 0), (0, 1)], cuts, difference)


def minimum_squared(problem: Objective) -> Fraction:
    """(max(0, sup over the unit ball of A_1 or min(A_1, A_2)))^2 exactly, for d <= 3 or so.

    The minimum is one of the two on each face of the arrangement of the units cut by A_1 = A_2.
    """
    pieces = len(problem.linear)
    assert pieces <= 2
    return _largest_squared(
        problem.hidden.tolist(),
        problem.linear.tolist(),
        problem.coefficients.tolist(),
        [(1,)] if pieces == 1 else [(1, 0), (0, 1)],
        [] if pieces == 1 else [(1, -1)],
        min,
    )


def _largest_squared(
    hidden: Sequence[Sequence[float]],
    linear: Sequence[Sequence[float]],
    coefficients: Sequence[Sequence[float]],
    gradients: Sequence[Sequence[int]],
    cuts: Sequence[Sequence[int]],
    value: Callable[[Vector], int],
) -> Fraction:
    """(max(0, sup over the unit ball of value(A_1, .., A_K)))^2 exactly.

    `value` must be one of the combinations +-`gradients` of the A_k on each face of the arrangement
    of the units once that is cut by the zeros of the combinations `cuts`. A positive maximum over
    the sphere is a local one of that combination on the span of the smallest such face around it,
    so it is at the projection of its gradient, where it is as large as that is long. The function
    is evaluated there itself: too many candidates do no harm.
    """
    rows, weights, parts, scale = _integers(hidden, coefficients, linear)
    best = Fraction(0)
    for basis, active in _faces(rows, len(parts[0])):
        sums = [
            _combine([1, *(c[i] for i in active)], [part, *(rows[i] for i in active)])
            for part, c in zip(parts, weights, strict=True)
        ]
        for chosen in itertools.chain.from_iterable(
            itertools.combinations(cuts, count) for count in range(len(cuts) + 1)
        ):
            span = list(basis)
            for cut in chosen:
                normal = _residual(_combine(cut, sums), span)
                if any(normal):
                    span.append(normal)
            for factors in gradients:
                gradient = _combine(factors, sums)
                point = _residual(gradient, span)
                size = _dot(point, point)
                # Not above the best: the square of the projection's length.
                if _dot(gradient, point) ** 2 * best.denominator <= best.numerator * size:
                    continue
                for x in (point, [-t for t in point]):
                    inner = [max(_dot(row, x), 0) for row in rows]
                    reached = value(
                        [_dot(p, x) + _dot(c, inner) for p, c in zip(parts, weights, strict=True)]
                    )
                    best = max(best, Fraction(max(reached, 0) ** 2, size))
    return best / scale**2


def _integers(
    hidden: Sequence[Sequence[float]],
    coefficients: Sequence[Sequence[float]],
    linear: Sequence[Sequence[float]],
) -> tuple[list[Vector], list[Vector], list[Vector], int]:
    """The same functions times a scale, in integers: scaled rows, coefficients, linear parts."""
    rows: list[Vector] = []
    shrunk: list[list[Fraction]] = [[] for _ in coefficients]
    for i, row in enumerate(hidden):
        exact = [Fraction(w) for w in row]
        # All denominators are powers of two, the largest is common to all.
        grown = max(w.denominator for w in exact)
        rows.append([int(w * grown) for w in exact])
        for k, c in enumerate(coefficients):
            shrunk[k].append(Fraction(c[i]) / grown)
    parts = [[Fraction(w) for w in row] for row in linear]
    scale = max(w.denominator for row in (*shrunk, *parts) for w in row)
    weights, parts = ([[int(w * scale) for w in row] for row in part] for part in (shrunk, parts))
    return rows, weights, parts, scale


def _faces(rows: list[Vector], d: int) -> Iterator[tuple[list[Vector], tuple[int, ...]]]:
    """Every face but 0 of the planes <row, x> = 0, some cut in parts, and some more than once.

    Each as an orthogonal basis of the complement of its span, and the rows positive on it.
    """
    planes, span = list(rows), _spanning(rows)
    # Of full rank, so that faces have extreme rays.
    for unit in _units(d):
        normal = _residual(unit, span)
        if any(normal):
            planes.append(unit)
            span.append(normal)
    for count in range(d):
        for subset in itertools.combinations(planes, count):
            basis = _extended([], subset)
            if basis is not None:
                for active in set(_cells(planes, list(range(len(planes))), basis, d)):
                    yield basis, tuple(sorted(i for i in active if i < len(rows)))


def _cells(
    planes: list[Vector], local: list[int], basis: list[Vector], d: int
) -> Iterator[frozenset[int]]:
    """The `local` planes positive on each cell into which they cut the complement of the basis.

    A cell has an extreme ray, along which d - 1 - |basis| planes vanish that are independent of
    the basis and of each other. Planes off the ray have their sign there; those through it cut its
    complement into cells again, one of which is the cell as seen from the ray.
    """
    if len(basis) == d:
        yield frozenset()
        return
    local = [i for i in local if any(_residual(planes[i], basis))]
    for subset in itertools.combinations(local, d - 1 - len(basis)):
        normals = _extended(basis, [planes[i] for i in subset])
        if normals is None:
            continue
        ray = next(r for r in (_residual(unit, normals) for unit in _units(d)) if any(r))
        signed = [(i, _dot(planes[i], ray)) for i in local]
        through = [i for i, t in signed if t == 0]
        onward = list(_cells(planes, through, [*basis, ray], d))
        for sign in (1, -1):
            positive = frozenset(i for i, t in signed if sign * t > 0)
            yield from (positive | rest for rest in onward)


def _spanning(vectors: Sequence[Vector]) -> list[Vector]:
    """An orthogonal basis of what the vectors span."""
    basis: list[Vector] = []
    for vector in vectors:
        normal = _residual(vector, basis)
        if any(normal):
            basis.append(normal)
    return basis


def _extended(basis: list[Vector], vectors: Sequence[Vector]) -> list[Vector] | None:
    """The orthogonal basis extended by the vectors; None if they depend on it or on each other."""
    extended = list(basis)
    for vector in vectors:
        normal = _residual(vector, extended)
        if not any(normal):
            return None
        extended.append(normal)
    return extended


def _residual(vector: Vector, basis: list[Vector]) -> Vector:
    """A positive multiple of what projecting onto an orthogonal basis leaves of a vector."""
    for normal in basis:
        size, share = _dot(normal, normal), _dot(vector, normal)
        vector = [size * a - share * b for a, b in zip(vector, normal, strict=True)]
    divisor = math.gcd(*vector) or 1
    return [t // divisor for t in vector]


def _units(d: int) -> list[Vector]:
    return [[int(i == k) for i in range(d)] for k in range(d)]


def _combine(factors: Sequence[int], vectors: Sequence[Vector]) -> Vector:
    return [_dot(factors, column) for column in zip(*vectors, strict=True)]


def _dot(u: Sequence[int], v: Sequence[int]) -> int:
    return sum(map(operator.mul, u, v))


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
