"""Second differences across one hyperplane: three-point certificates.

In the plane of unit vectors x0, u (x0 orthogonal to u) take x1, x2 at angles -alpha, beta from x0.
Then sin(beta) x1 + sin(alpha) x2 = sin(alpha + beta) x0, so with multipliers sin(beta),
sin(alpha), sin(alpha + beta) and signs (+, +, -) every unit that is linear on the cone of x1, x2
contributes 0, and a unit of jump j whose kink is at x0 contributes j sin(alpha) sin(beta).
For small alpha = beta the bound is j alpha / 4: Lemma 2 of the paper with its best constant.
"""

from __future__ import annotations

import numpy as np

from slth.network import FloatArray
from slth.pruning.neurons.dual import Certificate
from slth.pruning.neurons.problem import onto_sphere

_WIDEST = 1.4  # radians: beyond it the outer points stop helping


def kink_certificate(
    x0: FloatArray, u: FloatArray, left: float, right: float, sign: float
) -> Certificate:
    """The certificate with x1, x2 at tan(angle) = `left`, `right` from x0 (both > 0).

    Args:
        x0, u: float64 [d], orthonormal up to rounding.
        sign: +1.0 for residuals with a convex kink at x0 (a kept unit of positive output),
            -1.0 for concave ones (a target unit of positive output).
    """
    alpha = min(float(np.arctan(left)), _WIDEST)
    beta = min(float(np.arctan(right)), _WIDEST)
    points = np.stack(
        [
            np.cos(alpha) * x0 - np.sin(alpha) * u,
            np.cos(beta) * x0 + np.sin(beta) * u,
            x0,
        ]
    )
    multipliers = np.array([np.sin(beta), np.sin(alpha), np.sin(alpha + beta)])
    return Certificate(onto_sphere(points), sign * np.array([1.0, 1.0, -1.0]), multipliers)


def free_span(p: FloatArray, q: FloatArray, ranks: int = 1) -> tuple[FloatArray, FloatArray]:
    """How far from x0, as tangents, the nearest `ranks` kinks lie on either side.

    Args:
        p, q: float64 [n], <w_i, x0> and <w_i, u> of the hyperplanes that must not cut.

    Returns:
        left, right: ascending float64 [ranks'] with 1 <= ranks' <= ranks; inf where none is left.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        tangents = -p / q
    right = _smallest(tangents[tangents > 0.0], ranks)
    left = _smallest(-tangents[tangents < 0.0], ranks)
    return left, right


def _smallest(values: FloatArray, ranks: int) -> FloatArray:
    if values.size == 0:
        return np.array([np.inf])
    if values.size > ranks:
        values = np.partition(values, ranks - 1)[:ranks]
    return np.sort(values)
