"""The engines for general d: their bounds hold, and they close."""

from __future__ import annotations

import itertools
import math
from contextlib import nullcontext
from fractions import Fraction
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.certify import prune
from slth import threads
from slth.certify import engines
from slth.certify.cones import engine as cones
from slth.certify.cones.engine import Cones
from slth.certify.engines import maximize
from slth.certify.problem.cheap import largest_eigenvalue, lipschitz, norm_bound
from slth.limits import Deadline

from .oracles import gaussian, objective, sampled_maximum, supremum_squared, value_squared


def run(problem, seed=0, seconds=120.0, **options):
    return maximize(
        problem,
        deadline=Deadline(seconds),
        generator=np.random.default_rng(seed),
        **options,
    )


def engine(name):
    """Answer by cones even where other engines are quicker, or by the one that is chosen."""
    if name == "chosen":
        return nullcontext()
    return patch.object(engines, "ENGINES", (Cones(),))


def assert_encloses(problem, bound, exact_squared):
    assert Fraction(bound.upper) ** 2 >= exact_squared
    if bound.x is not None:
        assert value_squared(problem, bound.x) <= exact_squared


def test_the_oracle_itself_on_a_hand_computed_case():
    # relu(x) + relu(y) - relu(-x) is largest at (1, 1)/sqrt(2): sqrt(2).
    problem = objective([1.0, 1.0, -1.0], [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert supremum_squared(problem) == 2
    # 2 relu(x) - relu(x + y) - relu(x - y) = 2x - (|x+y| + |x-y|)/... is 0 where |y| <= x.
    problem = objective([2.0, -1.0, -1.0], [[1.0, 0.0], [1.0, 1.0], [1.0, -1.0]])
    assert supremum_squared(problem) == 0


@pytest.mark.parametrize("name", ["chosen", "cones"])
@pytest.mark.parametrize(("d", "seed"), list(itertools.product((2, 3, 4, 5), range(12))))
def test_against_the_exact_supremum(d, seed, name):
    generator = np.random.default_rng([d, seed])
    width = int(generator.integers(2, 8))
    problem = objective(
        generator.standard_normal(width),
        generator.standard_normal((width, d)),
        generator.standard_normal(d) * (seed % 3 == 0),
    )
    exact = supremum_squared(problem)
    with engine(name):
        bound = run(problem, floor=1e-11)
    assert_encloses(problem, bound, exact)
    assert bound.closed
    assert bound.upper <= math.sqrt(exact) * (1 + 1.01e-6) + 1e-11
    assert bound.lower >= math.sqrt(exact) * (1 - 1e-6) - 1e-12 or exact == 0


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_small_integer_units_with_many_ties(data):
    d = data.draw(st.integers(2, 4))
    width = data.draw(st.integers(1, 6))
    entry = st.integers(-2, 2)
    hidden = data.draw(
        st.lists(st.lists(entry, min_size=d, max_size=d), min_size=width, max_size=width)
    )
    hidden = [row if any(row) else [1] * d for row in hidden]
    coefficients = data.draw(st.lists(entry, min_size=width, max_size=width))
    problem = objective(coefficients, hidden)
    with engine(data.draw(st.sampled_from(["chosen", "cones"]))):
        bound = run(problem, floor=1e-9, seconds=3.0)
    assert_encloses(problem, bound, supremum_squared(problem))


@pytest.mark.parametrize("exponent", [-900, -300, -30, 0, 30, 300, 900])
def test_scales(exponent):
    problem = gaussian(7, 3, 1)
    scaled = objective(np.ldexp(problem.coefficients, exponent), problem.hidden)
    plain, bound = run(problem), run(scaled)
    assert bound.upper == pytest.approx(math.ldexp(plain.upper, exponent), rel=1e-12)
    assert bound.closed


def test_mixed_scales_and_nearly_parallel_units():
    generator = np.random.default_rng(5)
    for d in (3, 4):
        base = generator.standard_normal((3, d))
        hidden = np.vstack([base, base + 1e-9 * generator.standard_normal((3, d))])
        coefficients = np.concatenate([[1.0, -1e-8, 1e6], [-1.0, 1e-8, -1e6]])
        problem = objective(coefficients, hidden)
        for name in ("chosen", "cones"):
            with engine(name):
                bound = run(problem, seconds=1.0)
            assert_encloses(problem, bound, supremum_squared(problem))


@pytest.mark.parametrize("d", [3, 4, 6])
def test_two_pieces_stay_above_samples_and_close(d):
    for seed in range(4):
        generator = np.random.default_rng([9, d, seed])
        width = 12
        hidden = generator.standard_normal((width, d))
        first = generator.standard_normal(width)
        second = np.where(np.arange(width) < 8, first, 0.0)
        problem = objective(np.vstack([first, second]), hidden)
        bound = run(problem)
        assert bound.closed
        assert bound.upper >= sampled_maximum(problem, 100_000, seed)
        assert bound.upper**2 >= float(value_squared(problem, bound.x)) * (1 - 1e-12)
        # The minimum is at most each piece.
        for row in (first, second):
            single = run(objective(row, hidden))
            assert bound.lower <= single.upper


def test_a_piece_that_never_binds_changes_nothing():
    problem = gaussian(20, 4, 3)
    doubled = objective(
        np.vstack([problem.coefficients, problem.coefficients]),
        problem.hidden,
        [[0.0] * 4, [0.0] * 4],
    )
    assert run(doubled).upper == pytest.approx(run(problem).upper, rel=3e-6)


@pytest.mark.parametrize(("width", "d"), [(40, 3), (40, 5), (70, 5), (30, 7), (200, 4)])
def test_closes_on_gaussian_units_above_a_hundred_thousand_samples(width, d):
    problem = gaussian(width, d, 0)
    bound = run(problem, rtol=1e-6)
    assert bound.closed
    assert bound.upper >= sampled_maximum(problem, 100_000, 1)
    assert bound.upper <= bound.lower * (1 + 2e-6)


def test_rotated_copies_have_the_same_supremum():
    problem = gaussian(15, 4, 2)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))
    turned = objective(problem.coefficients, problem.hidden @ rotation)
    assert run(turned).upper == pytest.approx(run(problem).upper, rel=3e-6)


