"""Neuron pruning from above with the linear readout at fixed eps: O(d^2) units, every eps > 1/57.

Let p = sum_k p_k P_k be a polynomial within e of relu on [-1, 1] (P_k Gegenbauer, P_k(1) = 1, and
p_k = 0 where lam_k = E relu(t) P_k(t) is) and phi = sum_k (p_k / lam_k) P_k. Keep the unit
alpha_i relu(<v_i, x>) iff a_i has the sign of phi(c_i), c_i = <v_i, w*>, and
|alpha_i| <= s(c_i) = sqrt(4 |phi(c_i)| / (N f_0)), f_0 the density of |alpha| at 0. By Funk and
Hecke's formula the kept sum has the mean p(<w*, x>) but for a computed error, and its fluctuation
is of order sqrt(d) N^(-1/4). Proof: docs/theory/weighted-units.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from flint import arb
from numpy.typing import ArrayLike, NDArray

from slth.errors import InvalidInput, require_positive
from slth.theory.arithmetic import float_above, float_ball, precision, total
from slth.theory.breakpoints import require_some_units, require_target
from slth.theory.least_width import least_width
from slth.theory.result import Evidence, Statement, require_dimension, require_open_unit
from slth.theory.small_units import density_at_zero, lost_density
from slth.theory.spectral import harmonic_count, multiplier

_BITS = 128
# Degrees of the polynomials: their errors are .0625, .0339, .0229, .0173.
DEGREES = (2, 4, 6, 8)
# Steps of [0, 1] on which the error of a polynomial is evaluated, exchanges of Remez' algorithm.
_STEPS, _EXCHANGES = 2**15, 20


@dataclass(frozen=True)
class PolynomialWeights:
    """The polynomial of one degree in d dimensions, and what the bound needs of phi.

    Attributes:
        error: at least sup over [-1, 1] of |p - relu|.
        harmonics: p_k / lam_k of k = 0 .. degree; 0 for odd k > 1.
        largest: at least max |phi|.
        square: E phi(<v, w*>)^2 = sum_k (p_k / lam_k)^2 / N_k, N_k the dimension of degree k.
    """

    error: float
    harmonics: tuple[arb, ...]
    largest: arb
    square: arb


def weighted_units_width(d: int, eps: float, radius: float = 1.0, delta: float = 0.05) -> Statement:
    """Width at which, with probability >= 1 - delta, the units kept by `weighted_units` are within
    eps under the linear readout: of order d^2 / (eps/R - e)^4, e = 1/16 or less.

    The degree is the one of least width. The paper conjectures that a width exponential in d is
    needed: at fixed eps it is not.

    Args:
        d: input dimension, >= 2.
        eps: error, > .0173 radius.
        radius: radius of the ball, > 0.
        delta: allowed failure probability.

    Raises:
        InvalidInput: d < 2, radius not positive, eps too small for the polynomials at hand, delta
            outside (0, 1).
    """
    d = require_dimension(d)
    relative = require_positive("eps", eps) / require_positive("radius", radius)
    relative = math.nextafter(relative, 0.0)
    delta = require_open_unit("delta", delta)
    widths = {m: _sufficient(d, relative, delta, m) for m in DEGREES if reach(m) < relative}
    if not widths:
        raise InvalidInput(
            "eps is below what the polynomials at hand reach",
            got=f"eps / radius = {relative!r}",
            expected=f"more than {reach(DEGREES[-1]):.4f}",
            fix="Use neuron_pruning_sufficient_width for smaller eps.",
        )
    degree = min(widths, key=lambda m: widths[m])
    return Statement(
        name="weighted units",
        value=widths[degree],
        meaning="units at which the small ones, weighted by a polynomial of their angle, are "
        "within eps with probability >= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=False,
        assumptions=("linear readout", "a ~ N(0, 1), w ~ N(0, I_d); any target of norm 1"),
        source="this package, docs/theory/weighted-units.md",
        constants={"degree": float(degree), "of_polynomial": reach(degree)},
    )


def expected_error(d: int, width: int, delta: float, degree: int = 2) -> float:
    """What the error of `weighted_units` exceeds with probability at most delta, on the unit ball;
    rounded up."""
    chosen = weights(d, degree)
    with precision(_BITS):
        scale = 4 / (width * density_at_zero(d))
        # |alpha| has density >= f_0 - t^(2q) f_q: the mean falls short of p by at most this.
        q = float_ball(min(1.0, 0.45 * (d - 1)))
        short = lost_density(d, q) / (2 * q + 2) * 2 / density_at_zero(d)
        short *= (scale * chosen.largest) ** q * (chosen.square / (2 * d)).sqrt()
        # N E xi^2 and N E xi^2 relu^2; E |phi|^(3/2) <= (E phi^2)^(3/4), and Hölder with
        # E relu(t)^8 = 105 / (2 d (d + 2) (d + 4) (d + 6)).
        square = width * density_at_zero(d) / 6 * (scale * chosen.square.sqrt()) ** (arb(3) / 2)
        eighth = arb(105) / (2 * d * (d + 2) * (d + 4) * (d + 6))
        variance = square * eighth ** (arb(1) / 4)
        mean = 2 * square.sqrt()
        largest = (scale * chosen.largest).sqrt() + (1 + float_ball(chosen.error) + short) / width
        rest = (2 / float_ball(delta)).log()
        spread = (2 * rest * (variance + 2 * largest * mean)).sqrt()
        return float_above(chosen.error + short + mean + spread + largest * rest / 3)


def weighted_units(
    hidden: ArrayLike, output: ArrayLike, target: ArrayLike, degree: int = 2
) -> NDArray[np.bool_]:
    """The ticket of the theorem: which units to keep, bool [width].

    Args:
        hidden: w_i [width, d].
        output: a_i [width].
        target: w* [d], of any norm: alpha is compared with it.
        degree: of the polynomial, in `DEGREES`.

    Raises:
        InvalidInput: shapes that do not fit, no units, or another degree.
    """
    weight, scales = require_some_units(hidden, output)
    width, d = weight.shape
    d = require_dimension(d)
    wanted = require_target(target, d)
    norms = np.linalg.norm(weight, axis=1)
    cosines = (weight @ wanted) / np.where(norms > 0.0, norms, 1.0)
    cosines = np.clip(cosines / np.linalg.norm(wanted), -1.0, 1.0)
    constant, *others = (float(harmonic.mid()) for harmonic in weights(d, degree).harmonics)
    phi = np.full(width, constant)
    before, now = np.ones(width), cosines
    for k, harmonic in enumerate(others, start=1):
        phi += harmonic * now
        before, now = now, ((2 * k + d - 2) * cosines * now - k * before) / (k + d - 2)
    with precision(_BITS):
        scale = float((4 / (width * density_at_zero(d))).mid())
    sizes = np.abs(scales) * norms / np.linalg.norm(wanted)
    return (sizes <= np.sqrt(scale * np.abs(phi))) & (scales * phi > 0.0)


def _sufficient(d: int, relative: float, delta: float, degree: int) -> int:
    return least_width(lambda width: expected_error(d, width, delta, degree) <= relative)


def weights(d: int, degree: int) -> PolynomialWeights:
    """phi of one degree in d dimensions: p expanded in Gegenbauer's polynomials, exactly."""
    if not isinstance(degree, int) or degree not in DEGREES:
        raise InvalidInput(
            "no polynomial of that degree",
            got=f"degree = {degree!r}",
            expected=" or ".join(map(str, DEGREES)),
            fix="Use degree=2; higher ones reach smaller eps at greater width.",
        )
    return _weights(d, degree)


