"""Keeping one unit (Lemma 10), and how likely a fixed network of k units is to succeed by chance.

Exact facts used, proven in docs/theory/lemma-10.md:

- With any coefficient a in R, the best error of a relu(<w, x>) on the unit ball is sin(theta) for
  an angle theta <= pi/2 between w and w*, and 1 beyond. So Lemma 10's probability is exactly the
  spherical cap of half-angle arcsin(eps): I_{eps^2}((d - 1)/2, 1/2) / 2.
- a relu(<w, x>) is within eps of f on the ball of radius R as soon as |a w - w*| <= eps / R and
  a > 0, and a w has the density (2 pi)^(-(d+1)/2) 2 K_nu(|y|) |y|^(-nu), nu = (d - 1)/2, which
  falls in |y| (half of it for a > 0).
"""

from __future__ import annotations

import math

from flint import arb

from slth.errors import require_count, require_positive
from slth.theory.arithmetic import ceil_of, float_above, float_ball, floor_of, precision
from slth.theory.result import (
    PAPER,
    Evidence,
    Statement,
    require_dimension,
    require_open_unit,
)

_BITS = 96


def cap_probability(d: int, eps: float) -> float:
    """Pr(inf_a sup_{|x| <= 1} |f - a relu(<w, x>)| <= eps), w uniform on the sphere; rounded up.

    The exact value of Lemma 10's probability; d >= 2, 0 < eps < 1.
    """
    d = require_dimension(d)
    eps = require_open_unit("eps", eps)
    with precision(_BITS):
        return float_above(_cap(d, float_ball(eps)))


def log_cap_probability(d: int, eps: float) -> float:
    """log of `cap_probability`, also where that is below the least float64; rounded up."""
    d = require_dimension(d)
    eps = require_open_unit("eps", eps)
    with precision(_BITS):
        return float_above(_cap(d, float_ball(eps)).log())


def single_unit_refuted_width(d: int, eps: float, radius: float, delta: float) -> Statement:
    """Lemma 10 with numbers: at this width no single unit, whatever its output weight is changed
    to, comes within eps with probability >= 1 - delta. Exact law, union over units exact too."""
    d = require_dimension(d)
    delta = require_open_unit("delta", delta)
    relative = require_positive("eps", eps) / require_positive("radius", radius)
    value = 0
    if relative < 1.0:
        with precision(_BITS):
            cap = _cap(d, float_ball(math.nextafter(relative, math.inf)))
            ratio = (-float_ball(delta)).log1p() / (-cap).log1p()
            value = floor_of(ratio)
    return Statement(
        name="Lemma 10",
        value=value,
        meaning="no single unit of this many comes within eps with probability >= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=value < 1,
        assumptions=(
            "one unit is kept",
            "directions uniform on the sphere; its output weight may be refitted freely",
            "linear or relu readout",
        ),
        source=f"{PAPER}, Lemma 10 (stated as (C eps)^(c (d-1))); exact law by this package",
        constants={"cap_angle": math.asin(min(1.0, relative))},
    )


def drawn_unit_refuted_width(d: int, eps: float, radius: float, delta: float) -> Statement:
    """At this width no single unit, *as drawn*, comes within eps with probability >= 1 - delta.

    Within e = eps/R needs an angle with sin <= e, and |alpha cos - 1| <= e at x = w*: alpha, which
    is independent of the direction, lies in an interval of length (1 + e)/sqrt(1 - e^2) - (1 - e),
    where its density is at most half of sqrt(2/pi) E 1/||w||. So the chance is of order e^d.
    """
    d = require_dimension(d)
    delta = require_open_unit("delta", delta)
    relative = require_positive("eps", eps) / require_positive("radius", radius)
    value = 0
    if relative < 1.0:
        with precision(_BITS):
            e = float_ball(math.nextafter(relative, math.inf))
            inverse = ((arb(d - 1) / 2).lgamma() - (arb(d) / 2).lgamma()).exp() / arb(2).sqrt()
            density = (2 / arb.pi()).sqrt() * inverse / 2
            length = (1 + e) / (1 - e * e).sqrt() - (1 - e)
            chance = _cap(d, e) * (density * length).min(arb(1))
            value = floor_of((-float_ball(delta)).log1p() / (-chance).log1p())
    return Statement(
        name="one unit as drawn",
        value=value,
        meaning="no single unit of this many, unchanged, comes within eps with probability "
        ">= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=value < 1,
        assumptions=("one unit is kept, nothing refitted", "a ~ N(0, 1), w ~ N(0, I_d)"),
        source="this package, docs/theory/lemma-10.md",
    )


def single_unit_sufficient_width(d: int, eps: float, radius: float, delta: float) -> Statement:
    """A width at which some single unit, unchanged, is within eps with probability >= 1 - delta."""
    d = require_dimension(d)
    delta = require_open_unit("delta", delta)
    relative = require_positive("eps", eps) / require_positive("radius", radius)
    with precision(_BITS):
        chance = unit_ball_probability(d, float_ball(relative))
        ratio = float_ball(delta).log() / (-chance).log1p()
        value = ceil_of(ratio)
    return Statement(
        name="keep one unit",
        value=value,
        meaning="some single unit of this many is within eps with probability >= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=False,
        assumptions=("a ~ N(0, 1), w ~ N(0, I_d), nothing refitted", "linear or relu readout"),
        source="this package, docs/theory/lemma-10.md",
        constants={"log10_chance_of_one_unit": float((chance.log() / arb(10).log()).mid())},
    )


def success_by_chance(d: int, k: int, eps: float, radius: float) -> float:
    """log of a proven LOWER bound on p_k: a fixed network of k units is within eps.

    Unit 1 does half the work by itself, the others are so small together that they do not matter:
    p_k >= Pr(|a w - w*| <= eps / 2R) Pr(|a| |w| <= eps / (2 R (k - 1)))^(k - 1).

    The exponent is O(d log(R/eps) + k log(k d R/eps)), without a product k d: it contradicts
    Lemma 8's exp(-c min(k, T) d) for large d once k exceeds a multiple of log(R/eps).
    """
    d = require_dimension(d)
    k = require_count("k", k, least=1)
    relative = require_positive("eps", eps) / require_positive("radius", radius)
    with precision(_BITS):
        half = float_ball(relative) / 2
        first = unit_ball_probability(d, half)
        value = first.log()
        if k > 1:
            size = half / (k - 1)
            # |w|^2 <= 2d has probability >= 1/2 (Markov), and is independent of a.
            small = (size / (2 * arb(2 * d).sqrt() / arb(2).sqrt())).erf() / 2
            value += (k - 1) * small.log()
        return math.nextafter(float(value.lower()), -math.inf)


def unit_ball_probability(d: int, rho: arb) -> arb:
    """Lower bound on Pr(a > 0 and |a w - w*| <= rho): volume times density at |y| = 1 + rho."""
    nu = arb(d - 1) / 2
    y = 1 + rho
    density = (2 * arb.pi()) ** (-(arb(d + 1) / 2)) * y.bessel_k(nu) * y ** (-nu)
    volume = arb.pi() ** (arb(d) / 2) / (arb(d) / 2 + 1).gamma() * rho**d
    return density * volume


def _cap(d: int, sine: arb) -> arb:
    return (sine * sine).beta_lower(arb(d - 1) / 2, arb(1) / 2, regularized=1) / 2
