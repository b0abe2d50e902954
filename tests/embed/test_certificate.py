"""The end-to-end bound against exact suprema, exact rationals and sampling."""

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.deep import DeepNetwork, mlp
from slth.embed.certificate import LayerErrors, _affine, _moved, _State, certified_error
from slth.embed.operator import Operator
from slth.embed.reach import Reach, sides, signed
from slth.embed.shape import target_of
from slth.layers import Conv, Dense, Residual


def bound(target, other, domain):
    """The certificate of two networks of one architecture, both read as functions of x >= 0 (or
    of the sides of x, where `other` is the same on both)."""
    layers = []
    ours, theirs = target_of(target), target_of(other)
    for k, shape in enumerate(ours.shapes):
        error = theirs.kernels[k] - ours.kernels[k]
        if k == 0 and signed(domain):
            error = np.concatenate([error, -error], axis=1)
        layers.append(
            LayerErrors(
                ours.operators[k],
                np.repeat(ours.biases[k], shape.area),
                shape.operator(error),
                np.repeat(np.abs(theirs.biases[k] - ours.biases[k]), shape.area),
                theirs.operators[k],
                shape.block,
            )
        )
    return certified_error(layers, domain)


def moved(network, rng, size):
    """The network with every weight moved by normal noise."""

    def noisy(layer):
        weight = layer.weight + size * rng.standard_normal(layer.weight.shape)
        bias = layer.bias
        if bias is not None:
            bias = bias + size * rng.standard_normal(bias.shape)
        if isinstance(layer, Conv):
            return Conv(weight, bias, layer.stride, layer.padding)
        return Dense(weight, bias)

    items = [
        Residual(tuple(noisy(layer) for layer in item.body))
        if isinstance(item, Residual)
        else noisy(item)
        for item in network.items
    ]
    return DeepNetwork(tuple(items), input_shape=network.shape)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("radius", [1.0, 3.0])
def test_one_hidden_layer_against_the_certifier(seed, radius):
    rng = np.random.default_rng(seed)
    d, width = 2 + seed % 2, 3 + seed
    target = mlp([(rng.standard_normal((width, d)), None), (rng.standard_normal((1, width)), None)])
    other = moved(target, rng, 0.01)
    nets = [
        slth.ReLUNetwork(net.items[0].weight, net.items[1].weight[0]) for net in (target, other)
    ]
    exact = slth.certify(*nets, radius=radius, rtol=1e-3)
    found = bound(target, other, slth.Ball(radius))
    assert exact.lower <= found
    assert found <= 20 * exact.upper


def test_one_linear_layer_is_exact():
    rng = np.random.default_rng(7)
    target = mlp([(rng.standard_normal((4, 6)), rng.standard_normal(4))])
    other = moved(target, rng, 0.1)
    error = other.items[0].weight - target.items[0].weight
    offset = other.items[0].bias - target.items[0].bias
    ball = np.max(np.linalg.norm(error, axis=1) * 2.5 + np.abs(offset))
    assert bound(target, other, slth.Ball(2.5)) == pytest.approx(ball, rel=1e-12)
    assert bound(target, other, slth.Ball(2.5)) >= ball * (1 - 1e-15)
    centre, half = error.sum(axis=1) / 2, np.abs(error).sum(axis=1) / 2
    box = np.max(np.minimum(half, np.linalg.norm(error, axis=1) * np.sqrt(6) / 2))
    found = bound(target, other, slth.Box(0.0, 1.0))
    assert found <= np.max(np.abs(centre) + np.abs(offset)) + box + 1e-12


def deep_networks(rng):
    def weights(*shape):
        return rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))

    yield mlp([(weights(9, 6), weights(9)), (weights(7, 9), weights(7)), (weights(3, 7), None)])
    yield DeepNetwork(
        (
            Conv(weights(3, 2, 3, 3), weights(3), 1, 1),
            Residual((Conv(weights(4, 3, 3, 3), weights(4), 1, 1), Conv(weights(3, 4, 1, 1)))),
            Residual((Dense(weights(27, 27), weights(27)),)),
            Conv(weights(2, 3, 2, 2), None, 1, 0),
            Dense(weights(4, 8), weights(4)),
        ),
        input_shape=(2, 3, 3),
    )


