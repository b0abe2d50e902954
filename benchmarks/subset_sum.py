"""Random subset sum against NumPy meet in the middle, CP-SAT and enumeration by cardinality.

One core, one run; samples are products a * w of standard normals, targets uniform in [-1, 1].
CP-SAT runs in a process of its own (its library does not live with HiGHS in one process), with the
interpreter named by the environment variable PEER_PYTHON if this one has no ortools.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.table import show
from slth.pruning.weights.subset_sum import best_by_count, subset_sum
from slth.pruning.weights.vector import vector_subset_sum

_HEADINGS = ("problem", "solver", "seconds a problem", "ours is faster", "solved", "worst error")

_CP_SAT = """
import json, sys, time
from ortools.sat.python import cp_model
cases, scale, limit = json.load(sys.stdin)
answers = []
for values, target in cases:
    model = cp_model.CpModel()
    x = [model.new_bool_var("") for _ in values]
    q = [round(v * scale) for v in values]
    z = round(target * scale)
    error = model.new_int_var(0, sum(map(abs, q)) + abs(z), "")
    total = sum(k * b for k, b in zip(q, x))
    model.add(error >= total - z)
    model.add(error >= z - total)
    model.minimize(error)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = limit
    started = time.perf_counter()
    status = solver.solve(model)
    seconds = time.perf_counter() - started
    kept = [solver.boolean_value(b) for b in x] if status in (2, 4) else None
    answers.append((seconds, solver.status_name(status), kept))
print(json.dumps(answers))
"""


def draw(seed: int, batch: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples [batch, n] and targets [batch]."""
    rng = np.random.default_rng([seed, n])
    samples = rng.standard_normal((batch, n)) * rng.standard_normal((batch, n))
    return samples, rng.uniform(-1.0, 1.0, batch)


def numpy_meet_in_the_middle(x: np.ndarray, target: float) -> np.ndarray:
    """The nearest subset by one sort and one binary search of the half sums; bool [n]."""
    n = len(x)
    half = n // 2
    left, right = np.zeros(1), np.zeros(1)
    for v in x[:half]:
        left = np.concatenate([left, left + v])
    for v in x[half:]:
        right = np.concatenate([right, right + v])
    order = np.argsort(left)
    ordered = left[order]
    wanted = target - right
    above = np.searchsorted(ordered, wanted).clip(0, len(ordered) - 1)
    below = (above - 1).clip(0)
    place = np.where(wanted - ordered[below] < np.abs(ordered[above] - wanted), below, above)
    j = int(np.abs(ordered[place] - wanted).argmin())
    mask = int(order[place[j]]) | j << half
    return np.array([mask >> k & 1 for k in range(n)], dtype=bool)


def by_cardinality(x: np.ndarray, target: float, eps: float) -> np.ndarray:
    """The first subset within eps in order of size; bool [n]."""
    values = x.tolist()
    for size in range(len(values) + 1):
        for chosen in itertools.combinations(range(len(values)), size):
            if abs(sum(values[k] for k in chosen) - target) <= eps:
                mask = np.zeros(len(values), dtype=bool)
                mask[list(chosen)] = True
                return mask
    return np.zeros(len(values), dtype=bool)


def seconds_each(call: Callable[[], object], problems: int, repeats: int = 5) -> float:
    """Least processor time of one problem over several runs of the whole batch, warmed up."""
    call()
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        call()
        best = min(best, time.process_time() - started)
    return best / problems


def one_by_one(
    solve: Callable[[np.ndarray, float], np.ndarray], samples: np.ndarray, targets: np.ndarray
) -> tuple[float, np.ndarray]:
    """Median processor time of a call, and the errors reached."""
    seconds, errors = [], []
    solve(samples[0], float(targets[0]))
    for x, z in zip(samples, targets, strict=True):
        started = time.process_time()
        mask = solve(x, float(z))
        seconds.append(time.process_time() - started)
        errors.append(abs(x[mask].sum() - z))
    return statistics.median(seconds), np.array(errors)


