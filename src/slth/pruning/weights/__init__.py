"""Weight pruning: masks on single weights, nothing retrained."""

from __future__ import annotations

import numpy as np

from slth.errors import InvalidInput, require_count, require_positive, require_time_limit
from slth.limits import Deadline, Report, silent
from slth.network import ReLUNetwork, require_networks
from slth.pruning.weights.certified import WeightProblem, WeightRace, offer, sharpen
from slth.pruning.weights.construct import target_sides
from slth.pruning.weights.layer import LayerTicket, prune_layer
from slth.pruning.weights.portfolio import Search
from slth.pruning.weights.strategies import FREE, STRATEGIES, Serve, block_mask
from slth.solution import Solution

__all__ = ["LayerTicket", "prune_layer", "prune_weights"]


def prune_weights(
    net: ReLUNetwork,
    target: ReLUNetwork,
    radius: float = 1.0,
    eps: float | None = None,
    time_limit: float | None = 60.0,
    seed: int = 0,
    *,
    sparsest: bool = False,
    strategy: str = FREE,
    report: Report = silent,
) -> Solution:
    """Find a mask on single weights whose network is uniformly near the target on a ball.

    relu readout, target one neuron: every hidden unit serves one side of one coordinate, which
    makes 2d competing subset-sum problems (Malach et al. 2020, Pensia et al. 2020) whose error is
    known in closed form (`slth.pruning.weights.construct`); O(d log 1/eps) units suffice. Linear
    readout: no logarithmic law, and `bound` says why (`slth.pruning.weights.kink_bound`). Tiny
    networks are solved by looking at every mask; d = 1 is a pair of subset sums.

    Args:
        net: the network to prune.
        target: the function to reach, any ReLUNetwork of the same d.
        radius: R of the ball ||x||_2 <= R.
        eps: uniform error allowed on that ball; None asks for the smallest error.
        time_limit: seconds; None means no limit.
        seed: of the search.
        sparsest: with eps, look on for a ticket within eps that keeps fewer weights.
        strategy: "free", or a construction of the literature for the relu readout, or your own
            (`slth.strategies`). Those claim no bound.
        report: called with the errors reached so far.

    Returns:
        Solution. Without eps: "optimal" or "feasible"; with eps: "reached", "refuted" or
        "unknown". `bound` is 0.0 where nothing is proven (relu readout, beyond tiny networks). An
        interrupt (Ctrl-C) or the time limit returns the best ticket and bound so far.

    Raises:
        InvalidInput: different input dimensions, radius <= 0, eps <= 0, time_limit <= 0, seed < 0,
            sparsest without eps, an unknown strategy or one that does not fit the target, or
            arguments that are not networks or numbers.
    """
    require_networks(net, target)
    radius = require_positive("radius", radius)
    if eps is not None:
        eps = require_positive("eps", eps)
    elif sparsest:
        raise InvalidInput(
            "sparsest without eps",
            got="eps = None",
            expected="eps > 0",
            fix="Say how near is near enough, e.g. eps=0.01.",
        )
    serve = None if strategy == FREE else STRATEGIES[strategy]
    deadline = Deadline(require_time_limit(time_limit))
    generator = np.random.default_rng([require_count("seed", seed, least=0), net.width, net.d])
    race = WeightRace(WeightProblem(net, target), radius, eps, deadline, report)

    def work() -> None:
        if serve is None:
            Search(race, sparsest, generator).run()
        else:
            _construct(race, strategy, serve)
        sharpen(race)

    race.run(work)
    if race.error is None:
        # Ctrl-C came before any ticket.
        offer(race, race.mask, "empty mask")
    race.stats["kept_units"] = race.mask.kept_units
    return race.solution()


def _construct(race: WeightRace, strategy: str, serve: Serve) -> None:
    """One of the named constructions."""
    net, target = race.problem.net, race.problem.target
    sides = target_sides(target, net.readout)
    if sides is None or net.readout != "relu":
        raise InvalidInput(
            f"strategy {strategy!r} does not fit the problem",
            got=f"readout {net.readout!r}, target of width {target.width}",
            expected="readout 'relu' and a target of one neuron",
            fix="Draw the network with readout='relu', or leave the strategy out.",
        )
    mask = block_mask(net, sides.floats(), race.unit_eps or 0.0, serve)
    offer(race, mask, strategy)
