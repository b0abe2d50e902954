"""What is recorded is what is read."""

import math

import numpy as np
import pytest

import slth
from slth.errors import StoreError
from slth.lab.frames import export, frame
from slth.lab.measure import run_trial
from slth.lab.plan import Grid, Plan
from slth.lab.schema import SCHEMA, Row
from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter

PLAN = Plan(
    "small",
    (Grid(("neurons", "weights"), ("relu",), (1, 2), (0.5, 0.25), (2, 3)),),
    draws=2,
)


def run(plan, path):
    """Every trial in this process; the plan has no chains."""
    outcomes = {}
    with StoreWriter.open(path) as store:
        store.record_plan(plan)
        for trial in plan.trials():
            earlier = [
                (other, outcomes[other.key]) for other in plan.trials() if other.key in trial.after
            ]
            outcomes[trial.key] = run_trial(trial, earlier, lambda outcome: None)
            store.record(trial, outcomes[trial.key])
    return outcomes


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "small.db"
    return path, run(PLAN, path)


def test_rows_are_the_trials_and_outcomes(stored):
    path, outcomes = stored
    with Store.open(path) as store:
        rows = list(store.rows())
        assert [row.key for row in rows] == sorted(outcomes)
        assert {row.trial for row in rows} == set(PLAN.trials())
        assert all(row.trial.key == row.key for row in rows)
        for row in rows:
            outcome = outcomes[row.key]
            assert (row.state, row.status, row.bound) == ("done", outcome.status, outcome.bound)
            assert store.ticket_path(row).read_bytes() == outcome.ticket
            ticket = store.load_ticket(row)
            assert ticket.error.upper == row.error_upper
            assert slth.check(store.ticket_path(row))
        assert Plan.from_toml(store.plans()[0].toml) == PLAN


def test_columns_and_frames_hold_the_same(stored, tmp_path):
    import pandas

    with Store.open(stored[0]) as store:
        rows = list(store.rows(pruning="neurons"))
        columns = store.columns(pruning="neurons")
        table = frame(store, pruning="neurons")
        export(store, tmp_path / "all.csv", "csv")
        export(store, tmp_path / "all.parquet", "parquet")
        count = store.count()
    for name in Row._fields:
        for row, value in zip(rows, columns[name], strict=True):
            stated = getattr(row, name)
            assert value == stated or (stated is None and (value is None or math.isnan(value)))
        assert len(table[name]) == len(rows)
    assert columns["d"].dtype == np.int64
    for read in (
        pandas.read_csv(tmp_path / "all.csv"),
        pandas.read_parquet(tmp_path / "all.parquet"),
    ):
        assert list(read.columns) == list(Row._fields)
        assert len(read) == count


def test_an_empty_selection_has_empty_columns(stored):
    with Store.open(stored[0]) as store:
        assert [len(column) for column in store.columns(d=7).values()] == [0] * len(Row._fields)
        with pytest.raises(slth.InvalidInput, match="unknown column"):
            store.columns("colour")


def test_two_runs_have_one_digest(stored, tmp_path):
    run(PLAN, tmp_path / "again.db")
    with Store.open(stored[0]) as one, Store.open(tmp_path / "again.db") as other:
        assert one.digest() == other.digest()


def test_the_schema_declares_the_fields_of_a_row():
    declared = [line.split()[0] for line in SCHEMA.split(") WITHOUT")[0].splitlines()[2:] if line]
    assert declared == list(Row._fields)


def test_a_second_writer_is_refused(tmp_path):
    with StoreWriter.open(tmp_path / "a.db"), pytest.raises(StoreError, match="another sweep"):
        StoreWriter.open(tmp_path / "a.db")
    StoreWriter.open(tmp_path / "a.db").close()
