"""Local maxima: points of the sphere, honest values, and the exact supremum on small problems."""

from __future__ import annotations

import math

import numpy as np
import pytest

from slth.certify.ascent import evaluate, local_maxima, nearest_in_zonotope, polish
from slth.limits import Deadline

from .oracles import gaussian, objective, sampled_maximum, supremum_squared


def climb(problem, starts=200, seed=0, seconds=60.0, **options):
    return local_maxima(problem, starts, np.random.default_rng(seed), Deadline(seconds), **options)


@pytest.mark.parametrize("d", [2, 3, 5, 9])
def test_reaches_the_exact_supremum_of_small_problems(d):
    for seed in range(10):
        generator = np.random.default_rng([17, d, seed])
        width = int(generator.integers(2, 8))
        problem = objective(generator.standard_normal(width), generator.standard_normal((width, d)))
        best = climb(problem).values[0]
        exact = math.sqrt(supremum_squared(problem))
        assert best <= exact * (1 + 1e-12) + 1e-12
        assert best >= exact * (1 - 1e-9) or exact == 0


def test_points_lie_on_the_sphere_sorted_with_their_values():
    problem = gaussian(50, 6, 0)
    found = climb(problem)
    assert np.linalg.norm(found.points, axis=1) == pytest.approx(np.ones(len(found.points)))
    assert (np.diff(found.values) <= 0).all()
    assert evaluate(problem, found.points) == pytest.approx(found.values, rel=1e-12)


def test_beats_a_hundred_thousand_samples():
    for width, d in ((30, 4), (100, 8), (300, 16)):
        problem = gaussian(width, d, 1)
        assert climb(problem).values[0] >= sampled_maximum(problem, 100_000, 2)


def test_two_pieces_reach_a_ridge():
    # min(x, y) on the circle is largest where x = y.
    problem = objective(
        np.zeros((2, 1)), np.array([[1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    )
    assert climb(problem).values[0] == pytest.approx(math.sqrt(0.5), rel=1e-12)


def test_polishing_never_loses_and_obeys_the_deadline():
    problem = gaussian(40, 5, 3)
    generator = np.random.default_rng(4)
    for _ in range(20):
        start = generator.standard_normal(5)
        start /= np.linalg.norm(start)
        before = evaluate(problem, start[None])[0]
        assert polish(problem, start, Deadline())[1] >= before
        same, value = polish(problem, start, Deadline(1e-12))
        assert value == before
        assert (same == start).all()


def test_given_seeds_are_used_and_the_same_seed_repeats():
    problem = gaussian(20, 3, 5)
    first, second = climb(problem, starts=5, seed=1), climb(problem, starts=5, seed=1)
    assert (first.points == second.points).all()
    more = climb(problem, starts=5, seed=1, seeds=np.vstack([np.zeros(3), np.ones(3)]))
    assert len(more.points) == len(first.points) + 1


def test_the_nearest_point_of_a_square():
    # The zonotope of two orthogonal units is the unit square; (2, 0.5) is at distance 1 from it.
    residual, tau, share = nearest_in_zonotope(
        np.eye(2), np.array([[-1.0, -1.0]]), np.array([[2.0, 0.5]]), np.zeros(2, dtype=bool)
    )
    assert residual == pytest.approx([1.0, 0.0], abs=1e-12)
    assert tau == pytest.approx([1.0, 0.5], abs=1e-12)
    assert share == 1.0
