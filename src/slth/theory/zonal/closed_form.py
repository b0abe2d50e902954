"""Theorem A: neuron pruning with a linear readout needs (c / (d eps))^(d-1) units, in closed form.

For even m > k and any delta > 0, with kappa_m from `nodes`, Z = B(1/2, m-1)/2, B = 1/(8 m (m-1) Z),
C = (8B)^(1/(m-1)), W = int_0^pi sin^(k-2), A = 1/(k-1) + 1/(m-k):

    Pr(some z in [0,1]^N is within eps on the unit ball)
        <= N E|alpha| A delta (C delta)^(k-1) / (8 W (delta kappa_m - eps sqrt(1 + delta^2)/2)),

in dimension k, and so in every dimension d >= k: on a k-dimensional subspace through w* the units
are Gaussian again. Proof: docs/theory/zonal.md.
"""

from __future__ import annotations

import math

from flint import arb

from slth.theory.arithmetic import float_ball
from slth.theory.result import require_dimension
from slth.theory.zonal.latitudes import angle_mass, mean_size
from slth.theory.zonal.nodes import kink_distance

# Dimensions looked at. Beyond, the best k is smaller for every eps above 3e-4 or so; for smaller
# eps the bound is still one, for it holds in every larger dimension.
MOST = 96


def theorem_a(d: int, eps: arb, relative: float, chance: arb) -> tuple[arb, int, int]:
    """The largest real N that the inequality refutes with that failure probability, and k, m.

    Args:
        d: input dimension.
        eps: eps / R, exactly or as a ball around it.
        relative: about eps / R, for the choice of delta.
        chance: failure probability.
    """
    best, chosen = arb(0), (2, 4)
    for k in range(2, min(d, MOST) + 1):
        least = k + 1 + (k + 1) % 2
        for m in (least, least + 2):
            width = _width(k, m, eps, relative, chance)
            if width > best:
                best, chosen = width.lower(), (k, m)
    return best, *chosen


def _width(k: int, m: int, eps: arb, relative: float, chance: arb) -> arb:
    kappa = kink_distance(m)
    # d/d delta log(delta^k / (delta kappa - eps r)) = 0 at r = 1/2; any delta is allowed.
    delta = float_ball(0.5 * relative * k / ((k - 1) * float(kappa)))
    margin = delta * kappa - eps * (1 + delta * delta).sqrt() / 2
    if not margin > 0:
        return arb(0)
    _slope, reach = interpolation_constants(m)
    share = arb(1) / (k - 1) + arb(1) / (m - k)
    expected = mean_size(k) * share * delta * (reach * delta) ** (k - 1) / (8 * angle_mass(k))
    return chance * margin / expected


def interpolation_constants(m: int) -> tuple[arb, arb]:
    """B and C: a unit at angle theta contributes |I| <= |cos| min(delta/8, B delta^m |cot|^(m-1)),
    and the two meet at tan(theta) = C delta."""
    half = arb(1) / 2
    beta = ((half).lgamma() + arb(m - 1).lgamma() - (half + m - 1).lgamma()).exp()
    slope = 1 / (8 * m * (m - 1) * beta / 2)
    return slope, (8 * slope) ** (arb(1) / (m - 1))


def universal_constant(d: int) -> float:
    """d sqrt2 e_d of Theorem A: Pr <= N (d eps / c)^(d-1) with this c, if eps <= c / d. Rounded
    down. At eps = c / d the delta used is below 1, which `theorem_a` need not assume."""
    d = require_dimension(d)
    m = d + 1 + (d + 1) % 2
    kappa = kink_distance(m)
    _, reach = interpolation_constants(m)
    share = arb(1) / (d - 1) + arb(1) / (m - d)
    grown = arb(d) * (arb(d) / (d - 1)) ** (d - 1)
    power = 8 * angle_mass(d) * kappa**d / (mean_size(d) * share * reach ** (d - 1) * grown)
    constant = d * arb(2).sqrt() * power ** (arb(1) / (d - 1))
    return math.nextafter(float(constant.lower()), 0.0)