def test_embedding_in_more_dimensions_changes_nothing():
    problem = gaussian(9, 2, 4)
    padded = objective(problem.coefficients, np.hstack([problem.hidden, np.zeros((9, 2))]))
    assert run(padded).upper == pytest.approx(run(problem).upper, rel=3e-6)


@pytest.mark.parametrize("width", [70, 90])
def test_the_number_of_threads_changes_nothing(width, monkeypatch):
    # Rounds are worth a thread even where they are small.
    monkeypatch.setattr(cones, "_WORTH_A_THREAD", 1)
    monkeypatch.setattr(threads, "processors", lambda: 3)
    problem = gaussian(width, 5, 3)
    several = run(problem)
    with threads.at_most_threads(1):
        one = run(problem)
    assert (several.lower, several.upper, several.nodes) == (one.lower, one.upper, one.nodes)
    assert several.nodes > 200


def test_thin_cones_around_the_maximum_are_closed_by_the_distance_from_the_zonotope():
    # Bounds that rest on the cone's generators alone go on bisecting here for ever.
    weights, hidden = prune(30, 5)
    problem = objective(weights, hidden)
    bound = run(problem, rtol=1e-10, seconds=20.0)
    assert bound.closed
    assert bound.nodes < 10_000
    assert bound.upper >= sampled_maximum(problem, 100_000, 1)


def test_thin_cones_in_which_descent_gains_little_a_sweep_are_not_cut_for_ever():
    with engine("cones"):
        bound = run(objective(*prune(20, 7)), seconds=20.0)
    assert bound.closed
    assert bound.method == "cones"
    assert bound.nodes < 30_000


def test_early_decisions():
    problem = gaussian(40, 4, 7)
    exact = run(problem)
    yes = run(problem, floor=exact.upper * 1.5)
    assert yes.closed
    assert yes.upper <= exact.upper * 1.5
    assert yes.nodes <= exact.nodes
    no = run(problem, floor=exact.lower * 0.5, stop_above=exact.lower * 0.5)
    assert no.lower > exact.lower * 0.5


def test_a_passed_deadline_still_gives_a_bound():
    problem = gaussian(60, 6, 1)
    exact = run(problem, rtol=1e-3)
    cut = run(problem, seconds=1e-9)
    assert cut.upper >= exact.lower
    assert not cut.closed


@pytest.mark.parametrize(("width", "d"), [(5, 100), (2000, 30), (100_000, 3)])
def test_every_shape_gets_a_bound(width, d):
    problem = gaussian(width, d, 0)
    bound = run(problem, seconds=1.0)
    assert bound.lower <= bound.upper <= norm_bound(problem) <= lipschitz(problem)
    assert bound.upper >= sampled_maximum(problem, 200, 1)


def test_no_units():
    bound = run(objective(np.zeros((1, 0)), np.zeros((0, 3)), [[3.0, 4.0, 0.0]]))
    assert bound.upper == pytest.approx(5.0, rel=1e-9)
    bound = run(objective(np.zeros((1, 0)), np.zeros((0, 3))))
    assert bound.upper == 0.0


def test_largest_eigenvalue_is_an_upper_bound_and_tight():
    generator = np.random.default_rng(0)
    for n in (1, 2, 5, 40):
        for scale in (1e-200, 1.0, 1e200):
            factor = generator.standard_normal((n, 3))
            matrix = scale * (factor @ factor.T)
            top = largest_eigenvalue(matrix)
            # A Rayleigh quotient is below the largest eigenvalue.
            vector = np.linalg.eigh(matrix)[1][:, -1]
            exact = [Fraction(float(t)) for t in vector]
            quotient = sum(
                exact[i] * Fraction(float(matrix[max(i, j), min(i, j)])) * exact[j]
                for i in range(n)
                for j in range(n)
            ) / sum(t * t for t in exact)
            assert Fraction(top) >= quotient
            assert top <= float(quotient) * (1 + 1e-8)
