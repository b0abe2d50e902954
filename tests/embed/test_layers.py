"""Deep networks: evaluation against plain loops, and what they refuse."""

import numpy as np
import pytest

import slth
from slth.deep import DeepNetwork, mlp
from slth.layers import Conv, Dense, Relu, Residual


def plain_conv(x, layer):
    """Cross-correlation by loops. x: [channels, height, width]."""
    p, s = layer.padding, layer.stride
    x = np.pad(x, ((0, 0), (p, p), (p, p)))
    outs, _, h, w = layer.weight.shape
    rows, cols = (x.shape[1] - h) // s + 1, (x.shape[2] - w) // s + 1
    y = np.empty((outs, rows, cols))
    for o in range(outs):
        for r in range(rows):
            for c in range(cols):
                patch = x[:, s * r : s * r + h, s * c : s * c + w]
                y[o, r, c] = (patch * layer.weight[o]).sum() + layer.bias[o]
    return y


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 1), (2, 0)])
def test_a_network_of_all_kinds_against_loops(stride, padding):
    rng = np.random.default_rng(0)
    first = Conv(rng.standard_normal((3, 2, 3, 3)), rng.standard_normal(3), stride, padding)
    inner = Conv(rng.standard_normal((3, 3, 3, 3)), rng.standard_normal(3), 1, 1)
    outer = Conv(rng.standard_normal((3, 3, 1, 1)), rng.standard_normal(3))
    x = rng.standard_normal((2, 7, 6))
    h = np.maximum(plain_conv(x, first), 0)
    h = np.maximum(h + plain_conv(np.maximum(plain_conv(h, inner), 0), outer), 0)
    last = Dense(rng.standard_normal((4, h.size)), rng.standard_normal(4))
    net = DeepNetwork((first, Residual((inner, outer)), last), input_shape=(2, 7, 6))
    np.testing.assert_allclose(net(x), last.weight @ h.ravel() + last.bias, rtol=1e-12)
    np.testing.assert_allclose(net(np.stack([x, x]))[1], net(x), rtol=1e-12)


def test_a_one_hidden_layer_network_is_the_old_one():
    old = slth.random_network(4, 9, 1)
    new = mlp([(old.hidden, None), (old.output[None, :], None)])
    x = np.random.default_rng(1).standard_normal((20, 4))
    np.testing.assert_allclose(new(x)[:, 0], old(x), rtol=1e-12)


def test_digest_tells_networks_apart():
    w = np.ones((2, 2))
    nets = [mlp([(w, None)]), mlp([(2 * w, None)]), mlp([(w, np.ones(2))])]
    nets.append(DeepNetwork((Conv(w[:, :, None, None]),), input_shape=(2, 1, 1)))
    assert len({net.digest() for net in nets}) == len(nets)


BAD = {
    "no layers": lambda: DeepNetwork(()),
    "shapes that do not follow": lambda: mlp([(np.ones((3, 2)), None), (np.ones((1, 2)), None)]),
    "a bias of the wrong length": lambda: mlp([(np.ones((3, 2)), np.ones(2))]),
    "NaN": lambda: mlp([(np.full((3, 2), np.nan), None)]),
    "infinite": lambda: mlp([(np.full((3, 2), np.inf), None)]),
    "no outputs": lambda: mlp([(np.ones((0, 2)), None)]),
    "activations alone": lambda: DeepNetwork((Relu(),), input_shape=(2,)),
    "an unknown last": lambda: DeepNetwork((Dense(np.eye(2)),), "tanh"),
    "a shape in the place of last": lambda: DeepNetwork((Dense(np.eye(2)),), (2,)),
    "negative roundings": lambda: Dense(np.eye(2), weight_rounding=-np.eye(2)),
    "a convolution without input shape": lambda: DeepNetwork((Conv(np.ones((1, 1, 2, 2))),)),
    "a kernel larger than the image": lambda: DeepNetwork(
        (Conv(np.ones((1, 1, 5, 5))),), input_shape=(1, 3, 3)
    ),
    "a body that changes the shape": lambda: DeepNetwork(
        (Dense(np.ones((2, 2))), Residual((Dense(np.ones((3, 2))),)))
    ),
    "an empty body": lambda: Residual(()),
    "stride 0": lambda: Conv(np.ones((1, 1, 2, 2)), stride=0),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_bad_networks_are_refused(make):
    with pytest.raises(slth.InvalidInput):
        make()


def test_points_of_another_shape_are_refused():
    with pytest.raises(slth.InvalidInput, match="incompatible"):
        mlp([(np.ones((1, 3)), None)])(np.ones(2))
