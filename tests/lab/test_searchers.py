"""Contenders as trials: what they find, and that refits are measured but never called tickets."""

import pytest

import slth
from slth.lab import measure
from slth.lab.measure import run_trial
from slth.lab.plan import Grid, Plan
from slth.pruning.neurons.contenders import CONTENDERS, REFITS
from slth.threads import usable_threads


def outcomes(grid):
    plan = Plan("contenders", (grid,))
    return {
        trial.contender: (trial, run_trial(trial, (), lambda _: None)) for trial in plan.trials()
    }


def test_refits_err_less_than_the_best_ticket_and_leave_none():
    grid = Grid(("neurons",), ("linear",), (2,), width=(8,), contender=(None, "single", *REFITS))
    found = {name: outcome for name, (_, outcome) in outcomes(grid).items()}
    assert found[None].status == "optimal"
    assert found["minimax"].error_lower <= found[None].error_upper
    for name in REFITS:
        assert found[name].state == "done"
        assert found[name].ticket is None
        assert found[name].kept_units == 8
    assert slth.Ticket.from_bytes(found["single"].ticket).mask.kept_units == 1


def test_a_refit_needs_no_more_units_than_pruning():
    grid = Grid(("neurons",), ("linear",), (2,), (0.25,), contender=(None, "minimax"))
    found = outcomes(grid)
    trial, refit = found["minimax"]
    assert refit.status == "reached"
    assert refit.ticket is None
    assert refit.error_upper <= trial.eps
    assert refit.found <= found[None][1].found


def test_every_contender_is_a_plan_s_word_for_neurons_only():
    for name in (*CONTENDERS.names(), *REFITS):
        rest = ("relu",), (3,), (None,), (4,), (name,)
        assert Plan("one", (Grid(("neurons",), *rest),)).trials()
        with pytest.raises(slth.InvalidInput, match="contender"):
            Grid(("weights",), *rest)


def test_a_trial_leaves_the_other_processors_to_other_trials(monkeypatch):
    seen = []

    def search(*_, **__):
        seen.append(usable_threads())
        raise ValueError("no more is asked for")

    monkeypatch.setattr(measure, "searcher_of", lambda *_: search)
    outcomes(Grid(("neurons",), ("linear",), (2,), width=(3,)))
    assert seen == [1]
