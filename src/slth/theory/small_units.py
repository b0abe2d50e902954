"""Neuron pruning from above by many small units: O(d^2 eps^-4) units with the ReLU readout.

Keep every unit with |alpha_i| <= s, alpha_i = a_i ||w_i||, whose a_i has the sign of <w_i, w*>. For
a uniform direction v, E sign(<v, w*>) relu(<v, x>) = E|v_1| <w*, x> / 2 exactly (the even part of
relu averages to 0), so the kept sum G has the mean slope * <w*, x>, and a ReLU on it is the target.
Its fluctuation over the whole ball is bounded by symmetrisation and contraction,
E sup (G - EG) <= 2 sqrt(N E xi^2), and Bousquet's inequality. Proof: docs/theory/small-units.md.
"""

from __future__ import annotations

import math

import numpy as np
from flint import arb
from numpy.typing import ArrayLike, NDArray

from slth.errors import require_positive
from slth.theory.arithmetic import float_above, float_ball, precision
from slth.theory.breakpoints import require_some_units, require_target
from slth.theory.least_width import least_width
from slth.theory.result import Evidence, Statement, require_dimension, require_open_unit

_BITS = 96


def small_units_width(d: int, eps: float, radius: float = 1.0, delta: float = 0.05) -> Statement:
    """Width at which, with probability >= 1 - delta, the small units of the right sign are a ticket
    within eps under the ReLU readout (`small_units` builds it). Of order d^2 (R/eps)^4.

    Args:
        d: input dimension, >= 2.
        eps: error, > 0.
        radius: radius of the ball, > 0.
        delta: allowed failure probability.

    Raises:
        InvalidInput: d < 2, eps or radius not positive, delta outside (0, 1).
    """
    d = require_dimension(d)
    relative = require_positive("eps", eps) / require_positive("radius", radius)
    delta = require_open_unit("delta", delta)
    relative = math.nextafter(relative, 0.0)

    def suffices(width: int) -> bool:
        return expected_error(d, width, delta) <= relative

    width = least_width(suffices)
    return Statement(
        name="small units",
        value=width,
        meaning="units at which the small ones of the right sign are within eps with probability "
        ">= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=False,
        assumptions=("relu readout", "a ~ N(0, 1), w ~ N(0, I_d); any target of norm 1"),
        source="this package, docs/theory/small-units.md",
        constants={"largest_unit": unit_size(d, width)},
    )


def unit_size(d: int, width: int) -> float:
    """The s at which, to leading order, the kept sum has slope 1: N f_0 s^2 E|v_1| / 8 = 1, f_0 the
    density of |alpha| at 0."""
    d = require_dimension(d)
    with precision(_BITS):
        return float((8 / (width * density_at_zero(d) * _mean_coordinate(d))).sqrt().mid())


def expected_error(d: int, width: int, delta: float) -> float:
    """What the error of the small units exceeds with probability at most delta, on the unit ball;
    rounded up."""
    with precision(_BITS):
        s = float_ball(unit_size(d, width))
        # 1 - e^(-x) <= x^q, q <= 1: |alpha| has density >= f_0 - t^(2q) f_q, finite for 2q < d - 1.
        q = min(1.0, 0.45 * (d - 1))
        power = float_ball(2 * q)
        lost = lost_density(d, float_ball(q))
        first = density_at_zero(d) * s * s / 2
        least = first - lost * s ** (power + 2) / (power + 2)
        coordinate = _mean_coordinate(d)
        slopes = [width * coordinate * m / 4 for m in (least, first)]
        off = max(float_above(abs(1 - slope)) for slope in slopes)
        # xi is |alpha| if the unit is kept, else 0: E xi^2 = E[alpha^2; |alpha| <= s] / 2.
        square = width * density_at_zero(d) * s**3 / 6
        mean = 2 * square.sqrt()
        # One side has the variance E xi^2 E relu(<v, x>)^2 = E xi^2 / (2d), terms at most s + mean.
        largest = s + arb(1) / width
        rest = (2 / float_ball(delta)).log()
        spread = (2 * rest * (square / (2 * d) + 2 * largest * mean)).sqrt()
        return float_above(mean + spread + largest * rest / 3) + off


def small_units(
    hidden: ArrayLike, output: ArrayLike, target: ArrayLike, largest: float | None = None
) -> NDArray[np.bool_]:
    """The ticket of the theorem: which units to keep, bool [width].

    Args:
        hidden: w_i [width, d].
        output: a_i [width].
        target: w* [d].
        largest: s; `unit_size` for this width if None.

    Raises:
        InvalidInput: shapes that do not fit, or no units.
    """
    weights, scales = require_some_units(hidden, output)
    wanted = require_target(target, weights.shape[1])
    width, d = weights.shape
    bound = unit_size(d, width) if largest is None else require_positive("largest", largest)
    sizes = np.abs(scales) * np.linalg.norm(weights, axis=1)
    return (sizes <= bound) & (scales * (weights @ wanted) > 0.0)


def _moment(d: int, power: arb) -> arb:
    """E ||w||^(-power) for w ~ N(0, I_d), power < d."""
    half = arb(1) / 2
    logs = (half * (d - power)).lgamma() - (half * d).lgamma()
    return logs.exp() / arb(2) ** (power / 2)


def density_at_zero(d: int) -> arb:
    """f_0 = sqrt(2/pi) E 1/||w||, the density of |alpha| = |a| ||w|| at 0."""
    return (2 / arb.pi()).sqrt() * _moment(d, arb(1))


def lost_density(d: int, q: arb) -> arb:
    """f_q = sqrt(2/pi) E ||w||^(-1-2q) / 2^q, q <= 1, 2q < d - 1: the density of |alpha| at t is
    at least f_0 - t^(2q) f_q, for 1 - e^(-x) <= x^q."""
    return _moment(d, 1 + 2 * q) * (arb(2) / arb.pi()).sqrt() / arb(2) ** q


def _mean_coordinate(d: int) -> arb:
    """E|v_1| = Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2))."""
    half = arb(1) / 2
    return ((half * d).lgamma() - (half * (d + 1)).lgamma()).exp() / arb.pi().sqrt()