@lru_cache(maxsize=64)
def _weights(d: int, degree: int) -> PolynomialWeights:
    # p(t) = t/2 + q(t^2); moments E t^(2j) = 1 3 .. (2j - 1) / (d (d + 2) .. (d + 2j - 2)).
    left = [Fraction(0)] * (degree + 1)
    for j, b in enumerate(even_part(degree)):
        left[2 * j] = Fraction(b)
    left[1] = Fraction(1, 2)
    basis = _gegenbauer(d, degree)
    harmonics = [arb(0)] * (degree + 1)
    with precision(_BITS):
        for k in range(degree, -1, -1):
            p = left[k] / basis[k][k]
            left = [c - p * (basis[k][i] if i <= k else 0) for i, c in enumerate(left)]
            if p:
                exact = arb(p.numerator) / p.denominator
                harmonics[k] = exact / _multiplier(d, k)
        largest = total(abs(h) for h in harmonics)
        square = total(h * h / harmonic_count(d, k) for k, h in enumerate(harmonics))
    return PolynomialWeights(reach(degree), tuple(harmonics), largest, square)


def _gegenbauer(d: int, degree: int) -> list[list[Fraction]]:
    """Coefficients of P_0 .. P_degree: (k + d - 2) P_(k+1) = (2k + d - 2) t P_k - k P_(k-1)."""
    basis = [[Fraction(1)], [Fraction(0), Fraction(1)]]
    for k in range(1, degree):
        raised = [Fraction(0), *(Fraction(2 * k + d - 2, k + d - 2) * c for c in basis[k])]
        lowered = [*(Fraction(k, k + d - 2) * c for c in basis[k - 1]), Fraction(0), Fraction(0)]
        basis.append([r - s for r, s in zip(raised, lowered, strict=True)])
    return basis


