"""Neuron tickets against HiGHS, SCIP and CP-SAT on the same instances, in one run.

`python -m benchmarks.neurons_peers [SECONDS WIDTH [D ...]]` (limit of each run, default 60; width
60; d = 3, 5, 8; seeds 1 to 3). Needs highspy, pyscipopt and ortools (in
the interpreter that PEER_PYTHON names, if not in this one). A reference cell is its CPU time
where it closes, else its sandwich at the limit (`mixed_integer.py` says what those numbers are
worth); "x" is its CPU time over ours.
"""

from __future__ import annotations

import sys
import time

from benchmarks.instances import instance
from benchmarks.mixed_integer import SOLVERS, closed, solve_apart
from benchmarks.neurons import ours
from benchmarks.table import show


def main(seconds: float = 60.0, width: int = 60, dimensions: tuple[int, ...] = (3, 5, 8)) -> None:
    """Print the table."""
    ours(*instance(14, 3, 0), seconds)  # compiles
    rows = []
    for d in dimensions:
        for seed in (1, 2, 3):
            net, target = instance(width, d, seed)
            before = time.process_time()
            spent, answer = ours(net, target, seconds)
            cpu = time.process_time() - before
            row: list[object] = [d, seed, answer.status.value, answer.bound, answer.error.upper]
            row += [spent, cpu]
            for name in SOLVERS:
                lower, upper, _, used = solve_apart(name, width, d, seed, seconds)
                done = closed(lower, upper)
                row.append(f"{used:.1f} s" if done else f"[{lower:.3f}, {upper:.3f}]")
                row.append(f"{'' if done else '> '}{used / cpu:.1f}x")
            rows.append(row)
            print(*row, file=sys.stderr, flush=True)
    headings = ["d", "seed", "status", "bound", "error", "seconds", "CPU s"]
    for name in SOLVERS:
        headings += [name, "x"]
    show(f"N = {width}, linear readout, {seconds:g} s a run", headings, rows)


if __name__ == "__main__":
    limit, size, *chosen = [float(word) for word in sys.argv[1:]] or [60.0, 60.0]
    main(limit, int(size), tuple(int(d) for d in chosen) or (3, 5, 8))
