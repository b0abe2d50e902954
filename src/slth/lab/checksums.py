"""Checksums over the rows of a store: what damages a value, or loses a row, is found at opening.

SQLite notices damaged pages by chance only; a flipped bit in a number is a number.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slth.errors import StoreError
from slth.lab.schema import COLUMNS

# The tables whose rows have one.
_TABLES = ("trials", "plans")


def checksum(values: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a row: the canonical JSON of its columns that are not NULL, so that a later
    column leaves it as it is."""
    known = {name: value for name, value in values.items() if value is not None}
    text = json.dumps(known, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def put(connection: sqlite3.Connection, of: str, values: Mapping[str, Any]) -> None:
    """Write the checksum of a row of that table; within the transaction that writes the row."""
    connection.execute(
        "INSERT OR REPLACE INTO checksums VALUES (?, ?, ?)", (of, values["key"], checksum(values))
    )


def put_all(connection: sqlite3.Connection) -> None:
    """Write the checksums of all rows anew."""
    connection.execute("DELETE FROM checksums")
    for of in _TABLES:
        names, rows = _rows(connection, of)
        connection.executemany(
            "INSERT INTO checksums VALUES (?, ?, ?)",
            [(of, row[0], checksum(dict(zip(names, row, strict=True)))) for row in rows],
        )


def require_whole(file: Path, connection: sqlite3.Connection) -> None:
    """Raise StoreError unless SQLite finds no fault and every row is the one that was written."""
    try:
        connection.execute("BEGIN")
        try:
            wrong = _wrong(connection)
        finally:
            connection.execute("COMMIT")
    except (TypeError, ValueError, OverflowError) as error:
        wrong = str(error)
    if wrong:
        raise StoreError(
            f"{file}: the file is damaged ({wrong}). Copy what can be read with `sqlite3 FILE "
            ".recover`, or name another file and run the sweep again; tickets are kept beside it."
        )


def _wrong(connection: sqlite3.Connection) -> str:
    """What is wrong with the store; nothing if it is whole."""
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        return " ".join(str(found).split())
    for of in _TABLES:
        query = "SELECT key, sha256 FROM checksums WHERE of = ?"
        written = dict(connection.execute(query, [of]))
        names, rows = _rows(connection, of)
        if of == "trials" and not set(COLUMNS) <= set(names):
            return "columns are missing"
        for row in rows:
            if written.pop(row[0], None) != checksum(dict(zip(names, row, strict=True))):
                return f"a row of {of} is not the one that was written"
        if written:
            return f"{len(written)} rows of {of} are lost"
    return ""


def _rows(connection: sqlite3.Connection, of: str) -> tuple[list[str], Iterable[tuple[Any, ...]]]:
    """The names of a table's columns, the key first, and its rows."""
    info = connection.execute(f"PRAGMA table_info({of})").fetchall()
    names = sorted((str(column[1]) for column in info), key=lambda name: name != "key")
    if not names or names[0] != "key":
        raise sqlite3.DatabaseError(f"the table of {of} is missing")
    chosen = ", ".join(f'"{name}"' for name in names)
    return names, connection.execute(f"SELECT {chosen} FROM {of}").fetchall()
