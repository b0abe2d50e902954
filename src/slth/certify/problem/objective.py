"""The supremum of |g - f| as a few problems "maximise a minimum of piecewise-linear functions".

Write g = rho_g(G), f = rho_f(F) with linear-readout networks G, F. Then the supremum of |g - f| is
the largest of the suprema of

    linear, linear:   G - F;  F - G
    relu,   linear:   G - F;  -F;  min(F - G, F)
    linear, relu:     F - G;  -G;  min(G - F, G)
    relu,   relu:     min(G - F, G);  min(F - G, F)

(and 0): for the relu readout max(G, 0) - F = max(G - F, -F) and F - max(G, 0) = min(F - G, F);
for two, max(G, 0) - max(F, 0) is at most 0 where G <= 0 and equals min(G - F, G) where G > 0,
while min(G - F, G) <= 0 where G <= 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.network import FloatArray, ReLUNetwork
from slth.rounding.outward import TINY, UNIT

# Two unit directions closer than this are merged; what that changes is charged to the slack.
_PARALLEL = 2.0**-48

# The rows (alpha, beta) of each problem's functions alpha * G + beta * F, by the two readouts.
COMBINATIONS: dict[tuple[str, str], tuple[tuple[tuple[int, int], ...], ...]] = {
    ("linear", "linear"): (((1, -1),), ((-1, 1),)),
    ("linear", "relu"): (((-1, 1),), ((-1, 0),), ((1, -1), (1, 0))),
    ("relu", "linear"): (((1, -1),), ((0, -1),), ((-1, 1), (0, 1))),
    ("relu", "relu"): (((1, -1), (1, 0)), ((-1, 1), (0, 1))),
}


# The same as arrays, by `kind_of`: float64 [4, 3, 2, 2], and how many rows each problem has, int64
# [4, 3] (0: there is no such problem).
SIGNS = np.zeros((4, 3, 2, 2))
PIECES = np.zeros((4, 3), np.int64)


def kind_of(net: ReLUNetwork, target: ReLUNetwork) -> int:
    """Which of `SIGNS` their readouts call for."""
    return 2 * (net.readout == "relu") + (target.readout == "relu")


for _kind, _problems in enumerate(COMBINATIONS.values()):
    for _problem, _rows in enumerate(_problems):
        SIGNS[_kind, _problem, : len(_rows)] = _rows
        PIECES[_kind, _problem] = len(_rows)


@dataclass(frozen=True)
class Objective:
    """Maximise min_k A_k(x) over the unit ball, A_k(x) = <linear[k], x>
    + sum_i coefficients[k, i] max(<hidden[i], x>, 0).

    Attributes:
        linear: float64 [K, d], K = 1 or 2.
        coefficients: float64 [K, M].
        hidden: float64 [M, d]: non-zero rows, no two parallel or antiparallel, each scaled by a
            power of two so that its largest entry in magnitude lies in [1, 2).
        slack: every A_k differs from the function it stands for by at most this on the unit ball
            (0.0 when no parallel units had to be merged inexactly).
    """

    linear: FloatArray
    coefficients: FloatArray
    hidden: FloatArray
    slack: float


def objectives(net: ReLUNetwork, target: ReLUNetwork) -> list[Objective]:
    """The problems whose largest supremum (or 0) is sup |net - target| over the unit ball."""
    reduced = reduce_units(*stacked(net, target))
    return [
        _without_idle_pieces(Objective(*one_problem(*reduced, np.array(rows, dtype=np.float64))))
        for rows in COMBINATIONS[net.readout, target.readout]
    ]


def _without_idle_pieces(problem: Objective) -> Objective:
    """The problem without a piece that is nowhere below the other; without units if a piece is
    nowhere above 0, since then so is the minimum."""
    linear, coefficients = problem.linear, problem.coefficients
    if len(linear) == 2 and (linear[0] == linear[1]).all():
        if (coefficients[0] <= coefficients[1]).all():
            linear, coefficients = linear[:1], coefficients[:1]
        elif (coefficients[0] >= coefficients[1]).all():
            linear, coefficients = linear[1:], coefficients[1:]
    idle = ((linear == 0.0).all(axis=1) & (coefficients <= 0.0).all(axis=1)).any()
    used = np.zeros(len(problem.hidden), np.bool_) if idle else (coefficients != 0.0).any(axis=0)
    return Objective(linear, coefficients[:, used], problem.hidden[used], problem.slack)


def stacked(net: ReLUNetwork, target: ReLUNetwork) -> tuple[FloatArray, FloatArray]:
    """The units of both, float64 [M, d], and [2, M] the weights of each in G and in F."""
    hidden = np.concatenate([net.hidden, target.hidden])
    split = np.zeros((2, hidden.shape[0]))
    split[0, : net.width] = net.output
    split[1, net.width :] = target.output
    return hidden, split


@njit(cache=True, nogil=True)
def one_problem(linear, split, hidden, slack, signs):
    """The problem min_k signs[k, 0] G + signs[k, 1] F of reduced units, as `Objective` has it."""
    pieces, d = signs.shape[0], hidden.shape[1]
    coefficients = np.empty((pieces, hidden.shape[0]))
    used = np.empty(hidden.shape[0], np.int64)
    count = 0
    rounding = 0.0
    for i in range(hidden.shape[0]):
        largest = 0.0
        for k in range(pieces):
            coefficients[k, count] = signs[k, 0] * split[0, i] + signs[k, 1] * split[1, i]
            largest = max(largest, abs(coefficients[k, count]))
        if largest == 0.0:
            continue
        used[count] = i
        count += 1
        if split[0, i] != 0.0 and split[1, i] != 0.0:
            for l in range(d):
                rounding += 2.0 * UNIT * largest * abs(hidden[i, l])
    pieces_linear = np.zeros((pieces, d))
    for k in range(pieces):
        for l in range(d):
            pieces_linear[k, l] = signs[k, 0] * linear[0, l] + signs[k, 1] * linear[1, l]
    for l in range(d):
        rounding += 2.0 * UNIT * (abs(linear[0, l]) + abs(linear[1, l]))
    return (
        pieces_linear,
        coefficients[:, :count].copy(),
        hidden[used[:count]],
        (slack + rounding) * (1.0 + 2.0**-40),
    )


@njit(cache=True, nogil=True)
def scale_units(hidden, split):
    """Drop dead units and scale each row's largest entry into [1, 2), output weights inversely.

    Returns (hidden [M', d], split [2, M'], mass = the sum of |split|); powers of two are exact
    unless a result is subnormal.
    """
    width, d = hidden.shape
    rows = np.empty((width, d))
    weights = np.empty((2, width))
    kept = 0
    mass = 0.0
    for i in range(width):
        largest = 0.0
        for l in range(d):
            largest = max(largest, abs(hidden[i, l]))
        if largest == 0.0 or (split[0, i] == 0.0 and split[1, i] == 0.0):
            continue
        exponent = math.frexp(largest)[1] - 1
        for l in range(d):
            rows[kept, l] = math.ldexp(hidden[i, l], -exponent)
        for k in range(2):
            weights[k, kept] = math.ldexp(split[k, i], exponent)
            mass += abs(weights[k, kept])
        kept += 1
    return rows[:kept].copy(), weights[:, :kept].copy(), mass


@njit(cache=True, nogil=True)
def reduce_units(hidden, split):
    """Drop dead units, scale the others and merge parallel and antiparallel ones.

    Returns (linear [2, d], split [2, M'], hidden [M', d], slack): within the slack on the unit
    ball, G and F are <linear[k], x> + sum_i split[k, i] relu(<hidden[i], x>), k = 0, 1.
    """
    rows, weights, mass = scale_units(hidden, split)
    count, d = rows.shape
    linear = np.zeros((2, d))
    slack = TINY * (1.0 + mass) * count * d
    if count < 2:
        return linear, weights, rows, slack
    signs, directions, order = _directions(rows)
    alive = np.ones(count, np.bool_)
    start = 0
    for end in range(1, count + 1):
        if end < count and _parallel(directions, order[end - 1], order[end]):
            continue
        if end - start > 1:
            slack += _merge(order[start:end], rows, weights, signs, alive, linear)
        start = end
    kept = 0
    for i in range(count):
        if alive[i]:
            copy_vector(rows[kept], rows[i])
            copy_vector(weights[:, kept], weights[:, i])
            kept += 1
    return linear, weights[:, :kept].copy(), rows[:kept].copy(), slack


@njit(cache=True, nogil=True)
def _directions(rows):
    """Each row's sign, its direction times that sign, and an order that has equal ones together."""
    count, d = rows.shape
    signs = np.empty(count)
    directions = np.empty((count, d))
    keys = np.zeros(count)
    for i in range(count):
        norm = 0.0
        for l in range(d):
            norm += rows[i, l] * rows[i, l]
        norm = math.sqrt(norm)
        signs[i] = 0.0
        for l in range(d):
            directions[i, l] = rows[i, l] / norm
            if signs[i] == 0.0 and abs(directions[i, l]) > 0.5 / math.sqrt(d):
                signs[i] = 1.0 if directions[i, l] > 0.0 else -1.0
        for l in range(d):
            directions[i, l] *= signs[i]
            # Equal directions have equal projections; a generic one separates the others.
            keys[i] += directions[i, l] * math.cos((l + 1.0) * 1.2345678)
    return signs, directions, np.argsort(keys, kind="mergesort")


