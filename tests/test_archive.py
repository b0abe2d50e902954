"""Ticket files hold their members and nothing else."""

import io
import zipfile

import pytest

from slth.errors import TicketError
from slth.ticket import Ticket
from tests.ticket_files import examples

DATA = examples()["drawn"].to_bytes()


def rewritten(change):
    """The members written again by zipfile, each passed to `change(archive, info, data)`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(DATA)) as old, zipfile.ZipFile(stream, "w") as new:
        for info in old.infolist():
            change(new, info, old.read(info))
    return stream.getvalue()


def plain(archive, info, data):
    archive.writestr(zipfile.ZipInfo(info.filename), data)


def with_extra(archive, info, data):
    member = zipfile.ZipInfo(info.filename)
    member.extra = b"\xfe\xca\x04\x00abcd"
    archive.writestr(member, data)


def with_comment(archive, info, data):
    member = zipfile.ZipInfo(info.filename)
    member.comment = b"hidden"
    archive.writestr(member, data)


def with_a_gap(archive, info, data):
    plain(archive, info, data)
    archive.fp.write(b"hidden")
    archive.start_dir = archive.fp.tell()


class Pipe(io.RawIOBase):
    """A stream that cannot be sought: sizes are written behind the members."""

    def __init__(self):
        self.written = io.BytesIO()

    def writable(self):
        return True

    def write(self, data):
        return self.written.write(data)


def test_a_file_is_read_however_zipfile_wrote_it():
    assert Ticket.from_bytes(rewritten(plain)).to_bytes() == DATA
    pipe = Pipe()
    with zipfile.ZipFile(io.BytesIO(DATA)) as old, zipfile.ZipFile(pipe, "w") as new:
        for info in old.infolist():
            plain(new, info, old.read(info))
    assert Ticket.from_bytes(pipe.written.getvalue()).to_bytes() == DATA


@pytest.mark.parametrize(
    "data",
    [
        b"#!/bin/sh\n" + DATA,
        b"\0" + DATA,
        b"PK\x03\x04" + DATA,
        DATA + DATA,
        DATA + b"\0",
        DATA[:-22] + b"hidden" + DATA[-22:],
        rewritten(with_extra),
        rewritten(with_comment),
        rewritten(with_a_gap),
    ],
    ids=["script", "byte", "member", "twice", "after", "between", "extra", "comment", "gap"],
)
def test_nothing_may_stand_beside_the_members(data):
    with pytest.raises(TicketError):
        Ticket.from_bytes(data)
