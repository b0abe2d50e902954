"""Files and streams: found unwritable before the work, never another's file, answers first."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import slth
from slth.cli import run
from slth.cli.outputs import is_ours, require_writable

PRUNE = ["prune", "neurons", "--d", "2", "--width", "6"]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX devices, pipes and signals")


def slth_process(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", "from slth.cli import main; main()", *map(str, arguments)],
        stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def model(folder):
    rng = np.random.default_rng(0)
    path = folder / "model.npz"
    np.savez(path, **{"0.weight": rng.normal(size=(4, 2)), "1.weight": rng.normal(size=(1, 4))})
    return path


# Commands that write, by the name of what they write.
WRITERS = {
    "ticket": [*PRUNE, "--out", "OUT"],
    "proof": [*PRUNE, "--proof", "OUT"],
    "network.npz": [*PRUNE, "--out", "OUT"],
    "embedding.slt": ["embed", "MODEL", "--eps", "0.5", "--workers", "1", "-o", "OUT"],
    "small.npz": ["compress", "MODEL", "--box", "0", "1", "--ratio", "1", "-o", "OUT"],
    "gap.html": [
        "gap", "--eps-min", "0.25", "--draws", "1", "--max-width", "4", "--workers", "1",
        "--out", "OUT",
    ],
}  # fmt: skip


def words(name, folder):
    swap = {"OUT": str(folder / name), "MODEL": str(model(folder))}
    return [swap.get(word, word) for word in WRITERS[name]]


@pytest.mark.parametrize("name", WRITERS)
def test_another_file_is_not_replaced_unless_forced_and_its_own_is(tmp_path, capsys, name):
    arguments, path = words(name, tmp_path), tmp_path / name
    path.write_bytes(b"a letter to a friend")
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert "not written by slth" in " ".join(captured.err.split())
    assert "--force" in captured.err
    assert captured.out == ""
    assert path.read_bytes() == b"a letter to a friend"
    assert run([*arguments, "--force"]) == 0
    assert is_ours(path)
    # Its own file is replaced without asking.
    assert run(arguments) == 0


def test_the_model_itself_is_not_overwritten(tmp_path, capsys):
    path = model(tmp_path)
    before = path.read_bytes()
    assert run(["compress", str(path), "--box", "0", "1", "--ratio", "1", "-o", str(path)]) == 2
    assert path.read_bytes() == before


@pytest.mark.parametrize("ending", [".onnx", ".safetensors", ".npz"])
def test_networks_that_slth_wrote_bear_its_mark(tmp_path, ending):
    pytest.importorskip("onnx")
    pytest.importorskip("safetensors")
    path = tmp_path / f"net{ending}"
    slth.write_network(slth.random_network(2, 3, 0), path)
    assert is_ours(path)
    assert slth.read_network(path) == slth.random_network(2, 3, 0)


def test_folders_and_read_only_folders_are_refused(tmp_path, monkeypatch):
    with pytest.raises(slth.InvalidInput, match="is a folder"):
        require_writable(False, out=tmp_path)
    with pytest.raises(slth.InvalidInput, match="no folder"):
        require_writable(True, out=tmp_path / "none" / "a.ticket")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(slth.InvalidInput, match="cannot be written"):
        require_writable(True, out=tmp_path / "a.ticket")


def test_an_export_and_a_link_are_known(tmp_path):
    from slth.lab.schema import COLUMNS

    table = tmp_path / "table.csv"
    table.write_text(",".join(COLUMNS) + "\n")
    assert is_ours(table)
    table.write_text("name,age\n")
    assert not is_ours(table)
    link = tmp_path / "link"
    link.symlink_to(table)
    with pytest.raises(slth.InvalidInput, match="not written by slth"):
        require_writable(False, out=link)


@pytest.mark.parametrize("name", ["ticket", "embedding.slt", "small.npz"])
def test_the_answer_is_printed_before_a_file_fails(tmp_path, capsys, monkeypatch, name):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run([*words(name, tmp_path), "--json"]) == 2
    captured = capsys.readouterr()
    # One answer, and no second one for the error.
    assert captured.out.count("\n") == 1
    assert "error" not in json.loads(captured.out) or "status" in json.loads(captured.out)
    assert "No space left" in " ".join(captured.err.split())


@posix
def test_a_full_device_is_told_without_a_traceback(tmp_path):
    with Path("/dev/full").open("w") as full:
        process = slth_process("width", "--d", 2, "--eps", 0.1, stdout=full)
        _, said = process.communicate()
    assert process.returncode == 2
    assert "No space left" in said
    assert "Traceback" not in said
    process = slth_process(*PRUNE, "--out", "/dev/full", "--json", stdout=subprocess.PIPE)
    out, said = process.communicate()
    assert process.returncode == 2
    assert json.loads(out)["status"] == "optimal"
    assert "Traceback" not in said


@posix
@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_a_reader_that_leaves_changes_no_exit_code(json_too):
    reader, writer = os.pipe()
    os.close(reader)
    process = slth_process("width", "--d", 2, "--eps", 0.1, *json_too, stdout=writer)
    os.close(writer)
    _, said = process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


@posix
def test_a_ticket_goes_through_a_fifo(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    received = []
    thread = threading.Thread(target=lambda: received.append(fifo.read_bytes()))
    thread.start()
    assert run([*PRUNE, "--out", str(fifo)]) == 0
    thread.join()
    (tmp_path / "copy.ticket").write_bytes(received[0])
    assert slth.check(tmp_path / "copy.ticket")


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_search_prints_and_writes_what_it_has(tmp_path, capsys, monkeypatch, number):
    from slth.pruning.race import Race

    enter = Race.enter

    def entered(self, *arguments):
        # The signal comes with the first ticket.
        monkeypatch.setattr(Race, "enter", enter)
        signal.raise_signal(number)
        return enter(self, *arguments)

    monkeypatch.setattr(Race, "enter", entered)
    path = tmp_path / "a.ticket"
    for kind in ("neurons", "weights"):
        monkeypatch.setattr(Race, "enter", entered)
        arguments = ["prune", kind, "--d", "3", "--width", "60", "--readout", "relu"]
        code = run([*arguments, "--out", str(path), "--json"])
        assert code == 0
        assert json.loads(capsys.readouterr().out)["status"] in ("feasible", "optimal")
        assert slth.Ticket.load(path).mask.output.shape == (60,)


def test_bad_usage_is_json_too(capsys):
    assert run(["width", "--d", "two", "--eps", "0.1", "--json"]) == 2
    assert "error" in json.loads(capsys.readouterr().out)
