"""Neuron tickets against a general solver: proven optima, decisions, sandwiches, an adversary.

`python -m benchmarks.neurons [SECONDS] [TABLE ...]` (limit of each run, default 60; tables
`optima`, `crowded`, `sandwich`, `adversary`, default all). Instances: W, a and the target's
direction standard normal from `numpy.random.default_rng(seed)`, the target normalised.

Reference: the mixed-integer program min t, |sum_i z_i phi_i(x_p) - f(x_p)| <= t, z binary, over
points of the sphere added lazily where the optimum is violated (4,000 points on the circle,
20,000 random ones above), solved by HiGHS on one thread. Its upper bound is the error at those
points only, and its lower bound is not made safe.
"""

from __future__ import annotations

import sys
import time

import highspy
import numpy as np

import slth
from benchmarks.table import show
from slth.limits import Deadline
from slth.network import FloatArray
from slth.neurons.local import anneal
from slth.neurons.problem import Problem, random_sphere


def instance(
    width: int, d: int, seed: int, readout: str = "linear"
) -> tuple[slth.ReLUNetwork, slth.ReLUNetwork]:
    """The network and the target of one seed."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((width, d))
    output = rng.standard_normal(width)
    net = slth.ReLUNetwork(hidden, output, readout)  # type: ignore[arg-type]
    return net, slth.neuron(rng.standard_normal(d), normalize=True)


def ours(
    net: slth.ReLUNetwork, target: slth.ReLUNetwork, seconds: float, eps: float | None = None
) -> tuple[float, slth.Solution]:
    """Wall-clock seconds and the answer."""
    started = time.perf_counter()
    answer = slth.prune_neurons(net, target, eps=eps, time_limit=seconds)
    return time.perf_counter() - started, answer


def highs_lazily(
    net: slth.ReLUNetwork, target: slth.ReLUNetwork, seconds: float
) -> tuple[float, float, float]:
    """(lower, upper, seconds) of the reference."""
    points = random_sphere(np.random.default_rng(0), 4000 if net.d == 2 else 20_000, net.d)
    phi = np.maximum(points @ net.hidden.T, 0.0) * net.output
    f = target(points)
    rows = np.random.default_rng(1).choice(len(f), 40, replace=False).tolist()
    lower, upper, deadline = 0.0, 1.0, Deadline(seconds)
    while not deadline.expired:
        keep, bound = _mixed_integer(phi[rows], f[rows], deadline.remaining)
        lower = max(lower, bound)
        residual = np.abs(phi @ keep - f)
        upper = min(upper, float(residual.max()))
        if upper - lower < 1e-3 * upper:
            break
        taken: list[int] = []
        for p in np.argsort(-residual)[:1500]:
            if residual[p] <= lower + 1e-6 or len(taken) == 10:
                break
            if not taken or float((points[taken] @ points[p]).max()) < 0.995:
                taken.append(int(p))
        rows += taken
    return lower, upper, deadline.elapsed


def _mixed_integer(phi: FloatArray, f: FloatArray, seconds: float) -> tuple[FloatArray, float]:
    count, width = phi.shape
    solver = highspy.Highs()
    for option, value in (("output_flag", False), ("threads", 1), ("time_limit", seconds)):
        solver.setOptionValue(option, value)
    infinite = highspy.kHighsInf
    solver.addVars(width + 1, np.zeros(width + 1), np.r_[np.ones(width), infinite])
    solver.changeColCost(width, 1.0)
    for i in range(width):
        solver.changeColIntegrality(i, highspy.HighsVarType.kInteger)
    for sign in (1.0, -1.0):
        matrix = np.c_[sign * phi, -np.ones(count)]
        filled = matrix != 0.0
        starts = np.r_[0, np.cumsum(filled.sum(axis=1))[:-1]].astype(np.int32)
        solver.addRows(
            count,
            np.full(count, -infinite),
            sign * f,
            int(filled.sum()),
            starts,
            np.nonzero(filled)[1].astype(np.int32),
            matrix[filled],
        )
    solver.run()
    values = np.array(solver.getSolution().col_value)
    bound = float(solver.getInfo().mip_dual_bound)
    if values.size != width + 1:
        return np.zeros(width), max(0.0, bound)
    return np.round(values[:width]).astype(np.float64), max(0.0, bound)


def optima(seconds: float) -> None:
    """N = 60: proven optima and decisions 5 % below, against the reference."""
    rows = []
    for d in (2, 3, 5, 8):
        for seed in (1, 2, 3):
            net, target = instance(60, d, seed)
            spent, answer = ours(net, target, seconds)
            decided, refuted = ours(net, target, seconds, eps=0.95 * answer.error.upper)
            lower, upper, reference = highs_lazily(net, target, seconds)
            closed = upper - lower < 1e-3 * upper
            rows.append(
                (
                    d,
                    seed,
                    answer.status.value,
                    answer.bound,
                    answer.error.upper,
                    spent,
                    f"{refuted.status.value} {decided:.2f} s",
                    f"{reference:.1f} s" if closed else f"[{lower:.3f}, {upper:.3f}]",
                    f"{reference / spent:.0f}x" if closed else f"> {reference / spent:.0f}x",
                )
            )
    headings = ("d", "seed", "status", "bound", "error", "seconds", "eps -5 %", "HiGHS", "ratio")
    show("N = 60, linear readout", headings, rows)


def crowded(seconds: float) -> None:
    """N = 100, both readouts."""
    rows = []
    for readout in ("linear", "relu"):
        for d in (2, 3, 5, 8):
            for seed in (1, 2, 3):
                spent, answer = ours(*instance(100, d, seed, readout), seconds)
                rows.append((readout, d, seed, *_row(answer), spent))
    show("N = 100", ("readout", "d", "seed", *_ROW, "seconds"), rows)


_ROW = ("status", "bound", "error", "ratio", "searcher", "prover")


def _row(answer: slth.Solution) -> tuple[object, ...]:
    ratio = answer.error.upper / answer.bound if answer.bound > 0.0 else float("inf")
    names = (str(answer.stats.get(key, "-")) for key in ("searcher", "prover"))
    return (answer.status.value, answer.bound, answer.error.upper, ratio, *names)


def sandwich(seconds: float) -> None:
    """[proven lower, certified upper] at growing widths."""
    rows = []
    for readout in ("linear", "relu"):
        for d in (2, 3, 5, 8):
            for width in (100, 1000, 10_000, 100_000, 1_000_000):
                spent, answer = ours(*instance(width, d, 1, readout), seconds)
                rows.append((readout, d, width, *_row(answer), spent))
    show("Sandwiches", ("readout", "d", "N", *_ROW, "seconds"), rows)


def adversary(seconds: float, pairs: int = 100) -> None:
    """Refuted (network, eps) pairs, attacked by annealing for longer than the proof took."""
    rows = []
    for readout in ("linear", "relu"):
        for d in (2, 3, 5, 8):
            refuted = broken = 0
            nearest = np.inf
            for seed in range(pairs):
                net, target = instance(20 + seed % 21, d, 100 + seed, readout)
                best = slth.prune_neurons(net, target, time_limit=1.0)
                eps = 0.98 * best.error.upper
                spent, answer = ours(net, target, seconds, eps=eps)
                if answer.status is not slth.Status.REFUTED:
                    continue
                refuted += 1
                attack = Deadline(2.0 * spent + 0.2)
                found, _ = anneal(
                    Problem(net, target), np.random.default_rng(seed), attack, runs=10**6, goal=eps
                )
                broken += found.error <= eps
                nearest = min(nearest, found.error / eps)
            rows.append((readout, d, pairs, refuted, broken, nearest))
    show(
        "Refutations under attack",
        ("readout", "d", "pairs", "refuted", "broken", "nearest error / eps"),
        rows,
    )


_TABLES = {"optima": optima, "crowded": crowded, "sandwich": sandwich, "adversary": adversary}


def main(seconds: float = 60.0, tables: tuple[str, ...] = tuple(_TABLES)) -> None:
    """Print the tables."""
    for d in (1, 2, 3):
        for readout in ("linear", "relu"):
            slth.prune_neurons(*instance(14, d, 0, readout), time_limit=30.0)
    for name in tables:
        _TABLES[name](seconds)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    limit = float(arguments[0]) if arguments else 60.0
    main(limit, tuple(arguments[1:]) or tuple(_TABLES))
