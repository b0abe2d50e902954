"""Width needed by a weight ticket (relu readout): slth against the constructions of the literature.

The constructions (`slth.pruning.weights.strategies`) give coordinate j the units of block j, d
blocks of N/d units. slth lets every unit serve any coordinate. Same networks, same targets, same
closed-form error; all widths are the smallest that succeeds, found by bisection. Then all of them
on the same network, each as near as it can: kept weights and certified error.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import slth
from benchmarks.table import show
from slth.network import ReLUNetwork
from slth.pruning.weights import prune_weights
from slth.pruning.weights.strategies import FREE, STRATEGIES

_CASES = ((2, 1e-2), (2, 1e-4), (2, 1e-6), (5, 1e-3), (10, 1e-2), (10, 1e-3), (10, 1e-6))
_SEEDS = range(5)
_WIDEST = 1 << 16
# The single product and log-pruning need widths of order 1/eps and log(1/eps)^2 times more.
_LOOSEST_OF = {"malach": 1e-2, "orseau": 1e-4, "pensia": 0.0, "free": 0.0}
# One network for all: (d, width).
_SAME = ((2, 100), (5, 300), (10, 600))


def smallest(works: Callable[[int], bool], step: int) -> int:
    """The smallest multiple of `step` found to work by doubling and bisection."""
    low, high = 0, 4
    while not works(high * step):
        low, high = high, 2 * high
        if high * step > _WIDEST:
            raise RuntimeError(f"no success up to width {high * step}")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle * step) else (middle, high)
    return high * step


def instance(d: int, seed: int, width: int) -> tuple[ReLUNetwork, ReLUNetwork]:
    """Network and target of a draw."""
    rng = np.random.default_rng([seed, d])
    target = slth.neuron(rng.standard_normal(d), normalize=True)
    return slth.random_network(d, width, seed, "relu"), target


def widths(d: int, eps: float) -> tuple:
    """Mean smallest widths over the draws, and what slth's tickets keep and take."""
    found: dict[str, list[int]] = {name: [] for name in [*STRATEGIES.names(), FREE]}
    kept, seconds = [], []
    for seed in _SEEDS:
        net, target = instance(d, seed, _WIDEST)
        for name, answers in found.items():
            if eps < _LOOSEST_OF[name]:
                continue

            def reached(width: int, net=net, target=target, name=name) -> bool:
                started = time.process_time()
                ticket = prune_weights(net.prefix(width), target, eps=eps, strategy=name)
                seconds.append(time.process_time() - started if name == FREE else np.nan)
                return ticket.status == "reached"

            answers.append(smallest(reached, 1 if name == FREE else d))
        width = found[FREE][-1]
        kept.append(prune_weights(net.prefix(width), target, eps=eps).mask.kept_units)
    means = {name: float(np.mean(w)) if w else None for name, w in found.items()}
    free, blocks = np.mean(found[FREE]), np.mean(found["pensia"])
    return (
        d,
        f"{eps:g}",
        *("-" if w is None else f"{w:.0f}" for w in means.values()),
        f"{blocks / free:.2f}x",
        float(np.mean(kept)),
        float(free / (d * np.log2(np.sqrt(d) / eps))),
        float(np.nanmean(seconds)),
    )


def same_network(d: int, width: int) -> list[tuple]:
    """Every strategy on the same network, without eps: as near as it gets."""
    net, target = instance(d, 0, width)
    rows = []
    for name in [*STRATEGIES.names(), FREE]:
        ticket = prune_weights(net, target, strategy=name, time_limit=20.0)
        kept = ticket.mask.kept_weights
        rows.append((d, width, name, kept, ticket.error.upper, str(ticket.status)))
    return rows


def main() -> None:
    """Widths case by case, then errors on the same network."""
    headings = (
        "d",
        "eps",
        *STRATEGIES.names(),
        FREE,
        "free narrower than pensia",
        "units kept",
        "units / (d log2(sqrt(d)/eps))",
        "seconds a call",
    )
    show(
        "width of weight tickets, relu readout, certified",
        headings,
        [widths(d, eps) for d, eps in _CASES],
    )
    headings = ("d", "width", "strategy", "kept weights", "certified error", "status")
    rows = [row for d, width in _SAME for row in same_network(d, width)]
    show("one network, every strategy", headings, rows)


if __name__ == "__main__":
    main()
