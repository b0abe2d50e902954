"""d = 2: the exact supremum by a sweep over the breakpoints, O(M log M).

The M units' hyperplanes are lines through 0; their 2 M rays cut the plane into sectors on each of
which G and F are linear, with gradients that change by one unit's a_i w_i from sector to sector.
On a sector the supremum of <v, x> over the unit ball is |v| if v lies in the sector, else the
larger value at the two bounding rays. For min(<v1, x>, <v2, x>) every lambda in [0, 1] gives the
upper bound sup <v2 + lambda (v1 - v2), x>, and the best of a few lambda attains the supremum.

Rigour: the rays are ordered by the exact sign of a 2 x 2 determinant, the gradients are summed in
double-double arithmetic with a running error bound, and each sector's bound is rounded outward.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.problem.objective import scale_units
from slth.rounding.outward import TINY, UNIT
from slth.rounding.pairs import add_pair, two_prod

_SQUARED_UNIT = UNIT * UNIT


@njit(cache=True, nogil=True)
def circle_sup(hidden, split, signs, pieces):
    """Upper bound on sup |G - F| over the unit disc, and a point that nearly attains it.

    hidden, split: see `stacked`; signs [3, 2, 2], pieces [3]: one kind of `SIGNS`, `PIECES`.
    Returns (upper bound, x, y): (0, 0) where the bound is attained nowhere else than there.
    """
    hidden, split, _ = scale_units(hidden, split)
    count = hidden.shape[0]
    if count == 0:
        return 0.0, 0.0, 0.0
    # Each unit's line by its direction with angle in [0, pi). Crossed counter-clockwise, a unit
    # turns on at the ray (w_y, -w_x) and off at (-w_y, w_x).
    lines = np.empty((count, 2))
    turn = np.empty(count)
    angles = np.empty(count)
    mass = 0.0
    for i in range(count):
        x, y = -hidden[i, 1], hidden[i, 0]
        flipped = y < 0.0 or (y == 0.0 and x < 0.0)
        turn[i] = 1.0 if flipped else -1.0
        lines[i, 0] = -x if flipped else x
        lines[i, 1] = -y if flipped else y
        angles[i] = math.atan2(lines[i, 1], lines[i, 0])
        mass += (abs(split[0, i]) + abs(split[1, i])) * (abs(x) + abs(y))
    order = np.argsort(angles, kind="mergesort")
    _order_exactly(lines, order)
    upper = best = best_x = best_y = 0.0
    for problem in range(pieces.shape[0]):
        rows = signs[problem, : pieces[problem]]
        bound, value, x, y = _sweep(hidden, split, lines, turn, order, rows)
        upper = max(upper, bound)
        if value > best:
            best, best_x, best_y = value, x, y
    return upper + TINY * (1.0 + mass), best_x, best_y


@njit(cache=True, nogil=True)
def _before(lines, i, j):
    """Whether line i has a strictly smaller angle than line j, exactly."""
    p, e = two_prod(lines[i, 0], lines[j, 1])
    q, f = two_prod(lines[i, 1], lines[j, 0])
    # Rounding is monotone: p > q decides, and p == q leaves the exact remainders.
    return p > q or (p == q and e > f)


@njit(cache=True, nogil=True)
def _order_exactly(lines, order):
    """Insertion sort of nearly sorted lines with the exact comparison."""
    for k in range(1, order.shape[0]):
        moving = order[k]
        j = k - 1
        while j >= 0 and _before(lines, moving, order[j]):
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = moving


@njit(cache=True, nogil=True)
def _along(vx, vx_lo, vy, vy_lo, ux, uy):
    """<v, u> / |u| for a double-double v, to a few units of roundoff of the result and
    u^2 of |v|."""
    p, e = two_prod(vx, ux)
    q, f = two_prod(vy, uy)
    hi, lo = add_pair(p, e + vx_lo * ux, q, f + vy_lo * uy)
    return (hi + lo) / math.sqrt(ux * ux + uy * uy)


@njit(cache=True, nogil=True)
def _sector(vx, vx_lo, vy, vy_lo, ax, ay, bx, by):
    """(upper bound, x, y) of sup <v, x> over the unit sector from ray a counter-clockwise to b."""
    # Not the root of a sum of squares: they underflow, and a bound of 0 would be wrong.
    norm = math.hypot(vx, vy)
    along_a = _along(vx, vx_lo, vy, vy_lo, ax, ay)
    along_b = _along(vx, vx_lo, vy, vy_lo, bx, by)
    left_of_a = _along(vx, vx_lo, vy, vy_lo, -ay, ax)
    right_of_b = _along(vx, vx_lo, vy, vy_lo, by, -bx)
    margin = -8 * UNIT * norm
    rounding = 1.0 + 6 * UNIT
    if left_of_a >= margin and right_of_b >= margin and max(along_a, along_b) >= margin:
        # |v| bounds <v, x> everywhere, so a v just outside the sector does no harm. The last
        # condition tells v from -v on the sector of no width between two equal rays.
        return norm * rounding, vx, vy
    tail = 16 * _SQUARED_UNIT * norm
    if along_a >= along_b:
        return max(0.0, along_a * rounding + tail), ax, ay
    return max(0.0, along_b * rounding + tail), bx, by


@njit(cache=True, nogil=True)
def _turn(v, v_lo, hidden, split, signs, i, turn):
    """Add turn * (unit i's gradient) to every v_k; return what rounding may have lost."""
    error = 0.0
    for k in range(signs.shape[0]):
        # Each unit belongs to one of the two networks: this sum is exact.
        weight = turn * (signs[k, 0] * split[0, i] + signs[k, 1] * split[1, i])
        for axis in range(2):
            p, e = two_prod(weight, hidden[i, axis])
            error += 8 * _SQUARED_UNIT * (abs(v[k, axis]) + abs(p))
            v[k, axis], v_lo[k, axis] = add_pair(v[k, axis], v_lo[k, axis], p, e)
    return error


@njit(cache=True, nogil=True)
def _sweep(hidden, split, lines, turn, order, signs):
    """(upper bound, value, x, y): sup of min_k <v_k, x> over all sectors and a near-maximiser.

    v_k = signs[k, 0] * grad G + signs[k, 1] * grad F on each sector.
    """
    count = hidden.shape[0]
    v = np.zeros((2, 2))
    v_lo = np.zeros((2, 2))
    error = 0.0
    # Every line is crossed once at an angle in [0, pi): what turns off there is on before.
    for i in range(count):
        if turn[i] < 0.0:
            error += _turn(v, v_lo, hidden, split, signs, i, 1.0)
    upper = value = best_x = best_y = 0.0
    last = order[count - 1]
    ax, ay = -lines[last, 0], -lines[last, 1]
    for step in range(2 * count):
        half = 1.0 if step < count else -1.0
        i = order[step % count]
        bx, by = half * lines[i, 0], half * lines[i, 1]
        if signs.shape[0] == 1:
            bound, x, y = _sector(v[0, 0], v_lo[0, 0], v[0, 1], v_lo[0, 1], ax, ay, bx, by)
            reached = bound
        else:
            bound, reached, x, y = _least_of_two(v, v_lo, ax, ay, bx, by)
        upper = max(upper, bound)
        if reached > value:
            value, best_x, best_y = reached, x, y
        error += _turn(v, v_lo, hidden, split, signs, i, half * turn[i])
        ax, ay = bx, by
    return upper + 2.0 * error, value, best_x, best_y


@njit(cache=True, nogil=True)
def _least_of_two(v, v_lo, ax, ay, bx, by):
    """(upper bound, value, x, y) of sup min(<v_0, x>, <v_1, x>) over the unit sector [a, b].

    Multipliers tried: the two ends, the least norm of v_1 + lambda (v_0 - v_1), and those at which
    the sector's rays give 0 or equal values (where the supremum is 0, attained at the origin).
    """
    dx, dx_lo = add_pair(v[0, 0], v_lo[0, 0], -v[1, 0], -v_lo[1, 0])
    dy, dy_lo = add_pair(v[0, 1], v_lo[0, 1], -v[1, 1], -v_lo[1, 1])
    a_0 = _along(v[0, 0], v_lo[0, 0], v[0, 1], v_lo[0, 1], ax, ay)
    a_1 = _along(v[1, 0], v_lo[1, 0], v[1, 1], v_lo[1, 1], ax, ay)
    b_0 = _along(v[0, 0], v_lo[0, 0], v[0, 1], v_lo[0, 1], bx, by)
    b_1 = _along(v[1, 0], v_lo[1, 0], v[1, 1], v_lo[1, 1], bx, by)
    multipliers = (
        0.0,
        1.0,
        _ratio(-(v[1, 0] * dx + v[1, 1] * dy), dx * dx + dy * dy),
        _ratio(-a_1, a_0 - a_1),
        _ratio(-b_1, b_0 - b_1),
        _ratio(b_1 - a_1, (a_0 - a_1) - (b_0 - b_1)),
    )
    tail = 64 * _SQUARED_UNIT * (abs(v[0, 0]) + abs(v[0, 1]) + abs(v[1, 0]) + abs(v[1, 1]))
    upper = math.inf
    value = best_x = best_y = 0.0
    for multiplier in multipliers:
        p, e = two_prod(multiplier, dx)
        wx, wx_lo = add_pair(v[1, 0], v_lo[1, 0], p, e + multiplier * dx_lo)
        p, e = two_prod(multiplier, dy)
        wy, wy_lo = add_pair(v[1, 1], v_lo[1, 1], p, e + multiplier * dy_lo)
        bound, x, y = _sector(wx, wx_lo, wy, wy_lo, ax, ay, bx, by)
        upper = min(upper, bound + tail)
        if x != 0.0 or y != 0.0:
            # Its squares may underflow.
            size = math.hypot(x, y)
            x /= size
            y /= size
            reached = min(
                _along(v[0, 0], v_lo[0, 0], v[0, 1], v_lo[0, 1], x, y),
                _along(v[1, 0], v_lo[1, 0], v[1, 1], v_lo[1, 1], x, y),
            )
            if reached > value:
                value, best_x, best_y = reached, x, y
    return upper, value, best_x, best_y


@njit(cache=True, nogil=True)
def _ratio(numerator, denominator):
    """numerator / denominator clipped to [0, 1]; 0 where the denominator vanishes."""
    if denominator == 0.0:
        return 0.0
    return min(1.0, max(0.0, numerator / denominator))
