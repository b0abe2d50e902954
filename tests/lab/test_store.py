"""What is recorded is what is read."""

import dataclasses
import math
import sqlite3

import numpy as np
import pytest

import slth
from slth.errors import StoreError
from slth.lab import schema
from slth.lab.frames import export, frame
from slth.lab.measure import run_trial
from slth.lab.plan import Grid, Plan
from slth.lab.schema import COLUMNS, Row
from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter
from slth.lab.trial import Asked
from slth.lab.trial_result import Measured, TrialResult
from slth.solution import Status

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
    for name in COLUMNS:
        for row, value in zip(rows, columns[name], strict=True):
            stated = getattr(row, name)
            assert value == stated or (stated is None and (value is None or math.isnan(value)))
        assert len(table[name]) == len(rows)
    assert columns["d"].dtype == np.int64
    for read in (
        pandas.read_csv(tmp_path / "all.csv"),
        pandas.read_parquet(tmp_path / "all.parquet"),
    ):
        assert list(read.columns) == list(COLUMNS)
        assert len(read) == count


def test_an_empty_selection_has_empty_columns(stored):
    with Store.open(stored[0]) as store:
        assert [len(column) for column in store.columns(d=7).values()] == [0] * len(COLUMNS)
        with pytest.raises(slth.InvalidInput, match="unknown column"):
            store.columns("colour")


def test_two_runs_have_one_digest(stored, tmp_path):
    run(PLAN, tmp_path / "again.db")
    with Store.open(stored[0]) as one, Store.open(tmp_path / "again.db") as other:
        assert one.digest() == other.digest()


def test_every_field_is_a_column_with_its_type_and_every_column_reaches_every_door(stored):
    path, outcomes = stored
    fields = {f.name for kind in (Asked, Measured, Row) for f in dataclasses.fields(kind)}
    assert set(COLUMNS) == fields
    assert set(declared(path)) == fields
    key, outcome = next(iter(outcomes.items()))
    with Store.open(path) as store:
        row = store.row(key)
        assert row.result(outcome.ticket) == outcome
        assert (
            Row.of(row.trial, outcome, ticket=row.ticket, attempts=1, finished=row.finished) == row
        )


def declared(path):
    """Columns of the table of trials: type and whether a value is required, by name."""
    with sqlite3.connect(path) as connection:
        info = connection.execute("PRAGMA table_info(trials)").fetchall()
    return {name: (kind, bool(required)) for _, name, kind, required, _, _ in info}


# The table as slth 0.1 made it.
OLD_COLUMNS = [
    ("key", "TEXT", False),
    ("slth", "TEXT", False),
    ("pruning", "TEXT", False),
    ("readout", "TEXT", False),
    ("d", "INTEGER", False),
    ("eps", "REAL", True),
    ("width", "INTEGER", True),
    ("draw", "INTEGER", False),
    ("seed", "INTEGER", False),
    ("contender", "TEXT", True),
    ("max_width", "INTEGER", True),
    ("search_seconds", "REAL", True),
    ("trial_seconds", "REAL", True),
    ("after", "TEXT", False),
    ("state", "TEXT", False),
    ("status", "TEXT", True),
    ("refuted", "INTEGER", True),
    ("found", "INTEGER", True),
    ("tried", "INTEGER", True),
    ("bound", "REAL", True),
    ("error_lower", "REAL", True),
    ("error_upper", "REAL", True),
    ("kept_units", "INTEGER", True),
    ("kept_weights", "INTEGER", True),
    ("ticket", "TEXT", True),
    ("message", "TEXT", True),
    ("attempts", "INTEGER", False),
    ("seconds", "REAL", False),
    ("finished", "REAL", False),
]
# A row that it wrote, as text, and the plan.
OLD_ROW = (
    "INSERT INTO trials VALUES ('00ff', '0.1.0', 'neurons', 'linear', 2, 0.25, 8, 1, 7, NULL, "
    "NULL, 1.5, NULL, '', 'done', 'reached', NULL, NULL, NULL, 0.125, 0.2, 0.24, 3, 9, NULL, "
    "NULL, 1, 0.5, 1700000000.0)"
)


