"""Which search a trial runs, by its pruning and its contender's name: all of them, in one place."""

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
from slth.pruning.weights.strategies import STRATEGIES
from slth.solution import Solution, Status, Stop

# Called with (net, target, eps=, time_limit=, seed=, report=), as `slth.prune_neurons` is.
Searcher = Callable[..., Solution]

# What a plan and a report call slth's own search; None in a trial.
OWN = "slth"


def searchers(pruning: Pruning) -> dict[str, Searcher]:
    """All of them by name: slth's own, what is registered, and the refits, which are no tickets."""
    if pruning == "weights":
        named = {name: partial(prune_weights, strategy=name) for name in STRATEGIES.names()}
        return {OWN: prune_weights, **named}
    contenders = {name: partial(contend, strategy=name) for name in CONTENDERS.names()}
    return {OWN: prune_neurons, **contenders, **{name: partial(_refitted, name) for name in REFITS}}


def searcher_of(pruning: Pruning, contender: str | None) -> Searcher:
    """slth's own search for None, else the contender's.

    Raises:
        InvalidInput: no contender of that name for that pruning.
    """
    known = searchers(pruning)
    name = OWN if contender is None else contender
    if name not in known:
        raise InvalidInput(
            f"unknown contender for pruning {pruning}",
            got=repr(contender),
            expected=f"one of {', '.join(known)}",
            fix="Mend the plan's `contender`.",
        )
    return known[name]


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
    stats = {"searcher": name}
    return Solution(everything, refit.error, 0.0, status, refit.network, stats, stopped=Stop.SPENT)
