"""The checker of written proofs about two networks: faults of 10,000 proofs, and its times.

    python -m benchmarks.check_pair [MUTANTS]         no mutant whose claim is false is verified
    PAIRS=FOLDER python -m benchmarks.check_pair 0    sizes and times on the public pairs

A mutant (tests/check_pair/proven.py) has a smaller error than a point attains, another network, a
larger domain, other lines, a tree cut short or broken, units paired wrongly, or flipped bits; exact
values at points say which claims are false. Exit code 1 if one was verified.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter

from benchmarks.pairs import LIMITED, open_pair
from benchmarks.table import show
from slth.certify.prove.pair import prove_pair
from slth.check import check
from slth.deep import DeepNetwork
from slth.limits import Deadline
from slth.pair_proof import PairClaim, PairProof
from tests.check_pair.proven import accepted_falsely, mutant

_FAULTS = ("error", "network", "domain", "lines", "tree cut", "tree broken", "pairing", "bits")
# Seconds to write one proof.
_LIMIT = 120.0


def mutants(count: int) -> int:
    """The number of mutants that were verified and should not have been."""
    tried: Counter[str] = Counter()
    to_refuse: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for seed in range(count):
        fault = _FAULTS[seed % len(_FAULTS)]
        one = mutant(seed)
        tried[fault] += 1
        to_refuse[fault] += one.broken or one.false
        if accepted_falsely(one):
            wrong[fault] += 1
            print(f"mutant {seed} ({fault}) was verified", file=sys.stderr, flush=True)
    show(
        "Mutated proofs about two networks",
        ("fault", "mutants", "broken or of a false claim", "verified of these"),
        [(name, str(tried[name]), str(to_refuse[name]), str(wrong[name])) for name in _FAULTS],
    )
    return wrong.total()


def public_pairs() -> None:
    """Write and check a proof of every public pair."""
    table = []
    for row in LIMITED:
        net, target, domain = open_pair(row)
        start = time.process_time()
        proof = prove_pair(net, target, domain, PairClaim(row.eps, row.delta), Deadline(_LIMIT))
        written = time.process_time()
        if proof is None:
            table.append((row.what, row.question, "none", "", "", f"{written - start:.1f}", ""))
            continue
        data = proof.to_bytes()
        written = time.process_time()
        read = PairProof.from_bytes(data)
        verdict = check(read, DeepNetwork.of(net), DeepNetwork.of(target))
        checked = time.process_time()
        cells = (
            row.what,
            row.question,
            str(verdict.outcome),
            f"{len(proof.slopes):,}",
            f"{len(data) / 1000:.0f}",
            f"{written - start:.1f}",
            f"{checked - written:.1f}",
        )
        print(*cells, file=sys.stderr, flush=True)
        table.append(cells)
    headings = ("pair", "question", "proof", "leaves", "kB", "written, CPU s", "checked, CPU s")
    show("Written proofs about public pairs", headings, table)


def main(count: str = "10000") -> int:
    """Mutants, then the pairs if there are any."""
    wrong = mutants(int(count)) if int(count) else 0
    if "PAIRS" in os.environ:
        public_pairs()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
