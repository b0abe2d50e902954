"""Every command: what it prints, its exit code, and what it says about bad input."""

import json

import numpy as np
import pytest

import slth
from slth.cli import run

COMMANDS = [
    ["gap"],
    ["prune", "neurons"],
    ["prune", "weights"],
    ["certify"],
    ["check"],
    ["width"],
    ["theory"],
    ["sweep"],
    ["export"],
    ["report"],
    ["embed"],
]


def out_of(capsys, arguments):
    """Run a command; return (exit code, stdout, stderr)."""
    code = run(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def json_of(capsys, arguments):
    code, out, _ = out_of(capsys, [*arguments, "--json"])
    assert out.count("\n") == 1, "one JSON object on one line"
    return code, json.loads(out)


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_help_teaches(capsys, command):
    code, out, _ = out_of(capsys, [*command, "--help"])
    assert code == 0
    assert len(out) > 200


def test_the_overview_has_a_sentence_for_every_command(capsys):
    _, out, _ = out_of(capsys, ["--help"])
    listed = [line.split() for line in out.splitlines() if line.startswith("│ ")]
    described = {words[1] for words in listed if len(words) > 4}
    assert {command[0] for command in COMMANDS} <= described


@pytest.mark.parametrize(("d", "width", "radius"), [(3, 40, 1.0), (4, 40, 1.0), (6, 48, 3.7)])
def test_weight_tickets_are_certified(capsys, tmp_path, d, width, radius):
    file = tmp_path / "w.ticket"
    arguments = ["prune", "weights", "--d", str(d), "--width", str(width), "--readout", "relu"]
    out_of(capsys, [*arguments, "--radius", str(radius), "--out", str(file)])
    code, certified = json_of(capsys, ["certify", str(file)])
    assert (code, certified["holds"]) == (0, True)
    assert certified["upper"] <= certified["claim"]
    # A smaller claim is not called proven.
    code, certified = json_of(capsys, ["certify", str(file), "--eps", str(certified["lower"] / 2)])
    assert (code, certified["holds"]) == (1, False)


@pytest.mark.usefixtures("still_time")
def test_prune_certify_check_round_trip(capsys, tmp_path):
    file = tmp_path / "a.ticket"
    arguments = ["prune", "neurons", "--d", "2", "--width", "12", "--seed", "3"]
    code, pruned = json_of(capsys, [*arguments, "--time-limit", "120", "--out", str(file)])
    assert code == 0
    assert pruned["status"] == "optimal"
    assert pruned["bound"] <= pruned["error"]["upper"]
    code, certified = json_of(capsys, ["certify", str(file)])
    assert code == 0
    assert certified["holds"]
    assert certified["upper"] == pytest.approx(pruned["error"]["upper"], rel=1e-9)
    code, checked = json_of(capsys, ["check", str(file)])
    assert code == 0
    assert checked["verified"]
    # The same ticket with an impossible claim does not certify.
    tight = str(pruned["error"]["lower"] * 0.9)
    code, certified = json_of(capsys, ["certify", str(file), "--eps", tight])
    assert code == 1
    assert not certified["holds"]


def test_a_claim_holds_only_where_it_is_proven_to_the_last_digit(capsys, tmp_path):
    file = tmp_path / "a.ticket"
    arguments = ["prune", "neurons", "--d", "3", "--width", "8", "--seed", "1", "--eps", "0.99"]
    assert json_of(capsys, [*arguments, "--out", str(file)])[0] == 0
    _, error = json_of(capsys, ["certify", str(file), "--rtol", "1e-10"])
    for factor, holds in ((1 + 1e-8, True), (1 - 1e-8, False)):
        eps = repr(error["lower"] * factor)
        code, certified = json_of(capsys, ["certify", str(file), "--eps", eps])
        assert (code, certified["holds"]) == (int(not holds), holds)


@pytest.mark.usefixtures("still_time")
def test_prune_writes_proofs_that_check(capsys, tmp_path):
    file = tmp_path / "a.ticket"
    arguments = ["prune", "neurons", "--d", "3", "--width", "12", "--seed", "3", "--radius", "2"]
    code, pruned = json_of(capsys, [*arguments, "--proof", str(file)])
    assert code == 0
    assert pruned["proof"]["outcome"] == "verified"
    assert pruned["proof"]["bytes"] == file.stat().st_size
    claims = {claim["name"]: claim["outcome"] for claim in pruned["proof"]["claims"]}
    assert claims["status"] == claims["bound"] == "verified"
    code, checked = json_of(capsys, ["check", str(file)])
    assert code == 0
    assert checked["claims"] == pruned["proof"]["claims"]


@pytest.mark.usefixtures("still_time")
def test_prune_says_which_claims_rest_on_the_solver(capsys, tmp_path):
    file = tmp_path / "a.ticket"
    arguments = ["prune", "weights", "--d", "2", "--width", "3", "--seed", "3"]
    code, pruned = json_of(capsys, [*arguments, "--proof", str(file)])
    assert code == 0
    assert pruned["bound"] > 0
    assert pruned["proof"]["outcome"] == "not covered"


def test_prune_with_eps_says_what_was_proven(capsys):
    arguments = ["prune", "neurons", "--width", "12", "--seed", "3", "--time-limit", "20"]
    _, best = json_of(capsys, arguments)
    error = best["error"]["upper"]
    code, reached = json_of(capsys, [*arguments, "--eps", str(error * 1.01)])
    assert (code, reached["status"]) == (0, "reached")
    code, refuted = json_of(capsys, [*arguments, "--eps", str(error * 0.95)])
    assert (code, refuted["status"]) == (1, "refuted")
    assert refuted["bound"] > error * 0.95


def test_prune_weights_reaches_eps_with_the_relu_readout(capsys, tmp_path):
    file = tmp_path / "w.ticket"
    arguments = ["prune", "weights", "--d", "3", "--width", "120", "--readout", "relu"]
    target = ["--target", "1,-2,2", "--eps", "0.01", "--out", str(file)]
    code, reached = json_of(capsys, [*arguments, *target])
    assert (code, reached["status"]) == (0, "reached")
    assert reached["error"]["upper"] <= 0.01
    code, checked = json_of(capsys, ["check", str(file)])
    assert code == 0
    assert checked["verified"]


def test_certify_two_network_files(capsys, tmp_path):
    net, target = slth.random_network(3, 5, 0), slth.neuron([1.0, 0.0, 0.0])
    np.savez(tmp_path / "g.npz", hidden=net.hidden, output=net.output)
    np.savez(tmp_path / "f.npz", hidden=target.hidden, output=target.output)
    arguments = ["certify", str(tmp_path / "g.npz"), str(tmp_path / "f.npz"), "--radius", "2"]
    code, result = json_of(capsys, arguments)
    assert code == 0
    assert result["upper"] == pytest.approx(slth.certify(net, target, 2.0).upper, rel=1e-5)


def test_width_prints_the_planner_s_table(capsys):
    arguments = ["width", "--d", "10", "--eps", "0.01", "--delta", "0.05", "--readout", "relu"]
    code, out, _ = out_of(capsys, arguments)
    assert code == 0
    for word in ("what", "width", "status", "source", "proven", "measured", "suffices"):
        assert word in out
    code, planned = json_of(capsys, arguments)
    assert code == 0
    assert (planned["d"], planned["eps"], planned["readout"]) == (10, 0.01, "relu")
    statuses = {row["status"] for row in planned["rows"]}
    assert statuses == {"proven", "measured"}


def test_width_holds_numbers_beyond_floats(capsys):
    code, planned = json_of(capsys, ["width", "--d", "500", "--eps", "0.01"])
    assert code == 0
    widths = [row["width"] for row in planned["rows"]]
    assert any(isinstance(width, str) and width.startswith("10^") for width in widths)


def test_gap_writes_table_page_and_tickets(capsys, tmp_path):
    page = tmp_path / "gap.html"
    folder = tmp_path / "tickets"
    folder.mkdir()
    arguments = ["gap", "--eps-min", "0.125", "--draws", "2", "--workers", "1"]
    files = ["--out", str(page), "--tickets", str(folder)]
    code, result = json_of(capsys, [*arguments, *files, "--search-seconds", "1"])
    assert code == 0
    assert result["complete"]
    assert len(result["rows"]) == 3 * 2 * 2
    for row in result["rows"]:
        assert row["found"] is None or row["refuted"] < row["found"]
        assert row["found"] is None or row["found_error"] <= row["eps"]
    assert "<html" in page.read_text()[:2000].lower()
    tickets = sorted(folder.iterdir())
    assert len(tickets) == sum(row["found"] is not None for row in result["rows"])
    assert all(slth.check(ticket) for ticket in tickets)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gap", "--eps-min", "0"], "eps_min"),
        (["gap", "--eps-min", "0.5"], "eps_min"),
        (["gap", "--draws", "0"], "draws"),
        (["gap", "--workers", "0"], "workers"),
        (["gap", "--d", "0"], "d out of range"),
        (["gap", "--readout", "tanh"], "readout"),
        (["gap", "--out", "/nowhere/at/all/gap.html"], "folder"),
        (["prune", "neurons", "--width", "-1"], "width"),
        (["prune", "neurons", "--eps", "-0.1"], "eps"),
        (["prune", "neurons", "--radius", "0"], "radius"),
        (["prune", "neurons", "--radius", "nan"], "radius"),
        (["prune", "neurons", "--time-limit", "0"], "time_limit"),
        (["prune", "neurons", "--target", "0,0"], "zero"),
        (["prune", "weights", "--readout", "relu", "--strategy", "luck"], "free, malach"),
        (["prune", "neurons", "--target", "1,x"], "numbers"),
        (["prune", "neurons", "--target", "1,0,0"], "incompatible"),
        (["prune", "neurons", "--net", "missing.npz"], "no such file"),
        (["prune", "weights", "--readout", "relu", "--eps", "0"], "eps"),
        (["prune", "neurons", "--out", "/nowhere/at/all/a.ticket"], "folder"),
        (["certify", "missing.ticket"], "missing.ticket"),
        (["check", "missing.ticket"], "missing.ticket"),
        (["width", "--d", "10"], "eps"),
        (["width", "--d", "1", "--eps", "0.1"], "d >= 2"),
        (["width", "--d", "3", "--eps", "2"], "eps"),
        (["width", "--d", "3", "--eps", "0.1", "--delta", "0"], "delta"),
        (["width", "--d", "3", "--eps", "0.1", "--radius", "-1"], "radius"),
        (["width", "--d", "3", "--eps", "0.1", "--readout", "tanh"], "readout"),
        (["frobnicate"], "frobnicate"),
        (["gap", "--no-such-option"], "no-such-option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_bad_usage_is_told_and_exits_2(capsys, arguments, words):
    code, out, err = out_of(capsys, arguments)
    assert code == 2
    assert words in err + out
    assert "Traceback" not in err + out


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 truncated"])
def test_damaged_files_are_refused(capsys, tmp_path, content):
    for name, command in (("a.ticket", "check"), ("b.ticket", "certify")):
        file = tmp_path / name
        file.write_bytes(content)
        code, out, err = out_of(capsys, [command, str(file)])
        assert code == 2
        assert name in err + out
    net = tmp_path / "net.npz"
    net.write_bytes(content)
    code, out, err = out_of(capsys, ["prune", "neurons", "--net", str(net)])
    assert code == 2
    assert "net.npz" in err + out
