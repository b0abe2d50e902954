"""The closed form of single-coordinate masks against exact rationals, samples and the certifier."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify import certify
from slth.network import Mask, ReLUNetwork
from slth.pruning.weights.construct import closed_form, root_above, round_down, round_up, sides_of


def single_coordinate_mask(width: int, d: int, seed: int) -> Mask:
    rng = np.random.default_rng(seed)
    hidden = np.zeros((width, d), dtype=bool)
    units = np.flatnonzero(rng.random(width) < 0.7)
    hidden[units, rng.integers(0, d, len(units))] = True
    return Mask(hidden, hidden.any(axis=1))


def exact_square(net: ReLUNetwork, mask: Mask, weights: list[float]) -> Fraction:
    """(sup |h - <w, x>|)^2 over the unit ball by enumerating orthants, in exact rationals."""
    d = net.d
    sums = {(j, s): Fraction(0) for j in range(d) for s in (1, -1)}
    for i in range(net.width):
        for j in range(d):
            if mask.hidden[i, j] and mask.output[i]:
                w = Fraction(float(net.hidden[i, j]))
                sums[j, 1 if w > 0 else -1] += Fraction(float(net.output[i])) * abs(w)
    best = Fraction(0)
    for orthant in itertools.product((1, -1), repeat=d):
        errors = [sums[j, s] - s * Fraction(weights[j]) for j, s in enumerate(orthant)]
        for sign in (1, -1):
            best = max(best, sum((max(sign * e, Fraction(0)) ** 2 for e in errors), Fraction(0)))
    return best


@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("seed", range(6))
def test_relu_upper_is_the_rounded_root_of_the_exact_square(d: int, seed: int) -> None:
    net = slth.random_network(d, 4 * d, seed, "relu")
    target = slth.neuron(np.random.default_rng(seed).standard_normal(d), normalize=True)
    mask = single_coordinate_mask(net.width, d, seed)
    found = closed_form(net, mask, target)
    assert found is not None
    square = exact_square(net, mask, target.hidden[0].tolist())
    assert Fraction(found.upper) ** 2 >= square
    assert Fraction(np.nextafter(np.nextafter(found.upper, 0.0), 0.0)) ** 2 < square


@pytest.mark.parametrize("d", [1, 2, 3, 6])
@pytest.mark.parametrize("readout", ["relu", "linear"])
def test_enclosure_holds_at_samples_and_its_witness(d: int, readout: slth.network.Readout) -> None:
    for seed in range(8):
        net = slth.random_network(d, 5 * d, seed, readout)
        # A single-coordinate target with both readouts; the neuron of axis 0 for both.
        target = slth.neuron(np.eye(d)[0])
        mask = single_coordinate_mask(net.width, d, seed)
        found = closed_form(net, mask, target)
        assert found is not None
        masked = net.masked(mask)
        x = np.random.default_rng(seed).standard_normal((20_000, d))
        x /= np.linalg.norm(x, axis=1)[:, None]
        sampled = np.abs(masked(x) - target(x)).max()
        assert sampled <= found.upper * (1 + 1e-12)
        assert found.witness is not None
        assert sum(Fraction(v) ** 2 for v in found.witness.tolist()) <= 1
        at_witness = abs(masked(found.witness) - target(found.witness))
        assert at_witness == pytest.approx(found.lower, rel=1e-12)
        assert found.lower <= found.upper
        if readout == "linear":
            assert found.status == "closed", found


@pytest.mark.parametrize("d", [2, 3])
def test_agrees_with_the_certifier(d: int) -> None:
    for seed in range(5):
        net = slth.random_network(d, 20, seed, "relu")
        target = slth.neuron(np.random.default_rng(seed).standard_normal(d), normalize=True)
        mask = single_coordinate_mask(20, d, seed)
        form = closed_form(net, mask, target)
        swept = certify(net.pruned(mask), target)
        assert form is not None
        assert form.lower <= swept.upper
        assert swept.lower <= form.upper


def test_hand_computed() -> None:
    """h = 3/2 x_1^+ - x_2^-: against <w, x>, w = (1, 0): p = (1/2, 0), q = (1, -1)."""
    net = ReLUNetwork([[0.5, 9.0], [7.0, -2.0], [1.0, 1.0]], [3.0, -0.5, 4.0], "relu")
    mask = Mask(
        np.array([[True, False], [False, True], [False, False]]), np.array([True, True, True])
    )
    sides = sides_of(net.masked(mask))
    assert sides is not None
    assert sides.positive == (Fraction(3, 2), Fraction(0))
    assert sides.negative == (Fraction(0), Fraction(-1))
    found = closed_form(net, mask, slth.neuron([1.0, 0.0]))
    assert found is not None
    # Plus: (max(1/2, 1), 0); minus: (0, 1): both norms are 1.
    assert found.upper == 1.0
    # Attained: at -e_2 the network is relu(-1) = 0; h - t is largest where t < 0.
    assert found.lower <= certify(net.pruned(mask), slth.neuron([1.0, 0.0])).upper


def test_several_weights_or_several_neurons_have_no_closed_form() -> None:
    net = slth.random_network(2, 4, 0, "relu")
    whole = Mask.of_units(np.ones(4, dtype=bool), 2)
    assert closed_form(net, whole, slth.neuron([0.6, 0.8])) is None
    two = ReLUNetwork([[0.6, 0.8], [0.8, -0.6]], [1.0, 1.0])
    assert closed_form(net, single_coordinate_mask(4, 2, 0), two) is None
    linear = slth.random_network(2, 4, 0, "linear")
    assert closed_form(linear, single_coordinate_mask(4, 2, 0), slth.neuron([0.6, 0.8])) is None


@pytest.mark.parametrize("value", [Fraction(1, 3), Fraction(2), Fraction(10**40 + 1), Fraction(0)])
def test_directed_rounding(value: Fraction) -> None:
    assert Fraction(round_down(value)) <= value <= Fraction(round_up(value))
    assert Fraction(root_above(value)) ** 2 >= value
    assert root_above(value) == pytest.approx(float(value) ** 0.5, rel=1e-15)
