"""Narrow networks by all their masks: bounds hold in exact rationals, answers are the optima."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slth
from slth import Status, prune_neurons
from slth.limits import Deadline, silent
from slth.pruning.neurons.entry import NeuronRace
from slth.pruning.neurons.enumeration import MOST_UNITS, MaskBounds, enumerate_masks
from slth.pruning.neurons.problem import Problem, random_sphere
from tests.pruning.neurons.brute import instance, least_error
from tests.pruning.neurons.test_fewest import fewest_by_hand

READOUTS = ["linear", "relu"]


def exact_error(net, target, keep, x):
    """|g_keep(x) - f(x)| at a float point, in rationals."""

    def value(network, units):
        total = Fraction(0)
        for i in units:
            inner = sum(
                Fraction(w) * Fraction(t) for w, t in zip(network.hidden[i], x, strict=True)
            )
            total += Fraction(float(network.output[i])) * max(inner, Fraction(0))
        return max(total, Fraction(0)) if network.readout == "relu" else total

    return abs(value(net, np.flatnonzero(keep)) - value(target, range(target.width)))


def cancelling(seed, readout):
    """Masks whose values at a point cancel to the last bits."""
    rng = np.random.default_rng(seed)
    hidden, output = rng.standard_normal((3, 4)), 1e3 * rng.standard_normal(3)
    near = hidden * (1.0 + 2.0**-52 * rng.integers(-3, 4, hidden.shape))
    net = slth.ReLUNetwork(np.vstack([hidden, near]), np.concatenate([output, -output]), readout)
    return net, slth.ReLUNetwork(near, output, "linear")


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("family", ["gaussian", "cancelling"])
@pytest.mark.parametrize("seed", range(6))
def test_no_mask_errs_by_less_than_its_bound(seed, family, readout):
    """A single point, where the exact error is known; zero bounds are below everything."""
    net, target = (
        instance(6, 4, seed, readout) if family == "gaussian" else cancelling(seed, readout)
    )
    problem = Problem(net, target)
    for point in random_sphere(np.random.default_rng(seed), 4, 4):
        bounds = MaskBounds(problem)
        bounds.add(point)
        for mask in range(2**6):
            exact = exact_error(net, target, bounds.units(mask), point)
            assert Fraction(float(bounds.least[mask])) <= exact
            assert bounds.least[mask] >= float(exact) - 1e-9


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("d", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_of_every_mask(d, readout, seed):
    net, target = instance(9, d, seed, readout, units=1 + seed)
    lower, upper, _ = least_error(net, target)
    answer = prune_neurons(net, target, 2.0)
    assert answer.status is Status.OPTIMAL
    assert answer.stats["prover"] == "enumeration"
    assert answer.bound <= 2.0 * upper
    assert 2.0 * lower <= answer.error.upper <= 2.0 * upper * (1 + 1e-5)
    below = prune_neurons(net, target, eps=0.98 * lower)
    assert below.status is Status.REFUTED
    assert 0.98 * lower < below.bound <= upper
    assert prune_neurons(net, target, eps=1.02 * upper).status is Status.REACHED


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_fewest_units_of_every_mask(d, readout, share):
    net, _ = instance(8, d, 5 + d, readout)
    eps = share * float(np.abs(net.output) @ np.linalg.norm(net.hidden, axis=1))
    answer = prune_neurons(net, net, eps=eps, fewest=True)
    assert answer.status is Status.OPTIMAL
    assert answer.stats["masks"] >= 1
    assert answer.mask.kept_units == answer.least_units == fewest_by_hand(net, net, eps)
    assert answer.error.upper <= eps


def test_no_count_is_enough():
    net, target = instance(8, 4, 1)
    lower, _, _ = least_error(net, target)
    answer = prune_neurons(net, target, eps=0.9 * lower, fewest=True)
    assert answer.status is Status.REFUTED
    assert answer.least_units == 9


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_ties_zeros_and_repeated_units(data):
    d, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    entry = st.integers(-2, 2)
    rows = st.lists(st.lists(entry, min_size=d, max_size=d), min_size=width, max_size=width)
    hidden = np.array(data.draw(rows), float)
    output = np.array(data.draw(st.lists(entry, min_size=width, max_size=width)), float)
    net = slth.ReLUNetwork(hidden, output, data.draw(st.sampled_from(READOUTS)))
    target = slth.neuron([1.0] * d, normalize=True)
    _, upper, _ = least_error(net, target)
    answer = prune_neurons(net, target)
    assert answer.status is Status.OPTIMAL
    assert answer.bound <= upper + 1e-12
    assert answer.error.upper <= upper * (1 + 2e-5) + 1e-12


def test_the_widest_takes_a_moment_and_few_certificates():
    net, target = slth.random_network(5, MOST_UNITS, 3), slth.neuron(np.eye(5)[0])
    answer = prune_neurons(net, target, time_limit=None)
    assert answer.status is Status.OPTIMAL
    assert answer.stats["masks"] < 100


def test_a_passed_limit_leaves_what_is_proven():
    net, target = slth.random_network(4, 12, 3), slth.neuron(np.eye(4)[0])
    race = NeuronRace(Problem(net, target), 1.0, None, Deadline(1e-9), silent)
    enumerate_masks(race, np.random.default_rng(0))
    assert race.bound <= prune_neurons(net, target).error.upper


def test_a_written_proof_is_left_to_those_who_write_one():
    net, target = slth.random_network(3, 8, 3), slth.neuron(np.eye(3)[0])
    answer = prune_neurons(net, target, proof=True)
    assert answer.status is Status.OPTIMAL
    assert answer.refutation is not None
    assert answer.error.upper == pytest.approx(prune_neurons(net, target).error.upper, rel=1e-5)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize(("small", "large"), [(1e-321, 1e308), (1e-310, 1e300), (1e-300, 1e-10)])
@pytest.mark.parametrize("seed", range(4))
def test_weights_near_underflow_are_no_smaller_errors(seed, small, large, readout):
    """An inner product that underflows is off by more than rounding says, and so are norms."""
    rng = np.random.default_rng(seed)
    net = slth.ReLUNetwork(
        small * rng.standard_normal((5, 3)), large * rng.uniform(-1.0, 1.0, 5), readout
    )
    target = slth.ReLUNetwork(small * rng.standard_normal((1, 3)), [large])
    problem = Problem(net, target)
    for point in random_sphere(rng, 3, 3):
        bounds = MaskBounds(problem)
        bounds.add(point)
        for mask in range(2**5):
            exact = exact_error(net, target, bounds.units(mask), point)
            assert Fraction(float(bounds.least[mask])) <= exact
    answer = prune_neurons(net, target)
    assert answer.bound <= answer.error.upper
