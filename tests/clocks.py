"""Time that passes by readings: what a limit cuts does not depend on the machine."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from slth import limits


class Ticking:
    """A clock that gains a second at every reading."""

    def __init__(self) -> None:
        self.readings = 0

    def __call__(self) -> float:
        self.readings += 1
        return float(self.readings)


class Standing:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def use(monkeypatch: pytest.MonkeyPatch, clock: limits.Clock) -> None:
    """Let every deadline from now on read this clock: `time_limit` is in its seconds."""
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=clock))
