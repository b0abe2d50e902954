"""What is read of a store, cell by cell, against its rows one by one."""

import dataclasses
import math

import pytest

from slth.lab.curves import Curve, exponent, survey, units_per_bit
from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter
from slth.lab.trial_result import TrialResult
from tests.report.synthetic_store import EPS, PLAN, found_width, outcome_of, synthetic_store


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    path = synthetic_store(tmp_path_factory.mktemp("store") / "made.db")
    with Store.open(path) as store:
        return survey(store)


def test_every_cell_is_its_trials(known):
    trials = [trial for trial in PLAN.trials() if trial.width is None]
    curves = {Curve(t.pruning, t.readout, t.d, t.contender) for t in trials}
    assert set(known.widths) == curves
    for curve, cells in known.widths.items():
        assert [cell.eps for cell in cells] == list(EPS)
        for cell in cells:
            mine = [
                t
                for t in trials
                if t.eps == cell.eps and Curve(t.pruning, t.readout, t.d, t.contender) == curve
            ]
            assert sorted(cell.keys) == sorted(t.key for t in mine)
            assert cell.seeds.tolist() == sorted({t.seed for t in mine})
            wanted = {t.seed: found_width(t) or math.inf for t in mine}
            assert dict(zip(cell.seeds.tolist(), cell.found.tolist(), strict=True)) == wanted
            assert set(cell.refuted) == {float(outcome_of(t).refuted or 0) for t in mine}


def test_errors_and_counts(known):
    cells = known.errors[Curve("neurons", "linear", 3, None)]
    assert [cell.width for cell in cells] == [4, 8]
    assert cells[1].upper.tolist() == [3 / 8] * 3
    assert cells[1].bound.tolist() == [3 / 16] * 3
    assert known.states == {"done": len(PLAN.trials())}
    assert known.trials == len(PLAN.trials())
    assert [plan.name for plan in known.plans] == ["made <up>"]


def test_laws_are_those_the_widths_were_made_with(known):
    steep = exponent(known.widths[Curve("neurons", "linear", 4, None)], "found")
    assert steep is not None
    assert steep.slope.value == pytest.approx(1.0, abs=0.05)
    refuted = exponent(known.widths[Curve("neurons", "linear", 4, None)], "refuted")
    assert refuted is not None
    assert refuted.slope.value == pytest.approx(1.0)
    bits = units_per_bit(known.widths[Curve("weights", "relu", 2, None)], "found")
    assert bits is not None
    assert bits.slope.value == pytest.approx(7.0)
    assert exponent([], "found") is None


def test_other_limits_on_a_draw_are_one_draw_and_failures_are_none(tmp_path):
    trial = next(t for t in PLAN.trials() if t.width is None)
    longer = dataclasses.replace(trial, search_seconds=9.0)
    broken = dataclasses.replace(trial, search_seconds=10.0)
    with StoreWriter.open(tmp_path / "two.db") as store:
        store.record(trial, TrialResult("timeout", refuted=3, found=40, tried=60))
        store.record(longer, TrialResult("interrupted", refuted=7, found=None, tried=90))
        store.record(broken, TrialResult("failed", message="no"))
    with Store.open(tmp_path / "two.db") as store:
        known = survey(store)
    ((cell,),) = known.widths.values()
    assert (cell.refuted.tolist(), cell.found.tolist(), cell.tried) == ([7.0], [40.0], 90.0)
    assert sorted(cell.keys) == sorted([trial.key, longer.key])
    assert known.states == {"timeout": 1, "interrupted": 1, "failed": 1}


def test_an_empty_store_has_no_curves(tmp_path):
    StoreWriter.open(tmp_path / "empty.db").close()
    with Store.open(tmp_path / "empty.db") as store:
        known = survey(store)
    assert (known.widths, known.errors, known.trials) == ({}, {}, 0)
