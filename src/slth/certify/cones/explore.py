"""The compiled explorer of `cones`: depth-first below one cone, within a number of nodes."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.cones.bisect import child_generators, descend, split_edge, start
from slth.certify.cones.bound import bound_cone
from slth.certify.cones.slices import bound_slice
from slth.rounding.outward import UNIT

# Beyond this many splits on one path a cone is kept with the bound it has.
_DEPTH = 400


@njit(cache=True, nogil=True)
def of_sign(coefficients, hidden, sign):
    """The units with coefficients of one sign, their magnitudes (0 where a piece has the other
    sign), and their squared norms."""
    pieces, width = coefficients.shape
    d = hidden.shape[1]
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
                norms[count] += hidden[i, l] * hidden[i, l]
            count += 1
    return rows[:count].copy(), weights[:, :count].copy(), norms[:count].copy()


@njit(cache=True, nogil=True)
def working_memory(levels, pieces, d, rising, falling):
    """What `explore` writes to, for that many levels below a cone: (floats, integers, left)."""
    floats = (
        np.empty((levels, d, d)),  # generators
        np.empty((levels, d, d)),  # dual basis
        np.empty((levels, pieces, d)),  # convex part at the generators
        np.empty((levels, pieces, d)),  # linear part of the convex units decided so far
        np.empty((levels, pieces, d)),  # and of the concave ones
        np.empty((levels, d, rising + 1)),  # inner products with the open convex units
        np.empty((levels, d, falling + 1)),
        np.empty((levels, rising + 1)),  # the same at the new generator
        np.empty((levels, falling + 1)),
        np.empty((levels, 3 + pieces + d)),  # weight, bound, -, new generator and its values
        np.zeros((levels, d)),  # the relaxation's point, coordinates for the generators
        np.empty((6, rising + falling + 1)),  # by unit: tau first, then what a kernel needs
    )
    integers = (
        np.empty((levels, rising + 1), np.int64),
        np.empty((levels, falling + 1), np.int64),
        np.empty((levels, 6), np.int64),  # open convex, open concave, state, edge, edge
        np.empty(rising + falling + 1, np.int64),  # what stays open in a child
    )
    return floats, integers, (np.empty((4 * levels + 4, d, d)), np.empty((4 * levels + 4, 3)))


@njit(cache=True, nogil=True)
def rounding_terms(width, d, reach, displacement):
    """What rounding may change (docs/certify.md, "Rounding"), for a Lipschitz bound below 2.

    reach: a bound of the generators' norms. displacement: of a point at one split, in units of
    2u.
    """
    return np.array(
        [
            reach * 2.0 * UNIT * (4 * width + 16 * d + 64 + 2 * math.sqrt(d) * (d + 4)),
            reach * 2.0 * UNIT * 14 * math.sqrt(d),
            2.0 * UNIT * displacement,
            reach * 2.0 * UNIT * 4 * (d + 4),
        ]
    )


@njit(cache=True, nogil=True, error_model="numpy")
def explore(
    rising,
    rising_weights,
    falling,
    falling_weights,
    norms,
    linear,
    cone,
    basis,
    weight,
    bound,
    depth,
    best,
    rtol,
    floor,
    budget,
    flat,
    ball,
    errors,
    floats,
    integers,
    left,
    found,
):
    """Depth-first search below one cone with at most `budget` nodes.

    Returns (nodes, cones left over, best value, largest bound of a closed cone); the cones left
    over stand in `left`: generators, (bound, weight, depth); `found` is the best point if any.
    """
    V, _B, _PV, _linP, _linN, _TP, _TN, _midP, _midN, scalars, _points, _scratch = floats
    _, _, counts, _kept = integers
    levels = V.shape[0]
    cones, facts = left
    start(rising, rising_weights, falling, falling_weights, linear, cone, basis, floats, integers)
    scalars[0, 0] = weight
    scalars[0, 1] = bound
    nodes = 0
    kept = 0
    proven = 0.0
    level = 0
    q = np.empty(V.shape[1])
    while level >= 0:
        state = counts[level, 2]
        if state == 2:
            level -= 1
            continue
        if state == 1 or state == 0:
            # One child more: in the compiled levels, or left over.
            if nodes >= budget or level == levels - 1 or kept > 2 * levels:
                child_generators(V, scalars, counts, level, cones[kept])
                facts[kept, 0] = scalars[level, 1]
                facts[kept, 1] = scalars[level, 0]
                facts[kept, 2] = depth + level + 1
                kept += 1
                counts[level, 2] += 1
                continue
            descend(rising, rising_weights, falling, falling_weights, level, floats, integers)
            counts[level, 2] += 1
            level += 1
        nodes += 1
        error = errors[0] + errors[1] * level
        displaced = errors[2] * (depth + level)
        # Nothing closer to the best value than the rounding terms can be proven.
        cut = max(floor, best * (1.0 + max(rtol, 1e-12)), best + 4.0 * (error + displaced))
        if flat:
            total, value = bound_slice(
                rising,
                rising_weights,
                falling,
                falling_weights,
                norms,
                level,
                cut,
                error,
                displaced,
                errors[3] + displaced,
                ball,
                floats,
                integers,
                q,
            )
        else:
            total, value = bound_cone(
                rising_weights,
                falling,
                falling_weights,
                norms,
                level,
                cut,
                error,
                displaced,
                floats,
                integers,
                q,
            )
        if value > best:
            best = value
            for l in range(q.shape[0]):
                found[l] = q[l]
        # Also where it is not a number: the parent's bound holds.
        if not total < scalars[level, 1]:
            total = scalars[level, 1]
        scalars[level, 1] = total
        if total <= cut or depth + level >= _DEPTH:
            proven = max(proven, total)
            level -= 1
            continue
        split_edge(rising_weights, level, depth, flat, floats, integers)
        counts[level, 2] = 0
    return nodes, kept, best, proven
