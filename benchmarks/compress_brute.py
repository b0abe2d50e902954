"""compress against every subset of small networks of one input: `python -m benchmarks
compress_brute`.

Exact errors of every subset in rationals; every "optimal", every certified error and every lower
bound is held against them. COUNT=N networks (default 300), three eps each in turn.
"""

from __future__ import annotations

import os
import time
from collections import Counter

from benchmarks.table import show


def main() -> None:
    """Judge, and print how many were proven optimal. A false claim ends the run."""
    from tests.pruning.trained.test_brute_force import judged

    count = int(os.environ.get("COUNT", "300"))
    started, seen = time.process_time(), Counter()
    for seed in range(count):
        seen[str(judged(seed, (0.02, 0.1, 0.3)[seed % 3]))] += 1
    rows = [(status, number) for status, number in sorted(seen.items())]
    title = f"{count} networks, {time.process_time() - started:.0f} CPU s, no claim was false"
    show(title, ("status", "networks"), rows)


if __name__ == "__main__":
    main()
