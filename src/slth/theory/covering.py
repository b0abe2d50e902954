"""Widths at which neuron pruning provably fails: the covering argument (linear readout).

Let x0 be a unit vector orthogonal to w* and look at the arc R (cos(s) x0 + sin(s) w*), |s| <= phi.
If no hidden unit's hyperplane cuts the arc, every combination of the units is linear on the cone
over it while the target bends in its middle, and the points -phi, 0, phi show an error of at least
(R/2) tan(phi/2). So with phi = 2 arctan(2 eps / R) an approximation within eps needs a cut in the
arc of *every* x0 of the sphere S^{d-2} in the hyperplane of the target: N random bands must cover
that sphere. This holds for all subsets S at once, and for retrained output weights too.

Unit j cuts iff |<z_j, x0>| <= tan(phi) |<w_j, w*>|, z_j the part of w_j orthogonal to w*. Three
lower bounds on the probability to leave a hole, all proven in docs/theory/covering.md:

- `one point` (exact in d = 2): (1 - 2 phi / pi)^N.
- `second moment`: given the <w_j, w*>, Cauchy-Schwarz for the uncovered volume;
  N ~ (d/eps) log(1/eps).
- `orthonormal points`: d - 1 points, independent given the <w_j, w*>; N ~ 1/eps with failure
  probability exp(-Omega(d)).
"""

from __future__ import annotations

import math
from functools import lru_cache

from flint import arb

from slth.errors import require_count, require_positive
from slth.theory.arithmetic import cap_measure, float_above, float_ball, floor_of, precision
from slth.theory.result import Evidence, Statement, require_dimension, require_open_unit

_BITS = 96
# The largest width looked for; beyond it the answer is "at least this".
_LARGEST = 1 << 60
# What the Gaussian tail |w| > 40 can add to the moments below (proved in docs/theory/covering.md).
_TAIL = 1e-60


def covering_width(d: int, eps: float, radius: float, delta: float) -> Statement:
    """The largest N that the covering argument refutes with probability >= 1 - delta, for any
    radius > 0 and any eps > 0 (only eps / radius matters)."""
    d = require_dimension(d)
    relative = require_positive("eps", eps) / require_positive("radius", radius)
    relative = math.nextafter(relative, math.inf)
    delta = require_open_unit("delta", delta)
    candidates = {"one point": 0}
    if relative < 0.5:
        candidates["one point"] = _one_point_width(relative, delta)
        if d > 2 and _band(relative) < 0.5:
            candidates["second moment"] = _second_moment_width(d, relative, delta)
            candidates["orthonormal points"] = _orthonormal_width(d, relative, delta)
    route = max(candidates, key=lambda name: candidates[name])
    value = candidates[route]
    return Statement(
        name="covering bound",
        value=value,
        meaning="every subset of this many units errs by more than eps with probability "
        ">= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=value < 1,
        assumptions=(
            "linear readout",
            "hidden weights i.i.d. N(0, I_d); nothing is assumed of the output weights, "
            "which may even be retrained",
            "target max(<w*, x>, 0), ||w*|| = 1",
            f"route: {route}",
        ),
        source="this package, docs/theory/covering.md",
        constants={
            "c": value * eps / d,
            "arc_half_angle": 2.0 * math.atan(2.0 * relative) if relative < 0.5 else math.pi / 2,
            **{name.replace(" ", "_"): float(width) for name, width in candidates.items()},
        },
    )


def covering_failure(d: int, width: int, eps: float, radius: float) -> float:
    """Upper bound on Pr(some linear combination of `width` Gaussian units is within eps)."""
    d = require_dimension(d)
    relative = require_positive("eps", eps) / require_positive("radius", radius)
    relative = math.nextafter(relative, math.inf)
    width = require_count("width", width, least=0)
    if relative >= 0.5:
        return 1.0
    best = _one_point_failure(relative, width)
    if d > 2 and _band(relative) < 0.5:
        best = min(best, _second_moment_failure(d, relative, width, 0.01))
    return best


def _band(relative: float) -> float:
    """tan(phi) for tan(phi / 2) = 2 eps / R."""
    u = 2.0 * relative
    return 2.0 * u / (1.0 - u * u)


def _band_ball(relative: float) -> arb:
    u = 2 * float_ball(relative)
    return 2 * u / (1 - u * u)


def _one_point_failure(relative: float, width: int) -> float:
    with precision(_BITS):
        cut = 4 * (2 * float_ball(relative)).atan() / arb.pi()
        return min(1.0, float_above(1 - (1 - cut) ** width))


