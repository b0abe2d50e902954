"""Neuron tickets against a general solver: proven optima, decisions, sandwiches.

`python -m benchmarks.neurons [SECONDS] [TABLE ...]` (limit of each run, default 60; tables
`optima`, `crowded`, `sandwich`, default all). Instances: W, a and the target's
direction standard normal from `numpy.random.default_rng(seed)`, the target normalised.

Reference: HiGHS over points added lazily, on one thread (`mixed_integer.py`).
"""

from __future__ import annotations

import sys
import time

import slth
from benchmarks.instances import instance
from benchmarks.mixed_integer import closed, highs, solve_lazily
from benchmarks.table import show


def ours(
    net: slth.ReLUNetwork, target: slth.ReLUNetwork, seconds: float, eps: float | None = None
) -> tuple[float, slth.Solution]:
    """Wall-clock seconds and the answer."""
    started = time.perf_counter()
    answer = slth.prune_neurons(net, target, eps=eps, time_limit=seconds)
    return time.perf_counter() - started, answer


def optima(seconds: float) -> None:
    """N = 60: proven optima and decisions 5 % below, against the reference."""
    rows = []
    for d in (2, 3, 5, 8):
        for seed in (1, 2, 3):
            net, target = instance(60, d, seed)
            spent, answer = ours(net, target, seconds)
            decided, refuted = ours(net, target, seconds, eps=0.95 * answer.error.upper)
            lower, upper, reference, _ = solve_lazily(highs, net, target, seconds)
            done = closed(lower, upper)
            rows.append(
                (
                    d,
                    seed,
                    answer.status.value,
                    answer.bound,
                    answer.error.upper,
                    spent,
                    f"{refuted.status.value} {decided:.2f} s",
                    f"{reference:.1f} s" if done else f"[{lower:.3f}, {upper:.3f}]",
                    f"{reference / spent:.0f}x" if done else f"> {reference / spent:.0f}x",
                )
            )
    headings = ("d", "seed", "status", "bound", "error", "seconds", "eps -5 %", "HiGHS", "ratio")
    show("N = 60, linear readout", headings, rows)


def crowded(seconds: float) -> None:
    """N = 100, both readouts."""
    rows = []
    for readout in ("linear", "relu"):
        for d in (2, 3, 5, 8):
            for seed in (1, 2, 3):
                spent, answer = ours(*instance(100, d, seed, readout), seconds)
                rows.append((readout, d, seed, *_row(answer), spent))
    show("N = 100", ("readout", "d", "seed", *_ROW, "seconds"), rows)


_ROW = ("status", "bound", "error", "ratio", "searcher", "prover")


def _row(answer: slth.Solution) -> tuple[object, ...]:
    ratio = answer.error.upper / answer.bound if answer.bound > 0.0 else float("inf")
    names = (str(answer.stats.get(key, "-")) for key in ("searcher", "prover"))
    return (answer.status.value, answer.bound, answer.error.upper, ratio, *names)


def sandwich(seconds: float) -> None:
    """[proven lower, certified upper] at growing widths."""
    rows = []
    for readout in ("linear", "relu"):
        for d in (2, 3, 5, 8):
            for width in (100, 1000, 10_000, 100_000, 1_000_000):
                spent, answer = ours(*instance(width, d, 1, readout), seconds)
                rows.append((readout, d, width, *_row(answer), spent))
    show("Sandwiches", ("readout", "d", "N", *_ROW, "seconds"), rows)


_TABLES = {"optima": optima, "crowded": crowded, "sandwich": sandwich}


def main(seconds: float = 60.0, tables: tuple[str, ...] = tuple(_TABLES)) -> None:
    """Print the tables."""
    for d in (1, 2, 3):
        for readout in ("linear", "relu"):
            slth.prune_neurons(*instance(14, d, 0, readout), time_limit=30.0)
    for name in tables:
        _TABLES[name](seconds)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    limit = float(arguments[0]) if arguments else 60.0
    main(limit, tuple(arguments[1:]) or tuple(_TABLES))
