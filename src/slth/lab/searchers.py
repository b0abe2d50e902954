"""Which search a trial runs, by its pruning and its contender's name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from slth.errors import InvalidInput
from slth.lab.trial import Pruning
from slth.neurons import prune_neurons
from slth.neurons.contenders import CONTENDERS, contend
from slth.solution import Solution
from slth.weights import prune_weights

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
    known = ", ".join(("slth", *CONTENDERS)) if pruning == "neurons" else "slth"
    raise InvalidInput(
        f"unknown contender for pruning {pruning}",
        got=repr(contender),
        expected=f"one of {known}",
        fix="Mend the plan's `contender`.",
    )
