"""Time limits and progress: how long work may take and how it tells what it has reached."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report of a running search: which phase, and the proven and found errors so far."""

    phase: str
    lower: float
    upper: float


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """The report that says nothing."""


class Deadline:
    """A point in time after which work returns what it has. Compiled kernels are called in slices
    of well under a second, so that a deadline and Ctrl-C are met between slices."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._started = time.monotonic()
        self._seconds = seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def remaining(self) -> float:
        """Seconds left, 0.0 when past."""
        return max(0.0, self._seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        """Whether the time is up."""
        return self.remaining <= 0.0

    def within(self, seconds: float) -> Deadline:
        """A deadline `seconds` from now, but never after this one."""
        return Deadline(min(seconds, self.remaining))
