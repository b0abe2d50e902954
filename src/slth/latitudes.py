"""The checker's enclosures of what units see of spheres of latitude, in ball arithmetic.

For mu = sum_k w_k (U(t_k) + U(-t_k))/2, U(t) uniform on {x in S^(d-1): <x, v> = t}, a unit whose
line makes the angle theta with v sees int max(<u, .>, 0) dmu = I(theta) = sum_k w_k M_k(theta),

    M = cos(theta) t P + sin(theta) s Q,   s = sqrt(1 - t^2),   q = min(1, t cot(theta) / s),
    P = I_{q^2}(1/2, b)/2,   Q = C (1 - q^2)^b/(d - 2),   b = (d - 2)/2,

C = Gamma((d-1)/2) / (sqrt(pi) Gamma(b)); docs/check.md derives it. M' = -sin(theta) t P +
cos(theta) s Q and dP = (1 - q^2)^(b-1) dq / B(1/2, b). Written anew, for the checker shares no code
with what it checks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from flint import arb, arb_series, ctx

from slth.exact import TooLarge

# Bits of the balls: I may cancel to 1e-13 of its terms.
_BITS = 160
# Terms of a Taylor polynomial; pieces of a cell on which it is enclosed.
_TERMS, _PIECES = 14, 32
# An uncertainty that is larger, or not known, counts as this.
_MOST = 1e100
# A cell beyond pi/2 in its last place: sin(theta) = 1 lies inside it.
_END = math.nextafter(math.pi / 2, 2.0)


class Load(NamedTuple):
    """What uncertainty costs: within(left, right) is about the output weight between these angles
    to the target, middling that of one unit."""

    within: Callable[[float, float], float]
    middling: float


class Steps(NamedTuple):
    """low[c] <= I(theta) <= high[c] where sin(theta) lies between sines[c] and sines[c + 1], but
    for the last place of these.

    sines: float64 [C + 1], from 0 to 1; low, high: float64 [C].
    """

    sines: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Moments(NamedTuple):
    """Of a measure: I(0) = sum_k w_k t_k/2, from below, and sum_k |w_k|, from above."""

    total: float
    variation: float


class _Ring(NamedTuple):
    """One latitude: its weight, t, s and C/(d - 2), 1/B(1/2, b), b."""

    weight: arb
    t: arb
    s: arb
    height: arb
    slope: arb
    b: arb

    def parts(self, theta: arb) -> tuple[arb, arb]:
        """P and Q at a point below or above the kink; anything they can be where undecided."""
        sine, cosine = theta.sin(), theta.cos()
        if cosine * self.t >= sine * self.s:
            return arb(1) / 2, arb(0)
        q = cosine * self.t / (sine * self.s)
        square = q * q
        if not (square < 1 and sine > 0):
            return arb(0.25, 0.25), self.height * arb(0.5, 0.5)
        share = square.beta_lower(arb(1) / 2, self.b, regularized=1) / 2
        return share, self.height * (1 - square) ** self.b

    def jet(self, theta: arb) -> arb_series:
        """The Taylor series of M at an angle or on a ball of angles beyond the kink; not finite
        where the ball reaches the kink or pi/2 is not clear of 0."""
        x = arb_series([theta, 1])
        sine, cosine = x.sin(), x.cos()
        if not (sine[0] * self.s > cosine[0] * self.t and sine[0] > 0):
            return arb_series([arb.nan()])
        q = cosine / sine * (self.t / self.s)
        rest = 1 - q * q
        if not rest[0] > 0:
            return arb_series([arb.nan()])
        share = (rest ** (self.b - 1) * q.derivative() * self.slope).integral()
        share += self.parts(theta)[0]
        return cosine * self.t * share + sine * self.s * (rest**self.b) * self.height

    def bend(self, left: arb, right: arb) -> arb:
        """How far M' moves between two angles: P falls and Q grows with theta."""
        p, q = zip(self.parts(left), self.parts(right), strict=True)
        most = right.cos().max(left.cos()) * self.s * q[1] - left.sin() * self.t * p[1]
        least = right.cos() * self.s * q[0] - right.sin() * self.t * p[0]
        return (most - least).max(arb(0))


def moments(latitudes: Sequence[float], weights: Sequence[float]) -> Moments:
    """What a measure reaches and weighs: all of it that needs no angles."""
    before = ctx.prec
    ctx.prec = _BITS
    try:
        total, variation = arb(0), arb(0)
        for t, weight in zip(latitudes, weights, strict=True):
            total += arb(weight) * arb(t) / 2
            variation += abs(arb(weight))
        return Moments(_below(total), _above(variation))
    finally:
        ctx.prec = before


def steps(
    d: int,
    latitudes: Sequence[float],
    weights: Sequence[float],
    load: Load,
    allowed: float,
    most: int,
) -> Steps:
    """Enclosures of I on cells of angles that cover [0, pi/2], d >= 3.

    Args:
        latitudes: t_k in [0, 1); weights: w_k.
        load: what a unit of uncertainty of I costs.
        allowed: cells are split until their uncertainty, weighed by what lies in them, is at most
            this, and that of each for one unit of middling size too: units see other units than
            the target does.
        most: cells after which they are split no more.

    Raises:
        TooLarge: cells too small, or numbers of a size that no ball can hold.
    """
    before = ctx.prec, ctx.cap
    ctx.prec, ctx.cap = _BITS, _TERMS
    try:
        rings = _rings(d, latitudes, weights)
        cells = _cells(rings, latitudes, load, allowed, most)
        return _stepped(cells)
    finally:
        ctx.prec, ctx.cap = before


