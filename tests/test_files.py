"""One write: all or nothing, with the permissions and links that were there."""

import os
import stat

import pytest

from slth import InvalidInput, TicketError
from slth.errors import StoreError
from slth.files import replacing, write_text


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_and_nothing_else_is_left(tmp_path):
    path = tmp_path / ("long" * 60 + ".txt")
    write_text(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    write_text(str(path), "again")
    assert path.read_text() == "again"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_half_way_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")

    def write():
        with replacing(path) as stream:
            stream.write(b"half")
            stream.flush()
            assert path.read_text() == "old"
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_reach_the_disk_before_the_name_does(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (calls.append("fsync"), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("replace"), replace(*names)))
    write_text(tmp_path / "file", "text")
    assert calls == ["fsync", "replace"]


def test_a_new_file_has_the_permissions_of_the_umask_and_an_old_one_keeps_its_own(tmp_path):
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        write_text(path, "new")
        assert mode(path) == 0o640
        path.chmod(0o600)
        with replacing(path) as stream:
            (partial,) = [name for name in tmp_path.iterdir() if name != path]
            assert mode(partial) == 0o600
            stream.write(b"secret")
        assert mode(path) == 0o600
    finally:
        os.umask(before)


def test_a_read_only_file_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o444)
    # The superuser may write to everything.
    monkeypatch.setattr(os, "access", lambda name, asked: False)
    with pytest.raises(InvalidInput, match="read-only"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert list((tmp_path / "far").iterdir()) == [real]


def test_what_is_no_regular_file_is_written_to(tmp_path):
    write_text("/dev/null", "gone")
    assert not os.path.isfile("/dev/null")
    with (
        pytest.raises(TicketError, match=r"/dev/full: cannot write the ticket \(No space"),
        replacing("/dev/full", "the ticket", TicketError) as stream,
    ):
        stream.write(b"x")


@pytest.mark.parametrize("error", [InvalidInput, TicketError, StoreError])
def test_a_missing_folder_and_a_folder_are_named(tmp_path, error):
    for name, said in (("no/file", "no such folder.*mkdir -p"), (".", "a folder")):
        with (
            pytest.raises(error, match=said),
            replacing(tmp_path / name, "the thing", error) as stream,
        ):
            stream.write(b"x")
    assert list(tmp_path.iterdir()) == []
