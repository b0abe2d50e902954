"""d = 1 and d = 2: enclosures against exact rationals, in every readout and on nasty inputs."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slth
from slth.certify import certify

from .exact_circle import squared_sup

READOUTS = ["linear", "relu"]


def assert_encloses(net, target, relative):
    """lower^2 <= exact square <= upper^2; no wider than a float witness allows at steep kinks."""
    enclosure = certify(net, target)
    square = squared_sup(net, target) if net.d == 2 else squared_sup_of_two_sides(net, target)
    assert Fraction(enclosure.lower) ** 2 <= square <= Fraction(enclosure.upper) ** 2
    mass = sum(float(np.abs(n.output) @ np.abs(n.hidden).sum(axis=1)) for n in (net, target))
    assert enclosure.upper - enclosure.lower <= relative * enclosure.upper + 1e-15 * mass


def squared_sup_of_two_sides(net, target):
    """d = 1: the exact square of the larger difference at x = 1 and x = -1."""
    best = Fraction(0)
    for x in (1, -1):
        values = []
        for n in (net, target):
            pairs = zip(n.output.tolist(), n.hidden[:, 0].tolist(), strict=True)
            total = sum((Fraction(a) * max(Fraction(w) * x, 0) for a, w in pairs), Fraction(0))
            values.append(max(total, Fraction(0)) if n.readout == "relu" else total)
        best = max(best, (values[0] - values[1]) ** 2)
    return best


def test_the_oracle_on_hand_computed_cases():
    one = slth.neuron([1.0, 0.0])
    other = slth.neuron([0.0, 1.0])
    zero = slth.ReLUNetwork(np.zeros((0, 2)), np.zeros(0))
    assert squared_sup(one, one) == 0
    assert squared_sup(one, zero) == 1
    # relu(x) - relu(y): x = (1, 0) gives 1, and no gradient is longer where it applies.
    assert squared_sup(one, other) == 1
    # -relu(x) with a ReLU readout vanishes.
    negative = slth.ReLUNetwork([[1.0, 0.0]], [-1.0], "relu")
    assert squared_sup(negative, zero) == 0
    assert squared_sup(negative, one) == 1
    # relu(x) + relu(y) has gradient (1, 1) on the positive quadrant.
    both = slth.ReLUNetwork([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
    assert squared_sup(both, zero) == 2


@pytest.mark.parametrize("net_readout", READOUTS)
@pytest.mark.parametrize("target_readout", READOUTS)
@pytest.mark.parametrize("seed", range(12))
def test_random_networks_against_exact_rationals(net_readout, target_readout, seed):
    net = slth.random_network(2, seed, seed, net_readout)
    target = slth.random_network(2, 1 + seed // 4, seed + 100, target_readout)
    assert_encloses(net, target, 1e-14)


# Small integers: parallel, antiparallel, duplicate and dead units, exact cancellation.
weights = st.integers(-2, 2)
units = st.lists(st.tuples(weights, weights, weights), max_size=7)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(g=units, f=units, g_readout=st.sampled_from(READOUTS), f_readout=st.sampled_from(READOUTS))
def test_degenerate_networks_against_exact_rationals(g, f, g_readout, f_readout):
    net, target = (
        slth.ReLUNetwork(
            np.array([u[1:] for u in rows], float).reshape(-1, 2),
            np.array([u[0] for u in rows], float),
            readout,
        )
        for rows, readout in ((g, g_readout), (f, f_readout))
    )
    enclosure = certify(net, target)
    square = squared_sup(net, target)
    assert Fraction(enclosure.lower) ** 2 <= square <= Fraction(enclosure.upper) ** 2
    assert enclosure.upper - enclosure.lower <= 1e-14 * max(1.0, enclosure.upper)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    scales=st.lists(st.integers(-140, 140), min_size=6, max_size=6),
    readout=st.sampled_from(READOUTS),
)
def test_huge_and_tiny_scales(seed, scales, readout):
    net = slth.random_network(2, 6, seed, readout)
    hidden = net.hidden * np.exp2(np.array(scales, float))[:, None]
    net = slth.ReLUNetwork(hidden, net.output * np.exp2(-np.array(scales[::-1], float)), readout)
    target = slth.neuron([0.6, -0.8])
    assert_encloses(net, target, 1e-13)


def test_nearly_parallel_units_are_ordered_exactly():
    base = np.array([0.3, -0.7])
    hidden = np.array([base * (1 + k * 2.0**-52) + [0, k * 2.0**-54] for k in range(8)])
    net = slth.ReLUNetwork(hidden, np.array([1e6, -1e6, 1e6, -1e6, 1e6, -1e6, 1e6, -1e6]))
    target = slth.neuron([1.0, 0.0])
    assert_encloses(net, target, 1e-13)


def test_gradients_that_a_pair_of_floats_cannot_hold():
    """While 2^106 + (2^53 - 1) fills both floats of the running gradient, 200 quarters are lost one
    by one; then it is taken away again. Angles 2^-300 apart keep the crossings in this order."""
    output = [2.0**106, 2.0**53 - 1.0] + 200 * [0.25] + [-(2.0**106), -(2.0**53 - 1.0)]
    hidden = [[1.0, k * 2.0**-300] for k in range(len(output))]
    net, zero = slth.ReLUNetwork(hidden, output), slth.ReLUNetwork(np.zeros((0, 2)), np.zeros(0))
    square = squared_sup(net, zero)
    assert square > 49**2
    enclosure = certify(net, zero)
    assert Fraction(enclosure.lower) ** 2 <= square <= Fraction(enclosure.upper) ** 2


def test_a_rewritten_copy_differs_by_nothing():
    net = slth.random_network(2, 40, seed=5)
    order = np.random.default_rng(0).permutation(40)
    copy = slth.ReLUNetwork(net.hidden[order] * 4.0, net.output[order] / 4.0)
    enclosure = certify(net, copy)
    assert enclosure.upper < 1e-14
    assert enclosure.status == "closed"


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("seed", range(6))
def test_one_dimension_is_two_sums(readout, seed):
    net, target = slth.random_network(1, 9, seed, readout), slth.neuron([-1.0])
    assert_encloses(net, target, 1e-14)


@given(radius=st.floats(1e-3, 1e3), seed=st.integers(0, 100))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_the_supremum_scales_with_the_radius(radius, seed):
    net, target = slth.random_network(2, 8, seed), slth.neuron([1.0, 0.0])
    unit, scaled = certify(net, target), certify(net, target, radius=radius)
    assert Fraction(scaled.lower) <= Fraction(unit.upper) * Fraction(radius)
    assert Fraction(scaled.upper) >= Fraction(unit.lower) * Fraction(radius)
    x = [Fraction(v) for v in scaled.witness.tolist()]
    assert x[0] ** 2 + x[1] ** 2 <= Fraction(radius) ** 2
    assert abs(float(net(scaled.witness) - target(scaled.witness))) == pytest.approx(scaled.lower)


def test_eps_decides():
    net, target = slth.random_network(2, 30, seed=1), slth.neuron([1.0, 0.0])
    error = certify(net, target).upper
    assert certify(net, target, eps=error * 1.01).status == "closed"
    assert certify(net, target, eps=error * 0.99).status == "closed"


def test_bad_input():
    net, target = slth.random_network(2, 3, 0), slth.neuron([1.0, 0.0])
    for arguments, words in [
        ((net, slth.neuron([1.0])), "incompatible"),
        ((net, "target"), "not a network"),
        ((np.ones((2, 2)), target), "not a network"),
        ((net, target, 0.0), "radius"),
        ((net, target, -1.0), "radius"),
        ((net, target, float("nan")), "radius"),
        ((net, target, float("inf")), "radius"),
        ((net, target, 1.0, -1e-3), "rtol"),
        ((net, target, 1.0, 1e-6, 0.0), "time_limit"),
    ]:
        with pytest.raises(slth.InvalidInput, match=words):
            certify(*arguments)
    with pytest.raises(slth.InvalidInput, match="eps"):
        certify(net, target, eps=0.0)


def test_a_difference_without_a_positive_value_has_no_witness():
    """The ascent may end at the origin, which has no direction."""
    net = slth.random_network(3, 30, 2, "relu")
    mask = slth.Mask.of_units(np.random.default_rng(2).random(30) < 0.5, 3)
    target = slth.random_network(3, 3, 9, "relu")
    enclosure = certify(net.pruned(mask), target)
    assert 0.0 <= enclosure.lower <= enclosure.upper


@pytest.mark.parametrize("radius", [0.3, 1.7, 1e-5, 1e9])
def test_a_scaled_witness_attains_the_lower_bound_of_networks_that_cancel(radius):
    for seed in range(40):
        net = slth.random_network(2, 20, seed)
        nudged = net.hidden * (1.0 + 1e-12 * np.random.default_rng(seed).standard_normal((20, 1)))
        target = slth.ReLUNetwork(nudged, net.output)
        found = slth.certify(net, target, radius)
        at = [Fraction(float(t)) for t in found.witness]
        assert sum(t * t for t in at) <= Fraction(radius) ** 2
        assert abs(exactly(net, at) - exactly(target, at)) >= Fraction(found.lower) > 0


def exactly(net, x):
    total = Fraction(0)
    for row, weight in zip(net.hidden.tolist(), net.output.tolist(), strict=True):
        inner = sum(Fraction(w) * t for w, t in zip(row, x, strict=True))
        total += Fraction(weight) * max(inner, Fraction(0))
    return total
