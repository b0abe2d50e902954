"""Sums of floats in exact rationals, and instances whose sums cancel to far below a unit in the
last place of their terms."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def number(value):
    return Fraction(float(value))


def exact_dot(row, point):
    pairs = zip(np.asarray(row).tolist(), np.asarray(point).tolist(), strict=True)
    return sum((Fraction(w) * Fraction(h) for w, h in pairs), Fraction(0))


def cancelling_layer(seed):
    """(weight [5, n], x [n], bias [5]) with weight x + bias near 0."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(2, 40))
    weight = generator.standard_normal((5, size)) * 10.0 ** generator.integers(-8, 8, (5, size))
    x = generator.standard_normal(size) * 10.0 ** generator.integers(-8, 8, size)
    return weight, x, -(weight @ x)


def cancelling_row(seed):
    """(row [40], x [40]) with <row, x> near 0."""
    generator = np.random.default_rng(seed)
    row = generator.standard_normal(40) * 10.0 ** generator.integers(-6, 6, 40)
    x = generator.standard_normal(40) * 10.0 ** generator.integers(-6, 6, 40)
    row[-1] -= row @ x / x[-1]
    return row, x
