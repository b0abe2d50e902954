"""The oracle: networks along one coordinate, in exact rationals.

On a box of which all sides but one are points, a network is piecewise linear in one number t. Its
breaks are found layer by layer: where an argument of an activation is 0 between two breaks known so
far. The largest difference of two networks is attained at a break of one of them or at an end.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from slth.deep import Activate, DeepNetwork, Skip
from slth.layers import AffineMap


def exact_values(network: DeepNetwork, x) -> list[Fraction]:
    """The outputs at an exact point."""
    return _run(network.steps, [Fraction(v) for v in x], None)


def _run(steps, values, arguments):
    for step in steps:
        if isinstance(step, AffineMap):
            matrix = step.matrix if isinstance(step.matrix, np.ndarray) else step.matrix.toarray()
            values = [
                sum(
                    (Fraction(w) * h for w, h in zip(row, values, strict=True) if w),
                    Fraction(float(b)),
                )
                for row, b in zip(matrix.tolist(), step.bias, strict=True)
            ]
        elif isinstance(step, Activate):
            if arguments is not None:
                arguments.extend(values)
            slope = Fraction(step.slope)
            values = [max(v, slope * v) for v in values]
        elif isinstance(step, Skip):
            inner = _run(step.body, values, arguments)
            values = [a + b for a, b in zip(values, inner, strict=True)]
    return values


def _breaks(network, point, low: Fraction, high: Fraction) -> list[Fraction]:
    """Where the network bends between low and high, with the ends. point: t -> x."""

    def arguments(t):
        found: list[Fraction] = []
        _run(network.steps, point(t), found)
        return found

    breaks = [low, high]
    count = len(arguments(low))
    # The arguments of an activation are linear between the breaks of those before it.
    for k in range(count):
        values = [arguments(t)[k] for t in breaks]
        more = []
        for (s, a), (t, b) in pairwise(zip(breaks, values, strict=True)):
            if a * b < 0:
                more.append(s + (t - s) * a / (a - b))
        breaks = sorted({*breaks, *more})
    return breaks


def exact_supremum(net, target, low, high) -> Fraction:
    """sup max_i |net_i - target_i| on a box with one side that is not a point."""
    (axis,) = np.flatnonzero(np.asarray(low) < np.asarray(high))
    fixed = [Fraction(float(v)) for v in low]

    def point(t):
        return [t if k == axis else v for k, v in enumerate(fixed)]

    ends = Fraction(float(low[axis])), Fraction(float(high[axis]))
    breaks = {t for network in (net, target) for t in _breaks(network, point, *ends)}
    best = Fraction(0)
    for t in sorted(breaks):
        pairs = zip(exact_values(net, point(t)), exact_values(target, point(t)), strict=True)
        best = max([best, *(abs(a - b) for a, b in pairs)])
    return best
