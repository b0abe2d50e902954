"""Kills, full disks, folders and files that cannot be used: nothing recorded is lost."""

import os
import random
import resource
import shutil
import signal
import sqlite3
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

import slth
from slth.errors import StoreError
from slth.lab import store_file
from slth.lab.plan import Grid, Plan
from slth.lab.run import run_sweep
from slth.lab.schema import COLUMNS
from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter
from slth.lab.ticket_files import ticket_folder
from tests.lab.planted import CHAINS, FLAT, PlantedPool, outcome_of

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
# Python 3.12 warns of forking with threads; the child only runs SQLite and plain Python.
forks = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def in_child(action, uid=None):
    """The message of the SlthError that `action` raises in a forked process, "" if none."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        message = ""
        try:
            if uid is not None:
                os.setuid(uid)
            action()
        except slth.SlthError as error:
            message = str(error)
        except BaseException as error:
            message = f"unexpected {error!r}"
        finally:
            os.write(writer, message.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        message = stream.read().decode()
    os.waitpid(child, 0)
    return message


def digest_of(path):
    with Store.open(path) as store:
        return store.digest()


def keys_of(path):
    with Store.open(path) as store:
        return {row.key: row.ticket for row in store.rows()}


@pytest.fixture
def half(tmp_path):
    """A store that holds some of FLAT's trials."""
    path = tmp_path / "half.db"
    assert not run_sweep(FLAT, path, PlantedPool(stop_after=20))
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.db"
    assert run_sweep(FLAT, path, PlantedPool())
    return path


