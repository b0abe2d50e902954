"""What every test stands on: fresh kernels, Ctrl-C that arrives, time that is counted."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import slth
from tests import clocks

SOURCE = Path(slth.__file__).parent


def pytest_configure() -> None:
    """Before xdist starts its workers, and in each of them."""
    # A shell that runs the suite in the background lets it ignore Ctrl-C, for good.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        drop_stale_kernels(SOURCE)


def drop_stale_kernels(source: Path) -> int:
    """Delete cached kernels that are older than any source file; how many.

    Numba looks for changes in a kernel's own file only, but what a kernel calls is compiled into
    it.
    """
    newest = max(path.stat().st_mtime_ns for path in source.rglob("*.py"))
    stale = [path for path in source.rglob("*.nb[ic]") if path.stat().st_mtime_ns < newest]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


@pytest.fixture
def counted_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines count readings: a `time_limit` of 300 is 300 looks at the clock."""
    clocks.use(monkeypatch, clocks.Ticking())


@pytest.fixture
def still_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes for deadlines: work ends when it is done."""
    clocks.use(monkeypatch, lambda: 0.0)
