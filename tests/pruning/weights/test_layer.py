"""Targets of several neurons, signed and biased, on two random layers."""

from __future__ import annotations

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.network import ReLUNetwork
from slth.pruning.weights.layer import LayerTicket, prune_layer

Layers = tuple[np.ndarray, np.ndarray, np.ndarray]


def layers(width: int, units: int, d: int, seed: int) -> Layers:
    rng = np.random.default_rng([seed, width])
    return (
        rng.standard_normal((width, d)),
        rng.standard_normal((units, width)),
        rng.standard_normal(units),
    )


def value(net: Layers, ticket: LayerTicket, x: np.ndarray) -> np.ndarray:
    hidden, middle, output = net
    inner = np.maximum(x @ (hidden * ticket.hidden).T, 0.0)
    outer = np.maximum(inner @ (middle * ticket.middle).T, 0.0)
    return outer @ (output * ticket.output)


def ball(d: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((20_000, d))
    return x / np.linalg.norm(x, axis=1)[:, None]


@pytest.mark.parametrize("sparsest", [False, True])
@pytest.mark.parametrize("d", [1, 3])
def test_signed_targets_are_reached_within_the_closed_form(d: int, sparsest: bool) -> None:
    rng = np.random.default_rng(d)
    target = ReLUNetwork(rng.standard_normal((4, d)), np.array([0.9, -0.7, 0.3, -0.2]))
    net = layers(60 * d, 12, d, 0)
    ticket = prune_layer(*net, target, eps=0.01, sparsest=sparsest)
    assert ticket.status == "reached"
    assert ticket.upper <= 0.01
    assert (ticket.hidden.sum(axis=1) <= 1).all()
    assert ticket.output.sum() == 4
    x = ball(d, 1)
    assert np.abs(value(net, ticket, x) - target(x)).max() <= ticket.upper * (1 + 1e-9)


def test_the_closed_form_by_hand() -> None:
    """P = 1 for 1.25, M = -0.75 for -1.25: the larger miss, 0.5, is one that relu hides."""
    net = (np.array([[2.0], [-1.0]]), np.array([[0.5, -0.75]]), np.array([1.0]))
    ticket = prune_layer(*net, ReLUNetwork([[1.25]], [1.0]), eps=0.5)
    assert ticket.upper == 0.5
    assert ticket.status == "reached"
    x = np.linspace(-1.0, 1.0, 101)[:, None]
    errors = np.abs(value(net, ticket, x) - np.maximum(1.25 * x[:, 0], 0.0))
    assert errors.max() == 0.25


def test_sparsest_keeps_fewer_weights() -> None:
    rng = np.random.default_rng(5)
    target = ReLUNetwork(rng.standard_normal((3, 2)), np.array([1.0, -1.0, 0.5]))
    net = layers(120, 9, 2, 5)
    any_ = prune_layer(*net, target, eps=0.02)
    fewest = prune_layer(*net, target, eps=0.02, sparsest=True)
    assert any_.status == fewest.status == "reached"
    assert fewest.kept_weights < any_.kept_weights


def test_biases_are_a_constant_coordinate() -> None:
    rng = np.random.default_rng(2)
    target = ReLUNetwork(rng.standard_normal((3, 3)), np.array([1.0, -0.5, 0.4]))
    net = layers(150, 8, 3, 3)
    ticket = prune_layer(*net, target, eps=0.01, bias=True)
    assert ticket.status == "reached"
    # Points (x, 1) of any norm up to 1 in the first two coordinates.
    x = np.column_stack([ball(2, 4) * rng.random((20_000, 1)), np.ones(20_000)])
    assert np.abs(value(net, ticket, x) - target(x)).max() <= ticket.upper * (1 + 1e-9)
    kept = net[0][ticket.hidden[:, 2], 2]
    assert (kept > 0.0).all()


def test_too_narrow_says_unknown_and_by_how_much() -> None:
    target = ReLUNetwork([[1.0, 0.5]], [2.0])
    net = layers(3, 4, 2, 0)
    ticket = prune_layer(*net, target, eps=1e-4)
    assert ticket.status == "unknown"
    x = ball(2, 0)
    assert np.abs(value(net, ticket, x) - target(x)).max() <= ticket.upper
    none = prune_layer(np.zeros((0, 2)), np.zeros((1, 0)), [1.0], target, eps=0.1)
    # Both sides of both coordinates are missed by 2 (1, 0.5).
    assert none.upper == pytest.approx(2.0 * np.sqrt(1.25))


def test_time_limit_proves_no_more_than_was_found() -> None:
    target = ReLUNetwork([[1.0, 0.5]], [2.0])
    net = layers(200, 4, 2, 0)
    ticket = prune_layer(*net, target, eps=1e-4, time_limit=1e-9)
    assert ticket.status == "unknown"
    x = ball(2, 0)
    assert np.abs(value(net, ticket, x) - target(x)).max() <= ticket.upper


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"middle": np.ones((2, 5))}, "layers incompatible"),
        ({"hidden": np.ones((4, 3))}, "layers incompatible"),
        ({"hidden": np.full((4, 2), np.nan)}, "not finite"),
        ({"output": np.array([-1.0, -2.0])}, "too few units"),
        ({"target": ReLUNetwork([[1.0, 0.5]], [1.0], "relu")}, "relu readout"),
        ({"eps": 0.0}, "eps out of range"),
        ({"time_limit": 0.0}, "time_limit"),
    ],
)
def test_bad_input(change: dict, message: str) -> None:
    arguments = {
        "hidden": np.ones((4, 2)),
        "middle": np.ones((2, 4)),
        "output": np.ones(2),
        "target": ReLUNetwork([[1.0, 0.5]], [1.0]),
        "eps": 0.1,
    }
    with pytest.raises(InvalidInput, match=message):
        prune_layer(**{**arguments, **change})


def test_bias_needs_another_input() -> None:
    with pytest.raises(InvalidInput, match="besides the constant"):
        prune_layer([[1.0]], [[1.0]], [1.0], ReLUNetwork([[1.0]], [1.0]), eps=0.1, bias=True)
