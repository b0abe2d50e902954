"""Certified enclosures of 20,000 random and adversarial differences against exact suprema.

`python -m benchmarks.soundness [LINEAR [RELU [FURTHER]]]`, how many instances with linear readouts,
how many for each pair of readouts with a ReLU, both with d = 1, 2, 3, and how many with linear
readouts and d = 5, 6, 7, 9. Few units: the supremum is known in exact rationals. For linear
readouts it is the largest distance of a vertex of one zonotope to the other, else the largest value
at the projections of gradients onto all faces of the arrangement of the units
(tests/certify/oracles). Goes on from LEDGER (ledger.py).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np

import slth
from benchmarks.ledger import Ledger
from benchmarks.table import show
from slth.network import FloatArray, Readout
from tests.certify.oracles import difference_squared, objective, supremum_squared

_INSTANCES = 10_000, 3_000, 900
_SMALL, _FURTHER = (1, 2, 3), (5, 6, 7, 9)
# Units of a further instance at most: the exact supremum takes some 4^units operations.
_MOST_UNITS = 6
_PAIRS: tuple[tuple[Readout, Readout], ...] = (
    ("relu", "linear"),
    ("linear", "relu"),
    ("relu", "relu"),
)
# Differences that nearly cancel can stay open at any limit: rounding decides.
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


def _lattice(generator: np.random.Generator, width: int, d: int) -> tuple[FloatArray, FloatArray]:
    """Small integers: planes that meet in one line, ties, exact zeros."""
    hidden = generator.integers(-2, 3, (width, d)).astype(np.float64)
    return hidden, generator.integers(-3, 4, width).astype(np.float64)


def _subnormal(generator: np.random.Generator, width: int, d: int) -> tuple[FloatArray, FloatArray]:
    """Weights that are subnormal numbers, or nearly, and outputs that need not make up for it."""
    hidden, output = _random(generator, width, d)
    output *= 10.0 ** generator.choice([0, 0, 150, 300])
    return hidden * 10.0 ** generator.integers(-322, -290, (width, 1)), output


def _rewritten(generator: np.random.Generator, width: int, d: int) -> tuple[FloatArray, FloatArray]:
    """A network minus itself, rewritten, units permuted: the supremum is 0 but for rounding."""
    hidden, output, _ = _copied(generator, width, d)
    order = generator.permutation(len(output))
    return hidden[order], output[order]


def _copied(
    generator: np.random.Generator, width: int, d: int
) -> tuple[FloatArray, FloatArray, int]:
    """Units, their negated copies, and how many units. A copy is cut in two and scaled by a factor
    that its output weight is divided by, a power of two or not."""
    hidden, output = _random(generator, max(1, width // 2), d)
    copies, weights = [*hidden], [*output]
    for w, c in zip(hidden, output, strict=True):
        factor = float(2.0 ** generator.integers(-9, 9) * generator.choice([1.0, 1.3]))
        share = float(generator.choice([1.0, 0.5, 0.3]))
        copies += [w * factor, w / factor]
        weights += [-share * c / factor, -(1.0 - share) * c * factor]
    return np.array(copies), np.array(weights), len(output)


_FAMILIES = (
    _random,
    _parallel,
    _duplicate,
    _zero,
    _scales,
    _cancelling,
    _lattice,
    _subnormal,
    _rewritten,
)


def _certify(number: int, k: int, dimensions: tuple[int, ...]) -> list[bool]:
    """Instance k of a family with linear readouts, judged."""
    generator = np.random.default_rng([k, number])
    d = dimensions[k % len(dimensions)]
    hidden, output = _FAMILIES[number](generator, int(generator.integers(2, 6)), d)
    if dimensions is _FURTHER:
        hidden, output = hidden[:_MOST_UNITS], output[:_MOST_UNITS]
    cut = int(generator.integers(1, len(output) + 1))
    net = slth.ReLUNetwork(hidden[:cut], output[:cut])
    target = slth.ReLUNetwork(hidden[cut:], -output[cut:])
    exact = max(supremum_squared(objective(sign * output, hidden)) for sign in (1, -1))
    return _judged(net, target, exact)


def _certify_pair(number: int, k: int, readouts: tuple[Readout, Readout]) -> list[bool]:
    """Instance k of a family with these readouts, judged.

    A rewritten network stays whole here: where both readouts are equal the supremum is nearly 0.
    """
    generator = np.random.default_rng([k, number, 1 + _PAIRS.index(readouts)])
    width, d = int(generator.integers(2, 7)), 1 + k % 3
    if _FAMILIES[number] is _rewritten:
        hidden, output, cut = _copied(generator, width, d)
    else:
        hidden, output = _FAMILIES[number](generator, width, d)
        cut = int(generator.integers(1, len(output) + 1))
    net = slth.ReLUNetwork(hidden[:cut], output[:cut], readouts[0])
    target = slth.ReLUNetwork(hidden[cut:], -output[cut:], readouts[1])
    return _judged(net, target, difference_squared(net, target))


def _judged(net: slth.ReLUNetwork, target: slth.ReLUNetwork, exact: Fraction) -> list[bool]:
    """Whether a difference is closed, violated, (nearly) 0, and certified as that."""
    enclosure = slth.certify(net, target, time_limit=_SECONDS)
    held = Fraction(enclosure.lower) ** 2 <= exact <= Fraction(enclosure.upper) ** 2
    nearly_zero = exact < Fraction(1e-13) ** 2
    closed = enclosure.status is slth.Status.CLOSED
    return [closed, not held, nearly_zero, nearly_zero and enclosure.upper < 1e-9]


def main(
    linear: int = _INSTANCES[0], relu: int = _INSTANCES[1], further: int = _INSTANCES[2]
) -> None:
    """One row a family and pair of readouts: instances, closed, violations (must be 0)."""
    ledger = Ledger("soundness")
    for dimensions, instances in ((_SMALL, linear), (_FURTHER, further)):
        _table(
            f"d = {', '.join(map(str, dimensions))}, linear readouts",
            instances,
            lambda number, k, dimensions=dimensions: ledger.once(
                (dimensions, number, k), lambda: _certify(number, k, dimensions)
            ),
        )
    for pair in _PAIRS:
        _table(
            "d = 1, 2, 3, readouts {} and {}".format(*pair),
            relu,
            lambda number, k, pair=pair: ledger.once(
                (*pair, number, k), lambda: _certify_pair(number, k, pair)
            ),
        )


def _table(title: str, instances: int, judge: Callable[[int, int], list[bool]]) -> None:
    rows = []
    for number, family in enumerate(_FAMILIES):
        count = -(-instances // len(_FAMILIES))
        started = time.process_time()
        done = [judge(number, k) for k in range(count)]
        sums = map(sum, zip(*done, strict=True))
        rows.append((family.__name__[1:], count, *sums, time.process_time() - started))
        print(title, *rows[-1], file=sys.stderr, flush=True)
    headings = ("family", "instances", "closed", "violations", "sup < 1e-13", "certified < 1e-9")
    title = f"certified enclosures against exact suprema, {title}"
    show(title, (*headings, "CPU s"), rows)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
