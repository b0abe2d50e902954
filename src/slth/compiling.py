"""What this process spends on compiling kernels, and who is told when it begins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from numba.core import event

# Wall and CPU seconds that compiling has taken so far.
seconds = 0.0
cpu_seconds = 0.0
# Called with the module of the kernel that every compilation begins with.
_listeners: list[Callable[[str], None]] = []


def tell(listener: Callable[[str], None]) -> None:
    """Let the listener be called with its module when a kernel is compiled, from now on."""
    _listeners.append(listener)


def listeners() -> tuple[Callable[[str], None], ...]:
    """Who is told."""
    return tuple(_listeners)


class _Compilations(event.Listener):
    """Numba says when it compiles; kernels that others call are compiled within those."""

    def __init__(self) -> None:
        self._own = threading.local()

    def on_start(self, event: event.Event) -> None:
        depth = getattr(self._own, "depth", 0)
        if depth == 0:
            self._own.began = time.monotonic(), time.thread_time()
            module = event.data["dispatcher"].py_func.__module__  # pyright: ignore[reportOptionalSubscript]
            for listener in tuple(_listeners):
                listener(module)
        self._own.depth = depth + 1

    def on_end(self, event: event.Event) -> None:
        global seconds, cpu_seconds
        self._own.depth -= 1
        if self._own.depth == 0:
            wall, cpu = self._own.began
            seconds += time.monotonic() - wall
            cpu_seconds += time.thread_time() - cpu


event.register("numba:compile", _Compilations())
