"""Certified enclosures of 10,000 random and adversarial differences against exact suprema.

`python -m benchmarks soundness`. d = 1, 2, 3, linear readouts, few units: the supremum is known
in exact rationals, as the largest distance of a vertex of one zonotope to the other
(tests/certify/oracles).
"""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np

import slth
from benchmarks.table import show
from slth.network import FloatArray
from tests.certify.oracles import objective, supremum_squared

_INSTANCES = 10_000
# Differences that nearly cancel stay open at any limit: rounding decides.
_SECONDS = 0.3


def _random(generator: np.random.Generator, width: int, d: int) -> tuple[FloatArray, FloatArray]:
    return generator.standard_normal((width, d)), generator.standard_normal(width)


def _parallel(generator: np.random.Generator, width: int, d: int) -> tuple[FloatArray, FloatArray]:
    hidden, output = _random(generator, width, d)
    hidden[1:] = hidden[0] * generator.choice([-2.0, -1.0, 0.3, 1.0, 3.0], (width - 1, 1))
    return hidden, output


def _duplicate(generator: np.random.Generator, width: int, d: int) -> tuple[FloatArray, FloatArray]:
    hidden, output = _random(generator, width, d)
    hidden[width // 2 :] = hidden[: width - width // 2]
    return hidden, output


def _zero(generator: np.random.Generator, width: int, d: int) -> tuple[FloatArray, FloatArray]:
    hidden, output = _random(generator, width, d)
    hidden[generator.random(width) < 0.4] = 0.0
    output[generator.random(width) < 0.2] = 0.0
    return hidden, output


def _scales(generator: np.random.Generator, width: int, d: int) -> tuple[FloatArray, FloatArray]:
    hidden, output = _random(generator, width, d)
    hidden *= 10.0 ** generator.integers(-60, 60, (width, 1))
    return hidden, output * 10.0 ** generator.integers(-60, 60, width)


def _cancelling(
    generator: np.random.Generator, width: int, d: int
) -> tuple[FloatArray, FloatArray]:
    hidden, output = _random(generator, width, d)
    half = width // 2
    nudge = 10.0 ** generator.integers(-15, -3) * generator.standard_normal((half, d))
    hidden[half : 2 * half] = hidden[:half] + nudge
    output[half : 2 * half] = -output[:half]
    return hidden, output


_FAMILIES = (_random, _parallel, _duplicate, _zero, _scales, _cancelling)


def main(instances: int = _INSTANCES) -> None:
    """One row a family: instances, closed, violations (must be 0)."""
    rows = []
    for family in _FAMILIES:
        count = -(-instances // len(_FAMILIES))
        closed = violations = 0
        started = time.process_time()
        for k in range(count):
            generator = np.random.default_rng([k, _FAMILIES.index(family)])
            d, width = 1 + k % 3, int(generator.integers(2, 6))
            hidden, output = family(generator, width, d)
            cut = int(generator.integers(1, width + 1))
            net = slth.ReLUNetwork(hidden[:cut], output[:cut])
            target = slth.ReLUNetwork(hidden[cut:], -output[cut:])
            exact = max(supremum_squared(objective(sign * output, hidden)) for sign in (1, -1))
            enclosure = slth.certify(net, target, time_limit=_SECONDS)
            closed += enclosure.status == "closed"
            below, above = Fraction(enclosure.lower) ** 2, Fraction(enclosure.upper) ** 2
            violations += not below <= exact <= above
        rows.append((family.__name__[1:], count, closed, violations, time.process_time() - started))
    headings = ("family", "instances", "closed", "violations", "CPU s")
    show("certified enclosures against exact suprema, d = 1, 2, 3", headings, rows)


if __name__ == "__main__":
    main()
