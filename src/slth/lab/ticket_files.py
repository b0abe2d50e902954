"""Tickets beside a store: files named by the SHA-256 of their bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from slth.errors import StoreError
from slth.ticket import Ticket


def ticket_folder(store: Path) -> Path:
    """Where a store's tickets lie."""
    return store.with_name(f"{store.name}.tickets")


def ticket_file(store: Path, digest: str) -> Path:
    """Where the ticket of that SHA-256 lies."""
    return ticket_folder(store) / digest[:2] / f"{digest}.ticket"


def read_ticket_bytes(store: Path, digest: str) -> bytes:
    """The bytes of the ticket of that SHA-256.

    Raises:
        StoreError: the file is missing or holds other bytes.
    """
    file = ticket_file(store, digest)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise StoreError(
            f"{file}: cannot read the ticket ({error.strerror}). Copy a store together with "
            f"{ticket_folder(store).name}/."
        ) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise StoreError(f"{file}: not the ticket that was written: its SHA-256 differs.")
    return data


def read_ticket(store: Path, digest: str) -> Ticket:
    """The ticket of that SHA-256."""
    return Ticket.from_bytes(read_ticket_bytes(store, digest))
