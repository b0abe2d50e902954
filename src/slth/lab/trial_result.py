"""What a trial gives: plain numbers, what was proven, and the bytes of its ticket."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Literal, TypeVar

import slth
from slth.solution import Solution, Status

# How a trial ended: by itself; cut by its own limit; by an exception or its workers' deaths; not
# yet (it runs, or the sweep was stopped: the bounds are those reached so far, and the sweep's next
# run starts it again).
State = Literal["done", "timeout", "failed", "interrupted"]

# Of a field that a second run of the same trials may change.
INCIDENTAL = {"incidental": True}

M = TypeVar("M", bound="Measured")


@dataclass(frozen=True, kw_only=True)
class Proven:
    """What is proven of every ticket.

    Attributes:
        refuted: bisection: largest width at which every ticket is proven to err by more than eps.
        bound: proven lower bound on the error of every ticket: at the fixed width, or at width
            `refuted`.
    """

    refuted: int | None = None
    bound: float | None = None


@dataclass(frozen=True, kw_only=True)
class BestTicket:
    """The best ticket that was certified.

    Attributes:
        found: bisection: smallest width with a certified ticket, None when none was found.
        error_lower, error_upper: enclosure of the ticket's uniform error.
        kept_units, kept_weights: what it keeps.
    """

    found: int | None = None
    error_lower: float | None = None
    error_upper: float | None = None
    kept_units: int | None = None
    kept_weights: int | None = None


@dataclass(frozen=True)
class Measured(BestTicket, Proven):
    """What was measured; each field is a column of the store.

    The contenders "least-squares" and "minimax" train output weights, so theirs are no tickets:
    read "refitted network" for "ticket" in their rows, which name no ticket file.

    Attributes:
        state: how it ended, see `State`.
        status: what is proven. Fixed width: of the search, see `slth.Status`. Bisection:
            "reached" (a ticket is certified at width `found`), "refuted" (none up to the widest
            tried) or "unknown". None when it failed or nothing is known yet.
        tried: bisection: widest network searched.
        undecided: bisection: widest network, below `found` if a ticket was, whose search neither
            found one nor refuted; None if there is none.
        message: of a failure.
        seconds: wall time.
        slth: version of the library that ran the trial.
    """

    state: State
    status: Status | None = None
    tried: int | None = None
    undecided: int | None = None
    message: str | None = field(default=None, metadata=INCIDENTAL)
    seconds: float = field(default=0.0, metadata=INCIDENTAL)
    slth: str = slth.__version__

    def taking(self: M, part: Proven | BestTicket) -> M:
        """The same with these facts in place of its own."""
        return replace(self, **asdict(part))


@dataclass(frozen=True)
class TrialResult(Measured):
    """What a worker sends back.

    Attributes:
        ticket: bytes of the ticket file, None if there is none.
    """

    ticket: bytes | None = None


def ticket_of(solution: Solution, found: int | None = None) -> BestTicket:
    """The solution's ticket; found: its width, where that was asked for."""
    return BestTicket(
        found=found,
        error_lower=solution.error.lower,
        error_upper=solution.error.upper,
        kept_units=solution.mask.kept_units,
        kept_weights=solution.mask.kept_weights,
    )


P = TypeVar("P", Proven, BestTicket)


def part_of(kind: type[P], measured: Measured) -> P:
    """These facts of what was measured."""
    return kind(**{f.name: getattr(measured, f.name) for f in fields(kind)})
