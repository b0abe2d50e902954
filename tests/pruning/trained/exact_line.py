"""The exact largest difference of two networks of one input on an interval, in rationals.

Between two neighbouring breaks every unit of a layer is a line; where one crosses 0 is a new break.
At the end the difference is a line between breaks, so its largest size is at one of them.
"""

from fractions import Fraction
from itertools import pairwise

import numpy as np


def fractions_of(array):
    return [[Fraction(float(entry)) for entry in row] for row in np.atleast_2d(array)]


def layers_of(network):
    """[(matrix, bias)] in rationals, of dense layers with a ReLU between them."""
    return [
        (fractions_of(step.matrix), fractions_of(step.bias)[0]) for step in network.affine_maps()
    ]


def _affine(layer, values):
    matrix, bias = layer
    return [
        sum((w * v for w, v in zip(row, values, strict=True)), b)
        for row, b in zip(matrix, bias, strict=True)
    ]


def _values(layers, x):
    """Before the ReLU of every layer, the outputs last."""
    found, values = [], [x]
    for layer in layers:
        values = _affine(layer, values)
        found.append(values)
        values = [max(value, Fraction(0)) for value in values]
    return found


def breaks_of(layers, points):
    """Breaks of all hidden units, in order, from those that are given."""
    for depth in range(len(layers) - 1):
        crossings = set(points)
        for left, right in pairwise(sorted(points)):
            ends = _values(layers, left)[depth], _values(layers, right)[depth]
            for a, b in zip(*ends, strict=True):
                if a * b < 0:
                    crossings.add(left + (right - left) * a / (a - b))
        points = sorted(crossings)
    return points


def largest_difference(one, other, low, high):
    """sup over [low, high] of max_i |one_i - other_i|."""
    first, second = layers_of(one), layers_of(other)
    ends = [Fraction(low), Fraction(high)]
    points = set(breaks_of(first, ends)) | set(breaks_of(second, ends))
    return max(
        abs(a - b)
        for x in points
        for a, b in zip(_values(first, x)[-1], _values(second, x)[-1], strict=True)
    )


def fewest(errors, eps):
    """The fewest parts that are kept within eps. errors: {kept as a tuple: the exact error}."""
    return min(sum(flags) for flags, error in errors.items() if error <= Fraction(eps))
