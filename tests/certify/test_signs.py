"""Branch-and-bound over signs: its bounds hold in every dimension, and it closes."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.certify import prune
from slth.certify.problem.problem import Maximization
from slth.certify.signs import lifted
from slth.certify.signs.engine import over_signs
from slth.certify.signs.proven import excluded_signs
from slth.limits import Deadline

from .oracles import ask, gaussian, objective, sampled_maximum, supremum_squared, value_squared


def run(problem, **options):
    """On the objective as it is: the weights below keep the Lipschitz bound under 2."""
    return over_signs(Maximization(problem), ask(floor=1e-9, **options))


def small(coefficients, hidden, linear=None):
    """Scaled so that the Lipschitz bound is below 2."""
    coefficients = np.atleast_2d(coefficients)
    mass = (np.abs(coefficients) @ np.linalg.norm(hidden, axis=1)).max()
    if linear is not None:
        mass += np.linalg.norm(linear)
        linear = np.asarray(linear) / mass
    return objective(coefficients / mass, hidden, linear)


@pytest.mark.parametrize(("d", "seed"), list(itertools.product((2, 3, 5, 9), range(8))))
def test_against_the_exact_supremum(d, seed):
    generator = np.random.default_rng([11, d, seed])
    width = int(generator.integers(2, 8))
    problem = small(
        generator.standard_normal(width),
        generator.standard_normal((width, d)),
        generator.standard_normal(d) if seed % 3 == 0 else None,
    )
    exact = supremum_squared(problem)
    bound = run(problem)
    assert Fraction(bound.upper) ** 2 >= exact
    assert bound.closed
    assert bound.upper <= math.sqrt(exact) * (1 + 1.1e-6) + 1e-8
    if bound.x is not None:
        assert value_squared(problem, bound.x) <= exact


def test_cancelling_and_nearly_parallel_units():
    generator = np.random.default_rng(3)
    for d in (4, 8):
        base = generator.standard_normal((3, d))
        hidden = np.vstack([base, base + 1e-7 * generator.standard_normal((3, d))])
        problem = small([1.0, -0.3, 0.7, -1.0, 0.3, -0.7], hidden)
        bound = run(problem)
        assert Fraction(bound.upper) ** 2 >= supremum_squared(problem)


@pytest.mark.parametrize("d", [3, 8])
def test_two_pieces(d):
    for seed in range(3):
        generator = np.random.default_rng([13, d, seed])
        hidden = generator.standard_normal((12, d))
        first = generator.standard_normal(12)
        second = np.where(np.arange(12) < 8, first, 0.3 * generator.standard_normal(12))
        problem = small(np.vstack([first, second]), hidden)
        bound = run(problem, rtol=1e-4)
        assert bound.closed
        assert bound.upper >= sampled_maximum(problem, 100_000, seed)
        assert bound.upper <= math.sqrt(value_squared(problem, bound.x)) * (1 + 1.1e-4)


def test_every_dual_value_is_above_every_sampled_value_of_its_region():
    generator = np.random.default_rng(0)
    for d, width in ((3, 10), (6, 20)):
        problem = small(generator.standard_normal(width), generator.standard_normal((width, d)))
        weights, hidden = problem.coefficients[0], problem.hidden
        up = np.flatnonzero(weights > 0)
        down = np.flatnonzero(weights < 0)
        fixed, free = up[:2], up[2:]
        points = generator.standard_normal((200_000, d))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        values = np.maximum(points @ hidden.T, 0.0) @ weights
        for signs in itertools.product((1, -1), repeat=2):
            oriented = hidden[fixed] * np.array(signs)[:, None]
            inside = (points @ oriented.T >= 0).all(axis=1)
            on = fixed[np.array(signs) > 0]
            q0 = weights[on] @ hidden[on] + 0.5 * (weights[free] @ hidden[free])
            rows = [hidden[free], oriented, hidden[down], q0[None]]
            rows = [np.column_stack([np.zeros(len(part)), part]) for part in rows]
            for target in (0.0, 0.5 * values.max(), 2.0 * values.max(), np.inf):
                region = lifted.SignDual(
                    weights[free], rows[0], rows[1], -weights[down], rows[2], rows[3][0], True
                )
                dual = lifted.solve(region, target, Deadline())
                assert dual.bound >= values[inside].max()
                # The dual matrix bounds every single point: value - (1, x)' S (1, x).
                full = np.tril(dual.matrix) + np.tril(dual.matrix, -1).T
                lifted_points = np.hstack([np.ones((len(points), 1)), points])[inside]
                slack = np.einsum("na,ab,nb->n", lifted_points, full, lifted_points)
                assert (dual.value + dual.charge - slack >= values[inside] - 1e-12).all()


def region_of(problem, signs):
    """The region of one piece on which units have the given signs (0: unknown)."""
    weights, hidden = problem.coefficients[0], problem.hidden
    free = np.flatnonzero((weights > 0) & (signs == 0))
    down = np.flatnonzero(weights < 0)
    fixed = np.flatnonzero(signs)
    on = fixed[(signs[fixed] > 0) & (weights[fixed] > 0)]
    hidden = np.column_stack([np.zeros(len(hidden)), hidden])
    q0 = np.append(0.0, problem.linear[0])
    q0 = q0 + weights[on] @ hidden[on] + 0.5 * (weights[free] @ hidden[free])
    oriented = hidden[fixed] * signs[fixed, None]
    return lifted.SignDual(
        weights[free], hidden[free], oriented, -weights[down], hidden[down], q0, True
    )


@pytest.mark.parametrize("d", [3, 6])
def test_dual_values_of_units_with_biases_are_above_sampled_values_on_the_ball(d):
    generator = np.random.default_rng([17, d])
    width = 16
    hidden = generator.standard_normal((width, d + 1))
    weights = generator.standard_normal(width)
    weights /= 3 * (np.abs(weights) @ np.linalg.norm(hidden, axis=1))
    up, down = np.flatnonzero(weights > 0), np.flatnonzero(weights < 0)
    y = generator.standard_normal((200_000, d))
    y *= (generator.random((len(y), 1)) ** (1 / d)) / np.linalg.norm(y, axis=1, keepdims=True)
    z = np.hstack([np.ones((len(y), 1)), y])
    values = np.maximum(z @ hidden.T, 0.0) @ weights
    fixed, free = up[:3], up[3:]
    for signs in itertools.product((1, -1), repeat=3):
        oriented = hidden[fixed] * np.array(signs)[:, None]
        inside = (z @ oriented.T >= 0).all(axis=1)
        on = fixed[np.array(signs) > 0]
        q0 = weights[on] @ hidden[on] + 0.5 * (weights[free] @ hidden[free])
        region = lifted.SignDual(
            weights[free], hidden[free], oriented, -weights[down], hidden[down], q0, False
        )
        for target in (-1.0, 0.5 * values.max(), 2.0 * values.max()):
            dual = lifted.solve(region, target, Deadline())
            assert dual.bound >= values[inside].max(initial=-1.0)
            full = np.tril(dual.matrix) + np.tril(dual.matrix, -1).T
            slack = np.einsum("na,ab,nb->n", z[inside], full, z[inside])
            assert (dual.value + dual.charge - slack >= values[inside] - 1e-12).all()


@pytest.mark.parametrize(
    ("seed", "primal", "plain"),
    [(0, 0.0365992707, 0.0437713991), (1, 0.0408239675, 0.0455598362)],
)
def test_dual_values_reach_the_primal_ones_of_a_conic_solver(seed, primal, plain):
    """Frozen optima of the primal, stated in moments for another solver (Clarabel); `plain` where
    policies do not lean on fixed signs, multipliers are constant and the ball is not the sphere."""
    weights, hidden = prune(100, 8)
    problem = small(weights, hidden)
    point = np.random.default_rng(seed).standard_normal(8)
    signs = np.zeros(100, np.int8)
    first = np.flatnonzero(weights > 0)[:10]
    signs[first] = np.sign(hidden[first] @ point)
    assert primal < 0.9 * plain
    region = region_of(problem, signs)
    for within in (1e-2, 1e-5):
        above, below = primal * (1 + within), primal * (1 - within)
        assert lifted.solve(region, above, Deadline()).bound <= above
        assert (
            below < lifted.solve(region, below, Deadline()).bound <= primal + 2 * (primal - below)
        )


def test_excluded_half_spaces_hold_no_good_point():
    problem = small(gaussian(30, 5, 1).coefficients[0], gaussian(30, 5, 1).hidden)
    weights, hidden = problem.coefficients[0], problem.hidden
    up = np.flatnonzero(weights > 0)
    best = run(problem).lower
    threshold = best * (1 - 1e-3)
    region = region_of(problem, np.zeros(30, np.int8))
    dual = lifted.solve(region, threshold, Deadline())
    signs = np.empty(len(up), np.int64)
    excess = dual.value + dual.charge - threshold
    found = excluded_signs(dual.matrix, region.free, excess, signs)
    assert found == np.count_nonzero(signs)
    assert found > 0
    points = run(problem).x + 0.03 * np.random.default_rng(2).standard_normal((200_000, 5))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    values = np.maximum(points @ hidden.T, 0.0) @ weights
    good = points[values > threshold]
    assert len(good) > 0
    for unit, sign in zip(up, signs, strict=True):
        assert sign == 0 or (sign * (good @ hidden[unit]) > 0).all()


@pytest.mark.parametrize(("width", "d"), [(40, 10), (60, 8), (30, 24)])
def test_closes_on_gaussian_units_above_a_hundred_thousand_samples(width, d):
    problem = small(gaussian(width, d, 0).coefficients, gaussian(width, d, 0).hidden)
    bound = run(problem)
    assert bound.closed
    assert bound.upper >= sampled_maximum(problem, 100_000, 1)
    assert bound.upper <= bound.lower * (1 + 2e-6)


def test_a_passed_deadline_still_gives_a_bound():
    problem = small(gaussian(60, 8, 1).coefficients, gaussian(60, 8, 1).hidden)
    exact = run(problem, rtol=1e-3)
    cut = run(problem, deadline=Deadline(1e-9))
    assert cut.upper >= exact.lower
    assert not cut.closed


class Checks(Deadline):
    """A deadline that passes when it has been looked at so often."""

    def __init__(self, count):
        super().__init__()
        self.left = count

    @property
    def expired(self):
        self.left -= 1
        return self.left < 0


def test_a_search_that_was_cut_off_goes_on_where_it_stood():
    weights, hidden = prune(40, 8)
    problem = small(weights, hidden)
    whole = run(problem)
    bound = run(problem, deadline=Checks(0))
    assert not bound.closed
    seen = [bound.upper]
    while bound.resume is not None:
        bound = bound.resume(0.0, Checks(60))
        seen.append(bound.upper)
    assert bound.closed
    assert len(seen) > 2
    assert seen == sorted(seen, reverse=True)
    assert bound.upper <= whole.lower * (1 + 1.1e-6)
