"""Time that passes by readings: what a limit cuts does not depend on the machine."""

from __future__ import annotations

import signal

import pytest

from slth import limits
from slth.certify.enclose import enclose
from slth.limits import Deadline
from slth.network import ReLUNetwork
from slth.solution import Enclosure


class Ticking:
    """A clock that gains a second at every reading; at one of them Ctrl-C may be pressed."""

    def __init__(self, interrupt_at: int = -1) -> None:
        self.readings = 0
        self.interrupt_at = interrupt_at

    def __call__(self) -> float:
        self.readings += 1
        if self.readings == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)
        return float(self.readings)


def use(monkeypatch: pytest.MonkeyPatch, clock: limits.Clock) -> None:
    """Let every deadline from now on read this clock: `time_limit` is in its seconds."""
    monkeypatch.setattr(limits, "_working_seconds", clock)


def certified(
    net: ReLUNetwork,
    target: ReLUNetwork,
    readings: float = 200.0,
    *,
    rtol: float = 1e-6,
    eps: float | None = None,
) -> Enclosure:
    """What is certified on the unit ball within so many readings of the clock."""
    return enclose(net, target, rtol, Deadline(readings, Ticking()), eps=eps)
