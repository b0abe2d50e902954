"""The zonal bound on instances: never above a certified ticket, and its sandwiches at large width.

`python -m benchmarks.zonal [campaign] [bounds]` (default both), `... sandwiches [SECONDS SEEDS]`.

The campaign bounds networks of 6 units, half of them drawn as usual, half with units turned a
little from the target's line so that some mask is good, and certifies all 64 masks of each: a bound
above one of them is a fault. Every unit that screening dropped is held against the masks that keep
it. Written proofs go through the checker.
"""

from __future__ import annotations

import math
import sys
import time

import numpy as np

import slth
from benchmarks.table import show
from slth.check import Outcome, check
from slth.limits import Deadline, measured_by
from slth.network import Readout
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.recording import zonal_proof
from slth.pruning.neurons.zonal import zonal_bound
from slth.threads import at_most_threads
from slth.ticket import Ticket

_UNITS = 6
_MASKS = [[bool(k >> i & 1) for i in range(_UNITS)] for k in range(2**_UNITS)]


def campaign(networks: int = 80) -> None:
    """At least 10,000 pairs of a bound and a certified mask."""
    rows = []
    for d in (3, 5):
        for turned in (math.inf, 0.2):
            checks = faults = drops = refused = 0
            nearest = 0.0
            for seed in range(networks // 2 if d == 5 else networks):
                net, target = _drawn(d, turned, seed)
                found = zonal_bound(Problem(net, target), Deadline(60.0))
                upper = slth.certify_many(net, target, _MASKS).upper
                checks += len(upper)
                faults += int((upper < found.value).sum())
                nearest = max(nearest, found.value / float(upper.min()))
                for reason in found.drops:
                    kept = upper[[mask[reason.unit] for mask in _MASKS]]
                    drops += len(kept)
                    faults += int((kept < found.value).sum())
                if seed % 10 == 0:
                    refused += _refused(net, target, *zonal_proof(found))
            rows.append((d, turned, checks, drops, faults, refused, nearest))
    headings = ("d", "turned by", "masks", "masks kept", "faults", "proofs refused", "bound/best")
    show("zonal bounds against certified masks", headings, rows)


def _drawn(d: int, turned: float, seed: int) -> tuple[slth.ReLUNetwork, slth.ReLUNetwork]:
    rng = np.random.default_rng([seed, d])
    direction = rng.standard_normal(d)
    hidden = rng.standard_normal((_UNITS, d))
    if turned < math.inf:
        hidden[:4] = direction * rng.choice([-1.0, 1.0], (4, 1)) + turned * hidden[:4]
    target = slth.neuron(direction, normalize=True)
    return slth.ReLUNetwork(hidden, rng.standard_normal(_UNITS)), target


def _refused(net, target, bound, proof) -> int:
    if proof is None:
        return 0
    mask = slth.Mask.of_units(np.zeros(net.width, np.bool_), net.d)
    error = slth.Enclosure(0.0, 2.0, None, slth.Status.OPEN, "none")
    answer = slth.Solution(mask, error, bound, slth.Status.FEASIBLE, net.pruned(mask))
    ticket = Ticket.from_solution(answer, net, target, refutation=proof)
    return int(check(ticket)["bound"].outcome is not Outcome.VERIFIED)


def bounds() -> None:
    """What is proven of 100 to 1,000,000 units, and how long it takes."""
    rows = []
    for d in (3, 5, 8):
        for width in (100, 1000, 10_000, 100_000, 1_000_000):
            net = slth.random_network(d, width, 1)
            started = time.process_time()
            found = zonal_bound(Problem(net, slth.neuron(np.eye(d)[0])), Deadline())
            rows.append((d, width, found.value, len(found.drops), time.process_time() - started))
    show("zonal bounds", ("d", "N", "bound", "units screened out", "CPU seconds"), rows)


def sandwiches(seconds: float = 40.0, seeds: int = 3) -> None:
    """What is proven of every mask and certified of the best one, w* random, on one thread; limits
    count the CPU time of this process, so that a busy machine changes nothing."""
    for d in (3, 5, 8):
        # Kernels are compiled, and loaded, at the price of no row.
        _sandwich("linear", d, 2000, 0, 3.0)
    rows = []
    for readout in ("linear", "relu"):
        for d in (3, 5, 8):
            for width in (100_000, 1_000_000):
                found = [_sandwich(readout, d, width, s + 1, seconds) for s in range(seeds)]
                ratios = [upper / lower if lower > 0.0 else math.inf for lower, upper in found]
                shown = ", ".join(f"{lower:.2g} .. {upper:.3g}" for lower, upper in found)
                rows.append((readout, d, width, shown, float(np.median(ratios)), max(ratios)))
                print(*rows[-1], flush=True)
    title = f"sandwiches, seeds 1 to {seeds}, {seconds:g} CPU seconds on one thread each"
    show(title, ("readout", "d", "N", "bound .. certified error", "median ratio", "worst"), rows)


def _sandwich(
    readout: Readout, d: int, width: int, seed: int, seconds: float
) -> tuple[float, float]:
    net = slth.random_network(d, width, seed, readout=readout)
    direction = np.random.default_rng([seed, d]).standard_normal(d)
    target = slth.neuron(direction, normalize=True)
    with measured_by(time.process_time), at_most_threads(1):
        found = slth.prune_neurons(net, target, time_limit=seconds)
    return found.bound, found.error.upper


if __name__ == "__main__":
    words = sys.argv[1:] or ["campaign", "bounds"]
    if words[0] == "sandwiches":
        seconds, seeds = words[1:] if len(words) == 3 else ("40", "3")
        sandwiches(float(seconds), int(seeds))
    else:
        for word in words:
            {"campaign": campaign, "bounds": bounds}[word]()
