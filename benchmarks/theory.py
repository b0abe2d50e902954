"""The theory room at its stated sizes: broken bins at 100,000 units x 500 families, the chain's law
at T = k = 100,000, the proven widths, and what the certified search says of draws at those widths.
The reference runs beside each, on a part of the work."""

from __future__ import annotations

import resource
import time

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import diags
from scipy.stats import binom

import slth
from benchmarks.table import show, timed
from slth import theory


def main() -> None:
    """Four tables."""
    _bins()
    _law()
    _widths()
    _instances()


def _bins(width: int = 100_000, families: int = 500) -> None:
    """Hulls against one linear program a bin (HiGHS through SciPy), same bins."""
    rng = np.random.default_rng(0)
    d = 2 * families
    hidden, output = rng.standard_normal((width, d)), rng.standard_normal(width)
    target = np.zeros(d)
    target[0] = 1.0
    bins = theory.make_bins(2.0, 0.002)
    before = _peak()
    seconds, _ = timed(
        lambda: theory.broken_bins(hidden, output, target, bins, 1e-4), repeats=1, warm_up=False
    )
    extra = _peak() - before
    few = 40
    kinks = theory.kinks(np.vstack([hidden[:, :2], target[:2]]), np.append(output, -1.0))
    started = time.perf_counter()
    oracle = np.array([_by_program(kinks, bins, b) for b in range(few)])
    per_bin = (time.perf_counter() - started) / few
    hull = theory.bin_errors(hidden, output, target, 0, bins)[:few]
    ours = seconds / (families * bins.count)
    show(
        f"broken bins, {width:,} units x {families} families x {bins.count:,} bins",
        ("method", "seconds", "us a bin", "ratio", "extra MB", "largest difference"),
        [
            ("hulls", seconds, 1e6 * ours, 1.0, extra, float(np.abs(hull - oracle).max())),
            (f"linear program ({few} bins)", few * per_bin, 1e6 * per_bin, per_bin / ours, "", ""),
        ],
    )


def _by_program(kinks: theory.Kinks, bins: theory.Bins, b: int) -> float:
    u, v = bins.edges[b], bins.edges[b + 1]
    t0, jump = kinks.breakpoints[0], kinks.jumps[0]
    inside = (t0 > u) & (t0 < v)
    t = np.unique(np.r_[u, t0[inside], v])
    y = np.maximum(t[:, None] - t0[inside], 0.0) @ jump[inside]
    n = len(t)
    rows = np.vstack([np.c_[t, np.ones(n), -np.ones(n)], np.c_[-t, -np.ones(n), -np.ones(n)]])
    free = [(None, None)] * 2 + [(0, None)]
    return linprog([0, 0, 1], A_ub=rows, b_ub=np.r_[y, -y], bounds=free).fun


def _law(size: int = 100_000) -> None:
    """The banded window against a sparse matrix times a vector, on a tenth of the steps."""
    chain = theory.Chain(0.1, 0.4, size)
    seconds, law = timed(lambda: theory.law(chain, size), repeats=1)
    spectral, at_zero = timed(lambda: theory.log_at_zero(chain, size), repeats=1, warm_up=False)
    stay = np.full(size + 1, 0.5)
    stay[0], stay[-1] = 0.6, 0.9
    bands = [np.full(size, 0.4), stay, np.full(size, 0.1)]
    matrix = diags(bands, [-1, 0, 1]).tocsr()  # pyright: ignore[reportArgumentType]
    tenth = size // 10
    started = time.perf_counter()
    vector = np.zeros(size + 1)
    vector[1] = 1.0
    for _ in range(tenth):
        vector = matrix @ vector
    reference = 10 * (time.perf_counter() - started)
    difference = float(np.abs(theory.law(chain, tenth) - vector).max())
    show(
        f"law of the (q, p, T)-chain, T = k = {size:,}",
        ("method", "seconds", "ratio", "result", "largest difference"),
        [
            ("window", seconds, 1.0, f"mean {law @ np.arange(size + 1):.2f}", difference),
            ("spectral, ball arithmetic", spectral, spectral / seconds, f"log {at_zero:.3f}", ""),
            ("sparse matrix (10 x a tenth)", reference, reference / seconds, "", ""),
        ],
    )


def _widths() -> None:
    """Proven widths next to what the paper's route gives if its gaps are granted."""
    rows = []
    for d, eps in ((2, 0.01), (5, 0.01), (10, 0.01), (10, 0.001), (100, 0.001), (500, 0.001)):
        seconds, bound = timed(
            lambda d=d, eps=eps: theory.max_refuted_width(d, eps, 2.0, 0.05), repeats=1
        )
        route = theory.route_width(d, eps, 2.0, 0.05)
        rows.append(
            (d, eps, bound.value, bound.constants["c"], str(bound.status), route.value, seconds)
        )
    headings = ("d", "eps", "refuted N", "N eps / d", "status", "paper's route", "seconds")
    show("max_refuted_width at R = 2, delta = 0.05", headings, rows)


def _instances(draws: int = 40, delta: float = 0.05, radius: float = 2.0) -> None:
    """`max_refuted_width` against single draws: at that width a ticket within eps may exist in a
    share delta of them. `prune_neurons(..., eps)` decides each draw by a certified ticket
    ("reached") or a proof ("refuted"). "allowed": more tickets than that have probability below
    1e-6. "refuted up to": the largest of N, 2N, 4N, ... at which the draw is still refuted, over
    N, median over the first 8 draws (networks are nested)."""
    rows: list[tuple[object, ...]] = []
    for d in range(2, 9):
        eps = 0.002 if d == 2 else 0.02
        width = int(theory.max_refuted_width(d, eps, radius, delta).value)
        started = time.perf_counter()
        answers = [_decide(d, width, eps, radius, seed) for seed in range(draws)]
        seconds = time.perf_counter() - started
        beyond = []
        for seed in range(8):
            factor = 1
            while factor < 64 and _decide(d, 2 * factor * width, eps, radius, seed) == "refuted":
                factor *= 2
            beyond.append(factor)
        counts = [answers.count(status) for status in ("reached", "refuted", "unknown")]
        allowed = int(binom.isf(1e-6, draws, delta))
        rows.append((d, eps, width, *counts, allowed, f"{np.median(beyond):g} N", seconds))
    headings = ("d", "eps", "proven N", "reached", "refuted", "unknown", "allowed", "refuted up to")
    title = f"max_refuted_width against {draws} draws, R = {radius:g}, delta = {delta:g}"
    show(title, (*headings, "seconds"), rows)


def _decide(d: int, width: int, eps: float, radius: float, seed: int) -> str:
    direction = np.random.default_rng([seed, d]).standard_normal(d)
    target = slth.neuron(direction, normalize=True)
    net = slth.random_network(d, width, seed)
    return str(slth.prune_neurons(net, target, radius, eps, time_limit=2.0, seed=seed).status)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


if __name__ == "__main__":
    main()
