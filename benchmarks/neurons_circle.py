"""d = 2, linear readout: the proven lower and the certified upper bound against the width.

`python -m benchmarks.neurons_circle [SECONDS]` (search time for each instance, default 10).
Gaussian networks, seeds 1 to 3. Bounds are given times the width. The reference in the same run and
time is annealing among the units aligned with the target, certified too. A second table decides:
the time to meet a goal 1.2 times the best error known, and to refute 0.98 times the bound.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import slth
from benchmarks.table import show
from slth.limits import Deadline
from slth.pruning.neurons.cluster import search_clusters
from slth.pruning.neurons.plane.refute import circle_bound
from slth.pruning.neurons.plane.walk_search import search_circle
from slth.pruning.neurons.plane.wedge import refute_on_wedges, wedge_bound
from slth.pruning.neurons.problem import Problem

_WIDTHS = (30, 60, 100, 300, 1000, 10_000, 100_000, 1_000_000)
_SEEDS = (1, 2, 3)
# Up to this width all paths round the circle are listed, in half the time.
_DECIDED = 300
_HEADINGS = (
    *("N", "seed", "lower N", "upper N", "ratio", "status"),
    *("wedge s", "search s", "all s", "annealing/ours"),
)


def instance(width: int, seed: int) -> tuple[slth.ReLUNetwork, slth.ReLUNetwork]:
    """All weights standard normal, the target's direction too."""
    rng = np.random.default_rng(seed)
    hidden, output = rng.standard_normal((width, 2)), rng.standard_normal(width)
    return slth.ReLUNetwork(hidden, output), slth.neuron(rng.standard_normal(2), normalize=True)


def main(seconds: float = 10.0) -> None:
    """Print both tables."""
    warm, goal = instance(30, 0)
    search_circle(warm.hidden, warm.output, goal.hidden[0], 0.0, Deadline(5.0), 0)
    search_clusters(Problem(warm, goal), np.random.default_rng(0), Deadline(5.0))
    bounds, decisions = [], []
    for width in _WIDTHS:
        for seed in _SEEDS:
            net, target = instance(width, seed)
            weights = net.hidden, net.output, target.hidden[0]
            started = time.perf_counter()
            lower = wedge_bound(*weights)
            wedge_seconds = time.perf_counter() - started
            keep, error, left = np.zeros(width, np.bool_), 1.0, seconds
            if width <= _DECIDED:
                left = 0.5 * seconds
                lower, listed, least = circle_bound(*weights, lower, 1.0, Deadline(left))
                if listed is not None:
                    keep, error = listed, least
            if error > 1.00001 * lower:
                found, least = search_circle(*weights, 0.0, Deadline(left), seed, lower=lower)
                if least < error:
                    keep, error = found, least
            upper = _certified(net, target, keep)
            search_seconds = time.perf_counter() - started - wedge_seconds
            total = time.perf_counter() - started
            problem = Problem(net, target)
            other = search_clusters(problem, np.random.default_rng(seed), Deadline(total))
            reference = _certified(net, target, other.keep)
            status = "optimal" if upper < 1.00001 * lower else "feasible"
            measured = (wedge_seconds, search_seconds, total, reference / upper)
            bounds.append(
                (width, seed, lower * width, upper * width, upper / lower, status, *measured)
            )
            started = time.perf_counter()
            _, found = search_circle(*weights, 1.2 * error, Deadline(seconds), seed + 100)
            reached = time.perf_counter() - started
            started = time.perf_counter()
            refuted = refute_on_wedges(*weights, 0.98 * wedge_bound(*weights))
            spent = time.perf_counter() - started
            reach = "reached" if found <= 1.2 * error else "unknown"
            refute = "refuted" if refuted else "unknown"
            decisions.append((width, seed, reach, reached, refute, spent))
    show(
        f"Neuron tickets, d = 2, linear readout, {seconds:g} s of search",
        [
            "N",
            "seed",
            "lower N",
            "upper N",
            "ratio",
            "status",
            "wedge s",
            "search s",
            "all s",
            "annealing/ours",
        ],
        bounds,
    )
    show(
        "Decisions: 1.2 times the best error known; 0.98 times the wedge bound (with the bound)",
        ("N", "seed", "reach", "s", "refute", "s"),
        decisions,
    )


def _certified(net: slth.ReLUNetwork, target: slth.ReLUNetwork, keep: np.ndarray) -> float:
    return slth.certify(slth.ReLUNetwork(net.hidden[keep], net.output[keep]), target).upper


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