@pytest.fixture
def old(tmp_path):
    """A store as slth 0.1 wrote it."""
    path = tmp_path / "old.db"
    lines = [
        f"{name} {kind}{' PRIMARY KEY' if name == 'key' else ''}{'' if null else ' NOT NULL'}"
        for name, kind, null in OLD_COLUMNS
    ]
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE trials ({', '.join(lines)}) WITHOUT ROWID")
        connection.execute(
            "CREATE TABLE plans (key TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, toml TEXT NOT "
            "NULL, slth TEXT NOT NULL, started REAL NOT NULL)"
        )
        connection.execute(OLD_ROW)
        connection.execute("INSERT INTO plans VALUES ('0a', 'old', 'seed = 0', '0.1.0', 17e8)")
        connection.execute("PRAGMA application_id = 1936487528")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    return path


def require_old_row(store):
    (row,) = store.rows()
    assert (row.key, row.d, row.eps, row.status, row.kept_weights) == (
        "00ff",
        2,
        0.25,
        "reached",
        9,
    )
    assert row.result(None) == TrialResult(
        "done", Status.REACHED, bound=0.125, error_lower=0.2, error_upper=0.24, kept_units=3,
        kept_weights=9, seconds=0.5, slth="0.1.0",
    )  # fmt: skip
    assert store.columns("search_seconds")["search_seconds"].tolist() == [1.5]
    assert len(frame(store)) == 1
    assert [plan.name for plan in store.plans()] == ["old"]


def test_a_store_of_0_1_is_read_and_written_on(old, stored):
    with Store.open(old) as store:
        require_old_row(store)
    trial = PLAN.trials()[0]
    with StoreWriter.open(old) as writer, Store.open(old) as store:
        writer.record(trial, stored[1][trial.key])
        assert store.count() == 2
        assert store.row(trial.key).result(stored[1][trial.key].ticket) == stored[1][trial.key]


def test_migrations_lead_from_0_1_to_what_is_made_today(old, stored):
    StoreWriter.open(old).close()
    assert declared(old) == declared(stored[0])


def version_of(path):
    with sqlite3.connect(path) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def test_migrations_reach_old_stores_step_by_step(old, monkeypatch):
    known = schema.MIGRATIONS
    steps = (
        *known,
        "ALTER TABLE trials ADD COLUMN colour TEXT",
        "UPDATE trials SET colour = 'grey'; UPDATE trials SET kept_weights = kept_weights + 1;",
    )
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    # Reading brings a copy up to date, and leaves the file as it is.
    before = old.read_bytes()
    with Store.open(old) as store:
        assert store.row("00ff").kept_weights == 10
    assert old.read_bytes() == before
    with StoreWriter.open(old) as writer:
        writer.record(PLAN.trials()[0], TrialResult("done"))
    assert version_of(old) == 3 + len(known)
    with sqlite3.connect(old) as connection:
        colours = connection.execute("SELECT colour FROM trials WHERE key = '00ff'").fetchall()
    assert colours == [("grey",)]
    StoreWriter.open(old).close()
    with Store.open(old) as store:
        assert store.row("00ff").kept_weights == 10
    # The next slth's stores are not for this one.
    monkeypatch.setattr(schema, "MIGRATIONS", known)
    said = f"schema {3 + len(known)}; this slth knows 1 to {1 + len(known)}"
    for opening in (Store.open, StoreWriter.open):
        with pytest.raises(StoreError, match=said):
            opening(old)


def test_a_migration_that_fails_leaves_the_store_as_it_was(old, monkeypatch):
    added = "ALTER TABLE trials ADD COLUMN colour TEXT"
    steps = (*schema.MIGRATIONS, added, "UPDATE trials SET nonsense = 1")
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    with pytest.raises(StoreError, match="nonsense"):
        StoreWriter.open(old)
    assert version_of(old) == len(steps)
    monkeypatch.setattr(schema, "MIGRATIONS", steps[:-1])
    with Store.open(old) as store:
        require_old_row(store)


def test_a_second_writer_is_refused(tmp_path):
    with StoreWriter.open(tmp_path / "a.db"), pytest.raises(StoreError, match="another sweep"):
        StoreWriter.open(tmp_path / "a.db")
    StoreWriter.open(tmp_path / "a.db").close()
