"""The named constructions against their definitions and each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import slth
from slth.errors import InvalidInput
from slth.pruning.weights import prune_weights
from slth.pruning.weights.strategies import STRATEGIES
from slth.pruning.weights.strategies.malach import best_product
from slth.pruning.weights.strategies.orseau import shrinking_residual
from slth.pruning.weights.strategies.pensia import best_subset

TARGET = slth.neuron([0.6, -0.48, 0.64])


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_coordinate_is_served_by_its_own_block(name: str) -> None:
    net = slth.random_network(3, 61, 0, "relu")
    found = prune_weights(net, TARGET, strategy=name)
    kept = found.mask.hidden
    assert (kept.sum(axis=1) <= 1).all()
    for j in range(3):
        assert not kept[: j * 20, j].any()
        assert not kept[(j + 1) * 20 :, j].any()
    assert found.status == "feasible"
    assert found.bound == 0.0
    x = np.random.default_rng(0).standard_normal((20_000, 3))
    x /= np.linalg.norm(x, axis=1)[:, None]
    sampled = np.abs(net.masked(found.mask)(x) - TARGET(x)).max()
    assert sampled <= found.error.upper * (1 + 1e-9)


def test_each_construction_is_nearer_than_the_one_before() -> None:
    net = slth.random_network(3, 240, 1, "relu")
    errors = [prune_weights(net, TARGET, strategy=s).error.upper for s in STRATEGIES.names()]
    free = prune_weights(net, TARGET, eps=1e-3).error.upper
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert free <= 1e-3


def test_with_eps_a_construction_reaches_it_or_says_unknown() -> None:
    net = slth.random_network(3, 240, 1, "relu")
    reached = prune_weights(net, TARGET, radius=2.0, eps=1e-2, strategy="pensia")
    assert reached.status == "reached"
    assert reached.error.upper <= 1e-2
    assert prune_weights(net, TARGET, eps=1e-3, strategy="malach").status == "unknown"


@pytest.mark.parametrize("wanted", [-0.7, 0.05, 2.0])
def test_single_sides(wanted: float) -> None:
    values = np.random.default_rng(3).standard_normal(12)
    product = best_product(values, wanted, 0.0)
    assert len(product) <= 1
    nearest = min(abs(values[k] - wanted) for k in range(12))
    assert abs(values[product].sum() - wanted) == pytest.approx(min(nearest, abs(wanted)))
    log = shrinking_residual(values, wanted, 0.0)
    assert len(set(log.tolist())) == len(log)
    assert abs(values[log].sum() - wanted) <= abs(values[product].sum() - wanted) + 1e-12
    best = min(
        abs(values[list(s)].sum() - wanted)
        for k in range(13)
        for s in itertools.combinations(range(12), k)
    )
    assert abs(values[best_subset(values, wanted, 0.0)].sum() - wanted) == pytest.approx(best)


def test_log_pruning_takes_one_value_of_each_batch() -> None:
    # Golden ratio: 0.8 / 0.2 = 4 takes ceil(2.88) = 3 batches: (0.5, 0.1), (0.2, 9), (0.09, -0.3).
    values = np.array([0.5, 0.1, 0.2, 9.0, 0.09, -0.3])
    assert shrinking_residual(values, 0.8, 0.2).tolist() == [0, 2, 4]


@pytest.mark.parametrize("serve", [entry.function for entry in STRATEGIES.own().values()])
def test_no_values(serve) -> None:
    assert len(serve(np.empty(0), 0.5, 0.1)) == 0


def test_bad_strategies() -> None:
    net = slth.random_network(3, 30, 0, "relu")
    with pytest.raises(InvalidInput, match="free, malach, orseau, pensia"):
        prune_weights(net, TARGET, strategy="lottery")
    with pytest.raises(InvalidInput, match="does not fit"):
        prune_weights(slth.random_network(3, 30, 0), TARGET, strategy="pensia")
    two = slth.ReLUNetwork(np.eye(3)[:2] + 0.1, [1.0, -1.0])
    with pytest.raises(InvalidInput, match="does not fit"):
        prune_weights(net, two, strategy="malach")
