"""Lower bound for every subset by a measure that is symmetric about the target (docs/neurons.md).

For a signed measure mu on the ball of total variation 1, spread evenly over spheres of latitude
about w*, a unit at angle theta from +-w* sees I(theta), and for every subset

    sup |g_S - f| >= ||w*|| F - sum_i max(0, alpha_i I(theta_i)),   alpha_i = a_i ||w_i||,

up to the sign of the target. It costs O(N) for any width and d >= 3, and grows relatively sharper
with the width: about .3 / (d N^(1/(d-1))). Linear readout, a target of one unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

from slth.limits import Deadline
from slth.network import FloatArray
from slth.pruning.neurons.problem import Problem
from slth.theory.zonal import Profile, fitted, profile_of

_UNIT_ROUNDOFF = 2.0**-53
# Bins of units for the program that chooses mu, geometric from this share of the scale on.
_BINS, _FIRST = 300, 0.05
# What the errors of the profile may cost, as a share of the scale of the answer, sigma / (3 d).
_LOSS = 0.01


def zonal_bound(problem: Problem, deadline: Deadline) -> float:
    """A proven lower bound on the error of every subset on the unit ball; 0.0 where nothing is
    proven: relu readout, d < 3, a target of more than one unit, no units, no time."""
    d, width = problem.d, problem.width
    if not problem.linear or d < 3 or problem.target.width != 1 or width == 0:
        return 0.0
    target, size = problem.target.hidden[0], abs(float(problem.target.output[0]))
    sign = math.copysign(1.0, float(problem.target.output[0]))
    if problem.target.readout != "linear" and sign < 0.0:
        return 0.0
    norm = float(np.linalg.norm(target))
    scaled = problem.unit_norms / (size * norm) if size * norm > 0.0 else np.array([math.inf])
    if deadline.expired or not np.isfinite(scaled).all() or not math.isfinite(size * norm):
        return 0.0
    angles, slack = angles_to(problem.net.hidden, target)
    # The target has norm 1 then; the roundings of the quotient are paid in `most_seen`.
    alphas = scaled * np.sign(problem.net.output) * sign
    scale = width ** (-1.0 / (d - 1))
    edges = np.concatenate([[0.0], np.geomspace(_FIRST * scale, math.pi / 2, _BINS)])
    bins = np.clip(np.searchsorted(edges, angles) - 1, 0, _BINS - 1)
    upper, lower = np.zeros(_BINS), np.zeros(_BINS)
    np.add.at(upper, bins, np.maximum(alphas, 0.0))
    np.add.at(lower, bins, np.maximum(-alphas, 0.0))
    middles = np.sqrt(edges[1:] * np.maximum(edges[:-1], edges[1:] / 4.0))
    measure = fitted(d, middles, upper, lower, min(scale, 0.5))
    if measure is None:
        return 0.0
    allowed = _LOSS * scale / (3.0 * d)
    profile = profile_of(measure, _loads(angles, alphas), allowed, lambda: deadline.expired)
    spent = most_seen(profile, angles, slack, alphas)
    # size * norm is off by at most (d + 4) u of itself, which only F feels: the alphas were divided
    # by the same number. Then two roundings of the difference and its product.
    total = profile.total * (1.0 - (d + 16) * 2.0 * _UNIT_ROUNDOFF)
    return max(0.0, (total - spent) * (size * norm) * (1.0 - 8.0 * _UNIT_ROUNDOFF))


def angles_to(hidden: FloatArray, target: FloatArray) -> tuple[FloatArray, float]:
    """The angle in [0, pi/2] of each w_i to the line of the target, and a bound on its error.

    hidden [N, d], target [d] nonzero -> float64 [N]. The parts along and across are computed for
    rows of norm near 1, each off by at most (2 d + 16) u; arctan2 turns an error of e in parts of
    norm 1 into at most 2 e.
    """
    d = target.shape[0]
    unit = target / np.max(np.abs(target))
    unit = unit / np.linalg.norm(unit)
    largest = np.max(np.abs(hidden), axis=1)
    rows = hidden / np.where(largest > 0.0, largest, 1.0)[:, None]
    rows /= np.where(largest > 0.0, np.linalg.norm(rows, axis=1), 1.0)[:, None]
    along = rows @ unit
    across = np.linalg.norm(rows - along[:, None] * unit, axis=1)
    return np.arctan2(across, np.abs(along)), (8 * d + 64) * 2.0 * _UNIT_ROUNDOFF


def _loads(angles: FloatArray, alphas: FloatArray) -> Callable[[float, float], float]:
    """(left, right) -> sum of |alpha_i| with the angle in it."""
    order = np.argsort(angles)
    places = angles[order]
    sums = np.concatenate([[0.0], np.cumsum(np.abs(alphas[order]))])

    def load(left: float, right: float) -> float:
        low, high = np.searchsorted(places, [left, right])
        return float(sums[high] - sums[low])

    return load


def most_seen(profile: Profile, angles: FloatArray, slack: float, alphas: FloatArray) -> float:
    """At least sum_i max(0, alpha_i I(theta_i)) for |theta_i - angles_i| <= slack and |alpha_i| at
    most |alphas_i| (1 + a few u)."""
    # |I'| <= 1/2, so the slack of an angle costs half of it; a cell's variable y has relative
    # rounding 4 u of a quotient by h, which costs the slope in y times that: |I'| h <= 1.
    blur = 0.5 * slack + 8.0 * _UNIT_ROUNDOFF
    total = _sum(profile.edges, profile.coefficients, profile.errors, angles, alphas, blur)
    # N additions of nonnegative terms, each with a few roundings of its own.
    return total * (1.0 + (angles.shape[0] + 64) * 2.0 * _UNIT_ROUNDOFF)


@njit(cache=True, nogil=True)
def _sum(edges, coefficients, errors, angles, alphas, blur):
    total = 0.0
    cells, terms = coefficients.shape
    for i in range(angles.shape[0]):
        c = np.searchsorted(edges, angles[i]) - 1
        c = min(max(c, 0), cells - 1)
        middle = 0.5 * (edges[c] + edges[c + 1])
        y = (angles[i] - middle) / (0.5 * (edges[c + 1] - edges[c]))
        y = min(1.0, max(-1.0, y))
        value = 0.0
        for j in range(terms - 1, -1, -1):
            value = value * y + coefficients[c, j]
        if alphas[i] < 0.0:
            value = -value
        # An angle off by more than the cell's end is in the next cell, and I is continuous: the
        # blur, which bounds how far I moves, covers it.
        seen = value + errors[c] + blur
        if seen > 0.0:
            total += abs(alphas[i]) * seen
    return total
