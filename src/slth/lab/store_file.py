"""Opening a store's SQLite file, and saying what SQLite's errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from slth.errors import StoreError
from slth.lab import schema
from slth.lab.checksums import put_all, require_whole
from slth.lab.schema import APPLICATION, schema_version

BUSY_SECONDS = 60.0
# The first schema with checksums.
_CHECKED_FROM = 2
# What a read-only opening says of a transaction that must be rolled back.
ROLLBACK_NEEDED = {"SQLITE_READONLY_ROLLBACK", "SQLITE_CANTOPEN", "SQLITE_READONLY"}


class OpenStore:
    """A store's file as long as it is open. Use as a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def path(self) -> Path:
        """The store's file."""
        return self._path


def connect(file: Path, mode: Literal["ro", "rw", "rwc"]) -> sqlite3.Connection:
    """A connection that commits by itself unless a transaction is begun, and waits for locks."""
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def to_read(file: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, if it leads to a store of this schema; of an older one, a copy in memory that
    is brought up to it: reading changes no file."""
    if require_store(file, connection) == schema_version():
        require_whole(file, connection)
        return connection
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.backup(copy)
    connection.close()
    return _migrated(file, copy)


def to_write(file: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, its store brought up to this schema on the disk."""
    return _migrated(file, connection)


def require_store(file: Path, connection: sqlite3.Connection) -> int:
    """The schema's version of the store that the connection leads to.

    Raises:
        StoreError: it leads to something else, or to a store of a newer slth.
    """
    if _pragma(connection, "application_id") != APPLICATION:
        raise StoreError(f"{file}: an SQLite file, but not a store of slth. Name another file.")
    version = _pragma(connection, "user_version")
    if not 1 <= version <= schema_version():
        raise StoreError(
            f"{file}: a store of schema {version}; this slth knows 1 to {schema_version()}. "
            "Open it with the version of slth that wrote it."
        )
    return version


def _migrated(file: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """Each step is a transaction: a death in between leaves a store of some schema."""
    version = require_store(file, connection)
    if version >= _CHECKED_FROM:
        require_whole(file, connection)
    for step in schema.MIGRATIONS[version - 1 :]:
        version += 1
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(step):
                connection.execute(statement)
            put_all(connection)
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    return connection


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for part in script.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def translated(file: Path) -> Iterator[None]:
    """Turn SQLite's errors into StoreError."""
    try:
        yield
    except (sqlite3.Error, UnicodeError) as error:
        raise StoreError(f"{file}: {_meaning(error)}") from error


def _meaning(error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", None) or ""
    for start, meaning in (
        ("SQLITE_NOTADB", "not an SQLite file. Name another file."),
        (
            "SQLITE_CORRUPT",
            "the file is damaged. Copy what can be read with `sqlite3 FILE .recover`, or name "
            "another file and run the sweep again; tickets are kept beside it.",
        ),
        (
            "SQLITE_BUSY",
            f"another program has locked the file for over {BUSY_SECONDS:g} s. Close it and run "
            "the same command again; finished trials are kept.",
        ),
        (
            "SQLITE_FULL",
            "the disk is full. Make room and run the same command again; finished trials are kept.",
        ),
        (
            "SQLITE_READONLY",
            "the file or its folder cannot be written. Copy it to a folder that can.",
        ),
        (
            "SQLITE_CANTOPEN",
            "the file cannot be opened, or its folder cannot be written. Choose another folder.",
        ),
        (
            "SQLITE_IOERR",
            f"reading or writing failed ({error}): a full disk, a limit on file sizes, or a fault "
            "of the disk. Mend it and run the same command again; finished trials are kept.",
        ),
    ):
        if name.startswith(start):
            return meaning
    return str(error)


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]
