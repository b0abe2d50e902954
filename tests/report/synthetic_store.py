"""Made-up stores: widths and errors that the tests chose themselves, and one real ticket."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from slth.lab.plan import Grid, Plan
from slth.lab.store_writer import StoreWriter
from slth.lab.trial import Trial
from slth.lab.trial_result import TrialResult
from slth.pruning.neurons import prune_neurons
from slth.solution import Status
from slth.ticket import Ticket

EPS = (0.5, 0.25, 0.125)
PLAN = Plan(
    "made <up>",
    (
        Grid(("neurons", "weights"), ("linear", "relu"), (2, 3, 4), EPS),
        Grid(("neurons",), ("linear",), (2,), EPS, contender=("single", "magnitude")),
        Grid(("neurons",), ("linear",), (2, 3), width=(4, 8)),
    ),
    draws=3,
)


def found_width(trial: Trial) -> int | None:
    """Neurons: 6 d / eps + draw; weights, linear: 4/eps; weights, relu: 7 a bit. Magnitude finds
    nothing at the smallest eps."""
    assert trial.eps is not None
    if trial.contender == "magnitude" and trial.eps == min(EPS):
        return None
    if trial.pruning == "weights" and trial.readout == "relu":
        return 7 * round(1 / trial.eps).bit_length() + trial.draw
    scale = 6 * trial.d if trial.pruning == "neurons" else 4
    return round(scale / trial.eps) + trial.draw + (0 if trial.contender is None else 5)


def outcome_of(trial: Trial) -> TrialResult:
    """What the made-up trial gives."""
    if trial.width is not None:
        error = trial.d / trial.width
        return TrialResult(
            "done", Status.FEASIBLE, bound=error / 2, error_lower=error, error_upper=error
        )
    found = found_width(trial)
    refuted = round(1 / (trial.eps or 1)) if trial.contender is None else 0
    return TrialResult(
        "done",
        Status.UNKNOWN if found is None else Status.REACHED,
        refuted=refuted,
        found=found,
        tried=found or 500,
        bound=1.0 if refuted else 0.0,
    )


def ticket_of(trial: Trial) -> bytes:
    """A real ticket within eps, in the network of the made-up width."""
    width = found_width(trial)
    assert width is not None
    net, target = trial.network(width), trial.target
    solution = prune_neurons(net, target, eps=trial.eps)
    assert solution.status == Status.REACHED
    ticket = Ticket.from_solution(solution, net, target, source=(trial.d, width, trial.seed))
    return ticket.to_bytes()


def synthetic_store(path: Path, plan: Plan = PLAN) -> Path:
    """Write it; neuron trials of the plane at the smallest eps have real tickets."""
    with StoreWriter.open(path) as store:
        store.record_plan(plan)
        for trial in plan.trials():
            outcome = outcome_of(trial)
            kind = (trial.pruning, trial.readout, trial.d, trial.contender, trial.eps)
            if kind == ("neurons", "linear", 2, None, min(EPS)):
                outcome = replace(outcome, ticket=ticket_of(trial))
            store.record(trial, outcome)
    return path