def _rings(d: int, latitudes: Sequence[float], weights: Sequence[float]) -> list[_Ring]:
    b = arb(d - 2) / 2
    gamma = ((b + arb(1) / 2).lgamma() - b.lgamma()).exp() / arb.pi().sqrt()
    rings = []
    for t, weight in zip(latitudes, weights, strict=True):
        exact = arb(t)
        # 1/B(1/2, b) = C.
        rest = (1 - exact * exact).sqrt()
        rings.append(_Ring(arb(weight), exact, rest, gamma / (d - 2), gamma, b))
    return rings


class _Cell(NamedTuple):
    """I on [left, right] lies within `error` of the polynomial in x/h about the middle."""

    left: float
    right: float
    polynomial: list[arb]
    error: arb


def _cell(rings: Sequence[_Ring], left: float, right: float) -> _Cell:
    low, high = arb(left), arb(right)
    middle, half = (low + high) / 2, (high - low) / 2
    ball = middle + half * arb(0, 1)
    sine, cosine = arb_series([middle, 1]).sin(), arb_series([middle, 1]).cos()
    total, error = arb_series([0]), arb(0)
    for ring in rings:
        if _before_kink(ring, high):
            # M = cos(theta) t/2 on the whole cell.
            total += cosine * (ring.weight * ring.t / 2)
            rest = abs(ring.weight) * ring.t * half**_TERMS / math.factorial(_TERMS)
            error += rest.upper()
            continue
        loose = half * abs(ring.weight) * ring.bend(low, high)
        ctx.cap = _TERMS + 1
        wide = ring.jet(ball)
        last = wide[_TERMS] if wide[0].is_finite() else wide[0]
        ctx.cap = _TERMS
        rest = abs(ring.weight * last) * half**_TERMS
        if rest < loose:
            total += ring.weight * ring.jet(middle)
            error += rest.upper()
            continue
        # The tangent at the middle: M differs from it by at most half the cell times how far M'
        # moves.
        p, q = ring.parts(middle)
        value = cosine[0] * ring.t * p + sine[0] * ring.s * q
        slope = cosine[0] * ring.s * q - sine[0] * ring.t * p
        total += ring.weight * arb_series([value, slope])
        error += loose.upper()
    polynomial = [total[j] * half**j for j in range(_TERMS)]
    return _Cell(left, right, polynomial, error)


def _before_kink(ring: _Ring, right: arb) -> bool:
    """Whether all angles up to `right` lie before the ring's kink, where sin(theta) = t."""
    return bool(right.sin() < ring.t) and bool(right < arb.pi() / 2)


def _cells(
    rings: Sequence[_Ring], latitudes: Sequence[float], load: Load, allowed: float, most: int
) -> list[_Cell]:
    ends = sorted({0.0, _END, *(math.asin(t) for t in latitudes)})
    heap: list[tuple[float, float, float, _Cell]] = []

    def add(left: float, right: float) -> None:
        cell = _cell(rings, left, right)
        # Within a piece I moves by about its share of the cell's movement.
        spread = sum((abs(a) for a in cell.polynomial[1:]), arb(0)) / _PIECES + cell.error
        size = min(float(spread.upper()), _MOST) if spread.is_finite() else _MOST
        within = load.within(left, right)
        heapq.heappush(heap, (-size * (within + load.middling), size * within, left, cell))

    for left, right in pairwise(ends):
        add(left, right)
    while len(heap) < most:
        if -heap[0][0] <= allowed and math.fsum(cell[1] for cell in heap) <= allowed:
            break
        for _, _, left, cell in [heapq.heappop(heap) for _ in range(1 + len(heap) // 8)]:
            centre = 0.5 * (left + cell.right)
            if not left < centre < cell.right:
                raise TooLarge("latitudes too near to each other for the checker")
            add(left, centre)
            add(centre, cell.right)
    return [entry[3] for entry in sorted(heap, key=lambda entry: entry[2])]


def _stepped(cells: Sequence[_Cell]) -> Steps:
    sines, low, high = [0.0], [], []
    for cell in cells:
        length = (arb(cell.right) - arb(cell.left)) / _PIECES
        for piece in range(_PIECES):
            y = arb(2 * piece + 1 - _PIECES) / _PIECES + arb(0, 1) / _PIECES
            value = arb(0)
            for a in reversed(cell.polynomial):
                value = value * y + a
            value += arb(0, 1) * cell.error
            if not value.is_finite():
                raise TooLarge("numbers of a size that the checker does not hold")
            low.append(_below(value))
            high.append(_above(value))
            sines.append(_above((arb(cell.left) + length * (piece + 1)).sin()))
    sines[-1] = 1.0
    # An end that was rounded up belongs to both of its cells: look-ups allow for that.
    return Steps(np.array(sines), np.array(low), np.array(high))


def _below(value: arb) -> float:
    return math.nextafter(float(value.lower()), -math.inf)


def _above(value: arb) -> float:
    return math.nextafter(float(value.upper()), math.inf)