@posix
@forks
def test_killed_at_random_moments_and_resumed_the_store_is_the_same(tmp_path):
    plan = Plan("many", FLAT.grids, draws=12)
    assert run_sweep(plan, tmp_path / "whole.db", PlantedPool())
    path = tmp_path / "killed.db"
    moments = random.Random(6)
    before = {}
    for _ in range(20):
        child = os.fork()
        if child == 0:
            run_sweep(plan, path, PlantedPool())
            os._exit(0)
        time.sleep(moments.uniform(0.001, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if path.exists() and path.stat().st_size:
            after = keys_of(path)
            assert before.items() <= after.items()
            before = after
    assert run_sweep(plan, path, PlantedPool())
    assert digest_of(path) == digest_of(tmp_path / "whole.db")
    assert _tickets(path) == _tickets(tmp_path / "whole.db")


def _tickets(path):
    return {file.name for file in ticket_folder(path).rglob("*.ticket")}


@posix
@forks
@pytest.mark.parametrize("room", [0, 4096, 20_000])
def test_a_full_disk_stops_the_sweep_and_loses_nothing(half, whole, room):
    held = keys_of(half)

    def run_in_a_small_room():
        size = half.stat().st_size + room
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        run_sweep(Plan("more", FLAT.grids, draws=60), half, PlantedPool(), extend=True)

    message = in_child(run_in_a_small_room)
    assert "same command" in message
    assert held.items() <= keys_of(half).items()
    assert run_sweep(FLAT, half, PlantedPool(), extend=True)
    with Store.open(half) as store, Store.open(whole) as other:
        for row in other.rows():
            again = store.row(row.key)
            for name, column in COLUMNS.items():
                assert column.incidental or getattr(again, name) == getattr(row, name)


@posix
@forks
def test_a_read_only_folder_is_told_and_can_be_read(half):
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    folder = Path(tempfile.mkdtemp(prefix="slth-read-only-"))
    try:
        copy = folder / half.name
        shutil.copy(half, copy)
        folder.chmod(0o755)
        count = len(keys_of(half))
        nobody = 65534
        assert "cannot be written" in in_child(lambda: run_sweep(FLAT, copy, PlantedPool()), nobody)
        assert "cannot be written" in in_child(
            lambda: run_sweep(FLAT, folder / "new.db", PlantedPool()), nobody
        )

        def read():
            with Store.open(copy) as store:
                assert store.count() == count

        assert in_child(read, nobody) == ""
        _leave_half_a_transaction(copy)
        assert "-journal together" in in_child(read, nobody)
        # Its owner's opening rolls back.
        read()
        assert in_child(read, nobody) == ""
    finally:
        shutil.rmtree(folder)


def _leave_half_a_transaction(path):
    """As a kill amid a commit does: a hot journal."""
    child = os.fork()
    if child == 0:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE trials SET message = hex(randomblob(4000))")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert path.with_name(f"{path.name}-journal").stat().st_size > 0


@posix
@forks
def test_half_a_transaction_is_rolled_back(half):
    digest = digest_of(half)
    _leave_half_a_transaction(half)
    assert digest_of(half) == digest
    with Store.open(half) as store:
        assert all(row.message is None for row in store.rows())


def test_a_locked_store_is_told(half, monkeypatch):
    monkeypatch.setattr(store_file, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(half, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StoreError, match="locked"):
            run_sweep(FLAT, half, PlantedPool())
        with pytest.raises(StoreError, match="locked"):
            digest_of(half)
    finally:
        other.close()
    assert run_sweep(FLAT, half, PlantedPool())


def test_damaged_and_foreign_files_are_told(half, tmp_path):
    text = tmp_path / "notes.db"
    text.write_text("dear diary " * 1000)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE a (b)")
    connection.close()
    newer = tmp_path / "newer.db"
    shutil.copy(half, newer)
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    broken = tmp_path / "broken.db"
    data = bytearray(half.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    broken.write_bytes(data)
    for path, words in (
        (text, "not an SQLite file"),
        (foreign, "not a store"),
        (newer, "schema 99"),
        (broken, "damaged"),
    ):
        before = path.read_bytes()
        with pytest.raises(StoreError, match=words):
            digest_of(path)
        with pytest.raises(StoreError, match=words):
            run_sweep(FLAT, path, PlantedPool())
        assert path.read_bytes() == before
    with pytest.raises(StoreError, match="no such store"):
        Store.open(tmp_path / "none.db")
    with pytest.raises(StoreError, match="mkdir"):
        StoreWriter.open(tmp_path / "no" / "folder.db")


def test_a_changed_plan_is_asked_about(half, whole):
    more = Plan("more", (*FLAT.grids, Grid(("neurons",), ("relu",), (2,), (0.5,), (4,))), 4)
    before, held = digest_of(half), len(keys_of(half))
    with pytest.raises(StoreError, match=r"another plan, 'flat'.*--extend"):
        run_sweep(more, half, PlantedPool())
    assert digest_of(half) == before
    pool = PlantedPool()
    assert run_sweep(more, half, pool, extend=True)
    assert len(pool.submitted) == len(more.trials()) - held
    # Both plans are at home now.
    assert run_sweep(FLAT, half, PlantedPool())
    assert keys_of(whole).items() <= keys_of(half).items()


def test_another_version_of_the_library_is_asked_about(half):
    trial = FLAT.trials()[0]
    with StoreWriter.open(half) as writer:
        old = replace(outcome_of(trial), slth="0.0.9")
        writer.record(replace(trial, seed=1), old)
    with pytest.raises(StoreError, match=r"slth 0\.0\.9.*--extend"):
        run_sweep(FLAT, half, PlantedPool())
    assert run_sweep(FLAT, half, PlantedPool(), extend=True)
    with Store.open(half) as store:
        assert store.versions() == ["0.0.9", slth.__version__]


def test_a_lost_or_changed_ticket_is_told(tmp_path):
    path = tmp_path / "a.db"
    assert not run_sweep(CHAINS, path, PlantedPool(stop_after=20))
    with Store.open(path) as store:
        row = next(row for row in store.rows() if row.ticket is not None)
        store.ticket_path(row).write_bytes(b"other")
        with pytest.raises(StoreError, match="SHA-256 differs"):
            store.load_ticket(row)
        store.ticket_path(row).unlink()
        with pytest.raises(StoreError, match="cannot read the ticket"):
            store.load_ticket(row)
