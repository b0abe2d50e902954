"""Rules of thumb for choosing units against proven optima, all certified, on the same instances.

`python -m benchmarks.contenders [SECONDS]` (limit of each optimum, default 30). First table: each
contender's certified error over the optimum (over the proven bound where none is closed), geometric
mean over seeds 1 to 3; the last two columns are comparisons with trained output weights, which are
not tickets and may fall below 1. Second table: errors at widths where no optimum is known.
"""

from __future__ import annotations

import sys

import numpy as np

import slth
from benchmarks.instances import instance
from benchmarks.table import show
from slth.network import Readout
from slth.pruning.neurons.contenders import CONTENDERS, REFITS, contend

_READOUTS: tuple[Readout, ...] = ("linear", "relu")
_SEEDS = (1, 2, 3)
_CLOSED = 40
_OPEN = (100, 1000, 10_000)


def errors(net: slth.ReLUNetwork, target: slth.ReLUNetwork, seconds: float) -> dict[str, float]:
    """Certified error of every contender."""
    return {
        name: contend(net, target, name, time_limit=seconds).error.upper
        for name in CONTENDERS.names()
    }


def ratios(seconds: float) -> None:
    """N = 40: how far every contender is from the proven optimum."""
    rows = []
    for readout in _READOUTS:
        for d in (2, 3, 5, 8):
            table, optima, closed = [], [], 0
            for seed in _SEEDS:
                net, target = instance(_CLOSED, d, seed, readout)
                best = slth.prune_neurons(net, target, time_limit=seconds)
                closed += best.status is slth.Status.OPTIMAL
                found = list(errors(net, target, seconds).values())
                for refit in REFITS.values():
                    found.append(refit(net, target, seconds).error.upper)
                table.append(np.array(found) / best.bound)
                optima.append(best.bound)
            means = np.exp(np.log(table).mean(axis=0))
            rows.append((readout, d, f"{closed}/{len(_SEEDS)}", float(np.mean(optima)), *means))
            print(*rows[-1], file=sys.stderr, flush=True)
    headings = ("readout", "d", "proven", "optimum", *CONTENDERS.names(), *REFITS)
    show(f"N = {_CLOSED}: error / optimum, mean of {len(_SEEDS)} seeds", headings, rows)


def wide(seconds: float) -> None:
    """Certified errors where no optimum is known, beside the whole portfolio."""
    rows = []
    for readout in _READOUTS:
        for d in (2, 3, 5, 8):
            for width in _OPEN:
                net, target = instance(width, d, 1, readout)
                best = slth.prune_neurons(net, target, time_limit=seconds)
                found = errors(net, target, seconds)
                rows.append((readout, d, width, best.bound, best.error.upper, *found.values()))
                print(*rows[-1], file=sys.stderr, flush=True)
    headings = ("readout", "d", "N", "bound", "portfolio", *CONTENDERS.names())
    show(f"Certified errors, {seconds:g} s each", headings, rows)


def main(seconds: float = 30.0) -> None:
    """Print both tables."""
    ratios(seconds)
    wide(min(seconds, 10.0))


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
