"""Damaged stores: every reader says so, and none reads another value in silence."""

import random
import sqlite3
from collections import Counter

import pytest

from slth.errors import SlthError, StoreError
from slth.lab.frames import export
from slth.lab.plan import Grid, Plan
from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter
from slth.lab.trial_result import TrialResult
from slth.solution import Status
from tests.lab.test_store import old

__all__ = ["old"]

PLAN = Plan("many", (Grid(("neurons",), ("relu",), (2,), (0.5, 0.25), (2, 3, 4)),), draws=8)
READERS = {
    "rows": lambda store: list(store.rows()),
    "count": lambda store: store.count(),
    "columns": lambda store: store.columns(),
    "plans": lambda store: store.plans(),
    "versions": lambda store: store.versions(),
    "digest": lambda store: store.digest(),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "ref.db"
    generator = random.Random(0)
    with StoreWriter.open(path) as store:
        store.record_plan(PLAN)
        for trial in PLAN.trials():
            error = generator.random()
            store.record(
                trial,
                TrialResult(
                    "done", Status.REACHED, bound=error / 3, error_lower=error, error_upper=error,
                    kept_units=generator.randrange(9), message="é" * generator.randrange(40),
                ),
            )  # fmt: skip
    return path


def damaged(data, kind, generator):
    """Flipped bits, noise, a cut end, zeroed sectors."""
    changed = bytearray(data)
    at = generator.randrange(len(changed))
    if kind == 0:
        changed[at] ^= 1 << generator.randrange(8)
    elif kind == 1:
        for _ in range(50):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
    elif kind == 2:
        changed = changed[:at]
    else:
        changed[at : at + 512] = bytes(len(changed[at : at + 512]))
    return bytes(changed)


def read_all(path):
    with Store.open(path) as store:
        return {name: reader(store) for name, reader in READERS.items() if name != "columns"}, {
            name: column.tolist() for name, column in store.columns().items()
        }


def test_four_hundred_damaged_copies_are_refused_or_read_the_same(whole, tmp_path):
    good = repr(read_all(whole))
    data, generator, seen = whole.read_bytes(), random.Random(4), Counter()
    path = tmp_path / "bad.db"
    for trial in range(400):
        path.write_bytes(damaged(data, trial % 4, generator))
        try:
            assert repr(read_all(path)) == good, trial
            seen["the same"] += 1
        except StoreError:
            seen["refused"] += 1
    assert seen["refused"] > 150
    assert seen["the same"] > 20


def test_damaged_stores_of_0_1_give_no_traceback(old, tmp_path):
    data, generator = old.read_bytes(), random.Random(5)
    path = tmp_path / "bad.db"
    for trial in range(200):
        path.write_bytes(damaged(data, trial % 4, generator))
        try:
            read_all(path)
        except SlthError:
            continue


def change(path, script):
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE trials SET bound = bound / 2 WHERE draw = 1",
        "UPDATE trials SET message = 'x' WHERE draw = 1",
        "DELETE FROM trials WHERE draw = 3",
        "DELETE FROM checksums WHERE of = 'trials'",
        "UPDATE plans SET toml = toml || ' '",
        "DELETE FROM plans",
        "DROP TABLE checksums",
        "ALTER TABLE trials RENAME COLUMN contender TO rival",
    ],
)
@pytest.mark.parametrize("opening", [Store.open, StoreWriter.open])
def test_a_change_from_outside_is_refused(whole, tmp_path, script, opening):
    path = tmp_path / "changed.db"
    path.write_bytes(whole.read_bytes())
    change(path, script)
    with pytest.raises(StoreError):
        opening(path)


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE trials SET state = 'finished'",
        "UPDATE trials SET d = -1",
        "UPDATE trials SET width = 'wide'",
        "UPDATE trials SET pruning = NULL",
        "UPDATE trials SET status = 'proven'",
    ],
)
def test_the_tables_take_no_nonsense(whole, tmp_path, script):
    path = tmp_path / "changed.db"
    path.write_bytes(whole.read_bytes())
    with pytest.raises(sqlite3.IntegrityError):
        change(path, script)


def test_a_row_written_twice_has_one_checksum(whole, tmp_path):
    path = tmp_path / "again.db"
    path.write_bytes(whole.read_bytes())
    trial = PLAN.trials()[0]
    with StoreWriter.open(path) as store:
        store.record(trial, TrialResult("failed", message="it broke"))
        store.record_plan(PLAN)
    with Store.open(path) as store:
        assert store.row(trial.key).state == "failed"
        assert export(store, tmp_path / "all.csv", "csv") == len(PLAN.trials())
