"""Budgets in work: equal answers whatever the machine does; what the safety cuts is marked."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from slth.lab import measure, work
from slth.lab.gap import plan_gap, run_gap
from slth.lab.measure import run_trial
from slth.lab.pools import LentPool
from slth.lab.rows import Series, WidthRow
from slth.lab.store import Store
from slth.lab.trial import Trial
from slth.lab.work import LOOKS, WorkClock
from slth.limits import Deadline


def bisection(**options):
    asked = {"search_seconds": 0.2, "max_width": 60, **options}
    return Trial("neurons", "linear", 3, 0.3, None, 0, 5, **asked)


def test_a_work_clock_counts_looks():
    clock = WorkClock(2.0)
    deadline = Deadline(2.0, clock)
    looks = 0
    while not deadline.expired:
        looks += 1
    assert looks == pytest.approx(2 * LOOKS, abs=3)
    assert not clock.cut


def test_the_safety_cuts_and_says_so(monkeypatch):
    spent = iter([0.0, 1.0, 19.0, 21.0])
    monkeypatch.setattr(work, "cpu_clock", lambda: next(spent))
    clock = WorkClock(1.0)
    assert clock() == 1 / LOOKS
    assert clock() == 2 / LOOKS
    assert clock() == math.inf
    assert clock.cut


def test_a_slow_machine_gives_the_same_outcome(monkeypatch):
    quick = run_trial(bisection(), [], lambda outcome: None)
    # Every look finds that a tenth of a second of wall time has passed.
    seconds = iter(range(10**9))
    monkeypatch.setattr(measure.time, "monotonic", lambda: next(seconds) / 10.0)
    slow = run_trial(bisection(), [], lambda outcome: None)
    assert quick.state == slow.state == "done"
    for name in ("found", "refuted", "bound", "error_upper", "ticket", "tried", "undecided"):
        assert getattr(quick, name) == getattr(slow, name)


def test_what_the_safety_cuts_is_a_timeout(monkeypatch):
    monkeypatch.setattr(work, "SAFETY", 0.0)
    cut = run_trial(bisection(), [], lambda outcome: None)
    assert cut.state == "timeout"


def row(found, refuted, series=None, **more):
    series = series or Series("neurons", "linear")
    return WidthRow(series, 0, 0.1, refuted, 0.2, found, 0.1, 3, (), 9, 0.1, **more)


def test_cells_are_decided_where_no_search_was_left_open_far_below():
    assert row(40, 39).decided
    assert row(40, 30, undecided=35).decided
    assert not row(40, 10, undecided=35).decided
    assert not row(40, 39, cut=True).decided
    assert not row(None, 39).decided
    assert row(40, 0, Series("weights", "relu"), undecided=35).decided


def test_a_gap_in_a_store_goes_on_where_it_was_stopped(tmp_path):
    plan = plan_gap(2, "linear", 1 / 4, 2, seed=5, max_width=20)
    path = tmp_path / "gap.db"
    executor = ThreadPoolExecutor(1)

    def pool():
        return LentPool(executor, 2)

    whole = run_gap(plan, pool(), lambda cell: None)
    seen = []

    def stop_after_three(cell):
        seen.append(cell)
        if len(seen) == 3:
            raise KeyboardInterrupt

    first = run_gap(plan, pool(), stop_after_three, path)
    assert not first.complete
    with Store.open(path) as store:
        assert 3 <= store.count() < len(whole.rows)
    again = run_gap(plan, pool(), lambda cell: None, path)
    assert again.complete
    strip = [(r.series, r.draw, r.eps, r.refuted, r.found) for r in whole.rows]
    assert [(r.series, r.draw, r.eps, r.refuted, r.found) for r in again.rows] == strip
    # Nothing is left to run.
    assert run_gap(plan, pool(), lambda cell: None, path).rows == again.rows
    executor.shutdown()
