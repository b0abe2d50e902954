"""Sweeps: the cost of a trial, kills and resumes, a Dask worker killed, a million rows."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import distributed

from benchmarks.table import show
from slth.lab.dask_pool import DaskPool
from slth.lab.plan import Grid, Plan
from slth.lab.pools import LocalPool
from slth.lab.run import run_sweep
from slth.lab.schema import COLUMNS, Row
from slth.lab.store import Store
from slth.lab.store_writer import INSERT, StoreWriter
from slth.lab.sweep import Event
from slth.lab.trial_result import TrialResult

_SLTH = [sys.executable, "-c", "from slth.cli import main; main()"]
_KILLS = 20
_ROWS = 1_000_000
# Decided at once, without any limit of time: d = 1 and tiny widths.
_TINY = Grid(("neurons", "weights"), ("linear", "relu"), (1,), (0.5, 0.25, 0.125), (2, 3, 4, 5))
_READ = """
import resource, sys, time
started = time.perf_counter(), time.process_time()
from slth.lab.store import Store
with Store.open(sys.argv[1]) as store:
    table = store.columns("key", "pruning", "readout", "d", "eps", "width", "contender", "draw",
                          "state", "status", "refuted", "found", "bound", "error_upper")
assert len(table["key"]) == int(sys.argv[2])
print(time.perf_counter() - started[0], time.process_time() - started[1],
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def main() -> None:
    """Four tables."""
    with tempfile.TemporaryDirectory() as folder:
        _overhead(Path(folder))
        _kills(Path(folder))
        _dask(Path(folder))
        _million(Path(folder))


def _overhead(folder: Path) -> None:
    """One worker: wall time a trial less the time inside the trial, search and ticket."""
    plan = Plan("overhead", (Grid(("weights",), ("relu",), (1,), (0.5,), (1,)),), draws=1000)
    ended: list[float] = []

    def watch(event: Event) -> None:
        if event.kind == "ended":
            ended.append(time.perf_counter())

    pool = LocalPool(1)
    used = time.process_time()
    try:
        run_sweep(plan, folder / "overhead.db", pool, watch)
    finally:
        pool.close()
    used = time.process_time() - used
    with Store.open(folder / "overhead.db") as store:
        inside = float(store.columns("seconds")["seconds"].mean())
    # From the first end on, so that the worker's start is not counted.
    wall = (ended[-1] - ended[0]) / (len(ended) - 1)
    headings = ("trials", "wall ms", "in trial ms", "beyond ms", "main process CPU ms")
    row = (len(ended), 1e3 * wall, 1e3 * inside, 1e3 * (wall - inside), 1e3 * used / len(ended))
    show("A trial that does next to nothing", headings, [row])


def _kills(folder: Path) -> None:
    """SIGKILL at random moments, resume, compare with the uninterrupted store."""
    plan = Plan("killed", (_TINY,), draws=42)
    trials = len(plan.trials())
    file = folder / "plan.toml"
    file.write_text(plan.to_toml())
    whole, killed = folder / "whole.db", folder / "killed.db"
    started = time.perf_counter()
    _sweep(file, whole).wait()
    seconds = time.perf_counter() - started
    moments = random.Random(6)
    held, lost = set(), 0
    for _ in range(_KILLS):
        goal = len(held) + moments.randrange(2 * trials // _KILLS - 40)
        running = _sweep(file, killed)
        while len(_keys(killed)) < min(goal, trials - 1) and running.poll() is None:
            time.sleep(moments.uniform(0.0, 0.1))
        running.send_signal(signal.SIGKILL)
        running.wait()
        now = _keys(killed)
        lost += len(held - now)
        held = now
    at_last_kill = len(held)
    _sweep(file, killed).wait()
    with Store.open(whole) as one, Store.open(killed) as other:
        same = one.digest() == other.digest()
        rows = other.count()
    tickets = [
        len(list(folder.rglob(f"{path.name}.tickets/*/*.ticket"))) for path in (whole, killed)
    ]
    headings = (
        "trials",
        "whole s",
        "kills",
        "at last kill",
        "rows",
        "lost",
        "same digest",
        "tickets",
    )
    show(
        "Killed and resumed, two workers",
        headings,
        [(trials, seconds, _KILLS, at_last_kill, rows, lost, same, f"{tickets[0]} = {tickets[1]}")],
    )


def _dask(folder: Path) -> None:
    """A cluster of two workers, one of them killed every 400 trials, against local processes."""
    plan = Plan("cluster", (_TINY,), draws=42)
    pool = LocalPool(2)
    run_sweep(plan, folder / "local.db", pool, lambda _: None)
    pool.close()
    ended, kills = 0, 0
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    with cluster, distributed.Client(cluster) as client:

        def watch(event: Event) -> None:
            nonlocal ended, kills
            ended += event.kind == "ended"
            if event.kind == "ended" and ended % 400 == 0:
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
                kills += 1

        lent = DaskPool(client)
        run_sweep(plan, folder / "dask.db", lent, watch)
        lent.close()
    with Store.open(folder / "local.db") as one, Store.open(folder / "dask.db") as other:
        row = (one.count(), other.count(), kills, one.digest() == other.digest())
    headings = ("trials", "rows", "workers killed", "same digest")
    show("A Dask cluster of two workers against local processes", headings, [row])


def _sweep(plan: Path, store: Path) -> subprocess.Popen[bytes]:
    command = [*_SLTH, "sweep", str(plan), "--store", str(store), "--workers", "2", "--json"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet)


def _keys(path: Path) -> set[str]:
    """Keys of the trials that have ended, none while the store is being made."""
    try:
        with Store.open(path) as store:
            return {row.key for row in store.rows() if row.state == "done"}
    except Exception:
        return set()


def _million(folder: Path) -> None:
    """Read what a report needs of a million rows, in a fresh process."""
    grid = Grid(("neurons", "weights"), ("linear", "relu"), (2, 3, 4, 5, 8), (0.5, 0.25), None)
    path = folder / "million.db"
    template = next(iter(Plan("million", (grid,)).trials()))
    StoreWriter.open(path).close()
    chance = random.Random(1)

    def rows() -> Iterator[list[object]]:
        result = TrialResult("done", refuted=1, found=2, bound=0.5)
        row = Row.of(template, result, ticket=None, attempts=1, finished=0.0)
        base = list(zip(COLUMNS, row.values(), strict=True))
        for k in range(_ROWS):
            drawn = {
                "key": f"{chance.getrandbits(256):064x}",
                "d": 2 + k % 7,
                "eps": 2.0 ** -(1 + k % 6),
                "draw": k // 42,
                "refuted": chance.randrange(1000),
                "found": chance.randrange(1000, 2000),
                "error_upper": chance.random(),
            }
            yield [drawn.get(name, value) for name, value in base]

    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(INSERT, rows())
    connection.close()
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(path), str(_ROWS)],
        capture_output=True,
        text=True,
        check=True,
    )
    wall, cpu, memory = map(float, done.stdout.split())
    headings = ("rows", "file MB", "wall s", "CPU s", "peak GiB")
    row = (_ROWS, path.stat().st_size / 1e6, wall, cpu, memory)
    show("A store opened and read for a report (14 columns)", headings, [row])
