"""Folding of units that are always on, against exact rationals."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import slth
from slth.pruning.trained.fold import _reader, _shifts, folded, plain
from slth.pruning.trained.free import free_units
from slth.pruning.trained.hidden import HiddenUnits
from tests.pruning.trained.exact_line import largest_difference, layers_of

BOX = slth.Box(-1.0, 1.0)


def mostly_on(seed, sizes=(1, 6, 5, 2)):
    """Weights that are no short floats; about two units of three are on on the box."""
    rng = np.random.default_rng(seed)
    layers = []
    for ins, outs in pairwise(sizes):
        bias = rng.normal(size=outs) + 12.0 * rng.integers(0, 3, outs)
        layers.append(slth.Dense(rng.normal(size=(outs, ins)), bias))
    return slth.DeepNetwork(layers)


@pytest.mark.parametrize("seed", range(12))
def test_certified_errors_hold_the_exact_ones(seed):
    network = mostly_on(seed)
    free = free_units(network, BOX, fold=True)
    assert free.folded >= 1
    found = slth.compress(network, BOX, eps=1e-6, fold=True, time_limit=None)
    assert found.units <= HiddenUnits(network).total - free.folded
    exact = largest_difference(found.network, network, -1, 1)
    # Rounding is an error, and a small one.
    assert 0 < exact <= found.error.upper <= 1e-6
    assert found.error.lower <= exact
    assert found.stats["folded"] == free.folded
    # Without folding all of them stay.
    assert slth.compress(network, BOX, eps=1e-6, time_limit=None).units > found.units


@pytest.mark.parametrize("seed", range(12))
def test_what_is_stated_holds_the_exact_numbers(seed):
    """V_i + sum_j V_j a_i for the floats a_i is not seen from outside; the function is: at every
    point, the original's values lie in the range of the stated network."""
    network = mostly_on(seed, (1, 7, 2))
    stated, places, count = folded(network, BOX)
    assert count >= 1
    assert places == (2,)
    (inner, inner_bias), (outer, outer_bias) = layers_of(network)
    _, (weights, biases) = layers_of(stated)
    reader = stated.items[1]
    for x in [Fraction(k, 64) for k in range(-64, 65)]:
        hidden = [
            max(row[0] * x + b, Fraction(0)) for row, b in zip(inner, inner_bias, strict=True)
        ]
        for o in range(2):
            real = sum((v * h for v, h in zip(outer[o], hidden, strict=True)), outer_bias[o])
            kept = sum((v * h for v, h in zip(weights[o], hidden, strict=True)), biases[o])
            off = Fraction(float(reader.bias_rounding[o])) + sum(
                Fraction(float(r)) * h
                for r, h in zip(reader.weight_rounding[o], hidden, strict=True)
            )
            assert abs(real - kept) <= off
            assert off < Fraction(1, 10**9)
    bare = plain(stated, places)
    assert bare.items[1].weight_rounding is None
    assert np.array_equal(bare.items[1].weight, reader.weight)


def test_as_many_stay_as_inputs_vary():
    rng = np.random.default_rng(0)
    # The second input is fixed, so two directions are left; one unit is constant.
    box = slth.Box([-1.0, 0.5, -1.0], [1.0, 0.5, 1.0])
    weight = rng.normal(size=(8, 3))
    weight[3, [0, 2]] = 0.0
    network = slth.DeepNetwork([slth.Dense(weight, np.full(8, 9.0)), slth.Dense(np.ones((1, 8)))])
    assert free_units(network, box, fold=True).folded == 6
    found = slth.compress(network, box, eps=1e-9, fold=True, time_limit=None)
    x = rng.uniform(-1.0, 1.0, (200, 3))
    x[:, 1] = 0.5
    assert found.units == 2
    assert np.abs(found.network(x) - network(x)).max() <= found.error.upper + 1e-13


def test_only_what_is_on_and_spanned_goes():
    rng = np.random.default_rng(1)
    # Three independent rows of three inputs: nothing to fold.
    outer = slth.Dense(np.ones((1, 3)))
    network = slth.DeepNetwork([slth.Dense(rng.normal(size=(3, 3)), np.full(3, 20.0)), outer])
    assert free_units(network, BOX, fold=True).folded == 0
    # A row that is all but spanned: a part in 10^9 is no rounding.
    weight = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, 1e-9]])
    near = slth.DeepNetwork([slth.Dense(weight, np.full(3, 9.0)), outer])
    assert free_units(near, BOX, fold=True).folded == 1
    # A unit that touches 0 inside is not on.
    weight = np.array([[1.0], [1.0], [1.0]])
    bends = slth.DeepNetwork([slth.Dense(weight, [2.0, 0.999, 0.5]), outer])
    assert free_units(bends, BOX, fold=True).folded == 0
    assert free_units(bends, slth.Box(0.0, 1.0), fold=True).folded == 2


