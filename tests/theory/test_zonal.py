"""The zonal bound: what a unit sees of a latitude, the interval quadrature, the widths."""

import math

import numpy as np
import pytest
from flint import arb
from scipy.integrate import quad
from scipy.optimize import linprog

from slth import theory
from slth.errors import InvalidInput
from slth.theory.arithmetic import precision
from slth.theory.zonal.integral import mean_size_of
from slth.theory.zonal.latitudes import Latitude, angle_mass
from slth.theory.zonal.measure import programmed


def around(rng, d, t, count):
    """Uniform points of the latitude t about e_1."""
    y = rng.standard_normal((count, d - 1))
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return np.c_[np.full(count, t), math.sqrt(1 - t * t) * y]


@pytest.mark.parametrize("d", [3, 4, 5, 9, 30])
def test_what_a_unit_sees_against_sampling(d):
    rng = np.random.default_rng(d)
    count = 400_000
    for theta, t in ((0.1, 0.05), (0.7, 0.3), (1.2, 0.95), (math.pi / 2, 0.4), (0.3, 0.0)):
        unit = np.zeros(d)
        unit[:2] = math.cos(theta), math.sin(theta)
        samples = np.abs(around(rng, d, t, count) @ unit) / 2
        value, _ = Latitude.at(d, t).seen(arb(theta).cos(), arb(theta).sin())
        error = samples.std() / math.sqrt(count) + 1e-12
        assert float(value) == pytest.approx(samples.mean(), abs=4.5 * error)


@pytest.mark.parametrize("d", [3, 4, 5, 8])
def test_derivatives_of_what_a_unit_sees(d):
    latitude = Latitude.at(d, 0.3)

    def at(x):
        return latitude.seen(arb(x).cos(), arb(x).sin())

    def psi(x):
        gap = math.sin(x) ** 2 - 0.09
        if gap <= 0:
            return 0.0
        return float(latitude.factor) * math.sin(x) ** (1 - d) * gap ** ((d - 4) / 2)

    with precision(200):
        step = arb(1) / 2**40
        for x in (0.1, 0.2, 0.4, 0.9, 1.5):
            near = [at(arb(x) + k * step) for k in (-1, 0, 1)]
            slope = (near[2][0] - near[0][0]) / (2 * step)
            assert float(slope) == pytest.approx(float(near[1][1]), rel=1e-9, abs=1e-12)
            second = (near[2][1] - near[0][1]) / (2 * step)
            assert float(second + near[1][0]) == pytest.approx(psi(x), rel=1e-8, abs=1e-10)
    kink = math.asin(0.3)
    for low, high in ((0.2, 0.31), (0.31, 0.5), (0.1, 1.5)):
        total = quad(psi, max(low, kink), high, limit=400)[0] if high > kink else 0.0
        shares = [latitude.share(arb(x).cos(), arb(x).sin()) for x in (low, high)]
        assert total <= float(shares[0] - shares[1]) * (1 + 1e-6) + 1e-12
        # t / sin theta is at least 0.3 / 0.5 on the first two intervals.
        if high <= 0.5:
            assert total >= 0.6 * float(shares[0] - shares[1])


MEASURES = [(3, 4, 0.05), (4, 4, 0.3), (5, 6, 0.02), (8, 8, 0.2), (9, 10, 0.4), (12, 12, 0.5)]


@pytest.mark.parametrize(("d", "m", "scale"), MEASURES)
def test_interval_quadrature_is_never_below_a_fine_sum(d, m, scale):
    with precision(256):
        measure = theory.ZonalMeasure.spread(d, m, scale)
        bound = measure.mean_seen(0.02)
        edges = np.geomspace(1e-3 * scale, math.pi / 2, 2001)
        middles = np.sqrt(edges[1:] * edges[:-1])
        values = [abs(float(measure.seen_at(x))) for x in middles.tolist()]
        mass = np.sin(middles) ** (d - 2) * np.diff(edges)
        fine = 2 * float(np.dot(values, mass)) / float(angle_mass(d))
    # The sum leaves out the pole below 1e-3 scale and errs by about (step)^2.
    assert fine * (1 - 1e-3) <= bound <= 1.04 * fine
    assert sum(abs(float(w)) for w in measure.weights) == pytest.approx(1.0, abs=1e-15)


def test_quadrature_of_a_programmed_measure_and_of_a_single_latitude():
    found = programmed(5, 0.01, 0.3, 1e3)
    assert found is not None
    with precision(128):
        measure = theory.ZonalMeasure.of(5, *found[1:])
        promised = (float(measure.total) - 0.01) / (found[0] * measure.mean_seen())
    # Ratio of the certified expectation to the program's: E|alpha| / 2 is left.
    half_size = math.gamma(3) / math.gamma(2.5) / math.sqrt(math.pi)
    assert promised / half_size == pytest.approx(1.0, abs=0.05)
    # One latitude: E|I| = E|<v, x>| / 2 = 1 / 4 on the sphere of R^3, whatever t.
    single = mean_size_of([Latitude.at(3, 0.6)], [arb(1)], tolerance=1e-3)
    assert 0.25 <= single <= 0.251


