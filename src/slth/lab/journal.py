"""What a sweep remembers of its trials: in memory, or in a store."""

from __future__ import annotations

from abc import ABC, abstractmethod

from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter
from slth.lab.ticket_files import read_ticket_bytes
from slth.lab.trial import Trial
from slth.lab.trial_result import BestTicket, Proven, State, TrialResult, part_of


class AbstractJournal(ABC):
    """Outcomes by trial."""

    @abstractmethod
    def state(self, trial: Trial) -> State | None:
        """How the trial ended; None if it was never begun."""

    @abstractmethod
    def outcome(self, trial: Trial) -> TrialResult | None:
        """What is recorded, with the ticket's bytes."""

    @abstractmethod
    def record(self, trial: Trial, outcome: TrialResult, attempts: int) -> None:
        """Remember a finished trial."""

    @abstractmethod
    def note(self, trial: Trial, outcome: TrialResult) -> None:
        """Remember the bounds of a running trial."""


class MemoryJournal(AbstractJournal):
    """Forgotten with the process."""

    def __init__(self) -> None:
        self.outcomes: dict[Trial, TrialResult] = {}

    def state(self, trial: Trial) -> State | None:
        """See AbstractJournal."""
        outcome = self.outcomes.get(trial)
        return None if outcome is None else outcome.state

    def outcome(self, trial: Trial) -> TrialResult | None:
        """See AbstractJournal."""
        return self.outcomes.get(trial)

    def record(self, trial: Trial, outcome: TrialResult, attempts: int) -> None:
        """See AbstractJournal."""
        self.outcomes[trial] = outcome

    def note(self, trial: Trial, outcome: TrialResult) -> None:
        """Nothing: only finished trials are asked for."""


class StoreJournal(AbstractJournal):
    """Everything is on disk before it counts."""

    def __init__(self, writer: StoreWriter, reader: Store) -> None:
        self._writer = writer
        self._reader = reader

    def state(self, trial: Trial) -> State | None:
        """See AbstractJournal."""
        return self._reader.state(trial.key)

    def outcome(self, trial: Trial) -> TrialResult | None:
        """See AbstractJournal."""
        row = self._reader.row(trial.key)
        if row is None:
            return None
        ticket = None if row.ticket is None else read_ticket_bytes(self._reader.path, row.ticket)
        return row.result(ticket)

    def record(self, trial: Trial, outcome: TrialResult, attempts: int) -> None:
        """See AbstractJournal."""
        self._writer.record(trial, outcome, attempts)

    def note(self, trial: Trial, outcome: TrialResult) -> None:
        """Record the best of these bounds and those noted before the sweep was last stopped."""
        row = self._reader.row(trial.key)
        if row is not None and row.state == "interrupted":
            outcome = _best(outcome, row.result(None))
        self._writer.record(trial, outcome)


def _best(new: TrialResult, old: TrialResult) -> TrialResult:
    """The stronger proof and the better ticket of two outcomes of one trial."""
    best = new
    if (old.refuted or 0, old.bound or 0.0) > (new.refuted or 0, new.bound or 0.0):
        best = best.taking(part_of(Proven, old))
    if _width_and_error(old) < _width_and_error(new):
        best = best.taking(part_of(BestTicket, old))
    return best


def _width_and_error(outcome: TrialResult) -> tuple[float, float]:
    infinite = float("inf")
    found = infinite if outcome.found is None else outcome.found
    return found, infinite if outcome.error_upper is None else outcome.error_upper
