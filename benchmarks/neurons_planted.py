"""Planted tickets: networks with a hidden subset that is the target, and how often it is found.

`python -m benchmarks.neurons_planted [SECONDS] [SEEDS]` (limit of each search, default 5; seeds a
cell, default 10). Four of the hidden units are the target's neuron cut into parts: exact
parts a_i w_i = s_i w*, sum s_i = 1 ("exact", found: certified error <= 1e-6), or parts turned by up
to 0.02 radians ("perturbed", found: certified error at most the planted subset's own). The other
N - 4 units are Gaussian. Goes on from LEDGER (ledger.py).
"""

from __future__ import annotations

import sys

import numpy as np

import slth
from benchmarks.ledger import Ledger
from benchmarks.table import show
from slth.network import Readout

_PARTS = 4
_TURN = 0.02


def planted(
    width: int, d: int, seed: int, readout: Readout, turn: float
) -> tuple[slth.ReLUNetwork, slth.ReLUNetwork, float]:
    """The network, the target, and the planted subset's certified error."""
    rng = np.random.default_rng([seed, width, d])
    target = slth.neuron(rng.standard_normal(d), normalize=True)
    w = target.hidden[0]
    shares = rng.dirichlet(np.full(_PARTS, 3.0))
    aside = rng.standard_normal((_PARTS, d))
    aside -= (aside @ w)[:, None] * w
    aside *= turn * rng.random((_PARTS, 1)) / np.linalg.norm(aside, axis=1, keepdims=True)
    parts = w + aside
    subset = slth.ReLUNetwork(parts, shares, readout)
    noise = width - _PARTS
    order = rng.permutation(width)
    hidden = np.concatenate([parts, rng.standard_normal((noise, d))])[order]
    output = np.concatenate([shares, rng.standard_normal(noise)])[order]
    # Nearly parallel parts are hard to certify closely; any bound of theirs is an eps they reach.
    error = slth.certify(subset, target, rtol=1e-2, time_limit=2.0).upper
    return slth.ReLUNetwork(hidden, output, readout), target, error


def _finds(width: int, d: int, seed: int, readout: Readout, turn: float, seconds: float) -> bool:
    net, target, error = planted(width, d, seed, readout, turn)
    answer = slth.prune_neurons(net, target, eps=max(1e-6, error), time_limit=seconds)
    return answer.status is slth.Status.REACHED


def main(seconds: float = 5.0, seeds: float = 10) -> None:
    """Success rates by readout, dimension and width."""
    ledger, rows = Ledger("planted"), []
    for readout in ("linear", "relu"):
        for turn in (0.0, _TURN):
            for d in (2, 3, 5, 8):
                row: list[object] = [readout, "perturbed" if turn else "exact", d]
                for width in (20, 60, 200, 1000):
                    found = 0
                    for seed in range(int(seeds)):
                        cell = (width, d, seed, readout, turn)
                        found += ledger.once(
                            (*cell, seconds), lambda cell=cell: _finds(*cell, seconds)
                        )
                    row.append(f"{found}/{int(seeds)}")
                rows.append(row)
                print(*row, file=sys.stderr, flush=True)
    headings = ("readout", "planted", "d", "N = 20", "60", "200", "1000")
    show(f"Planted tickets found in {seconds:g} s", headings, rows)


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
