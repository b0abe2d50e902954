"""The certifier on Gaussian and on cancelling differences: time to 1 %, to 1e-6, or the gap left.

`python -m benchmarks.certify [SECONDS]` (limit for each run, default 60). Three families, seed 0:

- gauss: M - 1 Gaussian units and minus one unit neuron;
- prune: M - 1 units chosen from 4 M by swaps so that their sum is near the neuron: what pruning
  meets;
- tickets: the M - 1 units that `prune_neurons` keeps within five seconds, and minus the neuron.

Other programs on the same instances: `certify_peers`.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import slth
from benchmarks.instances import instance
from benchmarks.table import show
from slth.network import FloatArray

_CELLS = [
    (width, d) for d in (3, 4, 5, 6, 8, 10, 16) for width in (10, 20, 50, 100)
]  # one row each
_POOLS = [(pool, d) for d in (3, 4, 5, 6, 8) for pool in (50, 200)]


def gauss(width: int, d: int) -> tuple[FloatArray, FloatArray]:
    """Weights [width] and units [width, d] of the Gaussian family."""
    generator = np.random.default_rng([0, width, d])
    weights = generator.standard_normal(width)
    hidden = generator.standard_normal((width, d)) / np.sqrt(d)
    weights[-1] = -1.0
    hidden[-1] /= np.linalg.norm(hidden[-1])
    return weights, hidden


def prune(width: int, d: int) -> tuple[FloatArray, FloatArray]:
    """The cancelling family: best swaps in mean square over 1,500 points of the sphere."""
    generator = np.random.default_rng([1000, width, d])
    pool = 4 * width
    output = generator.standard_normal(pool) * 2 / np.sqrt(width)
    hidden = generator.standard_normal((pool, d)) / np.sqrt(d)
    target = generator.standard_normal(d)
    target /= np.linalg.norm(target)
    points = generator.standard_normal((1500, d))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    values = np.maximum(points @ hidden.T, 0.0) * output
    kept = np.zeros(pool, dtype=bool)
    kept[generator.choice(pool, width - 1, replace=False)] = True
    residual = values[:, kept].sum(axis=1) - np.maximum(points @ target, 0.0)
    gram = values.T @ values
    for _ in range(200):
        slope = values.T @ residual
        inside, outside = np.flatnonzero(kept), np.flatnonzero(~kept)
        change = (gram[inside, inside] - 2 * slope[inside])[:, None]
        change = change + (gram[outside, outside] + 2 * slope[outside])[None, :]
        change = change - 2 * gram[np.ix_(inside, outside)]
        best = int(np.argmin(change))
        if change.flat[best] >= -1e-12:
            break
        leaving, entering = inside[best // len(outside)], outside[best % len(outside)]
        kept[leaving], kept[entering] = False, True
        residual += values[:, entering] - values[:, leaving]
    return np.append(output[kept], -1.0), np.vstack([hidden[kept], target])


def tickets(pool: int, d: int) -> tuple[FloatArray, FloatArray]:
    """A ticket of a network of `pool` units, minus its target."""
    net, target = instance(pool, d, seed=0)
    kept = slth.prune_neurons(net, target, time_limit=5.0).mask.output
    return np.append(net.output[kept], -1.0), np.vstack([net.hidden[kept], target.hidden])


def run(
    weights: FloatArray, hidden: FloatArray, rtol: float, seconds: float
) -> tuple[float, slth.Enclosure]:
    """Wall-clock seconds and enclosure of the sup of |sum weights relu|."""
    net = slth.ReLUNetwork(hidden[:-1], weights[:-1])
    target = slth.ReLUNetwork(hidden[-1:], -weights[-1:])
    started = time.perf_counter()
    enclosure = slth.certify(net, target, rtol=rtol, time_limit=seconds)
    return time.perf_counter() - started, enclosure


def main(seconds: float = 60.0) -> None:
    """Print one table a family."""
    for d in (3, 8):
        run(*gauss(10, d), 1e-6, seconds)
    for family, cells in ((gauss, _CELLS), (prune, _CELLS), (tickets, _POOLS)):
        rows = []
        for width, d in cells:
            weights, hidden = family(width, d)
            coarse, first = run(weights, hidden, 1e-2, seconds)
            fine, last = run(weights, hidden, 1e-6, seconds)
            rows.append(
                (
                    d,
                    len(weights),
                    coarse if first.status == "closed" else "-",
                    fine if last.status == "closed" else "-",
                    last.upper / last.lower - 1.0,
                    str(last.status),
                    last.method,
                )
            )
        show(
            f"{family.__name__}: seconds to 1 %, to 1e-6, gap within {seconds:g} s",
            ("d", "M", "1 %", "1e-6", "gap", "status", "method"),
            rows,
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
