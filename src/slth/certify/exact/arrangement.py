"""d = 3, one piece: the exact supremum over the unit ball from the arrangement of great circles.

The units' planes cut the sphere into faces on each of which A(x) = <l, x> + sum_i c_i
relu(<w_i, x>) is linear, A(x) = <v, x>. On a face the supremum is |v| if v lies in it, else it is
attained on one of its edges; on an edge, an arc of the circle orthogonal to w_i, it is the length
|w_i x v| / |w_i| of v's projection if that lies in the edge, else it is attained at a vertex, the
direction of +-(w_i x w_j). So sup A is 0 or the largest of these numbers. Every face and every edge
is met at one of its vertices, O(M^3) operations in all.

Rigour: |v| and |w_i x v| / |w_i| bound A on the whole face and edge, so leaving one out is what
has to be proven: some constraint s_k <w_k, v> > 0 must fail by more than rounding. Gradients,
vertices and values are double-double numbers, whose errors are charged (docs/certify.md, "The
arrangement"), so that units that nearly cancel, with a supremum tiny beside their weights, lose no
digits. Where three planes may meet in a line, it gives up.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.problem.place import AROUND_ZERO
from slth.certify.problem.problem import Maximization
from slth.certify.protocol import Ask, Bound
from slth.rounding.outward import UNIT
from slth.rounding.pairs import add_pair, two_prod, two_sum

_SQUARED_UNIT = UNIT * UNIT
# Inner products one compiled call computes: some 0.1 s.
_SLICE = 3_000_000
# Candidates this close below the best point known are looked at: that point's value is a float.
_VAGUE = 1e-14


# Wider problems are left to the cones: an arrangement costs width^3.
_UP_TO = 250


class Arrangement:
    """Exact to a few units of roundoff; gives up where three of the units' planes meet in a line,
    as nearly as double-double numbers tell, and when time is up."""

    compiled_with = 3

    def applies(self, problem: Maximization) -> bool:
        """On the sphere in R^3, one piece."""
        small = problem.d == 3 and problem.pieces == 1 and problem.width <= _UP_TO
        return small and problem.place == AROUND_ZERO

    def maximize(self, problem: Maximization, ask: Ask) -> Bound:
        """Enclose sup A; nothing below the incumbent is told apart."""
        hidden, weights = problem.objective.hidden, problem.objective.coefficients[0]
        linear = problem.objective.linear[0]
        while hidden.shape[0] < 2:
            # A plane without weight, so that every face has a vertex.
            last = np.abs(hidden).sum(axis=0) if hidden.shape[0] else np.array([0.0, 1.0, 1.0])
            axis = np.eye(3)[int(np.argmin(last))]
            hidden, weights = np.vstack([hidden, axis]), np.append(weights, 0.0)
        count = hidden.shape[0]
        products = _products(weights, np.ascontiguousarray(hidden))
        # Upper bound, best value, its point.
        state = np.zeros(5)
        state[0] = max(0.0, ask.incumbent - _VAGUE)
        start = 0
        while start < count:
            stop = min(count, start + max(1, int(_SLICE / (count * count))))
            if not _visit(hidden, weights, products, linear, start, stop, state):
                return _GIVEN_UP
            start = stop
            if start < count and ask.deadline.expired:
                return _GIVEN_UP
        upper, lower = float(state[0]), float(state[1])
        nodes = count * (count - 1)
        if lower > 0.0:
            return Bound(lower, state[2:].copy(), upper, nodes, True, "arrangement")
        return Bound(-math.inf, None, upper, nodes, True, "arrangement")


_GIVEN_UP = Bound(-math.inf, None, math.inf, 0, False, "arrangement")


@njit(cache=True, nogil=True)
def _products(weights, hidden):
    """c_i w_i as double-doubles [M, 3, 2], exactly."""
    count = hidden.shape[0]
    products = np.empty((count, 3, 2))
    for i in range(count):
        for l in range(3):
            products[i, l, 0], products[i, l, 1] = two_prod(weights[i], hidden[i, l])
    return products


@njit(cache=True, nogil=True)
def _cross(a, b, out):
    """out [3, 2] = a x b, each component within 4 u^2 of itself and 32 u^3; entries below 2."""
    for l in range(3):
        m, n = (l + 1) % 3, (l + 2) % 3
        p, e = two_prod(a[m], b[n])
        q, f = two_prod(a[n], b[m])
        s, s_lo = two_sum(p, -q)
        t, t_lo = two_sum(e, -f)
        hi, lo = two_sum(s, t)
        lo += s_lo + t_lo
        out[l, 0] = hi + lo
        out[l, 1] = lo - (out[l, 0] - hi)


@njit(cache=True, nogil=True)
def _cross_pairs(a, v, out):
    """out [3, 2] = a x v for double-doubles v [3, 2], within 64 u^2 |a| |v|."""
    for l in range(3):
        m, n = (l + 1) % 3, (l + 2) % 3
        p, e = two_prod(a[m], v[n, 0])
        q, f = two_prod(a[n], v[m, 0])
        out[l, 0], out[l, 1] = add_pair(p, e + a[m] * v[n, 1], -q, -(f + a[n] * v[m, 1]))


@njit(cache=True, nogil=True)
def _dot(a, v):
    """(hi, lo) of <a, v> for a double-double v [3, 2], within 64 u^2 |a| |v|."""
    hi = lo = 0.0
    for l in range(3):
        p, e = two_prod(a[l], v[l, 0])
        hi, lo = add_pair(hi, lo, p, e + a[l] * v[l, 1])
    return hi, lo


@njit(cache=True, nogil=True)
def _length(v):
    return math.sqrt(v[0, 0] * v[0, 0] + v[1, 0] * v[1, 0] + v[2, 0] * v[2, 0])


@njit(cache=True, nogil=True)
def _offer(value, bound, x, y, z, state):
    """A candidate that could not be left out."""
    state[0] = max(state[0], bound)
    size = math.sqrt(x * x + y * y + z * z)
    if value > state[1] and size > 0.0:
        state[1] = value
        state[2], state[3], state[4] = x / size, y / size, z / size


@njit(cache=True, nogil=True)
def _visit(hidden, weights, products, linear, start, stop, state):
    """Look at every vertex of the circles i < j, start <= i < stop, and at the faces and edges
    there. False if a vertex may lie on a third circle.
    """
    count = hidden.shape[0]
    x = np.empty((3, 2))
    inner = np.empty((count, 2))
    side = np.empty(count)
    base = np.empty((3, 2))
    v = np.empty((3, 2))
    adding = 64.0 * (count + 8) * _SQUARED_UNIT
    for i in range(start, stop):
        for j in range(i + 1, count):
            _cross(hidden[i], hidden[j], x)
            size = _length(x)
            if size < 64.0 * UNIT:
                return False
            for k in range(count):
                inner[k, 0], inner[k, 1] = _dot(hidden[k], x)
                if k not in (i, j) and abs(inner[k, 0]) <= 512.0 * _SQUARED_UNIT * size:
                    return False
            along, along_lo = _dot(linear, x)
            for sign in (1.0, -1.0):
                for l in range(3):
                    base[l, 0], base[l, 1] = linear[l], 0.0
                hi, lo = sign * along, sign * along_lo
                for k in range(count):
                    side[k] = sign if inner[k, 0] > 0.0 else -sign
                    if k in (i, j):
                        side[k] = 0.0
                    elif side[k] > 0.0:
                        p, e = two_prod(weights[k], sign * inner[k, 0])
                        hi, lo = add_pair(hi, lo, p, e + weights[k] * (sign * inner[k, 1]))
                        for l in range(3):
                            base[l, 0], base[l, 1] = add_pair(
                                base[l, 0], base[l, 1], products[k, l, 0], products[k, l, 1]
                            )
                # The vertex.
                value = (hi + lo) / size
                bound = value + 16.0 * UNIT * abs(value) + 2.0 * adding + 4096.0 * _SQUARED_UNIT
                if bound > state[0] or value > state[1]:
                    _offer(value, bound, sign * x[0, 0], sign * x[1, 0], sign * x[2, 0], state)
                # The edges on circle i (j on or off), then those on circle j.
                for circle, other in ((i, j), (j, i)):
                    for on in (1.0, -1.0):
                        _add(base, products[other], on, v)
                        side[other] = on
                        _edge(hidden, v, circle, side, adding, state)
                    side[other] = 0.0
                # The faces.
                for on_i in (1.0, -1.0):
                    for on_j in (1.0, -1.0):
                        _add(base, products[i], on_i, v)
                        _add(v, products[j], on_j, v)
                        side[i], side[j] = on_i, on_j
                        _face(hidden, v, side, adding, state)
    return True


@njit(cache=True, nogil=True)
def _add(base, product, on, v):
    """v = base + product if the unit is on, else base."""
    for l in range(3):
        if on > 0.0:
            v[l, 0], v[l, 1] = add_pair(base[l, 0], base[l, 1], product[l, 0], product[l, 1])
        else:
            v[l, 0], v[l, 1] = base[l, 0], base[l, 1]


@njit(cache=True, nogil=True)
def _face(hidden, v, side, adding, state):
    """|v|, unless v certainly lies outside the face with these sides."""
    size = _length(v)
    bound = size * (1.0 + 8.0 * UNIT) + 2.0 * adding
    if bound <= state[0] and size <= state[1]:
        return
    error = 32.0 * UNIT * size + 16.0 * adding
    for k in range(hidden.shape[0]):
        t = hidden[k, 0] * v[0, 0] + hidden[k, 1] * v[1, 0] + hidden[k, 2] * v[2, 0]
        if side[k] * t < -error:
            return
    _offer(size, bound, v[0, 0], v[1, 0], v[2, 0], state)


@njit(cache=True, nogil=True)
def _edge(hidden, v, circle, side, adding, state):
    """|w x v| / |w|, unless v's projection certainly lies outside the edge with these sides.

    The projection is q x w / |w|^2 with q = w x v, and <w_k, q x w> = <q, w x w_k>.
    """
    w = hidden[circle]
    q = np.empty((3, 2))
    _cross_pairs(w, v, q)
    size, length = _length(q), math.sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2])
    lost = (64.0 * _SQUARED_UNIT * _length(v) + 2.0 * adding) * length
    value = size / length
    bound = value * (1.0 + 16.0 * UNIT) + 2.0 * lost / length
    if bound <= state[0] and value <= state[1]:
        return
    x = np.empty((3, 2))
    for k in range(hidden.shape[0]):
        if k == circle:
            continue
        _cross(w, hidden[k], x)
        t = q[0, 0] * x[0, 0] + q[1, 0] * x[1, 0] + q[2, 0] * x[2, 0]
        if side[k] * t < -(16.0 * UNIT * size + 4.0 * lost) * _length(x):
            return
    _offer(
        value,
        bound,
        q[1, 0] * w[2] - q[2, 0] * w[1],
        q[2, 0] * w[0] - q[0, 0] * w[2],
        q[0, 0] * w[1] - q[1, 0] * w[0],
        state,
    )
