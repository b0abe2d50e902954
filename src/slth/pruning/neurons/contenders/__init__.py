"""Contenders: what people do to choose units, as named strategies whose masks are certified too.

A contender proposes a mask from a sample of the sphere; nothing is retrained, so its answer is a
ticket like any other, only without a proof that there is no better one. `refit.py` holds two
comparisons that are *not* tickets: the same hidden units with trained output weights.

Your own: `slth.contenders.register(name, function, summary=...)`, or an entry point of the group
`slth.contenders`. function(problem, rng, deadline) gives the units to keep, bool [N]: `problem` is
a `slth.pruning.neurons.problem.Problem`, `rng` the generator that it draws from, `deadline` says
when to return what there is.
"""

from __future__ import annotations

import numpy as np

from slth.errors import InvalidInput, require_count, require_positive, require_time_limit
from slth.limits import Deadline, Report, silent
from slth.network import BoolArray, ReLUNetwork, require_networks
from slth.pruning.neurons.contenders import (  # noqa: F401  each registers itself
    backward,
    forward,
    lp_rounding,
    magnitude,
    popup,
    relevance,
    single,
    theorem,
)
from slth.pruning.neurons.contenders.contender import CONTENDERS, Contender, register
from slth.pruning.neurons.contenders.refit import REFITS, Refit, refit_least_squares, refit_minimax
from slth.pruning.neurons.entry import NeuronRace, enter_nothing, offer, sharpen
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.problem import Problem
from slth.solution import Solution

__all__ = [
    "CONTENDERS",
    "REFITS",
    "Contender",
    "Refit",
    "contend",
    "refit_least_squares",
    "refit_minimax",
    "register",
]

# Of the time, for choosing; the rest is for the certificate.
_CHOOSING = 0.7


def contend(
    net: ReLUNetwork,
    target: ReLUNetwork,
    strategy: str,
    radius: float = 1.0,
    eps: float | None = None,
    time_limit: float | None = 60.0,
    seed: int = 0,
    *,
    report: Report = silent,
) -> Solution:
    """The ticket that a named strategy chooses, its error certified.

    Args:
        net, target, radius, eps, time_limit, seed, report: as for `prune_neurons`.
        strategy: a name of `CONTENDERS`.

    Returns:
        Solution with bound 0.0, for a contender proves nothing of other masks: "feasible"; with
        eps "reached" or "unknown". Contenders that rank units choose how many to keep by the
        error on their sample, in their favour.

    Raises:
        InvalidInput: an unknown strategy, or what `prune_neurons` refuses.
    """
    contender = CONTENDERS[strategy]
    require_networks(net, target)
    deadline = Deadline(require_time_limit(time_limit))
    radius = require_positive("radius", radius)
    eps = None if eps is None else require_positive("eps", eps)
    rng = np.random.default_rng(require_count("seed", seed, least=0))
    race = NeuronRace(Problem(net, target), radius, eps, deadline, report)

    def work() -> None:
        share = deadline.within(_CHOOSING * deadline.remaining)
        keep = _require_keep(strategy, contender(race.problem, rng, share), net.width)
        offer(race, Candidate(keep, -np.inf), strategy)
        sharpen(race)

    race.run(work)
    enter_nothing(race, seconds=0.5)
    return race.solution()


def _require_keep(strategy: str, keep: object, width: int) -> BoolArray:
    if isinstance(keep, np.ndarray) and keep.dtype == np.bool_ and keep.shape == (width,):
        return keep
    got = f"{keep.dtype} {keep.shape}" if isinstance(keep, np.ndarray) else type(keep).__name__
    raise InvalidInput(
        f"contender {strategy!r} does not give a mask",
        got=got,
        expected=f"bool ({width},), an array that says of every unit whether it is kept",
        fix="Return such an array.",
    )