def test_a_layer_without_activation_is_affine():
    rng = np.random.default_rng(2)
    inner, outer = slth.Dense(rng.normal(size=(5, 2))), slth.Dense(rng.normal(size=(2, 5)))
    network = slth.DeepNetwork([inner, slth.Identity(), outer])
    found = slth.compress(network, BOX, eps=1e-9, fold=True, time_limit=None)
    assert found.units == 2
    x = rng.uniform(-1.0, 1.0, (200, 2))
    assert np.abs(found.network(x) - network(x)).max() <= found.error.upper + 1e-13


def test_leaky_units_fold_too_and_layers_known_up_to_rounding_do_not():
    weight, bias = np.array([[1.0], [3.0]]), np.array([2.0, 5.0])
    outer = slth.Dense([[0.1, 0.7]])
    leaky = slth.DeepNetwork([slth.Dense(weight, bias), slth.LeakyRelu(0.25), outer])
    assert free_units(leaky, BOX, fold=True).folded == 1
    rounded = slth.Dense(weight, bias, np.full((2, 1), 1e-12))
    assert free_units(slth.DeepNetwork([rounded, outer]), BOX, fold=True).folded == 0


def test_budgets_and_removals_after_folding_are_certified():
    for seed in range(4):
        network = mostly_on(seed, (1, 8, 4, 1))
        folds = slth.compress(network, BOX, units=4, fold=True, time_limit=1.0)
        assert folds.units <= 4
        exact = largest_difference(folds.network, network, -1, 1)
        assert folds.error.lower <= exact <= folds.error.upper


def test_an_eps_below_the_rounding_is_refused():
    with pytest.raises(slth.InvalidInput, match="below what folding rounds"):
        slth.compress(mostly_on(0), BOX, eps=1e-30, fold=True)


@pytest.mark.usefixtures("still_time")
def test_labels():
    rng = np.random.default_rng(3)
    inner = slth.Dense(rng.normal(size=(9, 2)), np.where(np.arange(9) < 6, 8.0, 0.0))
    network = slth.DeepNetwork([inner, slth.Dense(rng.normal(size=(3, 9)))])
    rows = rng.uniform(-1.0, 1.0, (10, 2))
    found = slth.compress(network, BOX, agree_on=rows, radius=0.01, fold=True, time_limit=None)
    assert found.units <= 5
    assert found.stats["rows"] >= 8
    same = found.network(rows).argmax(axis=1) == network(rows).argmax(axis=1)
    assert same.sum() >= found.stats["rows"]
    with pytest.raises(slth.InvalidInput, match="no box"):
        slth.compress(network, slth.Ball(1.0), agree_on=rows, radius=0.01, fold=True)


def exact(array):
    """Fractions, as an object array."""
    return np.vectorize(Fraction, otypes=[object])(array)


@pytest.mark.parametrize("case", ["rows", "a row that rounds to 0", "the center alone"])
def test_every_term_of_delta(case):
    rng = np.random.default_rng(4)
    basis, others = np.array([0, 1]), np.array([2, 3])
    factors = rng.normal(size=(2, 2))
    layer = slth.Dense(rng.normal(size=(4, 3)), rng.normal(size=4))
    center, reach = rng.normal(size=3), np.array([1.0, 0.5, 2.0])
    if case == "a row that rounds to 0":
        weight = rng.normal(size=(4, 3))
        weight[0] = [0.7, 0.3, 0.9]
        weight[2:] = 0.1 * weight[0]
        factors = np.array([[0.1, 0.0], [0.1, 0.0]])
        layer, center = slth.Dense(weight), np.zeros(3)
    if case == "the center alone":
        reach = np.zeros(3)
    shift, delta = _shifts(layer, basis, others, factors, center, reach)
    worst = np.zeros(2, object)
    for signs in np.ndindex(2, 2, 2):
        h = exact(center) + exact(reach) * (2 * np.array(signs) - 1)
        z = exact(layer.weight) @ h
        z = z if layer.bias is None else z + exact(layer.bias)
        worst = np.maximum(worst, abs(z[others] - exact(factors) @ z[basis] - exact(shift)))
    assert (worst > 0).all()
    assert (worst <= exact(delta)).all()


@pytest.mark.parametrize("delta", [0.0, 3.0])
def test_every_term_of_the_reader(delta):
    rng = np.random.default_rng(5)
    basis, others, delta = np.array([0, 2]), np.array([1, 3, 4]), np.full(3, delta)
    reader = slth.Dense(rng.normal(size=(40, 5)), rng.normal(size=40))
    factors, shift = rng.normal(size=(3, 2)), rng.normal(size=3)
    taken = _reader(reader, basis, others, factors, shift, delta)
    gone = exact(reader.weight[:, others])
    weight = exact(reader.weight[:, basis]) + gone @ exact(factors)
    off = abs(weight - exact(taken.weight[:, basis]))
    assert off.max() > 0
    assert (off <= exact(taken.weight_rounding[:, basis])).all()
    bias = abs(exact(reader.bias) + gone @ exact(shift) - exact(taken.bias))
    assert bias.max() > 0
    assert (bias + abs(gone) @ exact(delta) <= exact(taken.bias_rounding)).all()
    assert not taken.weight[:, others].any()
    assert not taken.weight_rounding[:, others].any()
