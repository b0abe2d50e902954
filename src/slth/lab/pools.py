"""Where trials run: processes of this machine, or any executor somebody lends.

A pool starts trials and hands on what running ones report; which trial comes next is decided by
`slth.lab.sweep` alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import Connection

from slth.lab.measure import Earlier, run_trial
from slth.lab.trial import Trial
from slth.lab.trial_result import TrialResult

# A running trial's key and its bounds so far.
Note = tuple[str, TrialResult]


class AbstractPool(ABC):
    """Runs trials elsewhere."""

    @property
    @abstractmethod
    def window(self) -> int:
        """How many trials to have submitted at a time: enough that no worker waits."""

    @abstractmethod
    def submit(self, trial: Trial, earlier: Earlier) -> Future[TrialResult]:
        """Start a trial. A dead worker is a `BrokenExecutor`, here or in the future."""

    @abstractmethod
    def notes(self) -> list[Note]:
        """What running trials reported since the last call."""

    @abstractmethod
    def restart(self) -> None:
        """Replace the workers after one died."""

    @abstractmethod
    def require_alive(self, error: Exception) -> None:
        """Raise SlthError if an exception means that the pool itself is lost, not its trial."""

    @abstractmethod
    def close(self) -> None:
        """Stop all work at once."""


class LocalPool(AbstractPool):
    """Worker processes of this machine, which die with this process.

    Args:
        window: how many trials to have submitted; None: one running and one waiting for each
            worker.
    """

    def __init__(self, workers: int, window: int | None = None) -> None:
        self._workers = workers
        self._window = 2 * workers if window is None else window
        self._notes, self._voice = multiprocessing.Pipe(duplex=False)
        self._executor = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_settle,
            initargs=(self._voice,),
        )

    @property
    def window(self) -> int:
        """As asked for."""
        return self._window

    def submit(self, trial: Trial, earlier: Earlier) -> Future[TrialResult]:
        """Start a trial in a worker."""
        return self._executor.submit(_work, trial, earlier)

    def notes(self) -> list[Note]:
        """What workers wrote into the pipe."""
        notes = []
        while self._notes.poll():
            notes.append(self._notes.recv())
        return notes

    def restart(self) -> None:
        """New workers."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._start()

    def require_alive(self, error: Exception) -> None:
        """A dead worker is a BrokenExecutor; anything else is the trial's."""

    def close(self) -> None:
        """Kill the workers; what they were doing is lost."""
        workers = list((getattr(self._executor, "_processes", None) or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        self._notes.close()
        self._voice.close()


class LentPool(AbstractPool):
    """Any `concurrent.futures.Executor`; its owner closes it. Running trials report nothing."""

    def __init__(self, executor: Executor, window: int) -> None:
        self._executor = executor
        self._window = window

    @property
    def window(self) -> int:
        """As lent."""
        return self._window

    def submit(self, trial: Trial, earlier: Earlier) -> Future[TrialResult]:
        """Start a trial on the executor."""
        return self._executor.submit(run_trial, trial, earlier, _silent)

    def notes(self) -> list[Note]:
        """Nothing."""
        return []

    def restart(self) -> None:
        """Not ours to mend: submitting again says so."""

    def require_alive(self, error: Exception) -> None:
        """An exception is the trial's."""

    def close(self) -> None:
        """Left to the owner."""


def _silent(outcome: TrialResult) -> None:
    """Says nothing."""


# In a worker: the pipe to the main process.
_voice: Connection | None = None


def _settle(voice: Connection) -> None:
    """A worker's beginning. The main process alone answers Ctrl-C, and none outlives it."""
    global _voice
    _voice = voice
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(trial: Trial, earlier: Earlier) -> TrialResult:
    def say(outcome: TrialResult) -> None:
        # Shorter than PIPE_BUF, so it is written whole or, if this worker is killed, not at all.
        if _voice is not None:
            _voice.send((trial.key, outcome))

    return run_trial(trial, earlier, say)