def test_the_expected_sum_bounds_drawn_networks():
    # E sum max(0, alpha_i I_i) = N E|alpha| E|I| / 2: drawn networks agree with the quadrature.
    d, width, draws = 4, 50, 8000
    with precision(128):
        measure = theory.ZonalMeasure.spread(d, 4, 0.9)
        bound = float(measure.mean_seen(0.01))
        angles = np.geomspace(1e-4, math.pi / 2, 4000)
        table = np.array([float(measure.seen_at(x)) for x in angles.tolist()])
    rng = np.random.default_rng(1)
    hidden = rng.standard_normal((draws, width, d))
    norms = np.linalg.norm(hidden, axis=2)
    alpha = rng.standard_normal((draws, width)) * norms
    seen = np.interp(np.arccos(np.abs(hidden[..., 0]) / norms), angles, table)
    sums = np.maximum(0, alpha * seen).sum(axis=1)
    size = 2 / math.sqrt(math.pi) * math.gamma(2.5) / math.gamma(2)
    error = sums.std() / math.sqrt(draws)
    assert sums.mean() == pytest.approx(width * size * bound / 2, abs=4.5 * error)


def test_fractional_tickets_of_drawn_networks_do_not_beat_the_width():
    # sup over points of |g_z - f|, minimised over z in [0, 1]^N by a linear program: at the width
    # the theorem refutes, at most a share delta of the draws comes within eps.
    d, eps, delta = 3, 0.006, 0.3
    width = theory.zonal_width(d, eps, 1.0, delta).value
    assert width >= 50
    rng = np.random.default_rng(5)
    reached = 0
    draws = 8
    for _ in range(draws):
        hidden, output = rng.standard_normal((width, d)), rng.standard_normal(width)
        t = np.r_[0.0, np.geomspace(0.01, 0.6, 5)]
        x = np.vstack([around(rng, d, s, 60) for s in np.r_[t, -t[1:]]])
        seen = np.maximum(x @ hidden.T, 0) * output
        goal = np.maximum(x[:, 0], 0)
        one = np.ones((x.shape[0], 1))
        found = linprog(
            np.r_[np.zeros(width), 1.0],
            A_ub=np.block([[seen, -one], [-seen, -one]]),
            b_ub=np.r_[goal, -goal],
            bounds=[(0, 1)] * width + [(0, None)],
            method="highs",
        )
        reached += found.fun <= eps
    assert reached <= delta * draws + 4 * math.sqrt(draws * delta * (1 - delta))


def test_the_width_of_the_issue_and_its_closed_form():
    bound = theory.zonal_width(10, 0.01, 2.0, 0.05)
    assert bound.status == "proven"
    assert not bound.vacuous
    assert 1_000_000 <= bound.value <= 2_000_000
    assert 1 <= bound.constants["log10_closed_form"] < 2
    assert "interval quadrature" in bound.assumptions[-1]


def test_monotone():
    in_eps = [theory.zonal_width(5, eps).value for eps in (0.1, 0.01, 0.003)]
    assert in_eps == sorted(in_eps)
    in_d = [theory.zonal_width(d, 0.01, 2.0).value for d in (2, 3, 6, 13)]
    assert in_d == sorted(in_d)
    in_delta = [theory.zonal_width(4, 0.004, delta=delta).value for delta in (0.01, 0.1, 0.5)]
    assert in_delta == sorted(in_delta)
    assert theory.zonal_width(4, 0.004, 2.0).value == theory.zonal_width(4, 0.002, 1.0).value
    # Exponent d - 1 = 7 of 1/eps.
    steep = theory.zonal_width(8, 1e-5).value / theory.zonal_width(8, 1e-4).value
    assert math.log10(steep) == pytest.approx(7.0, abs=0.02)


def test_large_dimension_uses_a_subspace_and_large_eps_says_nothing():
    assert theory.zonal_width(1000, 0.01, 2.0).value >= theory.zonal_width(10, 0.01, 2.0).value
    vacuous = theory.zonal_width(4, 0.5)
    assert vacuous.value == 0
    assert vacuous.vacuous


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theory.zonal_width(1, 0.1), "weight pruning"),
        (lambda: theory.zonal_width(3, -0.1), "eps"),
        (lambda: theory.zonal_width(3, 0.1, 0.0), "radius"),
        (lambda: theory.zonal_width(3, 0.1, delta=1.0), "delta out of range"),
        (lambda: theory.spectral_width(3, 0.0), "eps"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InvalidInput, match=words):
        call()