@njit(cache=True, nogil=True)
def _parallel(directions, i, j):
    for l in range(directions.shape[1]):
        if abs(directions[i, l] - directions[j, l]) > _PARALLEL:
            return False
    return True


@njit(cache=True, nogil=True)
def _merge(members, hidden, split, signs, alive, linear):
    """Move the members' weights to the first of them, in place; return what that may change.

    relu(s t) = s relu(t), relu(-t) = relu(t) - t.
    """
    d = hidden.shape[1]
    first = members[0]
    for other in members:
        first = min(first, other)
    largest = 0
    length = 0.0
    for l in range(d):
        length += abs(hidden[first, l])
        if abs(hidden[first, l]) > abs(hidden[first, largest]):
            largest = l
    slack = 0.0
    for other in members:
        if other == first:
            continue
        alive[other] = False
        ratio = abs(hidden[other, largest] / hidden[first, largest])
        antiparallel = signs[other] != signs[first]
        signed = -ratio if antiparallel else ratio
        # Exact for copies: ratio = 1 and the difference vanishes.
        exact = ratio == 1.0
        change = 0.0
        for l in range(d):
            change += abs(hidden[other, l] - signed * hidden[first, l])
        if not exact:
            change += 4 * UNIT * ratio * length
        for k in range(2):
            weight = split[k, other]
            if weight == 0.0:
                continue
            moved = weight * ratio
            total = split[k, first] + moved
            back = total - split[k, first]
            rounding = abs((split[k, first] - (total - back)) + (moved - back))
            if not exact:
                rounding += UNIT * abs(moved)
            slack += abs(weight) * change + rounding * length
            split[k, first] = total
            if antiparallel:
                for l in range(d):
                    linear[k, l] -= moved * hidden[first, l]
                    slack += 2 * UNIT * abs(linear[k, l])
                slack += 2 * UNIT * abs(moved) * length
    return slack
