"""Weight pruning with a linear readout: widths at which every weight mask fails, for a given
target.

A mask turns a unit's direction into one supported on the coordinates T that it keeps, at an angle
with tan^2 >= omega_T^2 + tan^2(theta'), omega_T = ||w* off T||, theta' the angle inside R^T. So the
bound of Theorem A gains a term for each T, of order delta^m against delta^d: it costs nothing as
eps -> 0 unless w* is nearly sparse. Two arguments, both proven in docs/theory/masks.md:

- `measures`: Theorem A with those terms, on the coordinates that serve best;
- `planes`: in each of floor(d/2) disjoint coordinate planes some unit must bend within an angle of
  the target's kink; the planes are independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import arb
from numpy.typing import ArrayLike

from slth.errors import InvalidInput, require_array, require_positive
from slth.theory.arithmetic import float_ball, floor_of, precision, total
from slth.theory.result import Evidence, Statement, require_dimension, require_open_unit
from slth.theory.zonal.closed_form import interpolation_constants
from slth.theory.zonal.latitudes import angle_mass, mean_size
from slth.theory.zonal.nodes import kink_distance

_BITS = 128
# Factors on the delta that is best without masks: a smaller one makes their terms smaller.
_FACTORS = (1.0, 0.95, 1.1, 1.3)
# Coordinates looked at, the largest of |w*| first: beyond, the best number is smaller for eps >
# 1e-3.
_MOST = 40


def weight_mask_width(
    target: ArrayLike, eps: float, radius: float = 1.0, delta: float = 0.05
) -> Statement:
    """The largest proven N at which, with probability >= 1 - delta over the draw, every mask on the
    weights of N units errs by more than eps on the ball of that radius; linear readout.

    Args:
        target: w* [d], scaled to norm 1; its zeros are left out.
        eps: error to refute, > 0.
        radius: radius of the ball, > 0.
        delta: allowed failure probability.

    Raises:
        InvalidInput: target not a finite nonzero vector of d >= 2, eps or radius not positive,
            delta outside (0, 1).
    """
    w = require_array("target", target, ndim=1)
    require_dimension(w.shape[0])
    if not np.isfinite(w).all() or not w.any():
        raise InvalidInput(
            "the target is no direction",
            got=repr(w.tolist()),
            expected="finite numbers, not all 0",
            fix="Pass w* itself, for instance numpy.ones(d).",
        )
    relative = require_positive("eps", eps) / require_positive("radius", radius)
    delta = require_open_unit("delta", delta)
    # Largest first; the norm is an arb below, so only the order matters here.
    sizes = sorted((abs(x) for x in w.tolist() if x), reverse=True)
    with precision(_BITS):
        squares = [float_ball(x) * float_ball(x) for x in sizes]
        whole = total(squares)
        shares = [s / whole for s in squares]
        small = float_ball(math.nextafter(relative, math.inf))
        candidates = {
            "measures": _by_measures(shares, small, float_ball(delta)),
            "planes": _by_planes(shares, small, float_ball(delta)),
        }
    route = max(candidates, key=lambda name: candidates[name])
    value = candidates[route]
    return Statement(
        name="weight masks, linear readout",
        value=value,
        meaning="every weight mask on this many units errs by more than eps with probability "
        ">= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=value < 1,
        assumptions=(
            "linear readout",
            "a ~ N(0, 1), w ~ N(0, I_d); every mask on every weight",
            f"this target, with {len(sizes)} nonzero coordinates",
            f"route: {route}",
        ),
        source="this package, docs/theory/masks.md",
        constants={name: float(width) for name, width in candidates.items()},
    )


def _by_measures(shares: Sequence[arb], eps: arb, chance: arb) -> int:
    """On the k coordinates of largest |w*|, which carry the part `norm` of it: eps / norm there."""
    best = arb(0)
    for k in range(2, min(len(shares), _MOST) + 1):
        norm = total(shares[:k]).sqrt()
        inside = [s / (norm * norm) for s in shares[:k]]
        least = k + 1 + (k + 1) % 2
        for m in (least, least + 2):
            flat = float(eps / norm) / 2 * k / ((k - 1) * float(kink_distance(m)))
            for factor in _FACTORS:
                width = _width(inside, m, eps / norm, float_ball(factor * flat), chance)
                best = width.lower() if width > best else best
    return floor_of(best)


def _width(shares: Sequence[arb], m: int, eps: arb, delta: arb, chance: arb) -> arb:
    k = len(shares)
    margin = delta * kink_distance(m) - eps * (1 + delta * delta).sqrt() / 2
    if not margin > 0:
        return arb(0)
    _, reach = interpolation_constants(m)
    expected = mean_size(k) * _full(k, m, delta, reach) / 2
    for kept in range(1, k):
        # The least omega_T^2 over the C(k, kept) sets T: the smallest |w*| are dropped.
        dropped = total(shares[kept:])
        each = mean_size(kept) * _masked(kept, m, delta, reach, dropped.sqrt()) / 2
        expected += math.comb(k, kept) * each
    return chance * margin / expected


def _full(k: int, m: int, delta: arb, reach: arb) -> arb:
    """E|I| of an unmasked unit in dimension k (step 7 of Theorem A)."""
    return (
        (reach * delta) ** (k - 1)
        * delta
        * (arb(1) / (k - 1) + arb(1) / (m - k))
        / (4 * angle_mass(k))
    )


def _masked(kept: int, m: int, delta: arb, reach: arb, omega: arb) -> arb:
    """E|I| of a unit that keeps `kept` coordinates, sin(omega) of w* lying off them:
    at most delta/8 and B delta^m (omega^2 + tan^2)^(-(m-1)/2), 8 B = reach^(m-1)."""
    slope = reach ** (m - 1) / 8
    if kept == 1:
        far = slope * delta**m * omega ** (1 - m)
        return far.min(delta / 8)
    half = arb(1) / 2
    a, b = half * (kept - 1), half * (m - kept)
    beta = (a.lgamma() + b.lgamma() - (a + b).lgamma()).exp()
    far = slope * delta**m * omega ** (kept - m) * beta / angle_mass(kept)
    return far.min(_full(kept, m, delta, reach))


def _by_planes(shares: Sequence[arb], eps: arb, chance: arb) -> int:
    """Neighbours in size share a plane. Pr(some mask works) <= prod over planes of
    1 - (1 - 2 phi/pi)^N, phi = 2 arctan(2 eps / ||w* in the plane||), for the planes whose arc of
    half-angle phi about the target's kink holds neither axis."""
    logs = []
    for first, second in zip(shares[::2], shares[1::2], strict=False):
        half = 2 * (2 * eps / (first + second).sqrt()).atan()
        if half < (second / first).sqrt().atan():
            logs.append((-2 * half / arb.pi()).log1p())
    if not logs:
        return 0

    def refuted(width: int) -> bool:
        product = arb(1)
        for log in logs:
            product *= -(width * log).expm1()
        return bool(product <= chance)

    low, high = 0, 1
    while refuted(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low
