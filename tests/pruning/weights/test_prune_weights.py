"""Weight tickets against brute force over all masks, closed forms and the certifier."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import slth
from slth.certify import certify
from slth.errors import InvalidInput
from slth.network import Mask, ReLUNetwork
from slth.pruning.weights import prune_weights
from slth.solution import Status


def all_masks(width: int, d: int) -> list[Mask]:
    masks = []
    for bits in itertools.product([False, True], repeat=width * d):
        hidden = np.array(bits).reshape(width, d)
        masks.append(Mask(hidden, hidden.any(axis=1)))
    return masks


def best_error(net: ReLUNetwork, target: ReLUNetwork) -> float:
    """The smallest certified error of any weight mask, to 1e-9."""
    return min(certify(net.masked(m), target).upper for m in all_masks(net.width, net.d))


def unit(d: int, seed: int) -> ReLUNetwork:
    return slth.neuron(np.random.default_rng([seed, d]).standard_normal(d), normalize=True)


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize(("d", "width"), [(1, 7), (2, 3), (3, 2)])
def test_tiny_networks_are_solved_to_optimality(d: int, width: int, readout: str) -> None:
    for seed in range(2):
        net = slth.random_network(d, width, seed, readout)  # type: ignore[arg-type]
        target = unit(d, seed)
        oracle = best_error(net, target)
        found = prune_weights(net, target)
        assert found.status == Status.OPTIMAL
        assert found.error.upper == pytest.approx(oracle, rel=1e-5)
        assert found.bound <= oracle * (1 + 1e-9)
        refuted = prune_weights(net, target, eps=0.95 * oracle)
        assert refuted.status == Status.REFUTED
        assert refuted.bound > 0.95 * oracle
        assert prune_weights(net, target, eps=1.001 * oracle).status == Status.REACHED


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_neuron_and_weight_pruning_coincide_in_one_dimension(readout: str) -> None:
    for seed in range(4):
        net = slth.random_network(1, 7, seed, readout)  # type: ignore[arg-type]
        target = slth.neuron([1.0 if seed % 2 else -1.0])
        found = prune_weights(net, target)
        assert found.mask.is_neuron_mask
        neurons = min(
            certify(net.masked(Mask.of_units(np.array(keep), 1)), target).upper
            for keep in itertools.product([False, True], repeat=7)
        )
        assert found.status == Status.OPTIMAL
        assert found.error.upper == pytest.approx(neurons, abs=1e-12)


@pytest.mark.parametrize(
    ("d", "width", "eps"), [(2, 40, 1e-2), (2, 90, 1e-5), (5, 90, 1e-3), (10, 120, 1e-3)]
)
def test_reached_tickets_are_within_eps(d: int, width: int, eps: float) -> None:
    net = slth.random_network(d, width, 3, "relu")
    target = unit(d, 3)
    found = prune_weights(net, target, radius=2.0, eps=eps)
    assert found.status == Status.REACHED
    assert found.error.upper <= eps
    x = np.random.default_rng(0).standard_normal((20_000, d))
    x *= 2.0 / np.linalg.norm(x, axis=1)[:, None]
    assert np.abs(net.masked(found.mask)(x) - target(x)).max() <= found.error.upper * (1 + 1e-9)
    np.testing.assert_allclose(found.pruned(x), net.masked(found.mask)(x), atol=1e-12)
    assert found.bound <= found.error.upper


def test_without_eps_the_error_shrinks_with_width() -> None:
    target = unit(2, 0)
    net = slth.random_network(2, 60, 0, "relu")
    errors = [prune_weights(net.prefix(n), target).error.upper for n in (10, 30, 60)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]


def test_sparsest_keeps_no_more_weights() -> None:
    net, target = slth.random_network(3, 60, 1, "relu"), unit(3, 1)
    any_ = prune_weights(net, target, eps=0.01)
    sparse = prune_weights(net, target, eps=0.01, sparsest=True)
    assert sparse.status == Status.REACHED
    assert sparse.mask.kept_weights <= any_.mask.kept_weights


def test_linear_readout_is_refuted_where_the_relu_readout_succeeds() -> None:
    target = unit(3, 0)
    wide = slth.random_network(3, 120, 0, "linear")
    refuted = prune_weights(wide, target, eps=1e-3)
    assert refuted.status == Status.REFUTED
    assert 1e-3 < refuted.bound <= refuted.error.upper
    relu = slth.random_network(3, 120, 0, "relu")
    assert prune_weights(relu, target, eps=1e-3).status == Status.REACHED


def test_axis_aligned_target_has_a_logarithmic_law_with_the_linear_readout_too() -> None:
    net = slth.random_network(2, 60, 0, "linear")
    found = prune_weights(net, slth.neuron([0.0, 1.0]), eps=1e-4)
    assert found.status == Status.REACHED
    assert found.bound == 0.0


def test_targets_of_several_neurons() -> None:
    rng = np.random.default_rng(0)
    target = ReLUNetwork(rng.standard_normal((3, 2)), np.array([0.5, -0.3, 0.4]))
    net = slth.random_network(2, 40, 0)
    found = prune_weights(net, target)
    empty = certify(ReLUNetwork(np.zeros((0, 2)), np.zeros(0)), target).upper
    assert found.status == Status.FEASIBLE
    assert found.bound < found.error.upper < 0.5 * empty


def test_no_units() -> None:
    found = prune_weights(slth.random_network(3, 0, 0), unit(3, 0), eps=0.5)
    assert found.status == Status.REFUTED
    assert found.error.upper == pytest.approx(1.0, abs=1e-9)


def test_same_seed_same_ticket() -> None:
    net, target = slth.random_network(4, 50, 2, "relu"), unit(4, 2)
    first = prune_weights(net, target, eps=0.01, seed=5)
    assert first.mask == prune_weights(net, target, eps=0.01, seed=5).mask


def test_time_limit_never_upgrades_a_status() -> None:
    net, target = slth.random_network(8, 200, 0), unit(8, 0)
    found = prune_weights(net, target, eps=0.01, time_limit=1e-6)
    assert found.status == Status.UNKNOWN
    assert found.bound <= found.error.lower


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": slth.neuron([1.0, 0.0, 0.0])}, "target incompatible"),
        ({"target": "f"}, "target is not a ReLUNetwork"),
        ({"radius": 0.0}, "radius out of range"),
        ({"eps": 0.0}, "eps out of range"),
        ({"eps": float("nan")}, "eps is not a finite number"),
        ({"time_limit": -1.0}, "time_limit out of range"),
        ({"seed": -1}, "seed out of range"),
        ({"sparsest": True}, "sparsest without eps"),
    ],
)
def test_bad_input(options: dict, message: str) -> None:
    arguments = {"target": slth.neuron([1.0, 0.0]), **options}
    with pytest.raises(InvalidInput, match=message):
        prune_weights(slth.random_network(2, 5, 0), **arguments)
