"""Which search a trial runs, by its pruning and its contender's name."""

from __future__ import annotations

from collections.abc import Callable

from slth.errors import InvalidInput
from slth.lab.trial import Pruning
from slth.neurons import prune_neurons
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
    raise InvalidInput(
        f"unknown contender for {pruning}",
        got=repr(contender),
        expected="'slth', its own search",
        fix="Mend the plan's `contender`.",
    )
