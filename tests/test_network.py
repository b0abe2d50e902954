"""The vocabulary: networks, masks, the documented generator, and what bad input is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import slth


def test_evaluation_is_the_formula():
    net = slth.ReLUNetwork([[1.0, 2.0], [-1.0, 0.5]], [3.0, -2.0])
    assert net([1.0, 1.0]) == 3.0 * 3.0
    assert net([-1.0, 0.0]) == -2.0
    assert slth.ReLUNetwork(net.hidden, net.output, "relu")([-1.0, 0.0]) == 0.0


def test_evaluation_keeps_leading_axes():
    net = slth.random_network(3, 7, seed=1)
    points = np.random.default_rng(0).standard_normal((4, 5, 3))
    values = net(points)
    assert values.shape == (4, 5)
    assert values[2, 3] == pytest.approx(float(net(points[2, 3])), abs=1e-13)


@given(d=st.integers(1, 9), small=st.integers(0, 20), extra=st.integers(0, 20), seed=st.integers(0))
def test_networks_are_nested_in_width(d, small, extra, seed):
    wide = slth.random_network(d, small + extra, seed)
    assert slth.random_network(d, small, seed) == wide.prefix(small)


def test_random_network_has_the_stated_law():
    net = slth.random_network(4, 50_000, seed=3)
    standard_error = 1 / np.sqrt(50_000)
    assert np.abs(net.hidden.mean(axis=0)).max() < 5 * standard_error
    assert abs(net.output.mean()) < 5 * standard_error
    covariance = np.cov(np.column_stack([net.hidden, net.output]).T)
    assert np.abs(covariance - np.eye(5)).max() < 8 * standard_error


@pytest.mark.parametrize("distribution", ["normal", "uniform", "signs"])
def test_every_law_is_nested_and_has_mean_0_and_variance_1(distribution):
    wide = slth.random_network(3, 20_000, 1, distribution=distribution)
    assert slth.random_network(3, 100, 1, distribution=distribution) == wide.prefix(100)
    draws = np.column_stack([wide.hidden, wide.output])
    assert np.abs(draws.mean(axis=0)).max() < 5 / np.sqrt(20_000)
    assert np.abs(np.cov(draws.T) - np.eye(4)).max() < 8 / np.sqrt(20_000)
    with pytest.raises(slth.InvalidInput, match="distribution"):
        slth.random_network(3, 5, 1, distribution="cauchy")


def test_different_seeds_and_dimensions_draw_different_networks():
    assert slth.random_network(2, 5, seed=0) != slth.random_network(2, 5, seed=1)
    assert slth.random_network(2, 5, seed=0).digest() != slth.random_network(2, 5, seed=1).digest()
    first = slth.random_network(2, 5, 0, "linear").digest()
    assert first != slth.random_network(2, 5, 0, "relu").digest()


def test_weights_are_read_only_copies():
    hidden = np.ones((2, 2))
    net = slth.ReLUNetwork(hidden, np.ones(2))
    hidden[0, 0] = 5.0
    assert net.hidden[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        net.hidden[0, 0] = 2.0


def test_pruned_drops_dead_units_and_keeps_the_function():
    net = slth.random_network(3, 6, seed=2)
    hidden = np.random.default_rng(1).random((6, 3)) < 0.6
    hidden[0] = False
    mask = slth.Mask(hidden, np.array([True, True, False, True, True, True]))
    points = np.random.default_rng(2).standard_normal((50, 3))
    masked = net.masked(mask)
    assert masked.width == 6
    assert net.pruned(mask).width == mask.kept_units == 4
    np.testing.assert_allclose(net.pruned(mask)(points), masked(points), atol=1e-13)


def test_neuron_mask_keeps_or_drops_whole_rows():
    mask = slth.Mask.of_units(np.array([True, False, True]), d=2)
    assert mask.is_neuron_mask
    assert mask.kept_units == 2
    assert mask.kept_weights == 6
    assert mask.padded(5).kept_weights == 6
    partial = mask.hidden.copy()
    partial[0, 1] = False
    assert not slth.Mask(partial, mask.output).is_neuron_mask


def test_neuron_normalizes_only_when_asked():
    target = slth.neuron([3.0, 4.0], normalize=True)
    np.testing.assert_allclose(target.hidden, [[0.6, 0.8]], rtol=1e-15)
    assert slth.neuron([1e-200, 0.0], normalize=True).hidden[0, 0] == 1.0
    with pytest.raises(slth.InvalidInput, match="normalize=True"):
        slth.neuron([3.0, 4.0])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: slth.ReLUNetwork(np.ones(3), np.ones(3)), "axes"),
        (lambda: slth.ReLUNetwork(np.ones((3, 2)), np.ones(2)), "incompatible"),
        (lambda: slth.ReLUNetwork(np.ones((3, 0)), np.ones(3)), "input dimension"),
        (lambda: slth.ReLUNetwork([[np.nan, 1.0]], [1.0]), "not finite"),
        (lambda: slth.ReLUNetwork([[1.0, 1.0]], [np.inf]), "not finite"),
        (lambda: slth.ReLUNetwork([[1e200]], [1e200]), "too large"),
        (lambda: slth.ReLUNetwork([["a"]], [1.0]), "real numbers"),
        (lambda: slth.ReLUNetwork([[1.0]], [1.0], "tanh"), "readout"),
        (lambda: slth.random_network(0, 3, 0), "d out of range"),
        (lambda: slth.random_network(2, -1, 0), "width"),
        (lambda: slth.random_network(2, 3, -1), "seed"),
        (lambda: slth.random_network(2, 3, 0, "softmax"), "readout"),
        (lambda: slth.neuron([0.0, 0.0]), "zero"),
        (lambda: slth.neuron([np.nan, 1.0]), "not finite"),
        (lambda: slth.neuron([[1.0]]), "axes"),
        (lambda: slth.random_network(2, 3, 0)([1.0, 2.0, 3.0]), "incompatible"),
        (lambda: slth.random_network(2, 3, 0).prefix(4), "prefix"),
        (lambda: slth.Mask(np.ones((2, 2)), np.ones(2)), "boolean"),
        (lambda: slth.Mask(np.ones((2, 2), bool), np.ones(3, bool)), "shapes"),
        (
            lambda: slth.random_network(2, 3, 0).masked(slth.Mask.of_units(np.ones(4, bool), 2)),
            "incompatible",
        ),
    ],
)
def test_bad_input_says_what_was_got_and_how_to_mend_it(build, words):
    with pytest.raises(slth.InvalidInput, match=words) as caught:
        build()
    assert "got" in str(caught.value)
    assert "expected" in str(caught.value)
