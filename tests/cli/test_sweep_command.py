"""`slth sweep` and `slth export`: what they print and their exit codes; the example plan reads."""

import json
from pathlib import Path

import pytest

from slth.cli import run
from slth.lab.plan import Grid, Plan
from slth.lab.run import run_sweep
from tests.lab.planted import FLAT, PlantedPool

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "plane.toml"


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(FLAT.to_toml())
    return path


def test_a_dry_run_lists_the_trials_and_makes_nothing(plan, capsys):
    assert run(["sweep", str(plan), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "96 trials, 96 to run. No estimate" in out
    assert all(trial.key[:12] in out for trial in FLAT.trials())
    assert list(plan.parent.iterdir()) == [plan]


def test_a_dry_run_estimates_from_limits_and_from_what_is_measured(plan, capsys):
    assert run(["sweep", str(EXAMPLE), "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["remaining"] == len(told["trials"]) == 63
    # 36 bisections of at most 12 searches of 1 s, 27 searches of 1 s.
    assert told["worker_seconds"] == 36 * 12 + 27
    assert not run_sweep(FLAT, plan.with_suffix(".db"), PlantedPool(stop_after=20))
    assert run(["sweep", str(plan), "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["remaining"] == 76
    assert told["measured"] == 60


def test_a_finished_sweep_is_told_and_exported(plan, capsys):
    store = plan.with_suffix(".db")
    assert run_sweep(FLAT, store, PlantedPool())
    assert run(["sweep", str(plan), "--json", "--workers", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["trials"], told["done"], told["failed"], told["complete"]) == (96, 96, 0, True)
    assert run(["export", str(store), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 96
    assert store.with_suffix(".csv").read_text().count("\n") == 97


def test_failures_are_told_by_the_exit_code(plan, capsys):
    guilty = FLAT.trials()[7]
    pool = PlantedPool(fatal=lambda trial: trial == guilty)
    assert run_sweep(FLAT, plan.with_suffix(".db"), pool)
    assert run(["sweep", str(plan)]) == 1
    assert "1 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("draws = ", "not TOML"),
        ("colour = 1\n[[grid]]", "unknown name in the plan: got colour"),
        ("", "plan without a grid"),
        ('[[grid]]\npruning = "neurons"', "grid incomplete: got no d, readout"),
        ('[[grid]]\npruning = "hair"\nreadout = "relu"\nd = 2\nwidth = 3', "unknown pruning"),
        ('[[grid]]\npruning = "neurons"\nreadout = "relu"\nd = 2', "without eps"),
        ('[[grid]]\npruning = "weights"\nreadout = "relu"\nd = 0\nwidth = 3', "d out of range"),
        (
            '[[grid]]\npruning = "neurons"\nreadout = "relu"\nd = 2\nwidth = 3\ncontender = "luck"',
            "unknown contender",
        ),
        ('[limits]\nsearch_seconds = -1.0\n[[grid]]\npruning="neurons"', "grid incomplete"),
    ],
)
def test_bad_plans_are_refused(tmp_path, capsys, text, words):
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    assert run(["sweep", str(plan)]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert run(["sweep", str(tmp_path / "none.toml")]) == 2
    assert "plan cannot be read" in " ".join(capsys.readouterr().err.split())


def test_plans_survive_their_own_toml():
    for plan in (
        Plan.read(EXAMPLE),
        FLAT,
        Plan("x", (Grid(("weights",), ("relu",), (3,), (0.1,)),)),
    ):
        assert Plan.from_toml(plan.to_toml()) == plan
