"""Intervals against resampling by brute force, lines against NumPy's."""

import itertools
import math

import numpy as np
import pytest

from slth.lab.statistics import line, median_interval, sums_of


def every_resample(values):
    return itertools.product(values, repeat=len(values))


@pytest.mark.parametrize("values", [(3.0,), (1.0, 5.0, 9.0), (4.0, 1.0, 1.0, 8.0, 30.0)])
def test_median_interval_is_that_of_all_resamples(values):
    """Odd n: the bootstrap's law of the median, by enumeration."""
    medians = np.sort([np.median(sample) for sample in every_resample(values)])
    got = median_interval(np.array(values))
    assert got.value == np.median(values)
    for end, share in ((got.low, 0.025), (got.high, 0.975)):
        assert np.mean(medians < end) <= share <= np.mean(medians <= end) + 1e-12


@pytest.mark.parametrize(
    "values", [(1.0, 2.0), (1.0, 2.0, 4.0, 8.0), (1.0, 1.0, 2.0, 3.0, 5.0, 8.0)]
)
def test_median_interval_of_an_even_number_holds_the_bootstrap_s(values):
    medians = [np.median(sample) for sample in every_resample(values)]
    got = median_interval(np.array(values))
    assert got.value == np.median(values)
    assert got.low <= np.quantile(medians, 0.025)
    assert got.high >= np.quantile(medians, 0.975)


def test_missing_tickets_count_as_infinite():
    got = median_interval(np.array([2.0, math.inf, 3.0]))
    assert (got.value, got.high) == (3.0, math.inf)
    assert math.isinf(median_interval(np.array([1.0, math.inf])).value)
    assert math.isinf(median_interval(np.array([math.inf])).low)


def test_a_line_is_least_squares_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    x = np.tile(np.arange(1.0, 6.0), 12)
    draw = np.repeat(np.arange(12), 5)
    y = 0.7 * x + 2.0 + rng.standard_normal(12)[draw] + 0.1 * rng.standard_normal(60)
    fitted = line(sums_of(x, y, draw), seed=3)
    slope, intercept = np.polyfit(x, y, 1)
    assert fitted is not None
    assert fitted.slope.value == pytest.approx(slope)
    assert fitted.intercept == pytest.approx(intercept)
    assert fitted.slope.low < fitted.slope.value < fitted.slope.high
    assert fitted == line(sums_of(x, y, draw), seed=3)
    # Against the plain bootstrap: resample draws, fit again.
    parts = [np.stack([x[draw == k], y[draw == k]]) for k in range(12)]
    slopes = []
    for _ in range(1500):
        sample = np.concatenate([parts[k] for k in rng.integers(12, size=12)], axis=1)
        slopes.append(np.polyfit(*sample, 1)[0])
    spread = np.std(slopes)
    low, high = np.quantile(slopes, [0.025, 0.975])
    assert fitted.slope.low == pytest.approx(low, abs=0.4 * spread)
    assert fitted.slope.high == pytest.approx(high, abs=0.4 * spread)


def test_no_line_through_points_above_each_other():
    assert line(sums_of(np.ones(4), np.arange(4.0), np.arange(4)), seed=0) is None


def test_one_draw_has_no_spread():
    fitted = line(
        sums_of(np.arange(3.0), np.array([1.0, 3.0, 5.0]), np.zeros(3, dtype=int)), seed=0
    )
    assert fitted is not None
    assert (fitted.slope.low, fitted.slope.value, fitted.slope.high) == (2.0, 2.0, 2.0)
