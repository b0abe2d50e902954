"""How many threads work may compute on: the one place that says so.

Compiled kernels release the GIL, so a pool of threads uses several processors. Whoever already
keeps all of them busy, e.g. with one trial a processor, says `at_most_threads(1)` around each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_most: ContextVar[int | None] = ContextVar("most_threads", default=None)


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_threads() -> int:
    """Threads that a verb may compute on: one a processor, or fewer within `at_most_threads`."""
    most = _most.get()
    return processors() if most is None else min(most, processors())


@contextmanager
def at_most_threads(count: int) -> Iterator[None]:
    """Within, in this thread and what it calls, `usable_threads` is at most `count` >= 1."""
    token = _most.set(count)
    try:
        yield
    finally:
        _most.reset(token)