def cp_sat(samples: np.ndarray, targets: np.ndarray, limit: float = 60.0) -> list | None:
    """(seconds, status, kept) of every problem; None without ortools."""
    python = os.environ.get("PEER_PYTHON", sys.executable)
    cases = [(x.tolist(), float(z)) for x, z in zip(samples, targets, strict=True)]
    done = subprocess.run(
        [python, "-c", _CP_SAT],
        input=json.dumps([cases, 2.0**30, limit]),
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


def optimal(n: int, batch: int, peers: int) -> list[tuple]:
    """The nearest subset: ours on the batch, the references on its first problems."""
    samples, targets = draw(0, batch, n)
    found = subset_sum(samples, targets)
    ours = seconds_each(lambda: subset_sum(samples, targets), batch)
    name = f"optimal, n = {n}"
    gap = float((found.upper - found.bound).max())
    solved = f"{(found.statuses == 'optimal').mean():.0%}, gap {gap:.0e}"
    rows = [(name, "slth", ours, "1", solved, float(found.upper.max()))]
    seconds, errors = one_by_one(numpy_meet_in_the_middle, samples[:peers], targets[:peers])
    agree = float(np.mean(errors <= found.upper[:peers] + 1e-9))
    rows.append((name, "NumPy", seconds, f"{seconds / ours:,.0f}x", f"{agree:.0%}", errors.max()))
    if n == 20:
        answers = cp_sat(samples[:10], targets[:10])
        if answers is None:
            rows.append((name, "CP-SAT", "not installed", "", "", ""))
        else:
            seconds = statistics.median(a[0] for a in answers)
            proven = np.mean([a[1] == "OPTIMAL" for a in answers])
            worst = max(
                abs(x[np.array(a[2])].sum() - z) if a[2] else np.inf
                for x, z, a in zip(samples, targets, answers, strict=False)
            )
            ratio = f"{seconds / ours:,.0f}x"
            rows.append((name, "CP-SAT", seconds, ratio, f"{proven:.0%}", worst))
    return rows


def sparsest(n: int, eps: float, batch: int, peers: int, answerable: bool = False) -> list[tuple]:
    """The fewest samples within eps; answerable: only problems that have such a subset."""
    samples, targets = draw(1, batch, n)
    found = subset_sum(samples, targets, eps=eps, sparsest=True)
    if answerable:
        has_one = found.statuses == "reached"
        samples, targets = samples[has_one], targets[has_one]
        batch, peers = len(targets), min(peers, len(targets))
        found = subset_sum(samples, targets, eps=eps, sparsest=True)
    ours = seconds_each(lambda: subset_sum(samples, targets, eps=eps, sparsest=True), batch)
    name = f"sparsest, n = {n}, eps = {eps:g}" + (", answerable" if answerable else "")
    reached = found.statuses == "reached"
    rows = [(name, "slth", ours, "1", f"{reached.mean():.1%}", float(found.upper[reached].max()))]
    subset = samples[:peers]
    started = time.process_time()
    kept = [by_cardinality(x, z, eps).sum() for x, z in zip(subset, targets, strict=False)]
    # The mean over the same problems; one without an answer costs all 2^n subsets.
    seconds = (time.process_time() - started) / peers
    agree = np.mean([k == m for k, m in zip(kept, found.kept, strict=False)])
    rows.append((name, "itertools", seconds, f"{seconds / ours:,.0f}x", f"{agree:.1%} agree", ""))
    return rows


def many_samples(n: int, batch: int = 3) -> tuple:
    """The nearest subset of more samples than two half lists hold: ours alone."""
    samples, targets = draw(4, batch, n)
    subset_sum(samples[:1], targets[:1])
    started = time.process_time()
    found = subset_sum(samples, targets)
    seconds = (time.process_time() - started) / batch
    solved = f"{(found.statuses == 'optimal').mean():.0%} optimal"
    return (f"optimal, n = {n}", "slth", seconds, "", solved, float(found.upper.max()))


def vectors(d: int, eps: float, n: int) -> tuple:
    """One mask, d sums at once: ours alone."""
    rng = np.random.default_rng([5, d, n])
    samples, target = rng.standard_normal((n, d)), rng.uniform(-1.0, 1.0, d)
    vector_subset_sum(samples, target, eps=1.0)
    started = time.process_time()
    found = vector_subset_sum(samples, target, eps=eps)
    seconds = time.process_time() - started
    name = f"d = {d} sums, eps = {eps:g}, n = {n}"
    return (name, f"slth, {found.method}", seconds, "", str(found.status), found.upper)


def every_size(n: int, batch: int) -> list[tuple]:
    """The best subset of every size: ours alone."""
    samples, targets = draw(2, batch, n)
    seconds = seconds_each(lambda: best_by_count(samples, targets), batch, 3)
    return [(f"best of every size, n = {n}", "slth", seconds, "", "100%", "")]


def pensia() -> list[tuple]:
    """397,000 weights of a 784-500-10 network, n = 21 fresh samples each, eps = 0.01.

    The experiment of Pensia et al. 2020 (published: 77,266 s on 36 cores). Weights and samples
    are uniform in [-1, 1]; every error is certified.
    """
    weights, n, eps = 784 * 500 + 500 * 10, 21, 0.01
    rng = np.random.default_rng(3)
    samples = rng.uniform(-1.0, 1.0, (weights, n))
    targets = rng.uniform(-1.0, 1.0, weights)
    rows = []
    for label, options in (
        ("optimal", {}),
        ("any within eps", {"eps": eps}),
        ("sparsest within eps", {"eps": eps, "sparsest": True}),
    ):
        subset_sum(samples[:64], targets[:64], **options)
        started = time.process_time()
        found = subset_sum(samples, targets, **options)
        seconds = time.process_time() - started
        within = f"{(found.upper <= eps).mean():.4%} within eps"
        rows.append(
            (
                f"397,000 weights, n = 21, {label}",
                f"slth, {seconds:.2f} s in all",
                seconds / weights,
                f"{77266 / seconds:,.0f}x (published wall clock)",
                within,
                float(found.upper.max()),
            )
        )
    return rows


def main() -> None:
    """Print the table."""
    rows = [
        *optimal(10, 20_000, 200),
        *optimal(20, 5_000, 200),
        *optimal(30, 100, 5),
        *optimal(40, 5, 1),
        *(many_samples(n) for n in (48, 49, 52, 56, 64, 100)),
        *sparsest(21, 0.01, 4_000, 1_000),
        *sparsest(21, 0.01, 4_000, 1_000, answerable=True),
        *sparsest(40, 1e-4, 1_000, 1),
        *every_size(20, 500),
        vectors(3, 1e-2, 28),
        vectors(8, 1e-2, 256),
        vectors(8, 1e-3, 1024),
        *pensia(),
    ]
    show("random subset sum, one core", _HEADINGS, rows)


if __name__ == "__main__":
    main()
