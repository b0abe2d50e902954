"""Random tiny instances against an exact oracle that shares no code with slth.

`python -m benchmarks.cross_check [INSTANCES [SEED]]` (default 10,000). The oracle lists every
point at which |g - f| / ||x|| can be largest, in integers: for each linear piece its gradient, the
projection of the gradient to each plane that bounds a piece, and the rays where two of them meet.
It takes all 2^M patterns of active units, real or not: no point can exceed the supremum.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np

import slth
from benchmarks.table import show
from slth.certify.prove.error import loosened, prove_error

_PRUNED_EVERY, _PROVEN_EVERY = 10, 10


def main(instances: int = 10_000, seed: int = 2026) -> None:
    """Check every instance and print the counts."""
    rng = np.random.default_rng(seed)
    checks: Counter[tuple[str, int]] = Counter()
    wrong: Counter[tuple[str, int]] = Counter()
    started = time.process_time()
    for trial in range(instances):
        net, target, radius = instance(rng)
        for name, right in judged(trial, net, target, radius):
            checks[name, net.d] += 1
            if not right:
                wrong[name, net.d] += 1
                print(f"WRONG: instance {trial}, {name}", file=sys.stderr)
    names = sorted({name for name, _ in checks})
    show(
        f"{instances} instances, {time.process_time() - started:.0f} s of CPU: wrong / checked",
        ["check", "d = 1", "d = 2", "d = 3"],
        [(name, *(f"{wrong[name, d]} / {checks[name, d]}" for d in (1, 2, 3))) for name in names],
    )


def instance(rng: np.random.Generator) -> tuple[slth.ReLUNetwork, slth.ReLUNetwork, float]:
    """Two networks of at most four units together; some with ties, doubles and zeros."""
    d = int(rng.integers(1, 4))
    units = int(rng.integers(1, 4))
    networks = []
    for width in (units, int(rng.integers(1, 5 - units))):
        if rng.random() < 0.7:
            hidden, output = rng.standard_normal((width, d)), rng.standard_normal(width)
        else:
            hidden = rng.integers(-2, 3, (width, d)) * 2.0 ** int(rng.integers(-3, 4))
            output = rng.integers(-2, 3, width) * 1.0
        networks.append(slth.ReLUNetwork(hidden, output, ["linear", "relu"][rng.integers(2)]))
    return networks[0], networks[1], float(rng.choice([1.0, 2.0, 0.3]))


def judged(trial: int, net: slth.ReLUNetwork, target: slth.ReLUNetwork, radius: float):
    """Names of the checks of this instance, and whether each came out right."""
    square = exact_square(net, target) * Fraction(radius) ** 2
    error = slth.certify(net, target, radius=radius)
    yield "certified enclosure", encloses(error, square)
    everything = slth.Mask.of_units(np.ones(net.width, bool), net.d)
    pruned = net.pruned(everything)
    below = float(np.sqrt(float(square))) * (1 - 1e-9)
    if below > 0.0:
        claimed = slth.Enclosure(0.0, below, None, slth.Status.OPEN, "too low")
        verdict = slth.check(_ticket(net, target, radius, everything, claimed))
        yield "a bound below the error is not verified", not verdict
    proof = None
    if net.d == 3:
        if trial % _PROVEN_EVERY or error.upper == 0.0:
            return
        error = loosened(error)
        proof = prove_error(pruned, target, error.upper, radius=radius)
    verdict = slth.check(_ticket(net, target, radius, everything, error, proof))
    # Errors of 0 are certified up to rounding, which no proof in floats can follow.
    proven = verdict if net.d < 3 or proof is not None else verdict.outcome != "refused"
    yield "the certified bound is verified", bool(proven)
    if trial % _PRUNED_EVERY == 0:
        found = slth.prune_neurons(net, target, radius, time_limit=None, proof=True)
        least = (
            min(
                exact_square(
                    slth.ReLUNetwork(net.hidden[keep], net.output[keep], net.readout), target
                )
                for keep in map(np.array, product((False, True), repeat=net.width))
            )
            * Fraction(radius) ** 2
        )
        yield "no mask errs less than the bound", Fraction(found.bound) ** 2 <= least
        yield (
            "the pruned error",
            Fraction(found.error.upper) ** 2 >= least,
        )
        ticket = slth.Ticket.from_solution(found, net, target, radius=radius)
        yield "the written bound is verified", slth.check(ticket)["bound"].outcome == "verified"


def _ticket(net, target, radius, mask, error, proof=None) -> slth.Ticket:
    solution = slth.Solution(mask, error, 0.0, slth.Status.FEASIBLE, net.pruned(mask))
    return slth.Ticket.from_solution(solution, net, target, radius=radius, error_proof=proof)


def encloses(error: slth.Enclosure, square: Fraction) -> bool:
    """Whether lower^2 <= square <= upper^2."""
    return Fraction(error.lower) ** 2 <= square <= Fraction(error.upper) ** 2


def exact_square(net: slth.ReLUNetwork, target: slth.ReLUNetwork) -> Fraction:
    """sup over the unit ball of (g - f)^2, for d <= 3."""
    rows, scale = _integer_rows(net, target)
    d, split = net.d, net.width
    rows, signs = rows[:, :d], np.array([1 if s > 0 else -1 for s in rows[:, d]], dtype=object)
    patterns = np.array(list(product((0, 1), repeat=len(rows))), dtype=object)
    if len(rows) == 0:
        return Fraction(0)
    signed = signs[:, None] * rows
    p = patterns[:, :split] @ signed[:split] if split else np.zeros((1, d), dtype=object)
    q = patterns[:, split:] @ signed[split:] if split < len(rows) else 0 * p
    slopes = _unique(np.concatenate([p - q, p, q]))
    planes = [rows]
    planes += [p] if net.readout == "relu" else []
    planes += [q] if target.readout == "relu" else []
    points = _unique(_candidates(slopes, _unique(np.concatenate(planes)), d))
    points = np.concatenate([points, -points])
    values = np.maximum(points @ rows.T, 0)
    g, f = values[:, :split] @ signs[:split], values[:, split:] @ signs[split:]
    g = np.maximum(g, 0) if net.readout == "relu" else g
    f = np.maximum(f, 0) if target.readout == "relu" else f
    over, under = (g - f) ** 2, (points * points).sum(axis=1)
    ratios = (over / under).astype(float)
    top = np.nonzero(ratios >= ratios.max() * (1 - 1e-9))[0]
    return max(Fraction(over[k], under[k]) for k in top) * scale**2


def _integer_rows(net: slth.ReLUNetwork, target: slth.ReLUNetwork) -> tuple[np.ndarray, Fraction]:
    """Rows (|a_i| w_i, sign of a_i) as integers times one scale: object [M, d + 1]."""
    exact = []
    for network in (net, target):
        for w, a in zip(network.hidden, network.output, strict=True):
            a = Fraction(float(a))
            exact.append([*(abs(a) * Fraction(float(c)) for c in w), 1 if a > 0 else -1])
    denominator = max((c.denominator for row in exact for c in row[:-1]), default=1)
    rows = [[*(int(c * denominator) for c in row[:-1]), row[-1]] for row in exact]
    table = np.array(rows, dtype=object).reshape(len(rows), net.d + 1)
    return table, Fraction(1, denominator)


def _candidates(slopes: np.ndarray, planes: np.ndarray, d: int) -> np.ndarray:
    if d == 1:
        return np.array([[1]], dtype=object)
    if d == 2:
        return np.concatenate([slopes, np.stack([-planes[:, 1], planes[:, 0]], axis=1)])
    inner = slopes @ planes.T
    squares = (planes * planes).sum(axis=1)
    projected = slopes[:, None] * squares[None, :, None] - inner[:, :, None] * planes[None]
    i, j = np.triu_indices(len(planes), 1)
    a, b = planes[i], planes[j]
    rays = [a[:, k - 2] * b[:, k - 1] - a[:, k - 1] * b[:, k - 2] for k in range(3)]
    return np.concatenate([slopes, projected.reshape(-1, 3), np.stack(rays, axis=1)])


def _unique(points: np.ndarray) -> np.ndarray:
    """Without zeros and repeats; never empty."""
    kept = list({tuple(x) for x in points.tolist() if any(x)}) or [(1,) * points.shape[1]]
    return np.array(kept, dtype=object)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
