"""Statuses at all scales against exact rationals, one input: `python -m benchmarks.scales [COUNT]`.

Weights from 1e-300 to 1e290, radii down to the smallest subnormal, rtol 0, eps at the optimum. In
one dimension a network is linear on either side of 0, so every mask's error is a rational number.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

import slth


def number(rng: np.random.Generator) -> float:
    """A float of any size, with either sign; now and then 1 or a power of two."""
    kind = rng.integers(4)
    size = (1.0, 2.0 ** int(rng.integers(-300, 300)))[kind] if kind < 2 else 0.0
    if kind == 2:
        size = float(rng.uniform(0.5, 2.0))
    if kind == 3:
        size = float(10.0 ** rng.uniform(-145, 140))
    return size if rng.random() < 0.7 else -size


def network(rng: np.random.Generator, width: int) -> slth.ReLUNetwork:
    """Of one scale or of many."""
    scale = 10.0 ** rng.uniform(-140, 140)
    mixed = rng.random() < 0.3
    draw = (lambda: number(rng)) if mixed else (lambda: scale * float(rng.standard_normal()))
    hidden = [[draw()] for _ in range(width)]
    output = [float(rng.standard_normal()) if not mixed else number(rng) for _ in range(width)]
    readout = "relu" if rng.random() < 0.5 else "linear"
    return slth.ReLUNetwork(np.reshape(hidden, (width, 1)), np.array(output, float), readout)


def slopes(net: slth.ReLUNetwork, keep: tuple[bool, ...]) -> tuple[Fraction, Fraction]:
    """The values at 1 and -1."""
    ends = []
    for x in (1, -1):
        value = sum(
            (
                Fraction(float(a)) * max(Fraction(float(w[0])) * x, Fraction(0))
                for w, a, kept in zip(net.hidden, net.output, keep, strict=True)
                if kept
            ),
            Fraction(0),
        )
        ends.append(max(value, Fraction(0)) if net.readout == "relu" else value)
    return ends[0], ends[1]


def wrong(rng: np.random.Generator) -> Iterator[str]:
    """What the answers to one instance claim that is not so."""
    net, target = network(rng, int(rng.integers(0, 5))), network(rng, int(rng.integers(0, 3)))
    if rng.random() < 0.2 and net.width:
        target = net.prefix(net.width - 1)
    radius = [1.0, 2.0, 5e-324, 1e-323, 3.5e-320, 1e-310, 1e-200, 0.3, 1e150][rng.integers(9)]
    rtol = [0.0, 1e-15, 1e-6][rng.integers(3)]
    f = slopes(target, (True,) * target.width)
    errors = []
    for keep in itertools.product((True, False), repeat=net.width):
        g = slopes(net, keep)
        errors.append(max(abs(a - b) for a, b in zip(g, f, strict=True)) * Fraction(radius))
    own, best = errors[0], min(errors)

    e = slth.certify(net, target, radius=radius, rtol=rtol)
    yield from _enclosure("certify", e, own, radius)
    mass = sum(abs(n.output) @ abs(n.hidden[:, 0]) for n in (net, target))
    noise = 1.0001e-13 * mass * radius
    if e.status == "closed" and not (e.gap <= rtol * e.upper or e.upper <= noise):
        yield f"certify closed at {e.lower!r} .. {e.upper!r}"
    many = slth.certify_many([net], target, radius=radius, rtol=rtol)[0]
    yield from _enclosure("certify_many", many, own, radius)

    near = float(min(best, Fraction(1e300)))
    for eps in (None, near) if near > 0.0 else (None,):
        for verb in (slth.prune_neurons, slth.prune_weights):
            s = verb(net, target, radius=radius, eps=eps, time_limit=0.1)
            yield from _solution(verb.__name__, s, net, f, best, radius, eps)


def _enclosure(name: str, e: slth.Enclosure, exact: Fraction, radius: float) -> Iterator[str]:
    if Fraction(e.lower) > exact:
        yield f"{name} lower {e.lower!r} above {float(exact)!r}"
    if e.upper < np.inf and Fraction(e.upper) < exact:
        yield f"{name} upper {e.upper!r} below {float(exact)!r}"
    if e.witness is not None and abs(float(e.witness[0])) > radius:
        yield f"{name} witness outside"


def _solution(
    name: str,
    s: slth.Solution,
    net: slth.ReLUNetwork,
    f: tuple[Fraction, Fraction],
    best: Fraction,
    radius: float,
    eps: float | None,
) -> Iterator[str]:
    keep = tuple((s.mask.output & s.mask.hidden[:, 0]).tolist())
    g = slopes(net, keep)
    error = max(abs(a - b) for a, b in zip(g, f, strict=True)) * Fraction(radius)
    yield from _enclosure(name, s.error, error, radius)
    if Fraction(s.bound) > best:
        yield f"{name} bound {s.bound!r} above {float(best)!r}"
    # The tolerance of "optimal" is a fraction 1e-5 of the error.
    if s.status == "optimal" and error * (1 - Fraction(1, 10**5)) > best:
        yield f"{name} optimal at {float(error)!r}, best {float(best)!r}"
    if eps is not None and s.status == "reached" and error > Fraction(eps):
        yield f"{name} reached {float(error)!r} > {eps!r}"
    if eps is not None and s.status == "refuted" and best <= Fraction(eps):
        yield f"{name} refuted {eps!r}, best {float(best)!r}"


def campaign(count: int, seed: int) -> Counter[str]:
    """How many claims of each kind were wrong, of so many instances."""
    found: Counter[str] = Counter()
    for trial in range(count):
        rng = np.random.default_rng([seed, trial])
        for what in wrong(rng):
            found[what.split()[0]] += 1
            print(f"WRONG {seed} {trial}: {what}", flush=True)
        if trial % 100 == 99:
            print(f"{trial + 1} instances", flush=True)
    return found


if __name__ == "__main__":
    COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(f"{COUNT} instances, wrong claims: {dict(campaign(COUNT, SEED)) or 0}")
