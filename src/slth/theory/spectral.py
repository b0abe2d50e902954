"""Widths at which random features fail: no linear combination of N units comes within eps.

Within eps on the ball of radius R means within e = eps/R in L2 of the unit sphere. Write the target
F(w*) = relu(<w*, .>) in harmonics: degree j has the multiplier lam_j = E[relu(t) P_j(t)] (t the
first coordinate of a uniform point of S^(d-1), P_j the Gegenbauer polynomial with P_j(1) = 1) and
dimension N_j, and the part of degree >= k has the constant norm tau_k^2 = sum_{j >= k} lam_j^2 N_j.
For w* uniform and V the span of the units, the part of it that V can hold has the mean tr(P_V C) <=
the sum of the N largest eigenvalues lam_j^2 (multiplicity N_j), and Markov gives, for every even k
with tau_k > e,

    Pr(some combination is within eps) <= (sum of the N largest lam_j^2, j >= k) / (tau_k^2 - e^2).

lam_j = 0 for odd j >= 3 and |lam_j| falls with even j. Proofs: docs/theory/spectral.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from flint import arb

from slth.errors import require_positive
from slth.theory.arithmetic import float_ball, floor_of, precision
from slth.theory.result import Evidence, Statement, require_dimension, require_open_unit

# Bits: tau_k^2 is a difference of numbers below 1, and falls like a power of k only.
_BITS = 192
# Degrees looked at: tau_k^2 is about k^-3 / 10 for d >= 3, so eps/R down to about 1e-5 at this one
# finds its best k; for smaller eps the bound is still one.
_MOST_DEGREE = 2400
# Dimensions of the subspaces looked at, near the best one: ratios between neighbours.
_RATIO = 1.15


@dataclass(frozen=True)
class Harmonics:
    """lam_k^2, N_k and tau_k^2 for k = 2, 4, ...: balls."""

    degrees: tuple[int, ...]
    energies: tuple[arb, ...]
    dimensions: tuple[int, ...]
    tails: tuple[arb, ...]


def multiplier(d: int, k: int) -> arb:
    """|E[relu(t) P_k(t)]| on S^(d-1), k = 0, 1 or even; 0 for odd k >= 3.

    With m = (k - 2)/2 and Z = sqrt(pi) Gamma((d-1)/2) / Gamma(d/2), by Rodrigues' formula
    Gamma((d-1)/2) / (2^k Gamma(k + (d-1)/2)) (2m)! C(k + (d-3)/2, m) / Z.
    """
    half = arb(1) / 2
    if k == 0:
        return _mean_relu(d)
    if k == 1:
        return arb(1) / (2 * d)
    if k % 2:
        return arb(0)
    m = (k - 2) // 2
    top = half * (2 * k + d - 3)
    logs = (
        (half * (d - 1)).lgamma()
        - (half * (2 * k + d - 1)).lgamma()
        + arb(2 * m + 1).lgamma()
        + (top + 1).lgamma()
        - arb(m + 1).lgamma()
        - (top - m + 1).lgamma()
        - (half * (d - 1)).lgamma()
        + (half * d).lgamma()
    )
    return logs.exp() / (arb(2) ** k * arb.pi().sqrt())


def _mean_relu(d: int) -> arb:
    """E relu(t) = Gamma(d/2) / (2 sqrt(pi) Gamma((d+1)/2))."""
    half = arb(1) / 2
    return ((half * d).lgamma() - (half * (d + 1)).lgamma()).exp() / (2 * arb.pi().sqrt())


def harmonic_count(d: int, k: int) -> int:
    """N_k, the dimension of the harmonics of degree k on S^(d-1), d >= 2."""
    if k == 0:
        return 1
    if d == 2:
        return 2
    return (2 * k + d - 2) * math.comb(k + d - 3, k - 1) // k


@lru_cache(maxsize=64)
def harmonics(d: int, least_tail: float) -> Harmonics:
    """Degrees 2, 4, ... up to the first with tau_k <= least_tail (at most 2,400).

    tau_2^2 = E relu^2 - lam_0^2 - d lam_1^2 = 1/(2d) - lam_0^2 - 1/(4d), then degree by degree.
    """
    degrees, energies, dimensions, tails = [], [], [], []
    with precision(_BITS):
        tail = arb(1) / (4 * d) - _mean_relu(d) ** 2
        limit = float_ball(least_tail) ** 2
        for k in range(2, _MOST_DEGREE + 1, 2):
            if not tail > limit:
                break
            energy, count = multiplier(d, k) ** 2, harmonic_count(d, k)
            degrees.append(k)
            energies.append(energy)
            dimensions.append(count)
            tails.append(tail)
            tail -= energy * count
    return Harmonics(tuple(degrees), tuple(energies), tuple(dimensions), tuple(tails))


def spectral_width(d: int, eps: float, radius: float = 1.0, delta: float = 0.05) -> Statement:
    """The largest proven N at which, with probability >= 1 - delta over the draw, every linear
    combination of the N units errs by more than eps on the ball of that radius.

    Output weights may be refitted; so it holds for every subset too. Grows like eps^(-2(d-1)/3).
    The best k and the best subspace through w*, of dimension k <= d, are taken: there the units are
    Gaussian again.

    Args:
        d: input dimension, >= 2.
        eps: error to refute, > 0.
        radius: radius of the ball, > 0.
        delta: allowed failure probability.

    Raises:
        InvalidInput: d < 2, eps or radius not positive, delta outside (0, 1).
    """
    d = require_dimension(d)
    eps = require_positive("eps", eps)
    radius = require_positive("radius", radius)
    delta = require_open_unit("delta", delta)
    relative = math.nextafter(eps / radius, math.inf)
    value, dimension, degree = 0, d, 0
    for k in _subspaces(d):
        width, at = _width(k, relative, delta)
        if width > value:
            value, dimension, degree = width, k, at
    return Statement(
        name="spectral bound",
        value=value,
        meaning="every linear combination of this many units errs by more than eps with "
        "probability >= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=value < 1,
        assumptions=(
            "linear readout",
            "directions of the units uniform; output weights may be refitted",
            "target max(<w*, x>, 0), ||w*|| = 1",
            f"route: harmonics of degree {degree} and more in dimension {dimension}",
        ),
        source="this package, docs/theory/spectral.md; compare Wu and Long 2021 "
        "(arXiv 2108.04964), Ghorbani et al. 2019 (arXiv 1904.12191), Barron 1993",
        constants={"degree": float(degree), "dimension": float(dimension)},
    )


def _subspaces(d: int) -> list[int]:
    """From d downwards, geometrically: the width changes little between neighbours."""
    chosen, k = [], float(d)
    while round(k) >= 2:
        if not chosen or round(k) < chosen[-1]:
            chosen.append(round(k))
        k = min(k / _RATIO, k - 1.0)
    return chosen


def _width(d: int, relative: float, delta: float) -> tuple[int, int]:
    """The largest N over k, and that k, in one dimension."""
    known = harmonics(d, relative)
    best, degree = 0, 0
    with precision(_BITS):
        square, chance = float_ball(relative) ** 2, float_ball(delta)
        for at, k in enumerate(known.degrees):
            margin = known.tails[at] - square
            if margin > 0:
                width = _filled(known, at, chance * margin)
                if width > best:
                    best, degree = width, k
    return best, degree


def _filled(known: Harmonics, at: int, allowed: arb) -> int:
    """The largest N whose N largest eigenvalues from degree index `at` on sum to <= allowed."""
    width = 0
    for energy, count in zip(known.energies[at:], known.dimensions[at:], strict=True):
        full = energy * count
        if not full < allowed:
            return width + min(count, max(0, floor_of(allowed / energy)))
        width += count
        allowed -= full
    return width
