"""The witness bound against every mask of tiny networks and against closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import slth
from slth.certify import certify
from slth.network import Mask, ReLUNetwork
from slth.pruning.weights.kink_bound import kink_bound


def best_over_masks(net: ReLUNetwork, target: ReLUNetwork) -> float:
    best = np.inf
    for bits in itertools.product([False, True], repeat=net.width * net.d):
        hidden = np.array(bits).reshape(net.width, net.d)
        best = min(best, certify(net.masked(Mask(hidden, hidden.any(axis=1))), target).lower)
    return best


@pytest.mark.parametrize(("d", "width"), [(2, 1), (2, 3), (3, 2)])
def test_no_mask_beats_the_bound(d: int, width: int) -> None:
    for seed in range(5):
        rng = np.random.default_rng([seed, d])
        net = slth.random_network(d, width, seed)
        target = slth.neuron(rng.standard_normal(d), normalize=True)
        bound = kink_bound(net, target)
        assert 0.0 < bound <= best_over_masks(net, target)


def test_targets_of_several_units() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        target = ReLUNetwork(rng.standard_normal((2, 2)), rng.standard_normal(2))
        net = slth.random_network(2, 3, seed)
        assert 0.0 < kink_bound(net, target) <= best_over_masks(net, target)


def test_axes_alone_leave_a_wedge_of_known_width() -> None:
    """Width 0, w* on the diagonal: its kink halves the quadrant, s = s' = pi/4."""
    net = slth.random_network(2, 0, 0)
    bound = kink_bound(net, slth.neuron([np.sqrt(0.5), np.sqrt(0.5)]))
    assert bound == pytest.approx(0.5 * np.tan(np.pi / 8), rel=1e-12)


def test_small_angles_give_lemma_2() -> None:
    """Lines at +-delta of the target's: the bound tends to |w*| delta / 4."""
    delta, theta = 1e-3, 0.7
    angles = np.array([theta - delta, theta + delta])
    net = ReLUNetwork(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.ones(2))
    bound = kink_bound(net, slth.neuron([np.cos(theta), np.sin(theta)]))
    assert bound == pytest.approx(delta / 4, rel=1e-5)


def test_parallel_units_axis_targets_and_relu_readouts_prove_nothing() -> None:
    target = slth.neuron([0.6, 0.8])
    assert kink_bound(ReLUNetwork([[-1.2, -1.6]], [1.0]), target) == 0.0
    assert kink_bound(slth.random_network(2, 3, 0), slth.neuron([1.0, 0.0])) == 0.0
    assert kink_bound(slth.random_network(2, 3, 0, "relu"), target) == 0.0


def test_bound_falls_with_width() -> None:
    net, target = slth.random_network(3, 400, 0), slth.neuron([0.6, 0.0, 0.8])
    bounds = [kink_bound(net.prefix(n), target) for n in (0, 20, 100, 400)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] > 0.0
