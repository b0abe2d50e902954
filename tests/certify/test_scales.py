"""Statuses and bounds at every scale: decided on the numbers that a user reads, after scaling."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify.unit_pair import UnitPair, are_closed, is_closed
from slth.rounding.scaling import into_radius, near_in_radius, scaled_down, scaled_up

STEP = 2.0**-1074
RADII = [STEP, 2 * STEP, 5 * STEP, 1e-310, 2.0**-1022, 1e-300, 0.3, 1.0, 2.0, 7.7, 1e200, 1e300]


def zero(d):
    return slth.ReLUNetwork(np.zeros((0, d)), np.zeros(0))


def along_axis(d, weight, output):
    hidden = np.zeros((1, d))
    hidden[0, 0] = weight
    return slth.ReLUNetwork(hidden, [output])


def square(point):
    return sum(Fraction(float(p)) ** 2 for p in point)


@pytest.mark.parametrize("radius", RADII)
def test_scaled_numbers_enclose_the_exact_product_and_no_more_than_two_floats(radius):
    rng = np.random.default_rng(0)
    for value, exponent in itertools.product([0.0, STEP, 0.75, 1.0, *rng.random(20)], [-900, 0, 9]):
        exact = Fraction(float(value)) * Fraction(radius) * Fraction(2) ** exponent
        below = float(scaled_down(float(value), radius, exponent))
        above = float(scaled_up(float(value), radius, exponent))
        assert Fraction(below) <= exact
        assert above == np.inf or exact <= Fraction(above)
        close = np.nextafter(np.nextafter(below, np.inf), np.inf)
        assert above <= close or above == np.inf


@pytest.mark.parametrize("radius", RADII)
def test_points_carried_to_a_radius_lie_in_its_ball_exactly(radius):
    rng = np.random.default_rng(1)
    for d in (1, 2, 3, 5):
        for _ in range(50):
            point = rng.standard_normal(d)
            # A hair inside the unit ball, as the engines' points are.
            point /= np.linalg.norm(point) * (1.0 + 1e-15)
            for x in near_in_radius(point, radius):
                assert square(x) <= Fraction(radius) ** 2
    assert into_radius(np.array([1.0]), radius)[0] == radius


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("rtol", [0.0, 1e-15, 1e-6])
def test_closed_means_that_the_bounds_are_within_rtol(d, radius, rtol):
    weight = 1e20 if radius > 1.0 else 1e100
    for output in (1.0 / weight, 1.0):
        e = slth.certify(along_axis(d, weight, output), zero(d), radius=radius, rtol=rtol)
        exact = Fraction(weight) * Fraction(output) * Fraction(radius)
        assert Fraction(e.lower) <= exact
        assert e.upper == np.inf or exact <= Fraction(e.upper)
        noise = 1e-13 * float(min(exact, Fraction(1e300)))
        assert (e.status == "closed") <= (e.gap <= rtol * e.upper or e.upper <= noise)
        assert (e.witness is None) == (e.lower == 0.0)
        assert e.witness is None or square(e.witness) <= Fraction(radius) ** 2


def test_weights_that_overflow_at_the_witness_leave_it_its_value():
    # <w, x> is 1e320 there, the network's value 1e300.
    for d in (1, 2, 3, 5):
        e = slth.certify(along_axis(d, 1e20, 1e-20), zero(d), radius=1e300)
        assert e.status == "closed"
        assert e.lower >= 0.99e300


def test_the_smallest_ball_has_witnesses_where_it_has_points():
    net = slth.ReLUNetwork(0.7e100 * np.ones((1, 2)), [1e100])
    e = slth.certify(net, zero(2), radius=STEP)
    assert e.witness is not None
    assert square(e.witness) <= Fraction(STEP) ** 2
    assert e.lower >= 0.69e200 * STEP
    assert e.status == "open"


@pytest.mark.parametrize("d", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1.0, 1e290])
def test_tiny_and_huge_networks_are_enclosed_as_sharply_as_ordinary_ones(d, scale):
    rng = np.random.default_rng(d)
    hidden, output = rng.standard_normal((3, d)), rng.standard_normal(3)
    plain = slth.certify(slth.ReLUNetwork(hidden, output), zero(d))
    e = slth.certify(slth.ReLUNetwork(scale * hidden, output), zero(d))
    assert e.status == "closed"
    assert e.upper <= plain.upper * scale * (1.0 + 3e-6)
    assert e.lower >= plain.lower * scale * (1.0 - 3e-6)
    many = slth.certify_many([slth.ReLUNetwork(scale * hidden, output)], zero(d))[0]
    assert many.status == "closed"
    assert many.lower >= plain.lower * scale * (1.0 - 3e-6)


def test_thresholds_far_from_the_error_are_decided():
    rng = np.random.default_rng(0)
    net = slth.ReLUNetwork(1e-300 * rng.standard_normal((3, 5)), rng.standard_normal(3))
    assert slth.certify(net, zero(5), eps=1e9).upper <= 1e9
    assert slth.certify_many([net], zero(5), eps=1e9).closed.all()
    assert slth.certify(net, zero(5), eps=1e-310).lower > 1e-310
    box = slth.Box(0.0, 1.0)
    assert slth.certify(net, zero(5), eps=1e9, domain=box).upper <= 1e9


def test_values_beyond_floats_are_no_bounds():
    # The second layer's values reach 1e400: no float is an upper bound, and none is claimed.
    layers = [slth.Dense([[1e200]], [1.0]), slth.Dense([[1e200]], [0.0]), slth.Dense([[1.0]])]
    net = slth.DeepNetwork(layers)
    other = slth.DeepNetwork([slth.Dense([[1.0]], [1.0]), slth.Dense([[1.0]]), slth.Dense([[1.0]])])
    e = slth.certify(net, other, domain=slth.Box(-1.0, 1.0), time_limit=5)
    assert e.status == "open"
    assert e.upper == np.inf


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("scale", [2.0**-900, 1.0, 2.0**700])
def test_equal_units_err_by_exactly_0_in_any_order_and_scaling(d, readout, scale):
    rng = np.random.default_rng(d)
    hidden, output = rng.standard_normal((6, d)), rng.standard_normal(6)
    powers = 2.0 ** rng.integers(-30, 30, 6)
    order = rng.permutation(6)
    net = slth.ReLUNetwork(scale * hidden, output, readout)
    same = slth.ReLUNetwork(
        (scale * hidden * powers[:, None])[order], (output / powers)[order], readout
    )
    e = slth.certify(net, same, radius=3.0, rtol=0.0)
    assert (e.lower, e.upper, e.witness, e.status) == (0.0, 0.0, None, "closed")


def test_units_that_differ_by_less_than_any_float_are_not_called_equal():
    one = slth.ReLUNetwork([[1.0, STEP]], [1.0])
    other = slth.ReLUNetwork([[1.0, 2 * STEP]], [1.0])
    assert slth.certify(one, other).upper > 0.0
    big = slth.ReLUNetwork([[2.0**300, STEP]], [1.0])
    bigger = slth.ReLUNetwork([[2.0**300, 2 * STEP]], [1.0])
    assert slth.certify(big, bigger).upper > 0.0


@pytest.mark.parametrize("prune", [slth.prune_neurons, slth.prune_weights])
@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_a_target_whose_units_stand_in_the_network_is_found_exactly(prune, d, still_time):
    net = slth.random_network(d, 12, seed=3)
    target = slth.ReLUNetwork(net.hidden[[2, 7]], net.output[[2, 7]])
    solution = prune(net, target)
    assert (solution.error.lower, solution.error.upper) == (0.0, 0.0)
    assert solution.status == "optimal"
    assert solution.mask.kept_units == 2


def test_the_pair_is_the_same_problem():
    rng = np.random.default_rng(0)
    net = slth.ReLUNetwork(1e-290 * rng.standard_normal((4, 3)), 1e-9 * rng.standard_normal(4))
    target = slth.ReLUNetwork(1e250 * rng.standard_normal((2, 3)), 1e-250 * rng.standard_normal(2))
    pair = UnitPair.of(net, target)
    x = rng.standard_normal((9, 3))
    expected = np.ldexp(pair.net(x) - pair.target(x), pair.exponent)
    assert np.allclose(expected, net(x) - target(x), rtol=1e-12, atol=0.0)


def test_what_is_closed():
    assert is_closed(1.0, 1.0, 0.0, 0.0, None)
    assert not is_closed(1.0, np.nextafter(1.0, 2.0), 0.0, 0.0, None)
    assert not is_closed(0.0, np.inf, 1e6, 0.0, None)
    assert is_closed(0.0, 0.5, 0.0, 0.0, 0.5)
    assert is_closed(0.6, np.inf, 0.0, 0.0, 0.5)
    assert not is_closed(0.5, 0.6, 0.0, 0.0, 0.5)
    assert is_closed(0.0, 1e-14, 0.0, 1e-13, None)


def test_many_pairs_are_closed_as_single_ones_are():
    rng = np.random.default_rng(4)
    upper = np.exp2(rng.integers(-1074, 1000, 4000).astype(float)) * rng.uniform(1.0, 2.0, 4000)
    rtol = 1e-3
    # Gaps at the tolerance, a few units in the last place to either side.
    lower = upper * (1.0 - rtol) * (1.0 + rng.integers(-4, 5, 4000) * 2.0**-53)
    lower[::7], upper[::11] = 0.0, np.inf
    noise = np.where(rng.random(4000) < 0.1, upper, 0.0)
    for eps in (None, 1.0):
        single = [
            is_closed(*ends, rtol, least, eps)
            for *ends, least in zip(lower.tolist(), upper.tolist(), noise.tolist(), strict=True)
        ]
        found = are_closed(lower, upper, rtol, noise, eps)
        assert found.tolist() == single
        assert 0 < found.sum() < len(found)