def _multiplier(d: int, k: int) -> arb:
    """lam_k = E relu(t) P_k(t) with its sign, k = 0, 1 or even."""
    size = multiplier(d, k)
    return -size if k and k % 4 == 0 else size


@lru_cache(maxsize=8)
def even_part(degree: int) -> tuple[float, ...]:
    """b_0 .. b_n, 2n = degree: sum_j b_j t^(2j) is nearly the best approximation of |t|/2 on
    [-1, 1]. Remez' exchange; whatever it returns, `reach` bounds its error."""
    n = degree // 2
    t = np.linspace(0.0, 1.0, 4001)
    powers = t[:, None] ** (2 * np.arange(n + 1))
    places = np.round(4000 * np.sin(np.linspace(0.0, math.pi / 2, n + 2))).astype(np.int64)
    signs = (-1.0) ** np.arange(n + 2)
    b = np.zeros(n + 1)
    for _ in range(_EXCHANGES):
        system = np.hstack([powers[places], signs[:, None]])
        b = np.linalg.solve(system, t[places] / 2)[: n + 1]
        residual = t / 2 - powers @ b
        turns = np.flatnonzero(np.diff(np.sign(residual)) != 0) + 1
        parts = np.split(np.arange(t.size), turns)
        if len(parts) != n + 2:
            break
        places = np.array([part[np.argmax(np.abs(residual[part]))] for part in parts])
    return tuple(float(c) for c in b)


@lru_cache(maxsize=8)
def reach(degree: int) -> float:
    """At least the error e of the polynomial of that degree, max over [0, 1] of |t/2 - q(t^2)|.

    Between points h apart a function exceeds its values there by at most h^2/8 times its second
    derivative, here at most sum_j 2j (2j - 1) |b_j|.
    """
    b = even_part(degree)
    t = np.arange(_STEPS + 1) / _STEPS
    values = np.zeros(t.size)
    for c in reversed(b):
        values = values * (t * t) + c
    size = sum(abs(c) for c in b)
    bend = sum(2 * j * (2 * j - 1) * abs(c) for j, c in enumerate(b))
    # Horner: 3 roundings a step, each relative to at most 1/2 + sum |b_j|.
    rounding = (3 * len(b) + 2) * 2.0**-52 * (size + 0.5)
    return float(np.abs(t / 2 - values).max()) + bend / (8.0 * _STEPS**2) * (1 + 1e-9) + rounding