@pytest.mark.parametrize("domain", [slth.Ball(2.0), slth.Box(0.0, 1.0), slth.Box(-1.0, 0.5)])
def test_deep_networks_against_samples(domain):
    rng = np.random.default_rng(3)
    for target in deep_networks(rng):
        other = moved(target, rng, 1e-3)
        found = bound(target, other, domain)
        if isinstance(domain, slth.Ball):
            x = rng.standard_normal((4000, *target.shape))
            x *= domain.radius / np.sqrt((x**2).reshape(4000, -1).sum(1)).reshape(
                -1, *[1] * len(target.shape)
            )
        else:
            x = rng.uniform(domain.low, domain.high, (4000, *target.shape))
            x = np.concatenate([x, np.where(x > x.mean(), domain.high, domain.low)])
        observed = np.abs(other(x) - target(x)).max()
        assert observed <= found
        assert found <= 300 * observed


def test_never_looser_than_the_product_of_operator_norms():
    rng = np.random.default_rng(4)
    target = next(deep_networks(rng))
    other = moved(target, rng, 1e-3)
    radius, reach, error = 1.5, 1.5, 0.0
    for ours, theirs in zip(target.items, other.items, strict=True):
        bias = np.zeros(1) if ours.bias is None else ours.bias
        moved_bias = 0.0 if ours.bias is None else np.linalg.norm(theirs.bias - bias)
        off = np.linalg.norm(theirs.weight - ours.weight, 2)
        error = off * reach + moved_bias + np.linalg.norm(theirs.weight, 2) * error
        reach = np.linalg.norm(ours.weight, 2) * reach + np.linalg.norm(bias)
    assert bound(target, other, slth.Ball(radius)) <= error * 1.05


def test_equal_networks_have_no_error():
    target = next(deep_networks(np.random.default_rng(5)))
    assert bound(target, target, slth.Ball(1.0)) < 1e-200


def test_the_error_before_a_skip_passes_it():
    """A body that does nothing: what the first layer is off by arrives at the output."""
    rng = np.random.default_rng(3)
    first, last = rng.standard_normal((4, 3)), rng.standard_normal((2, 4))
    body = Residual((Dense(1e-12 * np.eye(4)), Dense(1e-12 * np.eye(4))))

    def network(weight):
        return DeepNetwork((Dense(weight), body, Dense(last)))

    target, other = network(first), network(first + 0.1 * rng.standard_normal((4, 3)))
    box = slth.Box(0.0, 1.0)
    points = rng.random((1000, 3))
    seen = np.abs(target(points) - other(points)).max()
    assert 0.05 < seen <= bound(target, other, box)


@pytest.mark.parametrize("ends", [(-2.0, 1.0), (-1.0, 3.0), (-3.0, -1.0), (0.0, 2.0), (0.5, 2.0)])
def test_the_sides_of_a_box_hold_those_of_its_points(ends):
    box = slth.Box(*ends)
    reach = sides(box, 1)
    for t in np.linspace(*ends, 50):
        parts = np.array([max(t, 0.0), max(-t, 0.0)] if signed(box) else [t])
        assert (np.abs(parts - reach.centre) <= reach.radius).all()
        assert np.linalg.norm(parts - reach.centre) <= reach.ball


def cancelling(seed):
    """W [3, 40] and h [40] whose product is far below what its terms round."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((3, 40)) * 10.0 ** rng.integers(-6, 6, (3, 40))
    values = rng.standard_normal(40) * 10.0 ** rng.integers(-6, 6, 40)
    weight[:, -1] -= weight @ values / values[-1]
    return weight, values


def exact_product(weight, values):
    return [
        sum(Fraction(w) * Fraction(h) for w, h in zip(row, values.tolist(), strict=True))
        for row in weight.tolist()
    ]


@pytest.mark.parametrize("seed", range(6))
def test_what_the_image_of_a_point_rounds_is_in_its_radius(seed):
    weight, values = cancelling(seed)
    point = Reach(values, np.zeros(40), 0.0)
    moved = _moved(point, Operator(weight), np.zeros(3))
    for k, exact in enumerate(exact_product(weight, values)):
        off = abs(exact - Fraction(float(moved.centre[k])))
        assert off <= Fraction(float(moved.radius[k]))


@pytest.mark.parametrize("seed", range(6))
def test_what_the_errors_image_rounds_is_in_the_error(seed):
    weight, values = cancelling(seed)
    point = Reach(values, np.zeros(40), 0.0)
    identity = Operator(np.eye(3, 40))
    layer = LayerErrors(identity, np.zeros(3), Operator(weight), np.zeros(3), identity)
    after = _affine(_State(point, np.zeros(1), 0.0), layer, point, pairs=False)
    for k, exact in enumerate(exact_product(weight, values)):
        assert abs(exact) <= Fraction(float(after.apart[k]))
