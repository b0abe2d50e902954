"""Clocks of limits: compiling stands still, lent clocks reach every deadline, Ctrl-C stops."""

import signal
import time

import numpy as np
import pytest
from numba import njit

import slth
from slth import compiling, limits
from slth.limits import Deadline, measured_by
from tests import clocks


def test_compiling_does_not_count():
    told = []
    compiling.tell(told.append)
    try:
        before, cpu = compiling.seconds, compiling.cpu_seconds

        @njit
        def inner(x):
            return np.sort(x).sum()

        @njit
        def outer(x):
            return inner(x) + inner(2 * x)

        # The clock is read within the readings of one and around those of the other.
        around = time.monotonic()
        start = limits._working_seconds()
        within = time.monotonic()
        outer(np.ones(3))
        within = time.monotonic() - within
        worked = limits._working_seconds() - start
        around = time.monotonic() - around
        spent = compiling.seconds - before
        assert 0.0 < spent <= within
        assert within - 1e-9 <= worked + spent <= around + 1e-9
        assert compiling.cpu_seconds > cpu
        # Kernels that others call are compiled within those: told once.
        assert told == [__name__]
        outer(np.ones(4))
        assert compiling.seconds - before == spent
    finally:
        compiling._listeners.pop()


def test_a_lent_clock_reaches_the_deadlines_of_every_verb():
    def answer():
        with measured_by(clocks.Ticking()):
            net = slth.random_network(3, 40, 0)
            solution = slth.prune_neurons(net, slth.neuron([1.0, 0.0, 0.0]), time_limit=300)
            return solution.error.upper, solution.bound, solution.stats["seconds"]

    assert answer() == answer()
    with measured_by(lambda: 7.0):
        assert Deadline().elapsed == 0.0
    assert Deadline()._clock is limits._working_seconds


def test_stopping_is_seen_by_related_deadlines():
    outer = Deadline()
    inner = outer.within(3.0)
    outer.interrupt()
    assert inner.interrupted
    assert inner.expired
    other = Deadline()
    other.stop()
    assert other.expired
    assert not other.interrupted


@pytest.mark.parametrize("at", [2, 9, 40])
def test_ctrl_c_in_subset_sums_returns_what_was_solved(monkeypatch, at):
    clocks.use(monkeypatch, clocks.Ticking(interrupt_at=at))
    rng = np.random.default_rng(0)
    samples, targets = rng.standard_normal((20_000, 30)), np.full(20_000, 0.3)
    found = slth.subset_sum(samples, targets)
    assert found.masks.shape == samples.shape
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("at", [2, 12])
def test_ctrl_c_in_embed_returns_a_valid_embedding(monkeypatch, tmp_path, at):
    clocks.use(monkeypatch, clocks.Ticking(interrupt_at=at))
    rng = np.random.default_rng(0)
    target = [(rng.normal(size=(20, 10)) / 3, None), (rng.normal(size=(4, 20)) / 4, None)]
    found = slth.embed(target, eps=0.05, workers=1)
    assert found.certify(target) == found.error
    found.save(tmp_path / "a.slt")
    assert slth.load(tmp_path / "a.slt").error == found.error


def test_embed_keeps_its_time_limit(counted_time):
    rng = np.random.default_rng(0)
    target = [(rng.normal(size=(20, 10)) / 3, None), (rng.normal(size=(4, 20)) / 4, None)]
    found = slth.embed(target, eps=0.01, workers=1, time_limit=3)
    assert found.status == "unknown"
    assert found.certify(target) == found.error
    with pytest.raises(slth.InvalidInput):
        slth.embed(target, eps=0.01, time_limit=-1)
