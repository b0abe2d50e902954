"""The independent checker: attacked with mutated files, and timed on true ones.

`python -m benchmarks.check [MUTATIONS [SEED]]` (default 10,000).
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

import slth
from benchmarks.table import show, timed
from slth.certify.prove.error import loosened, prove_error
from slth.check import check
from slth.network import Readout
from slth.solution import Enclosure, Solution, Status
from slth.ticket import Ticket
from tests.fuzz_tickets import corpus, judge, make, written


def main(mutations: int = 10_000, seed: int = 1) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        optimality(Path(folder))
        upper_bounds(Path(folder))
        attack(Path(folder), mutations, seed)


def optimality(folder: Path) -> None:
    """Proofs that no subset of the units errs less, searched for, written and checked."""
    cases = [(d, width) for width in (40, 60) for d in (2, 3, 5)]
    show(
        "Optimal neuron tickets with proofs, checked end to end; CPU seconds",
        [
            "d",
            "N",
            "readout",
            "status",
            "error",
            "gap",
            "nodes",
            "leaves",
            "kB",
            "search/s",
            "error proof/s",
            "check/s",
            "checked",
        ],
        [_optimal(folder, *case, readout) for case in cases for readout in ("linear", "relu")],
    )


def _optimal(folder: Path, d: int, width: int, readout: Readout) -> tuple[object, ...]:
    net = slth.random_network(d, width, 0, readout)
    target = slth.neuron(np.eye(d)[0])
    marks = [time.process_time()]
    found = slth.prune_neurons(net, target, time_limit=200.0, proof=True)
    marks.append(time.process_time())
    proof = None
    if d > 2:
        found = replace(found, error=loosened(found.error))
        proof = prove_error(found.pruned, target, found.error.upper)
    path = folder / "a.ticket"
    ticket = Ticket.from_solution(found, net, target, source=(d, width, 0), error_proof=proof)
    ticket.save(path)
    marks.append(time.process_time())
    verdict = check(path)
    marks.append(time.process_time())
    return (
        d,
        width,
        readout,
        found.status,
        found.error.upper,
        1.0 - found.bound / found.error.upper,
        found.stats.get("nodes", 0),
        0 if found.refutation is None else found.refutation.leaves,
        path.stat().st_size / 1000,
        *np.diff(marks).tolist(),
        verdict.outcome,
    )


def upper_bounds(folder: Path) -> None:
    """Time and size of checked upper bounds, the certifier in the same run as the reference."""
    cases = [(2, 100), (2, 1000), (2, 10_000), (3, 40), (4, 40), (5, 40), (6, 30), (7, 20), (8, 12)]
    show(
        "Upper bounds, 1e-6 above the certified ones, checked exactly",
        [
            "d",
            "units",
            "readout",
            "upper",
            "certified gap",
            "leaves",
            "kB",
            "certify/s",
            "prove/s",
            "check/s",
            "check : certify",
        ],
        [_checked(folder, *case, readout) for case in cases for readout in ("linear", "relu")],
    )


def _checked(folder: Path, d: int, width: int, readout: Readout) -> tuple[object, ...]:
    net = slth.random_network(d, width, 1, readout)
    target = slth.neuron(np.ones(d), normalize=True)
    mask = slth.Mask.of_units(np.arange(width) % 2 == 0, d)
    pruned = net.pruned(mask)
    certifying, error = timed(lambda: slth.certify(pruned, target), repeats=1)
    upper = error.upper * (1 + 1e-6)
    # In the plane the checker needs no proof.
    proving, proof = 0.0, None
    if d > 2:
        proving, proof = timed(lambda: prove_error(pruned, target, upper), repeats=1)
    claimed = Enclosure(error.lower, upper, error.witness, error.status, error.method)
    solution = Solution(mask, claimed, 0.0, Status.FEASIBLE, pruned)
    path = folder / "a.ticket"
    Ticket.from_solution(solution, net, target, error_proof=proof).save(path)
    checking, verdict = timed(lambda: check(path), repeats=1, warm_up=False)
    return (
        d,
        pruned.width,
        readout,
        verdict["upper"].outcome,
        (error.upper - error.lower) / error.upper,
        0 if proof is None else len(proof.mix),
        path.stat().st_size / 1000,
        certifying,
        proving,
        checking,
        checking / certifying,
    )


def attack(folder: Path, mutations: int, seed: int = 1) -> None:
    """Mutate true files; an exact oracle judges whatever still verifies (it raises if false)."""
    rng = np.random.default_rng(seed)
    files = [(ticket, written(ticket, folder)) for ticket in corpus()]
    seen: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    for trial in range(mutations):
        ticket, data = files[trial % len(files)]
        level, changed = make(rng, ticket, data)
        started = time.perf_counter()
        seen[level, judge(folder / "mutated.ticket", changed)] += 1
        slowest = max(slowest, time.perf_counter() - started)
    outcomes = ["unreadable", "refused", "not covered", "verified"]
    levels = sorted({level for level, _ in seen})
    rows = [(level, *(seen[level, outcome] for outcome in outcomes)) for level in levels]
    rows.append(("all", *(sum(seen[level, o] for level in levels) for o in outcomes)))
    show(
        f"{mutations} mutated tickets (seed {seed}): 0 verified that are false, 0 other exceptions",
        ["change", *outcomes],
        rows,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"slowest, oracle included: {slowest:.2f} s; peak memory of this process: {peak:.0f} MiB")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
