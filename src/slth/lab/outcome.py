"""What a trial gives: plain numbers, what was proven, and the bytes of its ticket."""

from __future__ import annotations

from dataclasses import dataclass, replace

import slth
from slth.lab.schema import Row, State
from slth.solution import Solution, Status


@dataclass(frozen=True)
class Outcome:
    """The measured fields of a `Row`, by the same names; a worker sends it back.

    Attributes:
        ticket: bytes of the ticket file, None if there is none.
        seconds: wall time.
        slth: version of the library that ran the trial.
    """

    state: State
    status: Status | None = None
    refuted: int | None = None
    found: int | None = None
    tried: int | None = None
    bound: float | None = None
    error_lower: float | None = None
    error_upper: float | None = None
    kept_units: int | None = None
    kept_weights: int | None = None
    ticket: bytes | None = None
    message: str | None = None
    seconds: float = 0.0
    slth: str = slth.__version__

    def with_ticket(self, solution: Solution, found: int | None = None) -> Outcome:
        """The same with what describes the solution's ticket; `found`: see `Row`."""
        return replace(
            self,
            found=found,
            error_lower=solution.error.lower,
            error_upper=solution.error.upper,
            kept_units=solution.mask.kept_units,
            kept_weights=solution.mask.kept_weights,
        )

    @classmethod
    def of_row(cls, row: Row, ticket: bytes | None) -> Outcome:
        """The outcome that a row records, with the bytes of its ticket."""
        return cls(
            state=row.state,
            status=None if row.status is None else Status(row.status),
            refuted=row.refuted,
            found=row.found,
            tried=row.tried,
            bound=row.bound,
            error_lower=row.error_lower,
            error_upper=row.error_upper,
            kept_units=row.kept_units,
            kept_weights=row.kept_weights,
            ticket=ticket,
            message=row.message,
            seconds=row.seconds,
            slth=row.slth,
        )