def _one_point_width(relative: float, delta: float) -> int:
    with precision(_BITS):
        cut = 4 * (2 * float_ball(relative)).atan() / arb.pi()
        ratio = (-float_ball(delta)).log1p() / (-cut).log1p()
        return min(_LARGEST, floor_of(ratio))


def _cells() -> list[float]:
    return [0.01 * i for i in range(800)] + [8.0 + 0.1 * i for i in range(321)]


@lru_cache(maxsize=64)
def _band_moments(relative: float) -> tuple[arb, arb]:
    """Upper bounds on A = (2 s^2 / pi) E[w^2 / (1 - r_w)^2] and B = E[r_w / (1 - r_w)],
    r_w = erf(s |w| / sqrt 2): both integrands grow with |w|, so cells take their outer end."""
    with precision(_BITS):
        s = _band_ball(relative)
        root = arb(2).sqrt()
        first, second = arb(_TAIL), arb(_TAIL)
        edges = _cells()
        below = arb(0)
        for outer in edges[1:]:
            w = float_ball(outer)
            above = (w / root).erf()
            miss = (s * w / root).erfc()
            first += (above - below) * w * w / (miss * miss)
            second += (above - below) * (1 - miss) / miss
            below = above
        return 2 * s * s / arb.pi() * first, second


@lru_cache(maxsize=256)
def _inverse_moment(relative: float, t: float) -> arb:
    """Upper bound on E[(1 - r_w)^(-t)], t <= min(1000, 1 / (2 s))."""
    with precision(_BITS):
        s = _band_ball(relative)
        root = arb(2).sqrt()
        total = arb(_TAIL)
        edges = _cells()
        below = arb(0)
        for outer in edges[1:]:
            w = float_ball(outer)
            above = (w / root).erf()
            total += (above - below) * (s * w / root).erfc() ** (-float_ball(t))
            below = above
        return total


def _second_moment_failure(d: int, relative: float, width: int, delta: float) -> float:
    """1 - 1 / E[Q] with E[Q] <= 1 + sum (e^{y_{i+1}} - e^{y_i}) Pr(Y > y_i).

    Y = width log(1 + min(A (1/sin theta - 1), B)), theta the angle of two uniform lines in
    R^{d-1}. The levels y_i are finest where the sum must be accurate to a part of delta.
    """
    with precision(_BITS):
        a, b = _band_moments(relative)
        top = width * (1 + b).log()
        levels = _levels(delta, float_above(top))
        total = arb(1)
        low = arb(1)
        for i, y in enumerate(levels[:-1]):
            high = float_ball(levels[i + 1]).exp()
            if i == 0:
                probability = arb(1)
            else:
                inverse_sine = 1 + (float_ball(y) / width).expm1() / a
                probability = cap_measure(1 / (inverse_sine * inverse_sine), d - 1)
            total += (high - low) * probability
            low = high
        return min(1.0, float_above(1 - 1 / total))


def _levels(delta: float, top: float) -> list[float]:
    levels = [0.0]
    y = 1e-3 * delta
    while y < top:
        levels.append(y)
        y += min(0.03 * y, max(0.3, 0.004 * y))
    levels.append(max(top, levels[-1] * (1.0 + 1e-15)))
    return levels


def _second_moment_width(d: int, relative: float, delta: float) -> int:
    def fails(width: int) -> bool:
        return _second_moment_failure(d, relative, width, delta) > delta

    return _largest(fails, _one_point_width(relative, delta))


def _orthonormal_width(d: int, relative: float, delta: float) -> int:
    """Largest N with (1 - y)^(d-1) + y^t E[(1 - r)^(-t)]^N <= delta for some y, t."""
    best = 0
    s = _band(relative)
    with precision(_BITS):
        half = float_ball(delta) / 2
        y = 1 - (half.log() / (d - 1)).exp()
        t = 1.0
        while t <= min(1000.0, 0.49 / s):
            room = half.log() - t * y.log()
            if room > 0:
                ratio = room / _inverse_moment(relative, t).log()
                best = max(best, floor_of(ratio))
            t *= 1.25
    return min(best, _LARGEST)


def _largest(fails, known: int) -> int:
    """The largest width (to a part in 2,000) that does not fail; failing is monotone."""
    low = max(known, 0)
    if fails(max(low, 1)):
        high = max(low, 1)
        low = 0
    else:
        low = max(low, 1)
        high = 2 * low
        while not fails(high):
            low, high = high, 2 * high
            if high > _LARGEST:
                return _LARGEST
    while high - low > max(1, low // 2000):
        middle = (low + high) // 2
        if fails(middle):
            high = middle
        else:
            low = middle
    return low
