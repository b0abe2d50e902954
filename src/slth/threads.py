"""How many threads work may compute on: the one place that says so.

Compiled kernels release the GIL, so a pool of threads uses several processors. Whoever already
keeps all of them busy, e.g. with one trial a processor, says `at_most_threads(1)` around each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Mapper(Protocol):
    """Calls a function with every item; the results, in the items' order."""

    def __call__(
        self, call: Callable[[Item], Result], items: Iterable[Item], /
    ) -> list[Result]: ...


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


@contextmanager
def crew(count: int) -> Iterator[Mapper]:
    """Within, a map that computes on `count` threads, or in the calling one if that is 1.

    What runs in the crew's threads finds `usable_threads() == 1`, so that crews do not nest.
    """
    if count == 1:
        yield lambda call, items: [call(item) for item in items]
        return
    with ThreadPoolExecutor(count, initializer=_most.set, initargs=(1,)) as pool:
        yield lambda call, items: list(pool.map(call, items))
