"""Claims that were once false: dead units that come alive, counts of networks of other shapes."""

import numpy as np

import slth
from slth.layers import AveragePool, Identity, LeakyRelu, Relu, Residual


def test_a_dead_unit_without_some_of_its_weights_is_certified_anew():
    first = slth.Dense([[1.0], [-1.0], [-1.0]], [-5.0, 5.0, 1.0])
    net = slth.DeepNetwork([first, slth.Dense([[1.0, 0.0, 10.0], [0.0, 1.0, 10.0]])])
    ball = slth.Ball(0.5, center=[5.0])
    rows = np.array([[5.3], [4.7]])
    found = slth.compress(net, ball, agree_on=rows, radius=0.1, granularity="weights")
    x = np.linspace(4.5, 5.5, 101)[:, None]
    attained = np.abs(found.network(x).reshape(101, -1) - net(x).reshape(101, -1)).max()
    assert attained <= found.error.upper


def test_one_weight_behind_a_pool_serves_several_inputs():
    items = (AveragePool(2), Identity(), slth.Dense(np.ones((2, 9))), Relu())
    net = slth.DeepNetwork((*items, slth.Dense([[1.0, 1e-9]])), input_shape=(1, 6, 6))
    found = slth.compress(net, slth.Box(0.0, 1.0), eps=0.01, granularity="weights")
    assert found.error.upper <= 0.01
    assert found.least_weights <= sum(int(mask.sum()) for mask in found.kept) == 10


def test_an_error_behind_a_last_bend_is_not_linear_in_what_goes():
    outer = np.concatenate([np.ones(10), -np.ones(20)])[None]
    items = (slth.Dense(np.ones((30, 1))), Relu(), slth.Dense(outer), LeakyRelu(0.01))
    net = slth.DeepNetwork(items, input_shape=(1,))
    for eps, most in ((0.12, 0), (0.05, 6)):
        found = slth.compress(net, slth.Box(0.0, 1.0), eps=eps)
        assert found.error.upper <= eps
        assert found.least_units <= sum(int(mask.sum()) for mask in found.kept) <= most


def test_a_body_of_dense_layers_may_go_wholly():
    body = (slth.Dense(np.full((2, 2), 0.01)), Relu(), slth.Dense(np.full((2, 2), 0.01)))
    items = (slth.Dense(np.eye(2), [1.0, 1.0]), Relu(), Residual(body), Relu())
    net = slth.DeepNetwork((*items, slth.Dense([[1.0, 1.0]])), input_shape=(2,))
    found = slth.compress(net, slth.Box(0.0, 1.0), eps=0.05)
    assert found.status == "optimal"
    assert found.least_units == 2
    x = np.random.default_rng(0).uniform(size=(200, 2))
    assert np.abs(found.network(x) - net(x)).max() <= found.error.upper


def test_a_limit_that_has_passed_still_meets_a_budget():
    generator = np.random.default_rng(0)
    net = slth.DeepNetwork(
        [
            slth.Dense(generator.standard_normal((30, 4))),
            slth.Dense(generator.standard_normal((2, 30))),
        ]
    )
    found = slth.compress(net, slth.Box(0.0, 1.0), units=7, time_limit=1e-6)
    assert sum(int(mask.sum()) for mask in found.kept) <= 7
