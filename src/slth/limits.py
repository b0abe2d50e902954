"""Time limits and progress: how long work may take and how it tells what it has reached."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from slth import compiling


@dataclass(frozen=True)
class Progress:
    """One report of a running search: which phase, and the proven and found values so far of
    what is minimised ("error", or "units")."""

    phase: str
    lower: float
    upper: float
    what: str = "error"


Report = Callable[[Progress], None]
Clock = Callable[[], float]


def silent(progress: Progress) -> None:
    """The report that says nothing."""


_clock: ContextVar[Clock | None] = ContextVar("_clock", default=None)


def _working_seconds() -> float:
    """Seconds, which stand still while this process compiles: a compiled kernel is kept for good,
    and no limit pays for it."""
    return time.monotonic() - compiling.seconds


@contextmanager
def measured_by(clock: Clock) -> Iterator[None]:
    """Within, deadlines that are given no clock read this one."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)


class Deadline:
    """A point in time after which work returns what it has. Compiled kernels are called in slices
    of well under a second, so that a deadline and Ctrl-C are met between slices."""

    def __init__(self, seconds: float = math.inf, clock: Clock | None = None) -> None:
        """clock: gives seconds; None: those of this machine, without what was spent on compiling,
        or the clock of `measured_by`. `within` hands it on."""
        self._clock = clock or _clock.get() or _working_seconds
        self._started = self._clock()
        self._seconds = seconds
        self._stopped, self._interrupted = threading.Event(), threading.Event()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    @property
    def remaining(self) -> float:
        """Seconds left, 0.0 when past."""
        return 0.0 if self._stopped.is_set() else max(0.0, self._seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        """Whether the time is up."""
        return self.remaining <= 0.0

    def within(self, seconds: float) -> Deadline:
        """A deadline `seconds` from now, but never after this one; `stop` ends both."""
        inner = Deadline(min(seconds, self.remaining), self._clock)
        inner._stopped, inner._interrupted = self._stopped, self._interrupted
        return inner

    @property
    def interrupted(self) -> bool:
        """Whether `interrupt` let it pass."""
        return self._interrupted.is_set()

    def interrupt(self) -> None:
        """`stop`, at the user's wish."""
        self._interrupted.set()
        self.stop()

    def stop(self) -> None:
        """Let this deadline, and all that are related to it by `within`, pass now."""
        self._stopped.set()


@contextmanager
def stopped_by_interrupt(deadline: Deadline) -> Iterator[None]:
    """Within, Ctrl-C stops the deadline, so that work returns what it has; a second one raises.

    Only in the main thread (the others get no signals), and only where SIGINT would raise
    KeyboardInterrupt: a handler that the program installed for itself is left alone.
    """
    raising = signal.default_int_handler
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not raising:
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, raising)
        deadline.interrupt()

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, raising)
