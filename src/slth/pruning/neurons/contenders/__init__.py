"""Contenders: what people do to choose units, as named strategies whose masks are certified too.

A contender proposes a mask from a sample of the sphere; nothing is retrained, so its answer is a
ticket like any other, only without a proof that there is no better one. `refit.py` holds two
comparisons that are *not* tickets: the same hidden units with trained output weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from slth.certify.enclose import require_networks
from slth.errors import InvalidInput, require_count, require_positive, require_time_limit
from slth.limits import Deadline, Report, silent
from slth.network import ReLUNetwork
from slth.pruning.neurons.contenders.lp_rounding import round_relaxation
from slth.pruning.neurons.contenders.magnitude import keep_largest
from slth.pruning.neurons.contenders.popup import pop_up
from slth.pruning.neurons.contenders.refit import REFITS, Refit, refit_least_squares, refit_minimax
from slth.pruning.neurons.contenders.relevance import trim_irrelevant
from slth.pruning.neurons.contenders.single import keep_one
from slth.pruning.neurons.greedy import greedy_backward, greedy_forward
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.race import Race
from slth.solution import Solution

__all__ = [
    "CONTENDERS",
    "REFITS",
    "Contender",
    "Refit",
    "contend",
    "refit_least_squares",
    "refit_minimax",
]

Contender = Callable[[Problem, np.random.Generator, Deadline], Candidate]

CONTENDERS: Mapping[str, Contender] = {
    "single": keep_one,
    "magnitude": keep_largest,
    "forward": greedy_forward,
    "backward": greedy_backward,
    "relevance": trim_irrelevant,
    "popup": pop_up,
    "rounding": round_relaxation,
}


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
    if strategy not in CONTENDERS:
        raise InvalidInput(
            "unknown strategy",
            got=repr(strategy),
            expected=f"one of {', '.join(CONTENDERS)}",
            fix="Leave the strategy out to search with everything slth has.",
        )
    require_networks(net, target)
    deadline = Deadline(require_time_limit(time_limit))
    radius = require_positive("radius", radius)
    eps = None if eps is None else require_positive("eps", eps)
    rng = np.random.default_rng(require_count("seed", seed, least=0))
    race = Race(Problem(net, target), radius, eps, deadline, report)
    found = CONTENDERS[strategy](race.problem, rng, deadline.within(0.7 * deadline.remaining))
    race.offer(Candidate(found.keep, -np.inf), strategy)
    race.sharpen()
    return race.solution()
