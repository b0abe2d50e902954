"""What this process spends on compiling kernels, who is told when it begins, and where they are
kept."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from numba.core import config, event
from numba.misc.appdirs import AppDirs

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


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def keep_somewhere(folders: Iterable[Path]) -> Path | None:
    """A new folder for this process's kernels, also for those that it starts, if none of these can
    be written (Numba would refuse to define a kernel); else None. It goes with the process."""
    if any(_can_be_written(folder) for folder in folders):
        return None
    folder = tempfile.mkdtemp(prefix="slth-kernels-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = folder
    config.CACHE_DIR = folder  # pyright: ignore[reportAttributeAccessIssue]
    return Path(folder)


# Where Numba looks, in turn: all kernels lie in folders beside this file or below it.
_BESIDE = Path(__file__).parent / "__pycache__"
_OF_USER = Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)
# A folder that lasts only as long as this process, or None: kernels stay.
_told = getattr(config, "CACHE_DIR", "")
passing = keep_somewhere([Path(_told)] if _told else [_BESIDE, _OF_USER])
