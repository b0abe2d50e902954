"""The store of a sweep: one SQLite file, one row a trial; read it with `Store`.

    with Store.open("sweep.db") as store:
        for row in store.rows(state="done", pruning="neurons"):
            print(row.key, row.eps, row.refuted, row.found)
        table = store.columns("eps", "found", "refuted", state="done")   # NumPy arrays, by name

SQLite, because a row must be on disk when its trial is said to be done, one file is easy to copy
and any language reads it. The journal is a rollback journal, not a write-ahead log: after a kill
the file is whole once the next opening has rolled back, nothing else need be copied with it, and
it can be read in a read-only folder and over a network file system.

Tickets lie beside the store in `NAME.tickets/ab/abcdef....ticket`, named by the SHA-256 of their
bytes. `slth.lab.store_writer` writes; `slth.lab.schema` is what both agree on.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np

from slth.errors import InvalidInput, StoreError
from slth.lab.schema import COLUMNS, PlanRecord, Row
from slth.lab.store_file import (
    ROLLBACK_NEEDED,
    OpenStore,
    connect,
    require_store,
    to_read,
    translated,
)
from slth.lab.ticket_files import read_ticket, ticket_file
from slth.lab.trial_result import State
from slth.ticket import Ticket

_BLOCK = 20_000


class Store(OpenStore):
    """A store opened for reading; also while a sweep writes to it. Use as a context manager."""

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Self:
        """Open a store for reading.

        Raises:
            StoreError: no such file, not a store, of a newer schema, damaged, or left by a kill
                in a folder that cannot be written.
        """
        file = Path(path)
        if not file.is_file():
            raise StoreError(f"{file}: no such store. `slth sweep PLAN` makes one.")
        with translated(file):
            try:
                return cls(file, to_read(file, connect(file, "ro")))
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorname", "") not in ROLLBACK_NEEDED:
                    raise
            # A killed sweep left half a transaction: opening for writing rolls it back.
            try:
                connection = connect(file, "rw")
                require_store(file, connection)
                connection.close()
            except sqlite3.OperationalError as error:
                raise StoreError(
                    f"{file}: a killed sweep left half a transaction, and the folder cannot be "
                    f"written to roll it back. Copy {file.name} and {file.name}-journal together "
                    "to a folder that can be written, and open the copy."
                ) from error
            return cls(file, to_read(file, connect(file, "ro")))

    def count(self, **where: object) -> int:
        """How many rows have these values, e.g. `count(state="failed")`."""
        clause, values = _condition(where)
        with translated(self._path):
            cursor = self._connection.execute(f"SELECT count(*) FROM trials{clause}", values)
            return int(cursor.fetchone()[0])

    def rows(self, **where: object) -> Iterator[Row]:
        """The rows with these values (None: NULL), by key, one at a time."""
        clause, values = _condition(where)
        start = f"{clause} AND key > ?" if clause else " WHERE key > ?"
        query = f"SELECT {', '.join(COLUMNS)} FROM trials{start} ORDER BY key LIMIT {_BLOCK}"
        last = ""
        # Block by block: a slow reader must not keep the sweep from writing.
        while True:
            with translated(self._path):
                block = self._connection.execute(query, [*values, last]).fetchall()
            yield from map(Row.read, block)
            if len(block) < _BLOCK:
                return
            last = block[-1][0]

    def row(self, key: str) -> Row | None:
        """The row of a trial, None if there is none."""
        return next(self.rows(key=key), None)

    def state(self, key: str) -> State | None:
        """The state of a trial, None if it has no row."""
        with translated(self._path):
            query = "SELECT state FROM trials WHERE key = ?"
            found = self._connection.execute(query, [key]).fetchone()
        return None if found is None else found[0]

    def columns(self, *names: str, **where: object) -> dict[str, np.ndarray]:
        """Columns as arrays of equal length, by key: [rows] each; all columns when none is named.

        Texts are object arrays (None: NULL), d, draw, seed and attempts int64, other numbers
        float64 (NaN: NULL). A million rows of ten columns take seconds and about 150 MB.
        """
        names = names or tuple(COLUMNS)
        _require_columns(names)
        clause, values = _condition(where)
        blocks: list[list[np.ndarray]] = [[] for _ in names]
        # One object for equal texts, not one each.
        known: dict[str | None, str | None] = {}
        with translated(self._path):
            query = f"SELECT {', '.join(names)} FROM trials{clause} ORDER BY key"
            cursor = self._connection.execute(query, values)
            while block := cursor.fetchmany(_BLOCK):
                for column, name, entries in zip(
                    blocks, names, zip(*block, strict=True), strict=True
                ):
                    if COLUMNS[name].kind is str and name != "key":
                        entries = tuple(map(known.setdefault, entries, entries))
                    column.append(np.array(entries, dtype=_dtype(name)))
        empty = [np.array([], dtype=_dtype(name)) for name in names]
        return {
            name: np.concatenate(column) if column else nothing
            for name, column, nothing in zip(names, blocks, empty, strict=True)
        }

    def plans(self) -> list[PlanRecord]:
        """The plans that were run on the store, oldest first."""
        names = ", ".join(PlanRecord._fields)
        with translated(self._path):
            cursor = self._connection.execute(f"SELECT {names} FROM plans ORDER BY started, key")
            return [PlanRecord._make(values) for values in cursor]

    def versions(self) -> list[str]:
        """The versions of slth that ran its trials."""
        with translated(self._path):
            cursor = self._connection.execute("SELECT DISTINCT slth FROM trials ORDER BY slth")
            return [version for (version,) in cursor]

    def ticket_path(self, row: Row) -> Path | None:
        """The ticket file of a row, None if it has none."""
        return None if row.ticket is None else ticket_file(self._path, row.ticket)

    def load_ticket(self, row: Row) -> Ticket | None:
        """The ticket of a row, None if it has none.

        Raises:
            StoreError: its file is missing or is not the one that was written.
            TicketError: its file cannot be read.
        """
        if row.ticket is None:
            return None
        return read_ticket(self._path, row.ticket)

    def digest(self) -> str:
        """SHA-256 (hex) of all that the trials determine: every column of every row by key, but
        messages, attempts and times."""
        chosen = [name for name, column in COLUMNS.items() if not column.incidental]
        sha = hashlib.sha256()
        with translated(self._path):
            for values in self._connection.execute(
                f"SELECT {', '.join(chosen)} FROM trials ORDER BY key"
            ):
                sha.update(json.dumps(values).encode() + b"\n")
        return sha.hexdigest()


def _dtype(name: str) -> Any:
    column = COLUMNS[name]
    if column.kind is str:
        return object
    return np.int64 if column.kind is int and not column.null else np.float64


def _require_columns(names: Iterable[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise InvalidInput(
            "unknown column of the store",
            got=", ".join(unknown),
            expected=f"some of {', '.join(COLUMNS)}",
            fix="See slth.lab.store.Row.",
        )


def _condition(where: dict[str, object]) -> tuple[str, list[object]]:
    """A WHERE clause of equalities; None is NULL."""
    _require_columns(where)
    tests = [f"{name} IS NULL" if value is None else f"{name} = ?" for name, value in where.items()]
    values = [value for value in where.values() if value is not None]
    return (f" WHERE {' AND '.join(tests)}" if tests else ""), values
