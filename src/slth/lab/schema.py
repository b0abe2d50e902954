"""The schema of a store: the tables, and a row of them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from slth.lab.trial import Pruning, Trial
from slth.network import Readout
from slth.solution import Status

# "slth" in ASCII, and the version of the schema below.
APPLICATION = 0x736C7468
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE trials (
    key TEXT PRIMARY KEY NOT NULL,
    slth TEXT NOT NULL,
    pruning TEXT NOT NULL,
    readout TEXT NOT NULL,
    d INTEGER NOT NULL,
    eps REAL,
    width INTEGER,
    draw INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    contender TEXT,
    max_width INTEGER,
    search_seconds REAL,
    trial_seconds REAL,
    after TEXT NOT NULL,
    state TEXT NOT NULL,
    status TEXT,
    refuted INTEGER,
    found INTEGER,
    tried INTEGER,
    bound REAL,
    error_lower REAL,
    error_upper REAL,
    kept_units INTEGER,
    kept_weights INTEGER,
    ticket TEXT,
    message TEXT,
    attempts INTEGER NOT NULL,
    seconds REAL NOT NULL,
    finished REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE plans (
    key TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    toml TEXT NOT NULL,
    slth TEXT NOT NULL,
    started REAL NOT NULL
);
"""

# How a trial ended: by itself; cut by its own limit; by an exception or its workers' deaths; not
# yet (it runs, or the sweep was stopped: the bounds are those reached so far, and the sweep's next
# run starts it again).
State = Literal["done", "timeout", "failed", "interrupted"]


class Row(NamedTuple):
    """One trial and what is known of it; `key` is its provenance in reports.

    The contenders "least-squares" and "minimax" train output weights, so theirs are no tickets:
    read "refitted network" for "ticket" in their rows, which name no ticket file.

    Attributes:
        key: see `Trial.key`; slth: the version of the library that ran it.
        pruning .. trial_seconds: the fields of `Trial`; after: its keys, joined by spaces.
        state: how it ended, see `State`.
        status: what is proven. Fixed width: of the search, see `slth.Status`. Bisection:
            "reached" (a ticket is certified at width `found`), "refuted" (none up to the widest
            tried) or "unknown". None when it failed or nothing is known yet.
        refuted: bisection: largest width at which every ticket is proven to err by more than eps.
        found: bisection: smallest width with a certified ticket, None when none was found.
        tried: bisection: widest network searched.
        bound: proven lower bound on the error of every ticket: at the fixed width, or at width
            `refuted`.
        error_lower, error_upper: enclosure of the best ticket's uniform error.
        kept_units, kept_weights: what that ticket keeps.
        ticket: SHA-256 of its file, see `Store.ticket_path`; None when none was written.
        message: of a failure.
        attempts: how often it was started; seconds: wall time of the last; finished: Unix time.
    """

    key: str
    slth: str
    pruning: Pruning
    readout: Readout
    d: int
    eps: float | None
    width: int | None
    draw: int
    seed: int
    contender: str | None
    max_width: int | None
    search_seconds: float | None
    trial_seconds: float | None
    after: str
    state: State
    status: Status | None
    refuted: int | None
    found: int | None
    tried: int | None
    bound: float | None
    error_lower: float | None
    error_upper: float | None
    kept_units: int | None
    kept_weights: int | None
    ticket: str | None
    message: str | None
    attempts: int
    seconds: float
    finished: float

    @property
    def trial(self) -> Trial:
        """The trial of the row."""
        return Trial(
            pruning=self.pruning,
            readout=self.readout,
            d=self.d,
            eps=self.eps,
            width=self.width,
            draw=self.draw,
            seed=self.seed,
            contender=self.contender,
            max_width=self.max_width,
            search_seconds=self.search_seconds,
            trial_seconds=self.trial_seconds,
            after=tuple(self.after.split()),
        )


class PlanRecord(NamedTuple):
    """A plan that was run on the store: its key, name and text, with what and when first."""

    key: str
    name: str
    toml: str
    slth: str
    started: float
