"""The audit finds the known failures, its repairs hold, and the command line says so."""

import dataclasses
import json

import pytest

from slth import theory
from slth.cli.theory import app
from slth.theory.audit import STEPS


@pytest.fixture(scope="module")
def lines():
    return {step.__name__: line for step, line in zip(STEPS, theory.audit(seed=1), strict=True)}


def test_every_statement_or_its_repair_passes_its_check(lines):
    assert [name for name, line in lines.items() if not line.sound] == []


def test_each_verdict_is_about_the_statement_or_about_its_proof(lines):
    found: dict[str, set[str]] = {}
    for name, line in lines.items():
        found.setdefault(line.verdict.name, set()).add(name)
    assert found == {
        "FALSE": {
            "readout",
            "start_state",
            "lemma_6_constant",
            "lemma_6_unbroken",
            "lemma_3",
            "lemma_8_by_chance",
        },
        "OPEN": {"birth_death_coupling", "lemma_9", "theorem_1_large_eps"},
        "TRUE": {
            "capped_below_original",
            "breaking_probability",
            "lemma_7",
            "lemma_8_one_unit",
            "theorem_1_small_eps",
        },
        "HOLDS": {
            "families_law",
            "one_step",
            "lemma_1",
            "lemma_2",
            "lemma_5",
            "lemma_10",
            "version_3",
        },
    }
    assert all(line.repair for line in lines.values() if line.verdict != theory.Finding.HOLDS)
    assert all(line.compared for line in lines.values())


def test_public_names_resolve():
    assert [name for name in theory.__all__ if not hasattr(theory, name)] == []


def run(capsys, *words):
    code = app(words, result_action="return_value", exit_on_error=False)
    return code, capsys.readouterr().out


def test_bound_command_prints_one_json_object(capsys):
    code, out = run(capsys, "bound", "--d", "5", "--eps", "0.01", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["bounds"][0]["status"] == "proven"
    assert document["bounds"][0]["value"] == theory.max_refuted_width(5, 0.01, 2.0, 0.05).value


def test_bound_command_says_when_nothing_is_proven(capsys):
    code, out = run(capsys, "bound", "--d", "2", "--eps", "0.9")
    assert code == 1
    assert "vacuous" in out


def test_chain_command(capsys):
    code, out = run(
        capsys, "chain", "--down", "0.1", "--up", "0.3", "--cap", "4", "--steps", "9", "--json"
    )
    document = json.loads(out)
    exact = theory.log_at_zero(theory.Chain(0.1, 0.3, 4), 9)
    assert code == 0
    assert document["log Pr(B_k = 0), exact"] == pytest.approx(exact)


@pytest.mark.parametrize("form", [["--json"], []])
def test_audit_command_reports_every_line(capsys, monkeypatch, lines, form):
    monkeypatch.setattr("slth.cli.theory.audit", lambda seed, report: tuple(lines.values()))
    code, out = run(capsys, "audit", *form)
    assert code == 0
    if form:
        document = json.loads(out)
        assert document["sound"] is True
        assert len(document["lines"]) == len(STEPS)
    else:
        assert "Lemma 10" in out


def test_audit_command_fails_when_a_check_fails(capsys, monkeypatch, lines):
    broken = dataclasses.replace(next(iter(lines.values())), sound=False)
    monkeypatch.setattr("slth.cli.theory.audit", lambda seed, report: (broken,))
    code, out = run(capsys, "audit")
    assert code == 1
    assert "CHECK" in out
