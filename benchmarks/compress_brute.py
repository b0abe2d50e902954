"""compress against every subset of small networks of one input: `python -m benchmarks
compress_brute`.

Exact errors of every subset of hidden units, and of every mask of single weights, in rationals;
every "optimal", every certified error and every lower bound is held against them. COUNT=N networks
of each kind (default 300), three eps each in turn; FIRST=K: from the K-th on.
"""

from __future__ import annotations

import os
import time
from collections import Counter

from benchmarks.table import show


def main() -> None:
    """Judge, and print how many were proven optimal. A false claim ends the run."""
    from tests.pruning.trained import test_brute_force, test_sparse

    count, first = int(os.environ.get("COUNT", "300")), int(os.environ.get("FIRST", "0"))
    rows = []
    for kind, judged in (("units", test_brute_force.judged), ("weights", test_sparse.judged)):
        started, seen = time.process_time(), Counter()
        for seed in range(first, first + count):
            seen[str(judged(seed, (0.02, 0.1, 0.3)[seed % 3]))] += 1
        took = time.process_time() - started
        rows += [(kind, status, number, took) for status, number in sorted(seen.items())]
    title = f"{count} networks of each kind, no claim was false"
    show(title, ("what goes", "status", "networks", "CPU s"), rows)


if __name__ == "__main__":
    main()
