"""The dimension experiment: run a plan, then compare laws by held-out likelihood.

`python -m benchmarks.dimension PLAN STORE [WORKERS]`; stopped, the same line goes on. The protocol:
docs/experiments/dimension/README.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr

from benchmarks.table import show
from slth.lab.plan import Plan
from slth.lab.pools import LocalPool
from slth.lab.run import run_sweep
from slth.lab.store import Store
from slth.network import FloatArray

# log eps without its constant, of d and N (docs/experiments/dimension/README.md).
LAWS: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "zonal": lambda d, n: -np.log(d) - np.log(n) / (d - 1),
    "one unit": lambda d, n: -np.log(n) / d,
    "linear": lambda d, n: np.log(d) - np.log(n),
    "small units": lambda d, n: np.log(d) / 2 - np.log(n) / 4,
    "pairs": lambda d, n: 1.5 * np.log(d) - 2 * np.log(n) / d,
    "logarithm": lambda d, n: -np.log(np.log(n)),
}
# An optimum is known to rounding; every law is given the same tolerance.
_WIDENED = 1e-3
# A proven bound of 0 says nothing from below.
_NOTHING = -50.0


@dataclass(frozen=True)
class Rows:
    """The least error of each trial: log eps lies in [low, high].

    d, width, low, high: float64 [n].
    """

    d: FloatArray
    width: FloatArray
    low: FloatArray
    high: FloatArray

    def at(self, chosen: np.ndarray) -> Rows:
        """Some of the rows. chosen: bool [n]."""
        return Rows(self.d[chosen], self.width[chosen], self.low[chosen], self.high[chosen])


def rows_of(store: Store, readout: str) -> Rows:
    """The rows of slth's own search with that readout."""
    table = store.columns("d", "width", "bound", "error_upper", "contender", "readout", "state")
    own = np.array([contender is None for contender in table["contender"]])
    ended = np.isin(table["state"], ["done", "timeout"])
    keep = own & ended & (table["readout"] == readout)
    upper = np.asarray(table["error_upper"][keep], float)
    lower = np.asarray(table["bound"][keep], float)
    high = np.log(upper) + _WIDENED / 2
    low = np.where(lower > 0.0, np.log(np.maximum(lower, 1e-300)), _NOTHING)
    d, width = (np.asarray(table[name][keep], float) for name in ("d", "width"))
    return Rows(d, width, np.minimum(low, high - _WIDENED), high)


def likelihoods(law: str, rows: Rows, constant: float, scatter: float) -> FloatArray:
    """The log-likelihood of every row: of log eps in its interval, normal about the law."""
    middle = np.minimum(0.0, constant + LAWS[law](rows.d, rows.width))
    low, high = (rows.low - middle) / scatter, (rows.high - middle) / scatter
    # By symmetry the interval is taken to the side where the tail is small, so that the
    # difference keeps its digits.
    swap = low > 0.0
    low, high = np.where(swap, -high, low), np.where(swap, -low, high)
    upper = log_ndtr(high)
    gap = np.minimum(log_ndtr(low) - upper, -1e-300)
    return upper + np.log(-np.expm1(gap))


def fitted(law: str, rows: Rows) -> tuple[float, float]:
    """The constant and the scatter of largest likelihood."""
    centre = np.where(rows.low > _NOTHING, (rows.low + rows.high) / 2, rows.high - 1.0)
    starts = np.median(centre - LAWS[law](rows.d, rows.width)) + np.array([-1.0, 0.0, 1.0])

    def loss(x: FloatArray) -> float:
        value = likelihoods(law, rows, float(x[0]), math.exp(float(np.clip(x[1], -6.0, 4.0)))).sum()
        return -float(max(value, -1e12))

    found = [minimize(loss, [start, 0.0], method="Nelder-Mead") for start in starts]
    best = min(found, key=lambda each: each.fun).x
    return float(best[0]), math.exp(float(np.clip(best[1], -6.0, 4.0)))


def held_out(law: str, rows: Rows) -> dict[float, FloatArray]:
    """For each dimension, its rows' log-likelihoods under the law fitted to all others."""
    found = {}
    for d in np.unique(rows.d):
        constant, scatter = fitted(law, rows.at(rows.d != d))
        found[float(d)] = likelihoods(law, rows.at(rows.d == d), constant, scatter)
    return found


def compare(rows: Rows) -> list[tuple[object, ...]]:
    """One line a law: constant and scatter on all rows, mean held-out log-likelihood, and how far
    behind the best law, with the standard error over held-out dimensions."""
    scores = {law: held_out(law, rows) for law in LAWS}
    means = {law: {d: float(v.mean()) for d, v in each.items()} for law, each in scores.items()}
    total = {law: float(np.concatenate(list(each.values())).mean()) for law, each in scores.items()}
    best = max(LAWS, key=lambda law: total[law])
    lines = []
    for law in sorted(LAWS, key=lambda each: -total[each]):
        behind = np.array([means[best][d] - means[law][d] for d in means[law]])
        error = float(behind.std(ddof=1)) / math.sqrt(behind.size)
        constant, scatter = fitted(law, rows)
        lines.append((law, constant, scatter, total[law], float(behind.mean()), error))
    return lines


def report(path: str) -> None:
    """The tables of the page."""
    with Store.open(path) as store:
        for readout in ("linear", "relu"):
            every = rows_of(store, readout)
            parts = {
                "all rows": every.d > 0,
                "N <= 40": every.width <= 40,
                "N >= 100": every.width >= 100,
            }
            for name, chosen in parts.items():
                rows = every.at(chosen)
                if np.unique(rows.d).size < 3:
                    continue
                title = f"{readout} readout, {name}: {rows.d.size} rows"
                head = ("law", "c", "scatter", "held-out log-likelihood", "behind", "its error")
                show(title, head, compare(rows))
            _medians(every, readout)
        _theorems(store)


def _medians(rows: Rows, readout: str) -> None:
    lines = []
    for d in np.unique(rows.d):
        for width in np.unique(rows.width[rows.d == d]):
            here = rows.at((rows.d == d) & (rows.width == width))
            low, high = np.exp(np.median(here.low)), np.exp(np.median(here.high))
            closed = int((here.high - here.low < 2 * _WIDENED).sum())
            lines.append((int(d), int(width), here.d.size, closed, float(low), float(high)))
    head = ("d", "N", "draws", "closed", "median bound", "median certified error")
    show(f"{readout} readout", head, lines)


def _theorems(store: Store) -> None:
    table = store.columns("readout", "d", "width", "error_lower", "error_upper", "kept_units",
                          contender="theorem")  # fmt: skip
    order = np.lexsort((table["width"], table["d"], table["readout"]))
    names = ("readout", "d", "width", "kept_units", "error_lower", "error_upper")
    lines = [tuple(table[name][i] for name in names) for i in order]
    show("tickets of the theorems", names, lines)


def main(plan: str, store: str, workers: str = "2") -> None:
    """Run what is not recorded yet, then report."""
    pool = LocalPool(workers=int(workers))
    try:
        complete = run_sweep(Plan.read(plan), store, pool)
    finally:
        pool.close()
    print("complete" if complete else "not complete: run the same line again")
    report(store)


if __name__ == "__main__":
    main(*sys.argv[1:])
