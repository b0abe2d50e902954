"""Which search a trial runs, by its pruning and its contender's name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from slth.errors import InvalidInput
from slth.lab.trial import Pruning
from slth.limits import Progress, Report
from slth.network import Mask, ReLUNetwork
from slth.pruning.neurons import prune_neurons
from slth.pruning.neurons.contenders import CONTENDERS, REFITS, contend
from slth.pruning.weights import prune_weights
from slth.solution import Solution, Status

# Called with (net, target, eps=, time_limit=, seed=, report=), as `slth.prune_neurons` is.
Searcher = Callable[..., Solution]


def searcher_of(pruning: Pruning, contender: str | None) -> Searcher:
    """slth's own search for None, else the contender's.

    Raises:
        InvalidInput: no contender of that name for that pruning.
    """
    if contender is None:
        return prune_neurons if pruning == "neurons" else prune_weights
    if pruning == "neurons" and contender in CONTENDERS:
        return partial(contend, strategy=contender)
    if pruning == "neurons" and contender in REFITS:
        return partial(_refitted, contender)
    known = ", ".join(("slth", *CONTENDERS, *REFITS)) if pruning == "neurons" else "slth"
    raise InvalidInput(
        f"unknown contender for pruning {pruning}",
        got=repr(contender),
        expected=f"one of {known}",
        fix="Mend the plan's `contender`.",
    )


def writes_tickets(contender: str | None) -> bool:
    """Whether what it finds is a mask: a refit trains output weights, which no mask gives."""
    return contender not in REFITS


def _refitted(
    name: str,
    net: ReLUNetwork,
    target: ReLUNetwork,
    *,
    eps: float | None,
    time_limit: float,
    seed: int,
    report: Report,
) -> Solution:
    """The refit as a solution that keeps every unit; `pruned` has the trained output weights."""
    refit = REFITS[name](net, target, time_limit, seed)
    report(Progress(name, 0.0, refit.error.upper))
    if eps is None:
        status = Status.FEASIBLE
    else:
        status = Status.REACHED if refit.error.upper <= eps else Status.UNKNOWN
    everything = Mask.of_units(np.ones(net.width, np.bool_), net.d)
    return Solution(everything, refit.error, 0.0, status, refit.network, {"searcher": name})
