"""The certifier against SCIP, Gurobi, HiGHS and alpha,beta-CROWN on the same instances, in one run.

`python -m benchmarks.certify_peers [SECONDS] [family=gauss,prune] [d=2,3,...] [M=10,20,...]
[ours=SECONDS]`: the limit of each peer's run (default 20), the cells (default: all), and the
certifier's own limit (default: the peers'). The families are those of `certify`; `sup_norm_peers`
says what the peers are given and what their bounds are worth. Peers run in processes of their
own, by the interpreter that the environment variable PEER_PYTHON names. Times are wall-clock
seconds to a gap of 1e-6, else the gap at the limit; "x" is a peer's time over ours; CROWN's columns
say by how many per cent its root bound lies above the best certified bound. A peer that did not end
at some M is not asked for a larger one in that dimension ("not run"). Goes on from LEDGER
(ledger.py).
"""

from __future__ import annotations

import itertools
import math
import sys
from typing import Any

from benchmarks.certify import gauss, prune, run
from benchmarks.ledger import Ledger
from benchmarks.sup_norm_peers import ask
from benchmarks.table import show
from slth.network import FloatArray

_FAMILIES = {"gauss": gauss, "prune": prune}
_DIMENSIONS = (2, 3, 4, 5, 6, 8, 10, 16)
_WIDTHS = (10, 20, 50, 100, 200)
_SOLVERS = ("SCIP", "Gurobi", "HiGHS", "alpha-beta-CROWN")
_ROOTS = ("CROWN", "alpha-CROWN")
_RTOL = 1e-6


def _ours(weights: FloatArray, hidden: FloatArray, seconds: float) -> list[Any]:
    spent, enclosure = run(weights, hidden, _RTOL, seconds)
    return [spent, enclosure.lower, enclosure.upper, enclosure.status.value]


def _gap(lower: float, upper: float) -> float:
    return upper / lower - 1.0 if lower > 0.0 else math.inf


def _closed(answer: list[float]) -> bool:
    return _gap(answer[0], answer[1]) <= 2 * _RTOL


def _cells(answers: list[list[float]] | None, ours: float | None) -> list[str]:
    """A solver's two cells: its time or gap, and its time over ours."""
    if answers is None:
        return ["-", ""]
    lower, upper, wall, _ = answers[0]
    done = _closed(answers[0])
    gap = f"gap {_gap(lower, upper):.1%}" if lower > 0.0 else "no point"
    ratio = "" if ours is None else f"{'' if done else '> '}{wall / ours:.0f}"
    return [f"{wall:.2f} s" if done else gap, ratio]


def main(
    seconds: float = 20.0,
    families: tuple[str, ...] = tuple(_FAMILIES),
    dimensions: tuple[int, ...] = _DIMENSIONS,
    widths: tuple[int, ...] = _WIDTHS,
    ours: float | None = None,
) -> None:
    """One row for each family, dimension and width."""
    ledger, rows = Ledger("certify_peers"), []
    for d in dimensions:
        run(*gauss(30, d), _RTOL, seconds)  # loads what is compiled
    for family, d in itertools.product(families, dimensions):
        instances = {width: _FAMILIES[family](width, d) for width in sorted(widths)}
        roots = [
            ledger.once(
                (family, d, *instances, name),
                lambda name=name, instances=instances: ask(name, [*instances.values()], seconds),
            )
            for name in _ROOTS
        ]
        beaten: set[str] = set()
        for number, (width, instance) in enumerate(instances.items()):
            spent, lower, upper, status = ledger.once(
                (family, d, width, "slth", ours or seconds),
                lambda instance=instance: _ours(*instance, ours or seconds),
            )
            row: list[object] = [family, d, width, spent, status, _gap(lower, upper)]
            for name in _SOLVERS:
                if name in beaten:
                    row += ["not run", ""]
                    continue
                answers = ledger.once(
                    (family, d, width, name, seconds),
                    lambda name=name, instance=instance: ask(name, [instance], seconds),
                )
                row += _cells(answers, spent if status == "closed" else None)
                if answers is not None and not _closed(answers[0]):
                    beaten.add(name)
            for bounds in roots:
                row.append(
                    "-" if bounds is None else f"{100 * (bounds[number][1] / upper - 1):.0f}"
                )
            rows.append(row)
            print(*row, file=sys.stderr, flush=True)
    headings = ["family", "d", "M", "slth, s", "status", "gap"]
    for name in _SOLVERS:
        headings += [name, "x"]
    show(f"To 1e-6, {seconds:g} s a peer", (*headings, *(f"{name}, %" for name in _ROOTS)), rows)


if __name__ == "__main__":
    numbers = [float(word) for word in sys.argv[1:] if "=" not in word]
    chosen = dict(word.split("=") for word in sys.argv[1:] if "=" in word)
    unknown = set(chosen) - {"family", "d", "M", "ours"}
    if unknown or len(numbers) > 1:
        sys.exit(__doc__)
    main(
        *numbers,
        families=tuple(chosen["family"].split(",")) if "family" in chosen else tuple(_FAMILIES),
        dimensions=tuple(int(d) for d in chosen["d"].split(",")) if "d" in chosen else _DIMENSIONS,
        widths=tuple(int(m) for m in chosen["M"].split(",")) if "M" in chosen else _WIDTHS,
        ours=float(chosen["ours"]) if "ours" in chosen else None,
    )
