"""Neuron tickets against brute force: 500 instances of N <= 18 units, d = 1 .. 6, both readouts.

`python -m benchmarks.neurons_brute [INSTANCES]`. The oracle looks at every one of the 2^N masks on
a sample of the sphere and certifies those that could be best, each certificate's witness joining
the sample. An instance agrees when the proven bound is at most the oracle's upper end, the
ticket's error at least its lower end and, where the status is "optimal", at most 1 + 5e-4 times
its upper end. Goes on from LEDGER (ledger.py).
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from numba import njit

import slth
from benchmarks.instances import instance
from benchmarks.ledger import Ledger
from benchmarks.table import show
from slth.network import Readout
from slth.pruning.neurons.problem import random_sphere

_WIDTHS = {1: 18, 2: 18, 3: 16, 4: 15, 5: 14, 6: 14}
# The oracle's own enclosure: masks that could be better by less are not looked at.
_TOLERANCE = 1e-5
_SECONDS = 20.0


def least_error(net: slth.ReLUNetwork, target: slth.ReLUNetwork) -> tuple[float, float]:
    """(lower, upper) around the least error of any mask."""
    points = random_sphere(np.random.default_rng(0), 600, net.d)
    rectified = net.readout == "relu"
    values = np.ascontiguousarray(np.maximum(points @ net.hidden.T, 0.0) * net.output)
    codes = np.arange(2**net.width)
    seen = sampled_errors(np.ascontiguousarray(values.T), target(points), rectified)
    upper, certified = np.inf, np.inf
    while codes.size:
        best = int(np.argmin(seen))
        mask = _mask(net, int(codes[best]))
        error = slth.certify(net.pruned(mask), target, rtol=_TOLERANCE, time_limit=5.0)
        certified, upper = min(certified, error.lower), min(upper, error.upper)
        seen[best] = np.inf
        if error.witness is not None:
            phi = np.maximum(net.hidden @ error.witness, 0.0) * net.output
            value = ((codes[:, None] >> np.arange(net.width)) & 1) @ phi
            if rectified:
                value = np.maximum(value, 0.0)
            seen = np.maximum(seen, np.abs(value - target(error.witness)))
        # Sums of 18 floats, and the sphere's points are its points only nearly.
        open_still = seen < upper * (1.0 - _TOLERANCE) + 1e-9
        codes, seen = codes[open_still], seen[open_still]
    return min(certified, upper * (1.0 - _TOLERANCE) - 1e-9), upper


def _mask(net: slth.ReLUNetwork, code: int) -> slth.Mask:
    return slth.Mask.of_units((code >> np.arange(net.width) & 1).astype(bool), net.d)


@njit(cache=True)
def sampled_errors(values, f, rectified):
    """Largest |g_S - f| over the sample for each of the 2^N masks S, in the order of their codes.

    values: float64 [N, P], each unit at the points; f: float64 [P].
    """
    width, count = values.shape
    seen = np.empty(1 << width)
    g = np.zeros(count)
    code = 0
    for step in range(1 << width):
        if step:
            # Gray code: the unit that changes is the number of trailing zeros of the step.
            unit = 0
            while not (step >> unit) & 1:
                unit += 1
            code ^= 1 << unit
            sign = 1.0 if (code >> unit) & 1 else -1.0
            for p in range(count):
                g[p] += sign * values[unit, p]
        largest = 0.0
        for p in range(count):
            value = max(g[p], 0.0) if rectified else g[p]
            largest = max(largest, abs(value - f[p]))
        seen[code] = largest
    return seen


def _compare(width: int, d: int, seed: int, readout: Readout) -> list[Any]:
    """(optimal, agrees, CPU seconds of the oracle, of the answer)."""
    net, target = instance(width, d, 500 + seed, readout)
    started = time.process_time()
    lower, upper = least_error(net, target)
    between = time.process_time()
    answer = slth.prune_neurons(net, target, time_limit=_SECONDS, seed=seed)
    closed = answer.status is slth.Status.OPTIMAL
    holds = answer.bound <= upper and lower <= answer.error.upper
    agrees = holds and not (closed and answer.error.upper > upper * (1.0 + 5e-4))
    return [bool(closed), bool(agrees), between - started, time.process_time() - between]


def main(instances: float = 500) -> None:
    """One row for each dimension and readout."""
    ledger, rows = Ledger("brute"), []
    cells: list[tuple[int, Readout]] = [(d, r) for r in ("linear", "relu") for d in _WIDTHS]
    for number, (d, readout) in enumerate(cells):
        count = int(instances * (number + 1)) // len(cells) - int(instances * number) // len(cells)
        done = []
        for seed in range(count):
            cell = (_WIDTHS[d] - seed % 8, d, seed, readout)
            done.append(ledger.once(cell, lambda cell=cell: _compare(*cell)))
        widths = f"{_WIDTHS[d] - 7}..{_WIDTHS[d]}"
        rows.append(
            (readout, d, widths, count, *(sum(column) for column in zip(*done, strict=True)))
        )
        print(*rows[-1], file=sys.stderr, flush=True)
    rows.append(("all", "", "", *(sum(row[column] for row in rows) for column in range(3, 8))))
    headings = (
        "readout",
        "d",
        "N",
        "instances",
        "optimal",
        "agree",
        "oracle, CPU s",
        "slth, CPU s",
    )
    show("Against every mask", headings, rows)


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
