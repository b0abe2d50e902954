"""What a running sweep has reached: counts, the time left, the best facts of each curve."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable

from slth.lab.store import Store
from slth.lab.sweep import Event
from slth.lab.trial import Trial
from slth.lab.trial_result import TrialResult


class Tally:
    """Counts events of a sweep. Trials of a plan only, those already in the store too.

    Attributes:
        total: trials of the plan.
        states: how many ended in which state.
        running: keys of started trials, with those that wait for a worker.
        facts: the best of each curve, by its label.
    """

    def __init__(self, trials: Iterable[Trial], store: Store | None) -> None:
        self.total = 0
        self.states: Counter[str] = Counter()
        self.running: set[str] = set()
        self.facts: dict[str, Fact] = {}
        self._ended = 0
        self._started = time.monotonic()
        for trial in trials:
            self.total += 1
            row = None if store is None else store.row(trial.key)
            if row is not None and row.state != "interrupted":
                self._count(trial, row.result(None))

    def watch(self, event: Event) -> None:
        """Take an event into account."""
        key = event.trial.key
        if event.kind == "started":
            self.running.add(key)
        elif event.kind == "ended" and event.outcome is not None:
            self.running.discard(key)
            self._ended += 1
            self._count(event.trial, event.outcome)
        elif event.outcome is not None:
            self._fact(event.trial).learn(event.trial, event.outcome)

    def _count(self, trial: Trial, outcome: TrialResult) -> None:
        self.states[outcome.state] += 1
        fact = self._fact(trial)
        fact.ended += 1
        fact.learn(trial, outcome)

    def _fact(self, trial: Trial) -> Fact:
        return self.facts.setdefault(trial.label, Fact())

    @property
    def ended(self) -> int:
        """Trials that ended, now or before."""
        return sum(self.states.values())

    @property
    def seconds_left(self) -> float:
        """As many seconds as the trials of this run took, for those that remain; NaN at first."""
        elapsed = time.monotonic() - self._started
        return elapsed / self._ended * (self.total - self.ended) if self._ended else math.nan


class Fact:
    """The best of one curve: its smallest certified error, and its bracket at the least eps."""

    def __init__(self) -> None:
        self.ended = 0
        self._error = (math.inf, 0)
        self._bracket: tuple[float, int, float] | None = None

    def learn(self, trial: Trial, outcome: TrialResult) -> None:
        """Keep what is better than before."""
        if trial.width is not None:
            upper = math.inf if outcome.error_upper is None else outcome.error_upper
            self._error = min(self._error, (upper, trial.width))
        elif trial.eps is not None and outcome.refuted is not None:
            found = math.inf if outcome.found is None else outcome.found
            if self._bracket is None or trial.eps <= self._bracket[0]:
                self._bracket = (trial.eps, outcome.refuted, found)

    def __str__(self) -> str:
        texts = []
        if self._bracket is not None:
            eps, refuted, found = self._bracket
            width = f"{found:g}" if found < math.inf else "-"
            texts.append(f"eps {eps:.4g}: refuted to {refuted}, found {width}")
        if self._error[0] < math.inf:
            texts.append(f"error <= {self._error[0]:.4g} at width {self._error[1]}")
        return "; ".join(texts)
