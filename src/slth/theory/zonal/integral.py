"""An upper bound on E|I(theta)|, I = sum_k mu_k M(theta, t_k), theta the angle of a uniform
direction.

I solves I'' + I = J, J = sum_k mu_k psi_k elementary. On a cell c + x, |x| <= h, whose inside meets
no kink sin(theta) = t_k, Taylor's formula for J with n terms gives

    I(c + x) = I(c) cos x + I'(c) sin x + int_0^x sin(x - s) J(c + s) ds = p(x) + e,

p the power series with a_0 = I(c), a_1 = I'(c), a_{j+2} = (J_j - a_j)/((j+1)(j+2)), and
|e| <= h^(n+2)/2 sup |J^(n)|/n! + (what the truncated series of p leaves). So the cancellation in I,
which is what makes mu good, is kept: it happens in numbers, not in bounds. The term of a kink
inside the cell is left out of J and put into e: at most h |mu_k| int_cell psi_k. Cells are split,
the least certain first, until what e adds is small.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_series, ctx

from slth.theory.arithmetic import float_above, float_ball, total
from slth.theory.zonal.latitudes import Latitude, angle_mass

# Pieces of a cell on which the integral of |p| is bounded by the trapezium of its ends and p''.
_PIECES = 64
# Cells are split at most this often: enough for d = 3, where kinks are square roots.
_MOST_CELLS = 4000
# Relative roundings of a float sum of _PIECES products of a few factors: far below this.
_SLACK = 1e-9
# Float64 underflow: what a single term below the least normal number can lose.
_UNDERFLOW = 1e-300


@dataclass(frozen=True, order=True)
class _Cell:
    """A cell with an upper bound on its integral; ordered by what splitting could gain."""

    gain: float
    left: float
    right: float
    value: float


def mean_size_of(
    latitudes: Sequence[Latitude], weights: Sequence[arb], *, tolerance: float = 0.01
) -> float:
    """Upper bound on E|I| = (2/W) int_0^{pi/2} |I| sin^(d-2), within about that relative tolerance.

    Args:
        latitudes: in one dimension d >= 3.
        weights: mu_k, spread evenly over t_k and -t_k.
        tolerance: splitting stops when what it could gain is this part of the whole, or after
            4,000 cells: the bound holds all the same.
    """
    d = latitudes[0].d
    # pi/2 rounded up: M is even about pi/2, so the last cell may reach past it.
    ends = sorted({0.0, math.nextafter(math.pi / 2, 2.0), *(_kink(each) for each in latitudes)})
    order = _order(latitudes, weights)
    heap: list[_Cell] = []
    for left, right in itertools.pairwise(ends):
        heapq.heappush(heap, _bound(latitudes, weights, left, right, order))
    while len(heap) < _MOST_CELLS:
        whole = math.fsum(cell.value for cell in heap)
        if math.fsum(-cell.gain for cell in heap) <= tolerance * whole:
            break
        # A few at a time: the sums above are over all cells.
        for worst in [heapq.heappop(heap) for _ in range(1 + len(heap) // 8)]:
            middle = 0.5 * (worst.left + worst.right)
            for left, right in ((worst.left, middle), (middle, worst.right)):
                heapq.heappush(heap, _bound(latitudes, weights, left, right, order))
    whole = math.fsum(cell.value for cell in heap)
    return float_above(2 * float_ball(whole * (1.0 + _SLACK)) / angle_mass(d))


def _kink(latitude: Latitude) -> float:
    return math.asin(float(latitude.t))


def _order(latitudes: Sequence[Latitude], weights: Sequence[arb]) -> int:
    """Taylor terms of J: I is smaller than its terms by a factor 2^c at pi/2, and each Taylor term
    gains about three bits, for h is a tenth of the distance to the next kink in most cells."""
    one, none = arb(1), arb(0)
    pairs = zip(latitudes, weights, strict=True)
    left = abs(float(total(w * each.seen(none, one)[0] for each, w in pairs)))
    return 6 + math.ceil(-math.log2(max(left, _UNDERFLOW)) / 3.0)


def _bound(
    latitudes: Sequence[Latitude], weights: Sequence[arb], left: float, right: float, order: int
) -> _Cell:
    d = latitudes[0].d
    low, high = float_ball(left), float_ball(right)
    centre, half = (low + high) / 2, (high - low) / 2
    thin, wide = _sines(centre, half, order)
    here, first, last = ((x.cos(), x.sin()) for x in (centre, low, high))
    size = half ** (order + 2) / 2
    value, slope, error = arb(0), arb(0), arb(0)
    jets = arb_series([0])
    for each, weight in zip(latitudes, weights, strict=True):
        seen = each.seen(*here)
        value += weight * seen[0]
        slope += weight * seen[1]
        if each.t == 0 or last[1] <= each.t:
            continue
        # Left out of J, the term costs this; near its kink that is less than what Taylor leaves.
        loose = half * abs(weight) * (each.share(*first) - each.share(*last))
        rest = size * abs(weight * wide.coefficient(each))
        if rest < loose:
            jets += weight * thin.kinks(each)
            error += rest.upper()
        else:
            error += loose.upper()
    coefficients = [value, slope]
    for j in range(order):
        coefficients.append((jets[j] - coefficients[j]) / ((j + 1) * (j + 2)))
    # Beyond: a_{j+2} = -a_j / ((j+1)(j+2)), h < 2: all further terms are below twice these two.
    error += 2 * half ** (order + 2) * (abs(coefficients[-1]) * half + abs(coefficients[-2]))
    scaled = [a * half**j for j, a in enumerate(coefficients)]
    return _integrate(scaled, error, left, right, d)


@dataclass(frozen=True)
class _Sine:
    """The power series of sin about a point or a ball, cut after `terms` terms."""

    series: arb_series
    terms: int

    def kinks(self, latitude: Latitude) -> arb_series:
        """psi = factor sin^(1-d) (sin^2 - t^2)^((d-4)/2); not finite where the ball meets its
        kink or 0."""
        ctx.cap = self.terms
        gap = self.series * self.series - latitude.t * latitude.t
        if not gap[0] > 0:
            return arb_series([arb.nan()])
        d = latitude.d
        return latitude.factor * self.series ** arb(1 - d) * gap ** (arb(d - 4) / 2)

    def coefficient(self, latitude: Latitude) -> arb:
        """The last coefficient kept of `kinks`."""
        series = self.kinks(latitude)
        return series[self.terms - 1] if series[0].is_finite() else series[0]


def _sines(centre: arb, half: arb, order: int) -> tuple[_Sine, _Sine]:
    ctx.cap = order + 1
    wide = arb_series([centre + half * arb(0, 1), 1]).sin()
    ctx.cap = order
    return _Sine(arb_series([centre, 1]).sin(), order), _Sine(wide, order + 1)


def _integrate(scaled: list[arb], error: arb, left: float, right: float, d: int) -> _Cell:
    """int |p + e| sin^(d-2) over the cell, p given by its coefficients in x / h."""
    middles = np.array([float(a.mid()) for a in scaled])
    radii = math.fsum(float_above(a - a.mid()) + _UNDERFLOW for a in scaled)
    sizes = np.abs(middles)
    orders = np.arange(len(scaled))
    x = np.linspace(-1.0, 1.0, _PIECES + 1)
    p = np.abs(np.polynomial.polynomial.polyval(x, middles))
    # Horner's rule errs by at most 2 n 2^-53 times the sum of |coefficients| on [-1, 1].
    rounding = 2.0**-51 * len(scaled) * float(sizes.sum()) + radii
    step = 2.0 / _PIECES
    bend = step * step / 8.0 * float(orders * (orders - 1) @ sizes)
    ends = left + (right - left) * np.arange(1, _PIECES + 1) / _PIECES
    weight = np.sin(np.minimum(ends, math.pi / 2)) ** (d - 2) * (right - left) / _PIECES
    mass = float(weight.sum())
    if not error < 1:
        # The cell is too long for Taylor's formula, but |M| <= 1/2 and mu has total variation 1.
        return _Cell(-mass, left, right, 0.5 * mass * (1.0 + _SLACK))
    known = float((0.5 * (p[:-1] + p[1:])) @ weight)
    extra = (bend + rounding + float_above(error)) * mass
    value = (known + extra) * (1.0 + _SLACK) + _UNDERFLOW
    return _Cell(-extra, left, right, value)
