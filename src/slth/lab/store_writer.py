"""Writing a store: one writer, one transaction a trial, tickets before the rows that name them."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Self

import slth
from slth.errors import StoreError
from slth.files import replacing
from slth.lab.checksums import put
from slth.lab.plan import Plan
from slth.lab.schema import APPLICATION, COLUMNS, PlanRecord, Row, schema_version, tables
from slth.lab.store_file import OpenStore, connect, to_write, translated
from slth.lab.ticket_files import ticket_file
from slth.lab.trial import Trial
from slth.lab.trial_result import TrialResult

INSERT = (
    f"INSERT OR REPLACE INTO trials ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
)


class StoreWriter(OpenStore):
    """The one writer of a store, as long as it is open. Use as a context manager.

    A second one for the same file is refused. A process that dies at any moment leaves a store
    that holds every trial recorded before, and nothing of any other.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: sqlite3.Connection):
        super().__init__(path, connection)
        self._lock = lock

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Self:
        """Open a store for writing; make it if there is no such file.

        Raises:
            StoreError: another sweep writes to it, the folder is missing or cannot be written, or
                the file is no store, of another schema, or damaged.
        """
        file = Path(path)
        if not file.parent.is_dir():
            raise StoreError(f"{file}: no such folder. Create it first: mkdir -p {file.parent}")
        lock = _locked(file)
        try:
            with translated(file):
                connection = connect(file, "rwc")
                # Every commit reaches the disk before a trial is said to be done.
                connection.execute("PRAGMA synchronous = FULL")
                if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                    _create(connection)
                return cls(file, to_write(file, connection), lock)
        except BaseException:
            lock.close()
            raise

    def close(self) -> None:
        """Close the file and let others write."""
        super().close()
        self._lock.close()

    def record(self, trial: Trial, outcome: TrialResult, attempts: int = 1) -> None:
        """Write the ticket, then the row, replacing an earlier row of the trial.

        Raises:
            StoreError: it cannot be written: a full disk, a lock; what was recorded before stays.
        """
        digest = None if outcome.ticket is None else self._write_ticket(outcome.ticket)
        row = Row.of(trial, outcome, ticket=digest, attempts=attempts, finished=time.time())
        with translated(self._path), self._transaction() as connection:
            connection.execute(INSERT, row.values())
            put(connection, "trials", dict(zip(COLUMNS, row.values(), strict=True)))

    def record_plan(self, plan: Plan) -> None:
        """Remember that the plan was run on this store."""
        record = PlanRecord(plan.key, plan.name, plan.to_toml(), slth.__version__, time.time())
        with translated(self._path), self._transaction() as connection:
            names = ", ".join(record._fields)
            added = connection.execute(
                f"INSERT OR IGNORE INTO plans ({names}) VALUES (?, ?, ?, ?, ?)", record
            )
            if added.rowcount:
                put(connection, "plans", record._asdict())

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A row and its checksum are written together or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _write_ticket(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        final = ticket_file(self._path, digest)
        if final.is_file():
            return digest
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{final.parent}: cannot make the folder of tickets ({error.strerror}). Make "
                "room or choose another folder, and run the same command again; finished trials "
                "are kept."
            ) from error
        with replacing(final, "the ticket", StoreError) as stream:
            stream.write(data)
        return digest


def _locked(file: Path) -> sqlite3.Connection:
    """Holds `NAME.lock` against other writers until it is closed or this process dies.

    An exclusive transaction on an empty file of its own: SQLite's locks work where the store does,
    and readers of the store are not kept out.
    """
    lock = None
    try:
        name = file.with_name(f"{file.name}.lock")
        lock = sqlite3.connect(name, timeout=0.0, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        if lock is not None:
            lock.close()
        if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
            raise StoreError(
                f"{file}: another sweep is writing to it. Wait for it, stop it, or name another "
                "file."
            ) from error
        raise StoreError(
            f"{file}: the folder cannot be written. Choose another folder with --store."
        ) from error
    return lock


def _create(connection: sqlite3.Connection) -> None:
    connection.executescript(
        f"BEGIN;{tables()}PRAGMA application_id = {APPLICATION};"
        f"PRAGMA user_version = {schema_version()};COMMIT;"
    )
