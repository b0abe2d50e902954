"""Trials on a Dask cluster (extra `dask`): scheduling and retries after a death are Dask's."""

from __future__ import annotations

import importlib.util
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from slth.errors import InvalidInput, MissingExtra, SlthError
from slth.lab.measure import Earlier, run_trial
from slth.lab.pools import AbstractPool, Note
from slth.lab.trial import Trial
from slth.lab.trial_result import TrialResult

if TYPE_CHECKING:
    from distributed import Client

_TOPIC = "slth-notes"
_CONNECT_SECONDS = 30
# How often the number of the cluster's threads is asked for: workers come and go.
_COUNT_SECONDS = 2.0


def connect(address: str) -> Client:
    """A client of the scheduler at an address, e.g. tcp://host:8786.

    Raises:
        MissingExtra: distributed is not installed.
        InvalidInput: nobody answers there.
    """
    if importlib.util.find_spec("distributed") is None:
        raise MissingExtra("distributed", "dask", "running a sweep on a Dask cluster")
    from distributed import Client

    try:
        return Client(address, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError, ImportError) as error:
        raise InvalidInput(
            "no Dask scheduler",
            got=f"{address}: {error}",
            expected="the address of a running scheduler, e.g. tcp://host:8786",
            fix="Start one with `dask scheduler`, and workers with `dask worker ADDRESS`.",
        ) from error


class DaskPool(AbstractPool):
    """The workers of a `distributed.Client`, which its owner closes.

    When a worker dies Dask runs its trials elsewhere; one that kills its workers comes back as an
    exception (`KilledWorker`, after the scheduler's `allowed-failures`) and so is a failure.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False)
        self._notes: deque[Note] = deque()
        self._window = 2
        self._counted = -_COUNT_SECONDS
        client.subscribe_topic(_TOPIC, self._hear)

    @property
    def window(self) -> int:
        """Two trials a thread of the cluster."""
        now = time.monotonic()
        if now - self._counted >= _COUNT_SECONDS:
            self._counted = now
            threads: Any = self._client.nthreads()
            self._window = max(2, 2 * sum(threads.values()))
        return self._window

    def submit(self, trial: Trial, earlier: Earlier) -> Future[TrialResult]:
        """Start a trial on the cluster."""
        return self._executor.submit(_work, trial, earlier)

    def notes(self) -> list[Note]:
        """What workers logged."""
        return [self._notes.popleft() for _ in range(len(self._notes))]

    def restart(self) -> None:
        """Workers are Dask's business."""

    def require_alive(self, error: Exception) -> None:
        """Raise SlthError when the scheduler is gone."""
        if self._client.status != "running" or type(error).__name__ == "FutureCancelledError":
            raise SlthError(
                "the connection to the Dask scheduler is lost. Start it again and run the same "
                "command; finished trials are kept."
            ) from error

    def close(self) -> None:
        """Cancel what is pending."""
        if self._client.status == "running":
            self._client.unsubscribe_topic(_TOPIC)
        self._executor.shutdown(wait=False)

    def _hear(self, event: tuple[float, Any]) -> None:
        """Called by the client's own thread."""
        message = event[1]
        self._notes.append((message["key"], TrialResult(**message["outcome"])))


def _work(trial: Trial, earlier: Earlier) -> TrialResult:
    from distributed import get_worker

    def say(outcome: TrialResult) -> None:
        get_worker().log_event(_TOPIC, {"key": trial.key, "outcome": asdict(outcome)})

    return run_trial(trial, earlier, say)
