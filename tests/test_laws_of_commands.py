"""The law of doors on the command line: a command answers about the file's own network and the
numbers that were typed, or exits with 2 and says what was wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

import slth
from slth.cli import app, run
from tests.doors_table import BIASED, HOSTILE, PLAIN

# Every command by its words. "file": where a network's file stands. "counts": options of whole
# numbers. Further arguments make it run.
COMMANDS = {
    "gap": {"counts": ("--d", "--draws", "--seed")},
    "report": {},
    "prune neurons": {
        "file": ("--net", "FILE", "--target", "0.6,0.8"),
        "counts": ("--d", "--width", "--seed", "--search-seed"),
    },
    "prune weights": {
        "file": ("--net", "FILE", "--target", "0.6,0.8"),
        "counts": ("--d", "--width", "--seed", "--search-seed"),
    },
    "embed": {
        "file": ("FILE", "--eps", "0.5", "--workers", "1", "-o", "OUT"),
        "counts": ("--seed", "--workers"),
        "biased": True,
    },
    "certify": {"file": ("FILE", "FILE"), "biased": True},
    "agree": {"file": ("FILE", "FILE", "--box", "0", "1"), "several": True},
    "compress": {"file": ("FILE", "--box", "0", "1", "--ratio", "1"), "biased": True},
    "check": {"file": ("FILE",)},
    "width": {"counts": ("--d",), "needs": ("--eps", "0.1")},
    "theory audit": {"counts": ("--seed",)},
    "theory bound": {"counts": ("--d",), "needs": ("--eps", "0.1")},
    "theory known": {},
    "theory chain": {
        "counts": ("--cap", "--steps", "--start"),
        "needs": ("--down", "0.1", "--up", "0.5"),
    },
    "sweep": {},
    "export": {},
    "warmup": {},
}


def commands(parser, words=()):
    for name in parser:
        if not name.startswith("-"):
            inner = [*commands(parser[name], (*words, name))]
            yield from inner or [" ".join((*words, name))]


def saved(folder, case, **extra):
    path = folder / f"{len(list(folder.iterdir()))}.npz"
    arrays = {}
    for place, (w, b) in enumerate(case.layers):
        arrays[f"{place}.weight"] = w
        if b is not None:
            arrays[f"{place}.bias"] = b
    np.savez(path, **{**arrays, **extra})
    return path


def words_for(command, folder, path):
    swap = {"FILE": str(path), "OUT": str(folder / "out.slt")}
    return [*command.split(), *(swap.get(word, word) for word in COMMANDS[command]["file"])]


WITH_FILE = [name for name, entry in COMMANDS.items() if "file" in entry]


def test_every_command_is_enrolled():
    assert set(commands(app)) == set(COMMANDS), "enroll the new command here"


@pytest.mark.parametrize("command", WITH_FILE)
@pytest.mark.parametrize("kind", ["unknown array", *HOSTILE])
def test_a_file_that_says_more_than_slth_reads_is_refused(command, kind, tmp_path, capsys):
    if kind == "masked":
        pytest.skip("files hold no masks")
    extra = {"note": np.ones(2)} if kind == "unknown array" else {"0.weight": HOSTILE[kind]}
    path = saved(tmp_path, PLAIN, **extra)
    assert run(words_for(command, tmp_path, path)) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert command == "check" or ("got" in said and "expected" in said)
    assert not (tmp_path / "out.slt").exists()


@pytest.mark.parametrize("command", [name for name in WITH_FILE if name != "check"])
def test_a_biased_network_is_used_or_refused(command, tmp_path, capsys):
    path = saved(tmp_path, BIASED)
    code = run(words_for(command, tmp_path, path))
    if COMMANDS[command].get("biased"):
        assert code == 0
    else:
        assert code == 2
        assert "bias" in capsys.readouterr().err


def test_certify_compares_the_biases_of_both_files(tmp_path, capsys):
    moved = BIASED.moved()
    paths = [str(saved(tmp_path, case)) for case in (BIASED, moved)]
    points = np.random.default_rng(0).normal(size=(500, 2))
    points /= np.maximum(1.0, np.linalg.norm(points, axis=1))[:, None]
    true = BIASED.difference(moved, points)
    assert run(["certify", *paths, "--rtol", "0.1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert true <= answer["upper"] <= 1.2 * true
    assert run(["certify", *paths, "--eps", str(true / 2), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["holds"] is not True


def test_an_embedding_holds_the_biases(tmp_path, capsys):
    path = saved(tmp_path, BIASED)
    out = tmp_path / "out.slt"
    words = ["embed", str(path), "--eps", "0.2", "-o", str(out), "--workers", "1", "--json"]
    assert run(words) == 0
    said = json.loads(capsys.readouterr().out)
    points = np.random.default_rng(0).uniform(-0.7, 0.7, (200, 2))
    off = np.abs(slth.load(out)(points) - BIASED(points)).max()
    assert off <= said["error"] <= 0.2


@pytest.mark.parametrize(
    ("command", "option"),
    [(name, option) for name, entry in COMMANDS.items() for option in entry.get("counts", ())],
)
@pytest.mark.parametrize("value", ["2.5", "2.0000001", "two", "-1"])
def test_whole_numbers_are_whole(command, option, value, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    needs = COMMANDS[command].get("needs", ())
    if command == "embed":
        needs = (str(saved(tmp_path, PLAIN)), "--eps", "0.5", "-o", str(tmp_path / "out.slt"))
    others = [
        word
        for other in COMMANDS[command].get("counts", ())
        if needs and command.startswith("theory") and other != option
        for word in (other, "1")
    ]
    assert run([*command.split(), *needs, *others, option, value]) == 2
    assert capsys.readouterr().err.strip()
