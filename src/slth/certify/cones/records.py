"""The arrays of the compiled search over cones, by name."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from slth.network import FloatArray
from slth.rounding.outward import UNIT


class Parts(NamedTuple):
    """An objective as convex minus concave units.

    Attributes:
        linear: float64 [K, d].
        rising, rising_weights: float64 [MP, d], [K, MP] >= 0, the convex units.
        falling, falling_weights: float64 [MN, d], [K, MN] >= 0, the concave ones.
        norms: float64 [MN], squared norms of the concave units' rows, without their last entry
            where the place is flat.
    """

    linear: FloatArray
    rising: FloatArray
    rising_weights: FloatArray
    falling: FloatArray
    falling_weights: FloatArray
    norms: FloatArray


# Columns of `Levels.numbers`: the weight of the first piece; a proven bound; by what the sum of two
# generators was scaled to the new one; from here on the new one, and the convex part's pieces
# there.
SHARE, BOUND, SCALE, MIDDLE = 0, 1, 2, 3
# Columns of `Levels.counts`: open convex and concave units; how many children were looked at, -1
# before the cone itself was; from here on the two generators that the new one replaces, in turn.
OPEN_P, OPEN_N, DONE, EDGE = 0, 1, 2, 3


class Levels(NamedTuple):
    """One cone a level, each a child of the one above, and what is known of it.

    Not nested, and no more arrays than must be: kernels hand all of them to each other, which is a
    good part of what a small cone costs.

    Attributes:
        V, B: float64 [levels, d, d], generators and their dual basis.
        PV: float64 [levels, K, d], the convex part at the generators.
        TP, TN: float64 [levels, d, .], inner products of the open convex and concave units with the
            generators. midP, midN: float64 [levels, .], the same at the one that splits the cone.
        indexP, indexN: int64 [levels, .], which units are open.
        linP, linN: float64 [levels, K, d], what the units of constant sign sum up to.
        points: float64 [levels, d], the relaxation's point in terms of the generators.
        numbers: float64 [levels, 3 + d + K]; counts: int64 [levels, 5].
        scratch: float64 [6, units], by open unit: tau first, then what a kernel needs.
        kept: int64 [units], which of a cone's open units stay open in a child.
    """

    V: FloatArray
    B: FloatArray
    PV: FloatArray
    TP: FloatArray
    TN: FloatArray
    midP: FloatArray  # noqa: N815 (P and N as in the mathematics)
    midN: FloatArray  # noqa: N815
    indexP: np.ndarray  # noqa: N815
    indexN: np.ndarray  # noqa: N815
    linP: FloatArray  # noqa: N815
    linN: FloatArray  # noqa: N815
    points: FloatArray
    numbers: FloatArray
    counts: np.ndarray
    scratch: FloatArray
    kept: np.ndarray


class Left(NamedTuple):
    """What a search leaves over, and its best point.

    cones: float64 [., d, d], generators; facts: float64 [., 3], (bound, weight, depth) of each;
    point: float64 [d].
    """

    cones: FloatArray
    facts: FloatArray
    point: FloatArray


class OpenCone(NamedTuple):
    """The cone to search: generators and their dual basis [d, d], the weight of the first piece, a
    bound, how many splits it is away from a root."""

    cone: FloatArray
    basis: FloatArray
    share: float
    bound: float
    depth: int


class Cutoff(NamedTuple):
    """The best value known; what need not be told apart from it; how many nodes may be looked
    at."""

    best: float
    rtol: float
    floor: float
    budget: int


class Rules(NamedTuple):
    """What holds for all cones of a place.

    flat: of `Place`; ball: whether it lies in the unit ball. sums, level, displaced, affine: what
    rounding may change (docs/certify.md, "Rounding") in a bound, more with each level, in a point
    at each split, and in an affine function relative to its size.
    """

    flat: bool
    ball: bool
    sums: float
    level: float
    displaced: float
    affine: float


class Cut(NamedTuple):
    """What a cone's bound has to come below, and the outward terms in it."""

    cut: float
    error: float
    displaced: float
    affine: float


@njit(cache=True, nogil=True)
def rules_of(width, d, reach, flat, ball):
    """The rules for a Lipschitz bound below 2. reach: a bound of the generators' norms."""
    # Of a point at one split, in units of 2u: a midpoint, normalised if not flat.
    displacement = 8.0 * math.sqrt(d) if flat else 4.0
    return Rules(
        flat,
        ball,
        reach * 2.0 * UNIT * (4 * width + 16 * d + 64 + 2 * math.sqrt(d) * (d + 4)),
        reach * 2.0 * UNIT * 14 * math.sqrt(d),
        2.0 * UNIT * displacement,
        reach * 2.0 * UNIT * 4 * (d + 4),
    )


@njit(cache=True, nogil=True)
def parts_of(linear, coefficients, hidden, flat):
    """The objective split by the signs of its units' coefficients."""
    rising, rising_weights, _ = _of_sign(coefficients, hidden, 1.0, flat)
    falling, falling_weights, norms = _of_sign(coefficients, hidden, -1.0, flat)
    return Parts(linear, rising, rising_weights, falling, falling_weights, norms)


@njit(cache=True, nogil=True)
def _of_sign(coefficients, hidden, sign, flat):
    """The units with coefficients of one sign, their magnitudes (0 where a piece has the other
    sign), and their squared norms."""
    pieces, width = coefficients.shape
    d = hidden.shape[1]
    inputs = d - 1 if flat else d
    rows = np.empty((width, d))
    weights = np.zeros((pieces, width))
    norms = np.zeros(width)
    count = 0
    for i in range(width):
        used = False
        for k in range(pieces):
            weight = max(0.0, sign * coefficients[k, i])
            weights[k, count] = weight
            used = used or weight > 0.0
        if used:
            for l in range(d):
                rows[count, l] = hidden[i, l]
            for l in range(inputs):
                norms[count] += hidden[i, l] * hidden[i, l]
            count += 1
    return rows[:count].copy(), weights[:, :count].copy(), norms[:count].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def mixed(weights, i, share):
    """A unit's weight in the combination of the pieces."""
    c = share * weights[0, i]
    if weights.shape[0] == 2:
        c += (1.0 - share) * weights[1, i]
    return c


@njit(cache=True, nogil=True)
def working_memory(levels, parts):
    """What an explorer needs for that many levels: (Levels, Left)."""
    pieces, d = parts.linear.shape
    rising, falling = parts.rising.shape[0], parts.falling.shape[0]
    memory = Levels(
        np.empty((levels, d, d)),
        np.empty((levels, d, d)),
        np.empty((levels, pieces, d)),
        np.empty((levels, d, rising + 1)),
        np.empty((levels, d, falling + 1)),
        np.empty((levels, rising + 1)),
        np.empty((levels, falling + 1)),
        np.empty((levels, rising + 1), np.int64),
        np.empty((levels, falling + 1), np.int64),
        np.empty((levels, pieces, d)),
        np.empty((levels, pieces, d)),
        np.zeros((levels, d)),
        np.empty((levels, 3 + d + pieces)),
        np.empty((levels, 5), np.int64),
        np.empty((6, rising + falling + 1)),
        np.empty(rising + falling + 1, np.int64),
    )
    # Once twice as many as levels are left over nothing is descended into: two a level are added.
    left = Left(np.empty((4 * levels + 4, d, d)), np.empty((4 * levels + 4, 3)), np.empty(d))
    return memory, left
