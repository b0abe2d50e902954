"""Fits and medians on planted rows."""

import dataclasses
import math

import pytest

from slth.lab.laws import fit, summarize
from slth.lab.rows import GapPlan, GapRun, Series, WidthRow

NEURONS = Series("neurons", "linear")
WEIGHTS = Series("weights", "relu")
GRID = (0.25, 0.125, 0.0625, 0.03125)


def row(series, draw, eps, found, refuted=1):
    error = None if found is None else eps
    return WidthRow(series, draw, eps, refuted, 0.0, found, error, found, (), 10, 0.1)


def run_of(rows, draws):
    plan = GapPlan(2, "linear", GRID, draws, 0, 1000, 1.0)
    return GapRun(plan, tuple(rows), True, 1.0)


def test_planted_power_and_logarithm_are_recovered():
    rows = [row(NEURONS, k, eps, round(3 / eps)) for k in range(3) for eps in GRID]
    rows += [row(WEIGHTS, k, eps, round(7 - 8 * math.log2(eps))) for k in range(3) for eps in GRID]
    run = run_of(rows, 3)
    power = fit(run, NEURONS)
    assert power.slope == pytest.approx(1.0)
    assert power.low == pytest.approx(1.0)
    assert power.high == pytest.approx(1.0)
    assert 2**power.intercept == pytest.approx(3.0)
    logarithm = fit(run, WEIGHTS)
    assert logarithm.slope == pytest.approx(8.0)
    assert logarithm.intercept == pytest.approx(7.0)


def test_the_interval_holds_the_spread_over_draws():
    rows = [
        row(NEURONS, draw, eps, round(4 / eps**exponent))
        for draw, exponent in enumerate((0.9, 1.0, 1.1))
        for eps in GRID
    ]
    law = fit(run_of(rows, 3), NEURONS)
    assert 0.85 < law.low < 0.97
    assert law.slope == pytest.approx(1.0, abs=0.03)
    assert 1.03 < law.high < 1.15


def test_missing_tickets_count_as_infinite_widths():
    rows = [row(NEURONS, k, 0.25, found) for k, found in enumerate((10, None, 30))]
    rows += [row(NEURONS, k, 0.125, found) for k, found in enumerate((None, None, 30))]
    first, second = summarize(run_of(rows, 3), NEURONS)
    assert (first.found, first.found_low, first.found_high, first.missing) == (30, 10, math.inf, 1)
    assert second.found == math.inf
    assert second.draws == 3


def test_unfinished_cells_are_left_out():
    run = run_of([row(NEURONS, 0, 0.25, 5)], 3)
    assert [summary.eps for summary in summarize(run, NEURONS)] == [0.25]
    assert summarize(run, WEIGHTS) == []
    assert fit(run, NEURONS) is None


def test_a_law_is_fitted_where_every_draw_is_decided():
    """Of the draws at the smallest eps only the luckiest is decided: with it alone the widths would
    seem to stop growing."""
    rows = [row(NEURONS, k, eps, round(3 / eps)) for k in range(3) for eps in GRID[:3]]
    rows += [row(NEURONS, 0, GRID[3], 20)]
    wide = row(NEURONS, 1, GRID[3], 100, refuted=30)
    rows += [dataclasses.replace(wide, draw=k, undecided=60) for k in (1, 2)]
    law = fit(run_of(rows, 3), NEURONS)
    assert law.slope == pytest.approx(1.0)
    assert law.points == 9
    assert law.eps == (GRID[0], GRID[2])
    few = [row(NEURONS, k, GRID[0], 12) for k in range(3)] + rows[-3:]
    assert fit(run_of(few, 3), NEURONS) is None


def test_remarks_tell_what_is_missing_and_what_was_cut():
    rows = [row(NEURONS, 0, 0.25, None), dataclasses.replace(row(NEURONS, 1, 0.25, 9), cut=True)]
    (summary,) = summarize(run_of(rows, 2), NEURONS)
    assert summary.remarks == " (1 without) (1 cut)"
    (summary,) = summarize(run_of([row(NEURONS, 0, 0.25, 9)], 1), NEURONS)
    assert summary.remarks == ""
