"""Functionals that do not see polynomials but see the kink of |t|: divided differences at the
points where the best polynomial approximation of |t| alternates.

For 0 = s_0 < ... < s_n = 1 and w_k = 1 / prod_{l != k} (s_k - s_l), the functional
p -> sum_k w_k p(s_k) / sum_k |w_k| vanishes on polynomials of degree < n in s = t^2, so on all even
and odd polynomials of degree < 2n when it is spread over +-t_k, t_k = sqrt(s_k). Its value on |t|
is a lower bound on E_{2n-1}(|t|; [-1, 1]) (de la Vallee-Poussin), equal to it at the points of
alternation. The points are found by Remez' exchange in floats, and that they are good is not taken
on trust: the value is evaluated at the points found.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from flint import arb
from numpy.typing import NDArray

from slth.theory.arithmetic import precision, total

# Remez from here on converges in fewer rounds than this for every n up to 128.
_ROUNDS = 12
# Samples of the error between two neighbours of a point; the maximum is then met to 1e-5 of it.
_SAMPLES = 200


@lru_cache(maxsize=256)
def alternation(n: int) -> tuple[float, ...]:
    """n + 1 points in [0, 1] near those where sqrt(s) minus its best polynomial of degree n - 1
    alternates; the first is 0, the last 1."""
    # The points in t = sqrt(s) crowd near the kink like 1/n, not like Chebyshev's 1/n^2 in s.
    angle = np.arange(n + 1) / n
    points = np.sin(0.5 * math.pi * angle) ** 2
    for _ in range(_ROUNDS):
        points = _exchange(points)
    return tuple(points.tolist())


def _exchange(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """One round: level the error at the points, then move each to the extremum beside it."""
    count = points.shape[0]
    signs = (-1.0) ** np.arange(count)
    weights = signs * _magnitudes(points)
    level = float(weights @ np.sqrt(points) / np.abs(weights).sum())
    values = np.sqrt(points) - level * signs
    middle = count // 2
    others = np.arange(count) != middle
    barycentric = (weights * (points - points[middle]))[others]
    roots = np.sqrt(points)
    moved = points.copy()
    for i in range(1, count - 1):
        s = np.linspace(roots[i - 1], roots[i + 1], _SAMPLES + 2)[1:-1] ** 2
        gaps = s[:, None] - points[None, others]
        near = gaps == 0.0
        gaps[near] = 1.0
        shares = barycentric / gaps
        error = np.sqrt(s) - (shares @ values[others]) / shares.sum(axis=1)
        error[near.any(axis=1)] = level * signs[i]
        moved[i] = s[int(np.argmax(error * signs[i] * math.copysign(1.0, level)))]
    return moved


def _magnitudes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps = np.abs(points[:, None] - points[None, :])
    np.fill_diagonal(gaps, 1.0)
    logs = -np.log(gaps).sum(axis=1)
    return np.exp(logs - logs.max())


def divided_difference(squares: list[arb]) -> list[arb]:
    """The weights w_k / sum |w_l| at those (distinct, increasing) points: total variation 1."""
    weights = []
    for k, s in enumerate(squares):
        product = arb(1)
        for other, r in enumerate(squares):
            if other != k:
                product *= s - r
        weights.append(1 / product)
    size = total(abs(w) for w in weights)
    return [w / size for w in weights]


@lru_cache(maxsize=256)
def kink_distance(m: int) -> arb:
    """A lower bound on kappa_m = E_{m-1}(|t|; [-1, 1]) / 4, the distance of relu from the
    polynomials of degree below m on [-1/2, 1/2]; m even, >= 2."""
    # The weights of degree m / 2 nearly cancel: about 2 bits are lost for each point.
    with precision(128 + 4 * m):
        squares = [arb(s) for s in alternation(m // 2)]
        weights = divided_difference(squares)
        value = total(w * s.sqrt() for w, s in zip(weights, squares, strict=True))
        return abs(value).lower() / 4
