"""Breakpoints, bins, the hull test and Lemmas 1, 2, 6 against independent oracles."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from slth import theory
from slth.errors import InvalidInput
from slth.theory.lemmas import residual


def lp_affine_error(t, y):
    """Best uniform affine fit by linear programming: the oracle of the hull test."""
    n = len(t)
    rows = np.vstack(
        [np.c_[t, np.ones(n), -np.ones(n)], np.c_[-np.asarray(t), -np.ones(n), -np.ones(n)]]
    )
    answer = linprog(
        [0, 0, 1], A_ub=rows, b_ub=np.r_[y, -np.asarray(y)], bounds=[(None, None)] * 2 + [(0, None)]
    )
    return answer.fun


def difference(hidden, output, target, family, t):
    """g(x_i(t)) - f(x_i(t)) evaluated through the points of the family."""
    x = theory.family_points(family, t, hidden.shape[1])
    return np.maximum(x @ hidden.T, 0) @ output - np.maximum(x @ target, 0)


def draw(rng, width, d):
    target = rng.standard_normal(d)
    return (
        rng.standard_normal((width, d)),
        rng.standard_normal(width),
        target / np.linalg.norm(target),
    )


@pytest.mark.parametrize(
    ("t", "y", "error"),
    [
        ([0, 1, 2], [0, 1, 0], 0.5),
        ([0, 1, 2], [1, 1, 1], 0.0),
        ([0, 1, 2, 3], [0, 1, -1, 0], 0.75),
        ([-1, 0, 1], [0, 0, 1], 0.25),
    ],
)
def test_lp_oracle_on_hand_computed_anchors(t, y, error):
    # The third: the line 3/4 - t/2 errs by 3/4 at all four points, with alternating signs.
    assert lp_affine_error(t, y) == pytest.approx(error, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12), st.integers(0, 2**31))
def test_hull_error_equals_linear_programming(values, seed):
    t = np.cumsum(np.random.default_rng(seed).uniform(0.05, 1.0, len(values)))
    fit = theory.affine_fit(t, values)
    assert fit.error == pytest.approx(lp_affine_error(t, values), abs=1e-7)
    if fit.error > 1e-9:
        index = [int(np.flatnonzero(t == p)[0]) for p in fit.points]
        exact = theory.three_point_error(
            tuple(Fraction(float(t[i])) for i in index),
            tuple(Fraction(values[i]) for i in index),
        )
        assert float(exact) == pytest.approx(fit.error, rel=1e-9)


def test_breakpoints_are_where_units_bend_and_jumps_are_slope_changes():
    rng = np.random.default_rng(1)
    hidden, output, target = draw(rng, 7, 6)
    both = theory.kinks(hidden, output)
    assert both.breakpoints.shape == both.jumps.shape == (3, 7)
    for family in range(3):
        for j in range(7):
            t0, h = both.breakpoints[family, j], 1e-3
            one = difference(
                hidden[j : j + 1], output[j : j + 1], 0 * target, family, [t0 - h, t0, t0 + h]
            )
            assert one[1] == pytest.approx(0.0, abs=1e-9 * (1 + abs(t0)))
            slope_change = (one[2] - 2 * one[1] + one[0]) / h
            assert slope_change == pytest.approx(both.jumps[family, j], rel=1e-6, abs=1e-7)
    assert (np.sign(both.jumps) == np.sign(output)).all()


def test_a_unit_constant_along_the_family_does_not_bend():
    both = theory.kinks(np.array([[0.0, 1.0]]), np.ones(1))
    assert both.breakpoints[0, 0] == np.inf
    assert both.jumps[0, 0] == 0.0


@pytest.mark.parametrize("length", [0.05, 0.4, 1.1, 3.4])
def test_bin_errors_equal_linear_programming_on_the_network(length):
    rng = np.random.default_rng(int(length * 100))
    hidden, output, target = draw(rng, 40, 4)
    bins = theory.make_bins(2.0, length)
    for family in range(2):
        errors = theory.bin_errors(hidden, output, target, family, bins)
        units = theory.kinks(np.vstack([hidden, target]), np.append(output, -1.0), [family])
        for b in rng.choice(bins.count, min(bins.count, 6), replace=False):
            u, v = bins.edges[b], bins.edges[b + 1]
            inside = units.breakpoints[0]
            t = np.unique(np.r_[u, inside[(inside > u) & (inside < v)], v])
            oracle = lp_affine_error(t, difference(hidden, output, target, family, t))
            assert errors[b] == pytest.approx(oracle, abs=1e-7)


def test_broken_bins_count_what_bin_errors_say_whatever_the_block():
    rng = np.random.default_rng(3)
    hidden, output, target = draw(rng, 30, 22)
    bins = theory.make_bins(3.0, 0.3)
    each = [
        int((theory.bin_errors(hidden, output, target, i, bins) > 0.02).sum()) for i in range(11)
    ]
    assert theory.broken_bins(hidden, output, target, bins, 0.02).tolist() == each
    assert theory.broken_bins(hidden, output, target, bins, 0.02, [9, 2]).tolist() == [
        each[9],
        each[2],
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.5, 2.0, 16.0]))
def test_scaling_the_output_scales_the_errors(seed, scale):
    hidden, output, target = draw(np.random.default_rng(seed), 12, 2)
    bins = theory.make_bins(2.0, 0.6)
    once = theory.bin_errors(hidden, output, target * 0, 0, bins)
    scaled = theory.bin_errors(hidden, output * scale, target * 0, 0, bins)
    np.testing.assert_allclose(scaled, scale * once, rtol=1e-12, atol=1e-15)


def test_a_cancelled_kink_does_not_break_its_bin():
    target = np.array([0.6, 0.8])
    hidden = np.vstack([target, target, [1.0, 0.3]])
    bins = theory.make_bins(2.0, 0.5)
    exact = theory.broken_bins(hidden[:1], np.ones(1), target, bins, 1e-12)
    assert exact.tolist() == [0]
    assert theory.broken_bins(hidden[:2], np.array([0.5, 0.5]), target, bins, 1e-12) == [0]
    assert theory.broken_bins(hidden, np.ones(3), target, bins, 1e-12)[0] >= 1


def test_bins_carry_the_cauchy_mass_and_good_mass_is_a_lower_bound():
    bins = theory.make_bins(2.0, 0.25)
    rng = np.random.default_rng(5)
    count = 400_000
    both = theory.kinks(rng.standard_normal((count, 2)), rng.standard_normal(count))
    place = (both.breakpoints[0] - bins.left) / bins.length
    inside = (place >= 0) & (place < bins.count)
    where = np.where(inside, place, 0).astype(int)
    share = np.bincount(where[inside], minlength=bins.count) / count
    mass = bins.masses()
    assert (np.abs(share - mass) <= 5 * np.sqrt(mass / count)).all()
    within = place - np.floor(place)
    steep = inside & (np.abs(both.jumps[0]) >= 0.8) & (within >= 0.2) & (within <= 0.8)
    good = np.bincount(where[steep], minlength=bins.count) / count
    lower = bins.good_masses(0.8, 0.2)
    assert (lower <= good + 5 * np.sqrt(good / count)).all()
    assert lower.sum() > 0.9 * good.sum()


def test_lemma_1_guarantee_is_below_the_supremum_and_exact_at_its_points():
    rng = np.random.default_rng(7)
    for _ in range(20):
        hidden, output, target = draw(rng, 9, 2)
        left = rng.uniform(-1.5, 1.0)
        proof = theory.broken_bin_error(hidden, output, target, 0, (left, left + 0.6))
        dense = np.abs(difference(hidden, output, target, 0, np.linspace(left, left + 0.6, 400)))
        assert proof.error <= dense.max() + 1e-12
        assert left <= proof.points[0] < proof.points[1] < proof.points[2] <= left + 0.6
        times = tuple(Fraction(p) for p in proof.points)
        values = tuple(residual(hidden, output, target, 0, p) for p in proof.points)
        exact = theory.three_point_error(times, values)
        assert Fraction(proof.error) <= exact
        assert float(exact) - proof.error <= 1e-15 * max(1.0, proof.error)


def test_lemma_2_holds_for_every_subset():
    rng = np.random.default_rng(11)
    checked = 0
    for _ in range(40):
        hidden, output, target = draw(rng, 6, 2)
        if abs(target[1] / target[0]) >= math.sqrt(3.0):
            continue
        proof = theory.missing_breakpoint_error(hidden, output, target, 0, 2.0)
        star = -target[1] / target[0]
        t = np.array(proof.points)
        assert np.abs(t).max() <= math.sqrt(3.0)
        expected = abs(target[0]) * (t[2] - star) / 4
        assert proof.error == pytest.approx(expected, rel=1e-6)
        for mask in range(64):
            keep = [(mask >> j) & 1 for j in range(6)]
            h = difference(hidden, output * keep, target, 0, t)
            assert np.abs(h).max() >= proof.error - 1e-12
        checked += 1
    assert checked > 10


def test_lemma_2_says_nothing_when_a_unit_bends_at_the_target():
    target = np.array([0.6, 0.8])
    proof = theory.missing_breakpoint_error(target[None, :], np.ones(1), target, 0, 2.0)
    assert proof.error == 0.0


def test_lemma_6_constants():
    assert theory.kink_error(1.0, 0.25, 0.25) == 1.0 / 16.0
    assert theory.kink_error(-1.0, 0.25, 0.75) == 3.0 / 32.0
    assert theory.kink_error(1.0, 0.25, 0.75, tolerance=3.0 / 64.0) == 3.0 / 64.0
    assert theory.kink_error(1.0, 0.01, 0.99) < 1.0 / 16.0
    for a, b, jump in [(0.1, 0.9, 2.0), (0.3, 0.2, -1.5), (1.0, 3.0, 0.4)]:
        fit = theory.affine_fit([0.0, a, a + b], [0.0, 0.0, jump * b])
        assert theory.kink_error(jump, a, b) == pytest.approx(fit.error, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theory.kinks(np.ones((3, 1)), np.ones(3)), "d >= 2"),
        (lambda: theory.kinks(np.ones((3, 2)), np.ones(2)), "output incompatible"),
        (lambda: theory.kinks(np.ones((3, 4)), np.ones(3), [2]), "no such input family"),
        (lambda: theory.make_bins(1.0, 0.1), "radius > 1"),
        (lambda: theory.make_bins(2.0, 9.0), "longer than"),
        (lambda: theory.affine_fit([0, 0, 1], [1, 2, 3]), "strictly increasing"),
        (
            lambda: theory.broken_bin_error(
                np.ones((1, 2)), np.ones(1), np.array([1.0, 0]), 0, (1, 1)
            ),
            "not an interval",
        ),
        (
            lambda: theory.missing_breakpoint_error(
                np.ones((1, 2)), np.ones(1), np.array([0.0, 1.0]), 0, 2.0
            ),
            "does not bend",
        ),
        (
            lambda: theory.bin_errors(
                np.ones((1, 2)), np.ones(1), np.ones(3), 0, theory.make_bins(2, 1)
            ),
            "target incompatible",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InvalidInput, match=words):
        call()
