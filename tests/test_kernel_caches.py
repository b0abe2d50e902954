"""Cached kernels that are older than a source are dropped before the tests."""

import os

from tests.conftest import drop_stale_kernels


def test_kernels_older_than_any_source_are_dropped(tmp_path):
    room = tmp_path / "room" / "__pycache__"
    room.mkdir(parents=True)
    source, other = tmp_path / "a.py", tmp_path / "room" / "b.py"
    kept, stale = room / "b.k.1.nbc", room / "b.k.nbi"
    for path, age in ((source, 30), (stale, 20), (other, 10), (kept, 5)):
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    assert drop_stale_kernels(tmp_path) == 1
    assert kept.exists()
    assert not stale.exists()
    assert drop_stale_kernels(tmp_path) == 0
