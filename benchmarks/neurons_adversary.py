"""Refutations under attack: 1,000 pairs (network, eps) that no mask reaches, attacked by searchers.

`python -m benchmarks.neurons_adversary [PAIRS]` (default 1000, spread over d = 2, 3, 5, 8 and both
readouts). eps is 0.98 times the error of the best ticket found, so the refuted claims are nearly as
strong as can be. The attack is the annealer from fresh seeds, and in d = 2 the walks round the
circle for half of the time; it lasts half as long again as the proof took.
A pair is broken when a mask's *certified* error is <= eps. Goes on from LEDGER (ledger.py).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

import numpy as np

import slth
from benchmarks.instances import instance
from benchmarks.ledger import Ledger
from benchmarks.table import show
from slth.limits import Deadline
from slth.network import Readout
from slth.pruning.neurons.local import Candidate, anneal
from slth.pruning.neurons.plane.walk_search import search_circle
from slth.pruning.neurons.problem import Problem

_WIDTHS = {2: (10, 32), 3: (10, 28), 5: (10, 28), 8: (10, 24)}
_SECONDS = 5.0
_STATUSES = ("reached", "unknown", "refuted")


def attack(problem: Problem, seconds: float, eps: float, seed: int) -> list[Candidate]:
    """The best masks that the searchers find in `seconds`."""
    rng = np.random.default_rng([7, seed])
    deadline = Deadline(seconds)
    found = []
    if problem.d == 2:
        net, w = problem.net, problem.target.hidden[0]
        half = deadline.within(0.5 * seconds)
        found.append(Candidate(*search_circle(net.hidden, net.output, w, eps, half, seed, 0.0)))
    found.append(anneal(problem, rng, deadline, runs=10**6, goal=eps)[0])
    return found


def _pair(width: int, d: int, seed: int, readout: Readout) -> list[Any]:
    """(status, broken, least error / eps, wall seconds of the proof, of the attack)."""
    net, target = instance(width, d, 10_000 + seed, readout)
    best = slth.prune_neurons(net, target, time_limit=0.2, seed=seed)
    eps = 0.98 * best.error.upper
    started = time.perf_counter()
    answer = slth.prune_neurons(net, target, eps=eps, time_limit=_SECONDS)
    proving = time.perf_counter() - started
    if answer.status is not slth.Status.REFUTED:
        return [answer.status.value, False, np.inf, proving, 0.0]
    started = time.perf_counter()
    problem = Problem(net, target)
    nearest = np.inf
    for found in attack(problem, 1.5 * proving + 0.05, eps, seed):
        error = slth.certify(problem.masked(found.keep), target, time_limit=2.0)
        nearest = min(nearest, error.upper / eps)
    return [answer.status.value, nearest <= 1.0, nearest, proving, time.perf_counter() - started]


def main(pairs: int = 1000) -> None:
    """Print one row for each dimension and readout, and the sum."""
    ledger, rows = Ledger("adversary"), []
    combinations: list[tuple[int, Readout]] = [(d, r) for r in ("linear", "relu") for d in _WIDTHS]
    for number, (d, readout) in enumerate(combinations):
        wanted = pairs * (number + 1) // len(combinations) - pairs * number // len(combinations)
        if not wanted:
            continue
        least, most = _WIDTHS[d]
        refuted: list[list[Any]] = []
        statuses = Counter[str]()
        seed = 0
        while len(refuted) < wanted:
            seed += 1
            pair = (least + seed % (most - least + 1), d, seed, readout)
            record = ledger.once(pair, lambda pair=pair: _pair(*pair))
            statuses[record[0]] += 1
            refuted += [record] if record[0] == "refuted" else []
        _, broken, nearest, proving, attacking = zip(*refuted, strict=True)
        rows.append((readout, d, f"{least}..{most}", *(statuses[s] for s in _STATUSES)))
        rows[-1] += (sum(broken), min(nearest), sum(proving) / wanted, sum(attacking) / wanted)
        print(*rows[-1], file=sys.stderr, flush=True)
    total = [sum(row[column] for row in rows) for column in range(3, 7)]
    rows.append(("all", "", "", *total, min(row[7] for row in rows), "", ""))
    headings = ("readout", "d", "N", *_STATUSES, "broken", "nearest error / eps")
    show("Refutations under attack", (*headings, "proof, s", "attack, s"), rows)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
