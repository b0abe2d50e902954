"""The spectral bound: multipliers, sum rules, drawn networks' exact L2 distances."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import eval_gegenbauer

from slth import theory
from slth.theory.spectral import harmonic_count, harmonics, multiplier


@pytest.mark.parametrize("d", [2, 3, 4, 5, 8, 20])
def test_multipliers_against_quadrature(d):
    total = math.sqrt(math.pi) * math.exp(math.lgamma((d - 1) / 2) - math.lgamma(d / 2))
    for k in (0, 1, 2, 3, 4, 6, 10, 20):

        def value(t, k=k):
            if d == 2:
                return math.cos(k * math.acos(t))
            a = (d - 2) / 2
            return eval_gegenbauer(k, a, t) / eval_gegenbauer(k, a, 1.0)

        def integrand(x, value=value):
            return math.cos(x) * value(math.cos(x)) * math.sin(x) ** (d - 2)

        exact = quad(integrand, 0, math.pi / 2, epsabs=1e-13, limit=400)[0] / total
        assert float(multiplier(d, k)) == pytest.approx(abs(exact), rel=1e-9, abs=1e-12)


def test_harmonic_counts():
    assert [harmonic_count(2, k) for k in range(4)] == [1, 2, 2, 2]
    assert [harmonic_count(3, k) for k in range(5)] == [1, 3, 5, 7, 9]
    assert [harmonic_count(4, k) for k in range(5)] == [1, 4, 9, 16, 25]
    # Homogeneous polynomials of degree k less those of degree k - 2.
    for d, k in ((6, 5), (10, 4), (30, 7)):
        assert harmonic_count(d, k) == math.comb(k + d - 1, k) - math.comb(k + d - 3, k - 2)


@pytest.mark.parametrize("d", [2, 3, 5, 8, 20])
def test_sum_rule_and_falling_multipliers(d):
    known = harmonics(d, 1e-6)
    energies = [float(e) for e in known.energies]
    assert energies == sorted(energies, reverse=True)
    ratios = [math.sqrt(b / a) for a, b in itertools.pairwise(energies)]
    claimed = [(k - 1) / (k + d + 1) for k in known.degrees[:-1]]
    assert ratios == pytest.approx(claimed, rel=1e-9)
    # E relu(t)^2 = 1/(2d) is the sum of all lam_k^2 N_k; what is left after the last is its tail.
    parts = [e * n for e, n in zip(energies, known.dimensions, strict=True)]
    whole = float(multiplier(d, 0)) ** 2 + d * float(multiplier(d, 1)) ** 2 + math.fsum(parts)
    rest = float(known.tails[-1]) - parts[-1]
    assert whole + rest == pytest.approx(1 / (2 * d), rel=1e-12)
    assert 0 < rest < 0.05 * float(known.tails[0])


def distances(rng, d, width, draws):
    """Exact squared L2 distances on the sphere of relu(<w*, .>) to the span of drawn units:
    E relu(<u, x>) relu(<v, x>) = (sin a + (pi - a) cos a) / (2 pi d) at angle a."""
    found = []
    for _ in range(draws):
        v = rng.standard_normal((width + 1, d))
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        angle = np.arccos(np.clip(v @ v.T, -1, 1))
        kernel = (np.sin(angle) + (math.pi - angle) * np.cos(angle)) / (2 * math.pi * d)
        left = np.linalg.lstsq(kernel[1:, 1:], kernel[1:, 0], rcond=1e-12)[0]
        found.append(kernel[0, 0] - kernel[1:, 0] @ left)
    return np.array(found)


@pytest.mark.parametrize(("d", "width"), [(3, 2), (5, 12), (8, 40), (12, 60)])
def test_mean_distance_of_drawn_networks_is_above_the_bound(d, width):
    found = distances(np.random.default_rng(d), d, width, 60)
    known = harmonics(d, 1e-4)
    bounds = []
    for at in range(len(known.degrees)):
        spent, left = 0.0, width
        for energy, count in zip(known.energies[at:], known.dimensions[at:], strict=True):
            used = min(left, count)
            spent += used * float(energy)
            left -= used
        bounds.append(float(known.tails[at]) - spent)
    error = found.std() / math.sqrt(60)
    assert found.mean() >= max(bounds) - 4.5 * error
    # The bound is within an order of magnitude, so a slip would show.
    assert max(bounds) >= 0.1 * found.mean()


def test_refitted_networks_at_the_width_do_not_reach_eps():
    d, eps, delta = 8, 0.03, 0.3
    width = theory.spectral_width(d, eps, 2.0, delta).value
    assert width >= 50
    found = distances(np.random.default_rng(2), d, width, 20)
    assert np.mean(np.sqrt(np.maximum(found, 0)) <= eps / 2.0) <= delta


@pytest.mark.parametrize(
    ("d", "eps", "width"),
    [
        (8, 0.01, 1.90e3),
        (10, 0.01, 1.23e4),
        (10, 0.001, 6.2e9),
        (20, 0.01, 5.2e6),
        (50, 0.01, 1.02e9),
        (100, 0.001, 2.9e50),
        (3, 1e-4, 426),
    ],
)
def test_widths_computed_independently(d, eps, width):
    bound = theory.spectral_width(d, eps, 2.0, 0.05)
    assert bound.value == pytest.approx(width, rel=0.01)
    assert bound.status == "proven"


def test_exponent_and_monotone():
    steep = theory.spectral_width(7, 1e-5).value / theory.spectral_width(7, 1e-4).value
    assert math.log10(steep) == pytest.approx(2 * 6 / 3, abs=0.15)
    in_d = [theory.spectral_width(d, 0.01, 2.0).value for d in (3, 5, 9, 20, 80, 1000)]
    assert in_d == sorted(in_d)
    in_eps = [theory.spectral_width(9, eps).value for eps in (0.1, 0.03, 0.01, 0.001)]
    assert in_eps == sorted(in_eps)
