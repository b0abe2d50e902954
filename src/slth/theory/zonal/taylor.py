"""I(theta) = sum_k mu_k M(theta, t_k) as a Taylor polynomial on a cell, with its error.

I solves I'' + I = J, J = sum_k mu_k psi_k elementary. On a cell c + x, |x| <= h, whose inside meets
no kink sin(theta) = t_k, Taylor's formula for J with n terms gives

    I(c + x) = I(c) cos x + I'(c) sin x + int_0^x sin(x - s) J(c + s) ds = p(x) + e,

p the power series with a_0 = I(c), a_1 = I'(c), a_{j+2} = (J_j - a_j)/((j+1)(j+2)), and
|e| <= h^(n+2)/2 sup |J^(n)|/n! + (what the truncated series of p leaves). So the cancellation in I,
which is what makes mu good, is kept: it happens in numbers, not in bounds. The term of a kink
inside the cell is left out of J and put into e: at most h |mu_k| int_cell psi_k.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_series, ctx
from numpy.typing import NDArray

from slth.theory.arithmetic import float_above, float_ball, total
from slth.theory.zonal.latitudes import Latitude

# Float64 underflow: what a single term below the least normal number can lose.
UNDERFLOW = 1e-300


@dataclass(frozen=True, eq=False)
class Expansion:
    """p(x / h), x from the middle of the cell, h half its length.

    Attributes:
        coefficients: float64 [n] of p, lowest first.
        error: |I - p| <= error on the cell, p evaluated in floats by Horner's rule; inf where
            nothing is known.
    """

    coefficients: NDArray[np.float64]
    error: float


def kink_angle(latitude: Latitude) -> float:
    """About arcsin t: where psi sets in."""
    return math.asin(float(latitude.t))


def taylor_terms(latitudes: Sequence[Latitude], weights: Sequence[arb]) -> int:
    """Taylor terms of J: I is smaller than its terms by a factor 2^c at pi/2, and each Taylor term
    gains about three bits, for h is a tenth of the distance to the next kink in most cells."""
    one, none = arb(1), arb(0)
    pairs = zip(latitudes, weights, strict=True)
    left = abs(float(total(w * each.seen(none, one)[0] for each, w in pairs)))
    return 6 + math.ceil(-math.log2(max(left, UNDERFLOW)) / 3.0)


def expand(
    latitudes: Sequence[Latitude], weights: Sequence[arb], left: float, right: float, order: int
) -> Expansion:
    """I on [left, right], 0 <= left < right <= pi/2 or a rounding beyond."""
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
    middles = np.array([float(a.mid()) for a in scaled])
    radii = math.fsum(float_above(a - a.mid()) + UNDERFLOW for a in scaled)
    # Horner's rule errs by at most 2 n 2^-53 times the sum of |coefficients| on [-1, 1].
    rounding = 2.0**-51 * len(scaled) * float(np.abs(middles).sum()) + radii
    # Not finite where the cell is too long for Taylor's formula.
    loose = float_above(error) if error < 1 else math.inf
    return Expansion(middles, rounding + loose)


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
