"""The schema of a store. Its columns are the fields of `Row`: those of `Asked` and `Measured`, and
what the store adds; SQL, arrays, frames and exports are derived from their names and types.

A new column is a new field there, and a migration here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from types import NoneType
from typing import Any, Literal, NamedTuple, Self, get_args, get_origin, get_type_hints

from slth.lab import strict_tables
from slth.lab.trial import Asked, Trial
from slth.lab.trial_result import INCIDENTAL, Measured, TrialResult
from slth.solution import Status

# "slth" in ASCII.
APPLICATION = 0x736C7468

# Of every row of the other tables, see `slth.lab.checksums`.
CHECKSUMS = (
    "CREATE TABLE checksums (\n    of TEXT NOT NULL,\n    key TEXT NOT NULL,\n"
    "    sha256 TEXT NOT NULL,\n    PRIMARY KEY (of, key)\n) STRICT, WITHOUT ROWID;\n"
)
# Migration k (from 0) turns a store of schema k + 1 into one of schema k + 2, as SQL. Rows of older
# stores have no value of a new column, so it is one that may be NULL:
#     "ALTER TABLE trials ADD COLUMN name TYPE;"
# Never change one that was released: stores that went through it exist. Checksums are written anew
# after each.
MIGRATIONS: tuple[str, ...] = (
    strict_tables.SQL,
    "ALTER TABLE trials ADD COLUMN undecided INTEGER CHECK (undecided >= 0);",
)


def schema_version() -> int:
    """The version of the schema that this slth writes."""
    return 1 + len(MIGRATIONS)


@dataclass(frozen=True, init=False)
class Row(Measured, Asked):
    """One trial and what is known of it, see `Asked` and `Measured`.

    Attributes:
        key: see `Trial.key`; its provenance in reports.
        after: the keys in `Trial.after`, joined by spaces.
        ticket: SHA-256 of its file, see `Store.ticket_path`; None when none was written.
        attempts: how often it was started; finished: Unix time.
    """

    key: str
    after: str
    ticket: str | None
    attempts: int = field(metadata=INCIDENTAL)
    finished: float = field(metadata=INCIDENTAL)

    @classmethod
    def of(cls, trial: Trial, result: TrialResult, **own: Any) -> Self:
        """The row that records a result. own: ticket, attempts, finished."""
        known = {**vars(trial), **vars(result), **own}
        known |= {"key": trial.key, "after": " ".join(trial.after)}
        return cls.read(known[name] for name in COLUMNS)

    @classmethod
    def read(cls, values: Iterable[Any]) -> Self:
        """The row whose columns have these values, in the order of `COLUMNS`."""
        # There is no __init__: it would take longer than SQLite does.
        row = object.__new__(cls)
        row.__dict__.update(zip(COLUMNS, values, strict=True))
        if row.status is not None:
            row.__dict__["status"] = Status(row.status)
        return row

    def values(self) -> list[Any]:
        """The values of its columns, in the order of `COLUMNS`."""
        return [getattr(self, name) for name in COLUMNS]

    @property
    def trial(self) -> Trial:
        """The trial of the row."""
        asked = {f.name: getattr(self, f.name) for f in fields(Asked)}
        return Trial(**asked, after=tuple(self.after.split()))

    def result(self, ticket: bytes | None) -> TrialResult:
        """The result that the row records, with the bytes of its ticket."""
        measured = {f.name: getattr(self, f.name) for f in fields(Measured)}
        return TrialResult(**measured, ticket=ticket)


class PlanRecord(NamedTuple):
    """A plan that was run on the store: its key, name and text, with what and when first."""

    key: str
    name: str
    toml: str
    slth: str
    started: float


@dataclass(frozen=True)
class Column:
    """How a field is stored: as a str, int or float, and whether it may be NULL. choices: the texts
    it may be; none where any will do."""

    name: str
    kind: type
    null: bool
    incidental: bool
    choices: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """Its declaration."""
        kind = {str: "TEXT", int: "INTEGER", float: "REAL"}[self.kind]
        required = "" if self.null else " NOT NULL"
        return f"{self.name} {kind}{required}{self._check}"

    @property
    def _check(self) -> str:
        if self.choices:
            texts = ", ".join(f"'{choice}'" for choice in self.choices)
            return f" CHECK ({self.name} IN ({texts}))"
        # Widths, seeds, errors, seconds: no number of a trial is negative.
        return "" if self.kind is str else f" CHECK ({self.name} >= 0)"


def _columns(record: type) -> dict[str, Column]:
    # The key first, as it leads every table.
    hints = dict(sorted(get_type_hints(record).items(), key=lambda item: item[0] != "key"))
    marked = {f.name for f in fields(record) if f.metadata} if is_dataclass(record) else set()
    return {name: _column(name, hint, name in marked) for name, hint in hints.items()}


def _column(name: str, hint: Any, incidental: bool) -> Column:
    parts = get_args(hint) if NoneType in get_args(hint) else (hint,)
    (value,) = (part for part in parts if part is not NoneType)
    choices: tuple[str, ...] = ()
    if get_origin(value) is Literal:
        kind, choices = str, get_args(value)
    elif issubclass(value, Enum):
        kind, choices = str, tuple(str(member) for member in value)
    else:
        kind = value
    return Column(name, kind, NoneType in parts, incidental, choices)


COLUMNS = _columns(Row)


def tables() -> str:
    """SQL that makes the tables of a new store."""
    trials, plans = (
        ",\n    ".join(column.sql for column in columns.values())
        for columns in (COLUMNS, _columns(PlanRecord))
    )
    return (
        f"CREATE TABLE trials (\n    {trials},\n    PRIMARY KEY (key)\n) STRICT, WITHOUT ROWID;\n"
        f"CREATE TABLE plans (\n    {plans},\n    PRIMARY KEY (key)\n) STRICT;\n"
        f"{CHECKSUMS}"
    )
