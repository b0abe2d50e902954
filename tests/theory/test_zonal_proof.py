"""Theorem A, inequality by inequality (docs/theory/zonal.md), each against an independent
number."""

import math

import mpmath
import numpy as np
import pytest
from flint import arb
from scipy.integrate import quad
from scipy.optimize import linprog
from scipy.special import eval_legendre, gammaln

from slth.theory.arithmetic import precision
from slth.theory.zonal import universal_constant
from slth.theory.zonal.closed_form import interpolation_constants, theorem_a
from slth.theory.zonal.latitudes import angle_mass, mean_size
from slth.theory.zonal.nodes import alternation, divided_difference, kink_distance

DEGREES = (4, 6, 8, 12)


def profile(m):
    """q of step 1 and its normalisation."""
    z = math.exp(math.lgamma(0.5) + math.lgamma(m - 1) - math.lgamma(m - 0.5)) / 2
    return (lambda u: max(0.0, 1 - 4 * u * u) ** (m - 2) / z), z


def functional(m):
    """c_k at tau_k in [-1/2, 1/2]: the even functional of `nodes`, spread over +-tau."""
    squares = [arb(s) for s in alternation(m // 2)]
    weights = [float(w) for w in divided_difference(squares)]
    taus, halves = [], []
    for w, s in zip(weights, alternation(m // 2), strict=True):
        tau = math.sqrt(s) / 2
        taus += [tau, -tau]
        halves += [w / 2, w / 2]
    return np.array(taus), np.array(halves)


@pytest.mark.parametrize(("d", "m"), [(2, 4), (3, 4), (4, 6), (6, 8)])
def test_step_1_q_is_a_marginal_of_a_radial_density_in_the_hyperplane(d, m):
    q, _ = profile(m)
    assert quad(q, -0.5, 0.5)[0] == pytest.approx(1.0, abs=1e-10)
    power, rest = m - 2 - (d - 2) / 2, d - 2
    assert power > -1

    def marginal(u):
        reach = math.sqrt(0.25 - u * u)
        if rest == 0:
            return (1 - 4 * u * u) ** power
        return quad(lambda r: r ** (rest - 1) * (1 - 4 * (u * u + r * r)) ** power, 0, reach)[0]

    ratios = [marginal(u) / q(u) for u in (0.0, 0.1, 0.2, 0.33, 0.45)]
    assert ratios == pytest.approx([ratios[0]] * 5, rel=1e-6)


@pytest.mark.parametrize("m", [2, *DEGREES, 20])
def test_step_2_the_functional_sees_the_kink_and_no_polynomial(m):
    # The best polynomial of degree m - 1 for relu on [-1/2, 1/2], by a linear program of its own.
    t = np.unique(np.r_[np.cos(np.linspace(0, math.pi, 1501)) / 2, np.linspace(-0.02, 0.02, 401)])
    basis = np.polynomial.chebyshev.chebvander(2 * t, m - 1)
    one = np.ones((t.size, 1))
    goal = np.maximum(t, 0)
    least = linprog(
        np.r_[np.zeros(m), 1.0],
        A_ub=np.block([[basis, -one], [-basis, -one]]),
        b_ub=np.r_[goal, -goal],
        bounds=[(None, None)] * m + [(0, None)],
    ).fun
    kappa = float(kink_distance(m))
    assert kappa <= least * (1 + 1e-4)
    assert kappa >= 0.99 * least
    taus, weights = functional(m)
    assert np.abs(weights).sum() == pytest.approx(1.0)
    assert abs(weights @ np.maximum(taus, 0)) == pytest.approx(kappa, rel=1e-6)
    assert np.abs([weights @ (2 * taus) ** k for k in range(m)]).max() < 1e-13
    assert abs(weights @ (2 * taus) ** m) > 2.0 ** (-2 * m)


@pytest.mark.parametrize("m", DEGREES)
def test_step_4_rodrigues_bounds_the_derivatives_of_q(m):
    _, z = profile(m)
    n = m - 2
    power = np.polynomial.Polynomial([1, 0, -4]) ** n
    grid = np.linspace(-0.5, 0.5, 801)
    found = np.abs(power.deriv(n)(grid)) / z
    claimed = math.factorial(n) * 4.0**n / z
    assert found.max() == pytest.approx(claimed, rel=1e-6)
    assert found == pytest.approx(claimed * np.abs(eval_legendre(n, 2 * grid)), rel=1e-5, abs=1e-6)


def seen(m, theta, delta, digits=60):
    """I(theta) = sum c_k sin(theta) H(delta tau_k cot theta), H(u) = E relu(u + U), U ~ q."""
    with mpmath.workdps(digits):
        z = mpmath.beta(mpmath.mpf(1) / 2, m - 1) / 2
        cot = mpmath.cot(theta)

        def expected(u):
            r = min(max(-u, mpmath.mpf(-1) / 2), mpmath.mpf(1) / 2)
            tail = 1 - mpmath.betainc(m - 1, m - 1, 0, r + mpmath.mpf(1) / 2, regularized=True)
            return u * tail + (1 - 4 * r * r) ** (m - 1) / (8 * (m - 1) * z)

        squares = [mpmath.mpf(s) for s in alternation(m // 2)]
        weights = [
            1 / mpmath.fprod(a - b for j, b in enumerate(squares) if j != i)
            for i, a in enumerate(squares)
        ]
        size = mpmath.fsum(abs(w) for w in weights)
        total = mpmath.mpf(0)
        for w, s in zip(weights, squares, strict=True):
            for side in (1, -1):
                u = side * delta * mpmath.sqrt(s) / 2 * cot
                total += w / (2 * size) * mpmath.sin(theta) * expected(u)
        return abs(total)


@pytest.mark.parametrize("m", [4, 6, 10])
@pytest.mark.parametrize("delta", [0.5, 0.05])
def test_steps_5_and_6_bound_what_a_unit_sees(m, delta):
    slope, reach = (float(x) for x in interpolation_constants(m))
    assert reach == pytest.approx((8 * slope) ** (1 / (m - 1)))
    assert reach < 1
    closest = {"near": 0.0, "far": 0.0}
    for theta in np.geomspace(0.02 * delta, 1.5, 40).tolist():
        value = float(seen(m, theta, delta))
        near = delta * math.cos(theta) / 8
        far = slope * delta**m * math.cos(theta) / math.tan(theta) ** (m - 1)
        assert value <= near * (1 + 1e-12)
        assert value <= far * (1 + 1e-12)
        closest["near"] = max(closest["near"], value / near)
        closest["far"] = max(closest["far"], value / far)
    # Neither bound is loose by an order of magnitude, so a slip in a constant would show.
    assert closest["near"] > 0.25 / m
    assert closest["far"] > 0.05


@pytest.mark.parametrize(("d", "m"), [(2, 4), (3, 4), (5, 6), (8, 10)])
@pytest.mark.parametrize("delta", [0.6, 0.1])
def test_step_7_bounds_the_expected_sum(d, m, delta):
    _, reach = (float(x) for x in interpolation_constants(m))
    w = quad(lambda x: math.sin(x) ** (d - 2), 0, math.pi)[0]
    assert float(angle_mass(d)) == pytest.approx(w, rel=1e-12)
    theta = np.geomspace(1e-3 * delta, math.pi / 2 - 1e-6, 250)
    values = np.array([float(seen(m, x, delta, 50)) for x in theta.tolist()])
    exact = 2 / w * float(np.trapezoid(values * np.sin(theta) ** (d - 2), theta))
    share = 1 / (d - 1) + 1 / (m - d)
    bound = 2 / w * delta / 8 * (reach * delta) ** (d - 1) * share
    assert exact <= bound
    assert exact >= bound / 10 ** (1 + d / 4)


def test_mean_size_of_a_unit():
    rng = np.random.default_rng(0)
    for d in (2, 5, 30):
        sizes = np.abs(rng.standard_normal(200_000)) * np.linalg.norm(
            rng.standard_normal((200_000, d)), axis=1
        )
        error = sizes.std() / math.sqrt(200_000)
        assert float(mean_size(d)) == pytest.approx(sizes.mean(), abs=4.5 * error)


@pytest.mark.parametrize(
    ("d", "constant"),
    [(2, 0.0215), (3, 0.0485), (4, 0.0413), (5, 0.0569), (10, 0.0647), (16, 0.0737), (50, 0.0878)],
)
def test_step_8_the_universal_constant(d, constant):
    assert universal_constant(d) == pytest.approx(constant, abs=6e-5)
    # N >= p (c / (d eps))^(d-1): never more than what the optimised delta gives, delta <= 1 there.
    for ratio in (1.0, 0.5, 0.1):
        eps = ratio * universal_constant(d) / d
        m = d + 1 + (d + 1) % 2
        assert eps / math.sqrt(2) * d / ((d - 1) * float(kink_distance(m))) < 1.0
        with precision(128):
            width, _, _ = theorem_a(d, arb(eps), eps, arb(0.05))
        assert float(width) >= 0.05 * ratio ** -(d - 1) * (1 - 1e-9)


def test_the_constant_does_not_fall_with_d():
    # .04 for d >= 3, from the asymptotic kappa_m >= .07/m and Stirling in docs/theory/zonal.md.
    values = [universal_constant(d) for d in range(3, 97)]
    assert min(values) > 0.04
    assert values[3::2] == sorted(values[3::2])
    assert float(gammaln(3)) == pytest.approx(math.log(2))
