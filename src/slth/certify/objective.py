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

from dataclasses import dataclass

import numpy as np

from slth.certify.rounding import TINY, UNIT
from slth.network import FloatArray, ReLUNetwork

# Two unit directions closer than this are merged; what that changes is charged to the slack.
_PARALLEL = 2.0**-48

# The rows (alpha, beta) of each problem's functions alpha * G + beta * F, by the two readouts.
COMBINATIONS: dict[tuple[str, str], tuple[tuple[tuple[int, int], ...], ...]] = {
    ("linear", "linear"): (((1, -1),), ((-1, 1),)),
    ("relu", "linear"): (((1, -1),), ((0, -1),), ((-1, 1), (0, 1))),
    ("linear", "relu"): (((-1, 1),), ((-1, 0),), ((1, -1), (1, 0))),
    ("relu", "relu"): (((1, -1), (1, 0)), ((-1, 1), (0, 1))),
}


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
    hidden = np.concatenate([net.hidden, target.hidden])
    split = np.zeros((2, hidden.shape[0]))
    split[0, : net.width] = net.output
    split[1, net.width :] = target.output
    hidden, split, underflow = _scaled(hidden, split)
    linear, split, hidden, slack = _merged(hidden, split)
    slack += underflow
    problems = []
    for rows in COMBINATIONS[net.readout, target.readout]:
        signs = np.array(rows, dtype=np.float64)
        coefficients = signs @ split
        mixed = (split != 0.0).all(axis=0)
        rounding = 2 * UNIT * float(
            np.abs(coefficients[:, mixed]).max(axis=0, initial=0.0)
            @ np.abs(hidden[mixed]).sum(axis=1)
        ) + 2 * UNIT * float(np.abs(linear).sum())
        used = (coefficients != 0.0).any(axis=0)
        problems.append(
            Objective(
                signs @ linear,
                np.ascontiguousarray(coefficients[:, used]),
                np.ascontiguousarray(hidden[used]),
                (slack + rounding) * (1 + 2.0**-40),
            )
        )
    return problems


def _scaled(hidden: FloatArray, split: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Drop dead units and scale each row's largest entry into [1, 2), output weights inversely."""
    alive = (hidden != 0.0).any(axis=1) & (split != 0.0).any(axis=0)
    hidden, split = hidden[alive], split[:, alive]
    if hidden.shape[0] == 0:
        return hidden, split, 0.0
    exponent = np.frexp(np.abs(hidden).max(axis=1))[1] - 1
    scaled = np.ldexp(hidden, -exponent[:, None])
    coefficients = np.ldexp(split, exponent)
    # Powers of two are exact unless a result is subnormal.
    mass = float(np.abs(coefficients).sum())
    return scaled, coefficients, TINY * (1.0 + mass) * hidden.shape[0] * hidden.shape[1]


def _merged(
    hidden: FloatArray, split: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Merge parallel and antiparallel units: relu(s t) = s relu(t), relu(-t) = relu(t) - t.

    Returns (linear [2, d], split [2, M'], hidden [M', d], slack).
    """
    linear = np.zeros((2, hidden.shape[1]))
    if hidden.shape[0] < 2:
        return linear, split, hidden, 0.0
    norms = np.linalg.norm(hidden, axis=1)
    directions = hidden / norms[:, None]
    pivot = np.argmax(np.abs(directions) > 0.5 / np.sqrt(hidden.shape[1]), axis=1)
    signs = np.sign(directions[np.arange(len(pivot)), pivot])
    directions *= signs[:, None]
    # Equal directions have equal projections on any vector; a generic one separates the others.
    generic = np.cos(np.arange(1.0, hidden.shape[1] + 1) * 1.2345678)
    keys = directions @ generic
    order = np.argsort(keys, kind="stable")
    close = np.abs(np.diff(keys[order])) <= _PARALLEL
    close[close] = (
        np.abs(np.diff(directions[order], axis=0)[close]).max(axis=1, initial=0.0) <= _PARALLEL
    )
    group = np.concatenate([[0], np.cumsum(~close)])
    if group[-1] + 1 == hidden.shape[0]:
        return linear, split, hidden, 0.0
    split = split.copy()
    dropped = np.zeros(hidden.shape[0], dtype=bool)
    slack = 0.0
    starts = np.flatnonzero(np.concatenate([[True], ~close]))
    ends = np.append(starts[1:], hidden.shape[0])
    for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
        slack += _merge_group(np.sort(order[start:end]), hidden, split, signs, dropped, linear)
    return linear, split[:, ~dropped], hidden[~dropped], slack


def _merge_group(
    members: np.ndarray,
    hidden: FloatArray,
    split: FloatArray,
    signs: FloatArray,
    dropped: np.ndarray,
    linear: FloatArray,
) -> float:
    """Move all members' coefficients to the first one, in place; return what that may change."""
    first = members[0]
    row = hidden[first]
    largest = int(np.argmax(np.abs(row)))
    length = float(np.abs(row).sum())
    slack = 0.0
    for other in members[1:]:
        ratio = abs(hidden[other, largest] / row[largest])
        antiparallel = signs[other] != signs[first]
        image = -ratio * row if antiparallel else ratio * row
        # Exact for copies: ratio = 1 and the difference vanishes.
        exact = ratio == 1.0
        change = float(np.abs(hidden[other] - image).sum())
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
                linear[k] -= moved * row
                slack += 2 * UNIT * (abs(moved) * length + float(np.abs(linear[k]).sum()))
        split[:, other] = 0.0
        dropped[other] = True
    return slack
