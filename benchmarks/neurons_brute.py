"""Neuron tickets against brute force: 500 instances of N <= 18 units, d = 1 .. 6, both readouts.

`python -m benchmarks.neurons_brute [INSTANCES]`. The oracle looks at every one of the 2^N masks on
a sample of the sphere and certifies those that could be best. An instance agrees when the proven
bound is at most the oracle's upper end, the ticket's error at least its lower end and, where the
status is "optimal", at most 1 + 5e-4 times its upper end.
"""

from __future__ import annotations

import sys

import numpy as np

import slth
from benchmarks.instances import instance
from benchmarks.table import show
from slth.network import Readout
from slth.neurons.problem import random_sphere

_WIDTHS = {1: 18, 2: 18, 3: 16, 4: 15, 5: 14, 6: 14}
_BLOCK = 4096


def least_error(net: slth.ReLUNetwork, target: slth.ReLUNetwork) -> tuple[float, float]:
    """(lower, upper) around the least error of any mask."""
    points = random_sphere(np.random.default_rng(0), 600, net.d)
    phi = np.maximum(points @ net.hidden.T, 0.0) * net.output
    f = target(points)
    units = np.arange(net.width)
    seen = np.empty(2**net.width)
    for start in range(0, seen.size, _BLOCK):
        codes = np.arange(start, min(start + _BLOCK, seen.size))
        values = ((codes[:, None] >> units) & 1) @ phi.T
        if net.readout == "relu":
            np.maximum(values, 0.0, out=values)
        seen[codes] = np.abs(values - f).max(axis=1)
    lower = upper = np.inf
    for code in np.argsort(seen):
        if seen[code] > upper + 1e-9:
            break
        mask = slth.Mask.of_units(((code >> units) & 1).astype(bool), net.d)
        error = slth.certify(net.pruned(mask), target, rtol=1e-5, time_limit=5.0)
        lower, upper = min(lower, error.lower), min(upper, error.upper)
    return lower, upper


def main(instances: float = 500) -> None:
    """One row for each dimension and readout."""
    rows = []
    cells: list[tuple[int, Readout]] = [(d, r) for r in ("linear", "relu") for d in _WIDTHS]
    for number, (d, readout) in enumerate(cells):
        count = int(instances * (number + 1)) // len(cells) - int(instances * number) // len(cells)
        optimal = agree = 0
        for seed in range(count):
            width = _WIDTHS[d] - seed % 8
            net, target = instance(width, d, 500 + seed, readout)
            lower, upper = least_error(net, target)
            answer = slth.prune_neurons(net, target, time_limit=20.0, seed=seed)
            closed = answer.status is slth.Status.OPTIMAL
            optimal += closed
            holds = answer.bound <= upper and lower <= answer.error.upper
            agree += holds and not (closed and answer.error.upper > upper * (1.0 + 5e-4))
        widths = f"{_WIDTHS[d] - 7}..{_WIDTHS[d]}"
        rows.append((readout, d, widths, count, optimal, agree))
        print(*rows[-1], file=sys.stderr, flush=True)
    total = [sum(row[column] for row in rows) for column in (3, 4, 5)]
    rows.append(("all", "", "", *total))
    show("Against every mask", ("readout", "d", "N", "instances", "optimal", "agree"), rows)


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
