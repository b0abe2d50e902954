"""Real worker processes and a real Dask cluster, with a worker killed in the middle."""

import os
import signal
import subprocess
import sys
import time

import pytest

from slth.lab.measure import run_trial
from slth.lab.plan import Grid, Plan
from slth.lab.pools import LocalPool
from slth.lab.run import run_sweep
from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter

# Limits that do not depend on time, small enough to be decided at once.
PLAN = Plan("tiny", (Grid(("neurons", "weights"), ("relu",), (1,), (0.5, 0.25), (2, 3, 4)),), 3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The digest of the plan's store, each trial run in this process."""
    path = tmp_path_factory.mktemp("whole") / "whole.db"
    with StoreWriter.open(path) as writer:
        for trial in PLAN.trials():
            writer.record(trial, run_trial(trial, (), lambda outcome: None))
    return digest_of(path)


def digest_of(path):
    with Store.open(path) as store:
        assert store.count(state="done") == len(PLAN.trials())
        return store.digest()


class KillOne:
    """A watch that kills a worker when the first trial ends."""

    def __init__(self, pids):
        self.pids = pids
        self.killed = None

    def __call__(self, event):
        if event.kind == "ended" and self.killed is None:
            self.killed = next(iter(self.pids()))
            os.kill(self.killed, signal.SIGKILL)


def test_a_killed_worker_process_costs_nothing(tmp_path, whole):
    pool = LocalPool(2)
    watch = KillOne(lambda: pool._executor._processes)
    try:
        assert run_sweep(PLAN, tmp_path / "a.db", pool, watch)
    finally:
        pool.close()
    assert watch.killed is not None
    assert digest_of(tmp_path / "a.db") == whole


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills by POSIX signals")
def test_a_killed_sweep_leaves_no_worker_and_resumes(tmp_path, whole):
    plan, path = tmp_path / "plan.toml", tmp_path / "a.db"
    plan.write_text(PLAN.to_toml())
    slth = [sys.executable, "-c", "from slth.cli import main; main()"]
    command = [*slth, "sweep", str(plan), "--store", str(path), "--json"]
    running = subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE, text=True)
    while not (path.exists() and _rows(path) >= 5):
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    # The workers hold the other end of stderr until they are gone.
    running.communicate(timeout=60)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"complete": true' in done.stdout
    assert digest_of(path) == whole


def _rows(path):
    try:
        with Store.open(path) as store:
            return store.count()
    except Exception:
        return 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning:(distributed|dask|tornado|tblib)")
def test_a_dask_cluster_with_a_worker_killed_gives_the_same(tmp_path, whole):
    distributed = pytest.importorskip("distributed")
    from slth.lab.dask_pool import DaskPool

    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    with cluster, distributed.Client(cluster) as client:
        pool = DaskPool(client)
        pids = client.run(os.getpid)
        watch = KillOne(pids.values)
        assert run_sweep(PLAN, tmp_path / "a.db", pool, watch)
        pool.close()
    assert watch.killed is not None
    assert digest_of(tmp_path / "a.db") == whole
