"""The theorem of weighted units: each inequality of its proof, and the tickets it builds."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammaln

import slth
from slth import theory
from slth.certify.ascent import local_maxima
from slth.certify.problem.objective import objectives
from slth.errors import InvalidInput
from slth.limits import Deadline
from slth.theory.small_units import density_at_zero, lost_density
from slth.theory.weighted_units import DEGREES, even_part, expected_error, reach, weights


def sphere_mean(d, function):
    """E function(t), t the first coordinate of a uniform point of S^(d-1)."""
    if d == 2:
        # t = cos of a uniform angle: no density to integrate through its poles.
        return (
            quad(lambda u: function(math.cos(u)) / math.pi, 0, math.pi / 2)[0]
            + (quad(lambda u: function(math.cos(u)) / math.pi, math.pi / 2, math.pi)[0])
        )
    log_scale = gammaln(d / 2) - gammaln((d - 1) / 2) - 0.5 * math.log(math.pi)

    def density(t):
        return math.exp(log_scale) * max(0.0, 1 - t * t) ** ((d - 3) / 2)

    return sum(
        quad(lambda t: density(t) * function(t), *side, epsabs=1e-12, limit=200)[0]
        for side in ((-1, 0), (0, 1))
    )


def gegenbauer(d, degree, t):
    """P_0 .. P_degree at t by Rodrigues-free means: normalised Gram-Schmidt values."""
    t = np.asarray(t, float)
    found = [np.ones_like(t), t]
    for k in range(1, degree):
        found.append(((2 * k + d - 2) * t * found[k] - k * found[k - 1]) / (k + d - 2))
    return found


def phi(d, degree, t):
    harmonics = [float(h.mid()) for h in weights(d, degree).harmonics]
    return sum(h * p for h, p in zip(harmonics, gegenbauer(d, degree, t), strict=True))


@pytest.mark.parametrize("degree", DEGREES)
def test_the_polynomial_errs_by_no_more_than_said_and_hardly_less(degree):
    t = np.linspace(0, 1, 200_001)
    q = np.polynomial.polynomial.polyval(t * t, even_part(degree))
    seen = float(np.abs(t / 2 - q).max())
    assert seen <= reach(degree) <= seen * (1 + 1e-4)
    # Bernstein: the best even approximations of |t| err by about .28 / degree.
    assert reach(degree) == pytest.approx(0.14 / degree, rel=0.15)


@pytest.mark.parametrize(
    ("d", "degree"), [(2, 4), (3, 2), (3, 8), (5, 4), (10, 2), (10, 6), (40, 4)]
)
def test_funk_and_hecke_turn_phi_into_the_polynomial(d, degree):
    # At x = w* the mean is E phi(t) relu(t) = p(1); at x = -w* it is p(-1); orthogonal to w*,
    # E phi(c) relu(s Y) with s = sqrt(1 - c^2) is p(0).
    q = np.polynomial.polynomial.polyval
    b = even_part(degree)
    up = sphere_mean(d, lambda t: float(phi(d, degree, t)) * max(t, 0))
    down = sphere_mean(d, lambda t: float(phi(d, degree, t)) * max(-t, 0))
    assert up == pytest.approx(0.5 + q(1.0, b), rel=1e-6)
    assert down == pytest.approx(-0.5 + q(1.0, b), abs=1e-6)
    width = math.exp(gammaln((d - 1) / 2) - gammaln(d / 2)) / (2 * math.sqrt(math.pi))
    side = sphere_mean(d, lambda c: float(phi(d, degree, c)) * math.sqrt(max(0, 1 - c * c)))
    assert side * width == pytest.approx(q(0.0, b), abs=1e-6)


@pytest.mark.parametrize(("d", "degree"), [(3, 2), (5, 4), (10, 2), (40, 4)])
def test_square_and_largest_of_phi(d, degree):
    chosen = weights(d, degree)
    square = sphere_mean(d, lambda t: float(phi(d, degree, t)) ** 2)
    assert float(chosen.square.mid()) == pytest.approx(square, rel=1e-6)
    t = np.linspace(-1, 1, 20_001)
    assert np.abs(phi(d, degree, t)).max() <= float(chosen.largest.mid()) * (1 + 1e-12)
    # Jensen and Hölder, as in the proof.
    power = sphere_mean(d, lambda t: abs(float(phi(d, degree, t))) ** 1.5)
    assert power <= square**0.75 * (1 + 1e-9)
    eighth = sphere_mean(d, lambda t: max(t, 0) ** 8)
    assert eighth == pytest.approx(105 / (2 * d * (d + 2) * (d + 4) * (d + 6)), rel=1e-6)


@pytest.mark.parametrize(("d", "q"), [(2, 0.45), (3, 0.9), (5, 1.0), (10, 1.0)])
def test_the_density_of_small_sizes_is_between_its_bounds(d, q):
    first, lost = float(density_at_zero(d)), float(lost_density(d, q))
    rng = np.random.default_rng(d)
    norm = np.linalg.norm(rng.standard_normal((400_000, d)), axis=1)
    for t in (0.1, 0.5, 1.0):
        samples = math.sqrt(2 / math.pi) * np.exp(-((t / norm) ** 2) / 2) / norm
        density, error = samples.mean(), 4.5 * samples.std() / math.sqrt(norm.size)
        assert density <= first + error
        assert density >= first - lost * t ** (2 * q) - error


@pytest.mark.parametrize(("d", "degree"), [(2, 4), (3, 2), (5, 8)])
def test_units_are_kept_by_the_sign_and_size_of_phi(d, degree):
    net, w = slth.random_network(d, 500, 3), np.arange(1.0, d + 1)
    keep = theory.weighted_units(net.hidden, net.output, w, degree)
    norms = np.linalg.norm(net.hidden, axis=1)
    values = phi(d, degree, net.hidden @ w / norms / np.linalg.norm(w))
    sizes = np.abs(net.output) * norms / np.linalg.norm(w)
    allowed = np.sqrt(4 * np.abs(values) / (500 * float(density_at_zero(d))))
    assert np.array_equal(keep, (sizes <= allowed) & (np.sign(net.output) == np.sign(values)))


@pytest.mark.parametrize(("d", "degree"), [(3, 2), (5, 2), (5, 4), (20, 2), (40, 2)])
def test_drawn_tickets_err_by_less_than_the_bound(d, degree):
    width = 40_000
    for seed in range(3):
        net, w = slth.random_network(d, width, seed), np.eye(d)[0]
        keep = theory.weighted_units(net.hidden, net.output, w, degree)
        pruned = slth.ReLUNetwork(net.hidden[keep], net.output[keep])
        error = max(
            local_maxima(o, 40, np.random.default_rng(0), Deadline(), polished=0).values[0]
            for o in objectives(pruned, slth.neuron(w))
        )
        assert reach(degree) < error <= expected_error(d, width, 0.05, degree)
        assert (error - reach(degree)) / (math.sqrt(d) * width**-0.25) < 4.0


def test_a_ticket_is_certified_within_its_bound():
    d, width = 3, 1000
    net, w = slth.random_network(d, width, 1), np.eye(d)[1]
    keep = theory.weighted_units(net.hidden, net.output, w)
    pruned = slth.ReLUNetwork(net.hidden[keep], net.output[keep])
    error = slth.certify(pruned, slth.neuron(w), rtol=0.05, time_limit=None)
    assert 1 / 16 < error.upper <= expected_error(d, width, 0.05)
    # Twice the target: twice the sizes.
    double = slth.ReLUNetwork(net.hidden, 2 * net.output)
    assert np.array_equal(theory.weighted_units(double.hidden, double.output, 2 * w), keep)


@pytest.mark.parametrize("d", [20, 40])
def test_tickets_in_many_dimensions_are_enclosed(d):
    net, w = slth.random_network(d, 20_000, 2), np.eye(d)[0]
    keep = theory.weighted_units(net.hidden, net.output, w)
    pruned = slth.ReLUNetwork(net.hidden[keep], net.output[keep])
    found = slth.certify(pruned, slth.neuron(w), rtol=0.5, time_limit=1.0)
    assert 1 / 16 < found.lower <= found.upper <= expected_error(d, 20_000, 0.05)


def test_widths_are_quadratic_in_the_dimension_and_choose_their_degree():
    widths = {d: theory.weighted_units_width(d, 0.2).value for d in (50, 100, 200)}
    # Terms of the bound that fall faster in N than the leading one make the ratios smaller than 4.
    assert 3.3 < widths[100] / widths[50] < 4.5
    assert 3.3 < widths[200] / widths[100] < 4.5
    bound = theory.weighted_units_width(10, 0.3)
    degree = int(bound.constants["degree"])
    assert expected_error(10, int(bound.value), 0.05, degree) <= 0.3
    assert expected_error(10, int(bound.value) // 2, 0.05, degree) > 0.3
    assert theory.weighted_units_width(10, 0.6, 2.0).value == pytest.approx(bound.value, rel=2e-3)
    assert theory.weighted_units_width(10, 0.03).constants["degree"] > 4
    assert theory.weighted_units_width(20, 0.1).value < 1e-10 * (
        theory.neuron_pruning_sufficient_width(20, 0.1, 1.0, 0.05).value
    )


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: theory.weighted_units_width(5, 0.017), "below what the polynomials"),
        (lambda: theory.weighted_units(np.ones((1, 3)), [1.0], np.ones(3), 3), "of that degree"),
        (lambda: theory.weighted_units(np.ones((0, 3)), [], np.ones(3)), "no units"),
    ],
)
def test_errors_say_what_is_wrong(call, what):
    with pytest.raises(InvalidInput, match=what):
        call()
