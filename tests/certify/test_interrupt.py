"""Ctrl-C: `certify` returns what is proven, `enclose` lets it through to the searcher."""

from __future__ import annotations

import signal
import threading

import pytest

import slth
from slth.certify.enclose import enclose
from slth.limits import Deadline, stopped_by_interrupt
from tests.clocks import Ticking, use


def never_closed() -> tuple[slth.ReLUNetwork, slth.ReLUNetwork]:
    """Hundreds of units take minutes to close to 1e-6, and rtol = 0 asks for more."""
    return slth.random_network(8, 300, 0), slth.random_network(8, 300, 1)


def test_certify_returns_its_bounds(monkeypatch):
    net, target = never_closed()
    use(monkeypatch, Ticking(interrupt_at=40))
    enclosure = slth.certify(net, target, rtol=0.0, time_limit=None)
    assert enclosure.status == "open"
    assert 0.0 < enclosure.lower < enclosure.upper
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_searchers_certifier_lets_it_through():
    net, target = never_closed()
    deadline = Deadline(clock=Ticking(interrupt_at=40))
    with pytest.raises(KeyboardInterrupt):
        enclose(net, target, 0.0, deadline)


def test_a_second_interrupt_raises():
    deadline = Deadline()

    def press_twice() -> None:
        with stopped_by_interrupt(deadline):
            signal.raise_signal(signal.SIGINT)
            assert deadline.expired
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        press_twice()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_stopping_reaches_related_deadlines_both_ways():
    outer = Deadline()
    inner = outer.within(100.0)
    assert not inner.expired
    inner.stop()
    assert inner.expired
    assert outer.expired


def test_other_handlers_and_other_threads_are_left_alone():
    caught = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        deadline = Deadline()
        with stopped_by_interrupt(deadline):
            signal.raise_signal(signal.SIGINT)
        assert caught == [signal.SIGINT]
        assert not deadline.expired
    finally:
        signal.signal(signal.SIGINT, before)
    seen = []

    def work() -> None:
        with stopped_by_interrupt(Deadline()):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
