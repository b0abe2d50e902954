"""Width needed by a weight ticket (relu readout): free assignment against fixed blocks.

The fixed-block construction (Malach et al., Pensia et al.) gives coordinate j the units of block j,
d blocks of N/d units, and solves the two sides of each coordinate to optimality inside its
block. slth lets every unit serve any coordinate. Same networks, same targets, same closed-form
error; both widths are the smallest that succeeds, found by bisection.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import slth
from benchmarks.table import show
from slth.network import Mask, ReLUNetwork
from slth.weights import prune_weights
from slth.weights.construct import closed_form
from slth.weights.subset_sum import subset_sum

_CASES = ((2, 1e-2), (2, 1e-4), (2, 1e-6), (5, 1e-3), (10, 1e-2), (10, 1e-3), (10, 1e-6))
_SEEDS = range(5)
_WIDEST = 2048
# Wider blocks than this many units a side are cut: optimal subset sums stay quick.
_SIDE = 30


def fixed_blocks(net: ReLUNetwork, target: ReLUNetwork, block: int) -> Mask:
    """The mask of the fixed-block construction with `block` units a coordinate."""
    hidden = np.zeros(net.hidden.shape, dtype=bool)
    for j in range(net.d):
        units = np.arange(j * block, (j + 1) * block)
        for sign in (1.0, -1.0):
            side = units[net.hidden[units, j] * sign > 0.0][:_SIDE]
            if len(side):
                values = net.output[side] * np.abs(net.hidden[side, j])
                found = subset_sum(values, sign * target.hidden[0, j])
                hidden[side[found.masks[0]], j] = True
    return Mask(hidden, hidden.sum(axis=1) > 0)


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


def main() -> None:
    """One row a case: mean widths over the draws, their ratio, units a bit and coordinate."""
    rows = []
    for d, eps in _CASES:
        ours, blocks, kept, seconds = [], [], [], []
        for seed in _SEEDS:
            net = slth.random_network(d, _WIDEST, seed, "relu")
            rng = np.random.default_rng([seed, d])
            target = slth.neuron(rng.standard_normal(d), normalize=True)

            def reached(width: int, net=net, target=target, eps=eps, seconds=seconds) -> bool:
                started = time.process_time()
                found = prune_weights(net.prefix(width), target, eps=eps)
                seconds.append(time.process_time() - started)
                return found.status == "reached"

            def fixed(width: int, net=net, target=target, eps=eps, d=d) -> bool:
                narrow = net.prefix(width)
                form = closed_form(narrow, fixed_blocks(narrow, target, width // d), target)
                return form is not None and form.upper <= eps

            ours.append(smallest(reached, 1))
            blocks.append(smallest(fixed, d))
            kept.append(prune_weights(net.prefix(ours[-1]), target, eps=eps).mask.kept_units)
        width = float(np.mean(ours))
        bits = d * np.log2(np.sqrt(d) / eps)
        rows.append(
            (
                d,
                f"{eps:g}",
                width,
                float(np.mean(blocks)),
                f"{np.mean(blocks) / width:.2f}x",
                float(np.mean(kept)),
                width / bits,
                float(np.mean(seconds)),
            )
        )
    headings = (
        "d",
        "eps",
        "width",
        "width, fixed blocks",
        "narrower by",
        "units kept",
        "units / (d log2(sqrt(d)/eps))",
        "seconds a call",
    )
    show("width of weight tickets, relu readout, certified", headings, rows)


if __name__ == "__main__":
    main()
