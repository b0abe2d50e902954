"""Neuron pruning: keep or drop whole hidden units, nothing retrained."""

from __future__ import annotations

from slth.errors import InvalidInput, require_count, require_positive, require_time_limit
from slth.limits import Deadline, Report, silent
from slth.network import ReLUNetwork, require_networks
from slth.pruning.neurons.entry import NeuronRace
from slth.pruning.neurons.fewest import run_fewest
from slth.pruning.neurons.pipeline import run
from slth.pruning.neurons.problem import Problem
from slth.solution import Solution

__all__ = ["prune_neurons"]


def prune_neurons(
    net: ReLUNetwork,
    target: ReLUNetwork,
    radius: float = 1.0,
    eps: float | None = None,
    time_limit: float | None = 60.0,
    seed: int = 0,
    *,
    proof: bool = False,
    fewest: bool = False,
    report: Report = silent,
) -> Solution:
    """Find the subset of hidden units whose uniform error is least, and prove what none can do.

    Searchers propose masks and every one is certified; provers bound the error of every subset:
    witness, linear relaxation, screening and branch-and-bound (docs/neurons.md).

    Args:
        net: the network to prune, of any width.
        target: any one-hidden-layer network of the same input dimension.
        radius: R > 0, the error is sup_{||x||_2 <= R} |g_S(x) - f(x)|.
        eps: decide whether some subset has an error <= eps instead of minimising; much faster.
        time_limit: seconds; None means no limit. The answer comes within 10 % or 1 s of it.
        seed: of the searchers.
        proof: write down why no subset errs less than `bound`: `Solution.refutation`, which
            `slth.check` verifies in a ticket. Provers that cannot write theirs are left out.
        fewest: with eps, find the subset of fewest units whose error is <= eps, e.g. to compress
            a trained layer: net and target may be the same network.
        report: called with the bounds so far.

    Returns:
        Solution. Without eps: "optimal" when the bound reaches error.upper but for a fraction
        inside the checker's 1e-5 (`slth.proof.OPTIMAL_WITHIN`), else "feasible".
        With eps: "reached" (error.upper <= eps), "refuted" (bound > eps) or "unknown". An
        interrupt (Ctrl-C) or the time limit returns the best ticket and bound so far.
        With fewest: "optimal" when error.upper <= eps and every mask of fewer units is proven to
        err by more than eps, "feasible" when only the former, "refuted" or "unknown";
        `least_units` is the proven least count of every subset within eps.

    Raises:
        InvalidInput: dimensions differ, or radius, eps, time_limit or seed out of range, or fewest
            without eps or with proof.

    Source: the problem of Theorem 1, Ferre et al., arXiv 2603.02234 v2.
    """
    require_networks(net, target)
    radius = require_positive("radius", radius)
    if eps is not None:
        eps = require_positive("eps", eps)
    deadline = Deadline(require_time_limit(time_limit))
    seed = require_count("seed", seed, least=0)
    if not isinstance(fewest, bool):
        raise InvalidInput(
            "fewest is not a truth value",
            got=repr(fewest),
            expected="True or False",
            fix="Pass fewest=True to minimise the number of units.",
        )
    if fewest:
        if eps is None:
            raise InvalidInput(
                "fewest without eps",
                got="eps=None",
                expected="the error that the fewest units may make",
                fix="Pass eps=..., or leave fewest out to minimise the error.",
            )
        if proof:
            raise InvalidInput(
                "fewest with proof",
                got="proof=True",
                expected="one of them: proofs of counts are not written down",
                fix="Leave proof out, or decide eps without fewest.",
            )
        return run_fewest(Problem(net, target), radius, eps, deadline, report, seed)
    race = NeuronRace(Problem(net, target), radius, eps, deadline, report, recording=proof)
    run(race, seed)
    return race.solution()
