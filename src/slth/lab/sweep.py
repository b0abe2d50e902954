"""Running chains of trials over a pool, into a journal: what comes next, and what a death costs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, replace
from typing import Literal

import slth
from slth.errors import SlthError
from slth.lab.journal import AbstractJournal
from slth.lab.plan import Chain
from slth.lab.pools import AbstractPool
from slth.lab.trial import Trial
from slth.lab.trial_result import TrialResult

# A trial whose workers die this often is a failure.
MOST_ATTEMPTS = 3
_TICK_SECONDS = 0.25


@dataclass(frozen=True)
class Event:
    """A trial was started, said what it has reached so far, or ended."""

    kind: Literal["started", "noted", "ended"]
    trial: Trial
    outcome: TrialResult | None = None


Watch = Callable[[Event], None]


def run_chains(
    chains: Iterable[Chain],
    pool: AbstractPool,
    journal: AbstractJournal,
    watch: Watch,
    *,
    again: Collection[str] = (),
) -> bool:
    """Run every trial that the journal does not hold; whether all was run (False: Ctrl-C).

    Trials of one chain run one after the other, each from the outcomes it names in `after`. An
    exception in a trial is its outcome. When a worker dies, the trials that were with the workers
    are started again, one of them at a time, so that the guilty one is found out; after
    `MOST_ATTEMPTS` deaths it is recorded as failed.

    again: states of recorded trials that are run again, beside "interrupted".

    Raises:
        StoreError: the journal cannot be written; what was recorded stays.
        SlthError: a worker has another version of slth.
    """
    run = _Sweep(chains, pool, journal, watch, again)
    try:
        run.loop()
    except KeyboardInterrupt:
        run.take_notes()
        return False
    return True


class _ChainRun:
    """A chain and how far it is."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.at = 0
        self.deaths = 0

    @property
    def trial(self) -> Trial:
        return self.chain[self.at]


class _Sweep:
    """One call of run_chains."""

    def __init__(
        self,
        chains: Iterable[Chain],
        pool: AbstractPool,
        journal: AbstractJournal,
        watch: Watch,
        again: Collection[str],
    ) -> None:
        self._fresh: Iterator[_ChainRun] = map(_ChainRun, chains)
        self._pool = pool
        self._journal = journal
        self._watch = watch
        self._again = ("interrupted", *again)
        # Chains that go on, and chains whose trial was with the workers when one died.
        self._ready: deque[_ChainRun] = deque()
        self._suspects: deque[_ChainRun] = deque()
        self._pending: dict[Future[TrialResult], _ChainRun] = {}
        self._noted = time.monotonic()

    def loop(self) -> None:
        while self._fill():
            done, _ = wait(self._pending, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
            if time.monotonic() - self._noted >= _TICK_SECONDS:
                self.take_notes()
            for future in done:
                # A death has already moved it.
                if future in self._pending:
                    self._collect(future)

    def take_notes(self) -> None:
        self._noted = time.monotonic()
        running = {run.trial.key: run.trial for run in self._pending.values()}
        for key, outcome in self._pool.notes():
            trial = running.get(key)
            if trial is not None:
                self._journal.note(trial, outcome)
                self._watch(Event("noted", trial, outcome))

    def _fill(self) -> bool:
        """Keep the pool supplied; whether anything is pending."""
        while len(self._pending) < self._pool.window:
            run = self._next()
            if run is None:
                break
            trial = run.trial
            named = [other for other in run.chain if other.key in trial.after]
            known = [(other, self._journal.outcome(other)) for other in named]
            earlier = [(other, outcome) for other, outcome in known if outcome is not None]
            try:
                future = self._pool.submit(trial, earlier)
            except BrokenExecutor:
                self._ready.appendleft(run)
                self._bury()
                continue
            self._pending[future] = run
            self._watch(Event("started", trial))
        return bool(self._pending)

    def _next(self) -> _ChainRun | None:
        """The next chain with something to do."""
        while True:
            suspected = any(run.deaths for run in self._pending.values())
            if self._ready:
                run = self._ready.popleft()
            elif self._suspects and not suspected:
                run = self._suspects.popleft()
            else:
                run = next(self._fresh, None)
            if run is None:
                return None
            while run.at < len(run.chain):
                if self._journal.state(run.trial) in (None, *self._again):
                    return run
                run.at += 1

    def _collect(self, future: Future[TrialResult]) -> None:
        """Record what a finished future brought."""
        try:
            outcome = future.result()
        except BrokenExecutor:
            self._bury()
            return
        except Exception as error:
            self._pool.require_alive(error)
            outcome = TrialResult("failed", message=f"{type(error).__name__}: {error}")
        self._end(self._pending.pop(future), outcome)

    def _end(self, run: _ChainRun, outcome: TrialResult) -> None:
        trial = run.trial
        if outcome.slth != slth.__version__:
            raise SlthError(
                f"a worker runs slth {outcome.slth}, this is {slth.__version__}. Install the same "
                "version everywhere and run the same command again; finished trials are kept."
            )
        self._journal.record(trial, outcome, 1 + run.deaths)
        self._watch(Event("ended", trial, outcome))
        run.at += 1
        run.deaths = 0
        if run.at < len(run.chain):
            self._ready.append(run)

    def _bury(self) -> None:
        """A worker died, and with it every trial that was with the workers."""
        self.take_notes()
        lost = [future for future in self._pending if not _brought(future)]
        runs = [self._pending.pop(future) for future in lost]
        for future in list(self._pending):
            self._collect(future)
        self._pool.restart()
        for run in runs:
            run.deaths += 1
            if run.deaths < MOST_ATTEMPTS:
                self._suspects.append(run)
            else:
                run.deaths -= 1
                noted = self._journal.outcome(run.trial) or TrialResult("failed")
                message = f"its worker process died {MOST_ATTEMPTS} times"
                self._end(run, replace(noted, state="failed", message=message))


def _brought(future: Future[TrialResult]) -> bool:
    """Whether the future holds an outcome."""
    return future.done() and not future.cancelled() and future.exception() is None
