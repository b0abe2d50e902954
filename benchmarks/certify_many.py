"""Thousands of small certifications: `certify_many` against a loop over `certify`, in CPU time.

`python -m benchmarks certify_many`. Tickets of one Gaussian network: random masks that keep M
units, and pairs of networks with the same units. The work is what the compiled searches take once
the units are gathered; all the rest of a call is overhead.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

import slth
from benchmarks.table import show
from slth.certify.small.differences import Differences
from slth.limits import Deadline
from slth.network import Readout

_BATCH = 400


def cpu(call: Callable[[], object], repeats: int = 3) -> float:
    """Median seconds of processor time after a warm-up."""
    call()
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def row(d: int, readout: Readout, kept: int) -> tuple[object, ...]:
    """One line of the table."""
    net = slth.random_network(d, 2 * kept, 0, readout)
    target = slth.neuron(np.eye(d)[0])
    some = np.tile(np.arange(2 * kept) < kept, (_BATCH, 1))
    masks = np.random.default_rng(kept).permuted(some, axis=1)
    nets = [slth.ReLUNetwork(net.hidden[m], net.output[m], readout) for m in masks]
    packed = Differences.of_masks(net, target, masks)
    closed = int(slth.certify_many(net, target, masks).closed.sum())
    work = cpu(lambda: packed.enclose(1e-6, np.inf, 0, Deadline()))
    many = cpu(lambda: slth.certify_many(net, target, masks))
    pairs = cpu(lambda: slth.certify_many(nets, target))
    loop = cpu(lambda: [slth.certify(one, target) for one in nets])
    added = [(seconds - work) / _BATCH * 1e6 for seconds in (many, pairs, loop)]
    return d, readout, kept, f"{closed}/{_BATCH}", work / _BATCH * 1e6, *added, loop / many


def main() -> None:
    """Microseconds for each ticket."""
    readouts: tuple[Readout, ...] = ("linear", "relu")
    cells = [(d, r, kept) for d in (1, 2, 3, 4) for r in readouts for kept in (10, 20, 50)]
    show(
        "CPU us for each ticket: the work, and what calling adds to it",
        ("d", "readout", "M", "closed", "work", "+ masks", "+ pairs", "+ loop", "loop / masks"),
        [row(*cell) for cell in cells],
    )


if __name__ == "__main__":
    main()
