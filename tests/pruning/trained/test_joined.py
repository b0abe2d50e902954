"""Units of networks with residual blocks: what a skip joins goes together."""

import itertools

import numpy as np
import pytest

import slth
from slth.certify.deep.bounds import Difference, relax
from slth.certify.deep.program import program_of
from slth.certify.deep.region import Region
from slth.layers import AveragePool, Conv, Dense, Relu, Residual
from slth.pruning.trained.hidden import HiddenUnits
from slth.pruning.trained.joined import JoinedUnits
from tests.certify.deep.networks import KINDS

BOX = slth.Box(-1.0, 1.0)


def dense_blocks(rng):
    """3 inputs, a space of 4 through two blocks, an inner layer of 3, a dense end of 5."""

    def layer(out, ins):
        return Dense(rng.normal(size=(out, ins)), rng.normal(size=out))

    return slth.DeepNetwork(
        (
            layer(4, 3),
            Residual((layer(3, 4), layer(4, 3))),
            Residual((layer(4, 4),)),
            layer(5, 4),
            layer(2, 5),
        )
    )


def image_blocks(rng):
    """Channels over a skip, a pool, and a dense layer that reads the image."""

    def conv(out, ins, size, padding):
        return Conv(rng.normal(size=(out, ins, size, size)), rng.normal(size=out), 1, padding)

    return slth.DeepNetwork(
        (
            conv(3, 1, 2, 0),
            Relu(),
            Residual((conv(2, 3, 3, 1), Relu(), conv(3, 2, 3, 1))),
            Relu(),
            AveragePool(2, 1),
            Dense(rng.normal(size=(2, 12)), rng.normal(size=2)),
        ),
        input_shape=(1, 4, 4),
    )


MADE = {"dense": dense_blocks, "image": image_blocks}
WIDTHS = {"dense": [4, 3, 5], "image": [3, 2]}


@pytest.mark.parametrize("kind", MADE)
def test_the_smaller_network_is_the_one_with_zeros(kind):
    rng = np.random.default_rng(3)
    network = MADE[kind](rng)
    parts = JoinedUnits(network)
    assert parts.widths == WIDTHS[kind]
    points = rng.uniform(-1.0, 1.0, (60, network.d))
    for _ in range(6):
        kept = [rng.random(width) < 0.6 for width in parts.widths]
        for mask in kept:
            mask[0] = True
        flat = np.concatenate(kept)
        smaller, zeros = parts.without(flat), parts.compared(flat)
        np.testing.assert_allclose(smaller(points), zeros(points), rtol=1e-11, atol=1e-12)
        assert smaller.weights < network.weights or flat.all()
        assert JoinedUnits(smaller).widths == [int(mask.sum()) for mask in kept]
    everything = np.ones(parts.total, np.bool_)
    np.testing.assert_array_equal(parts.without(everything)(points), network(points))


def test_zeros_are_those_of_every_writer_by_hand():
    rng = np.random.default_rng(1)
    network = dense_blocks(rng)
    x = rng.uniform(-1.0, 1.0, (20, 3))
    first, one, two, third, last = network.items
    keep = np.array([1.0, 0.0, 1.0, 1.0])

    def through(layer, h):
        return h @ layer.weight.T + layer.bias

    h = np.maximum(through(first, x) * keep, 0.0)
    inner = np.maximum(through(one.body[0], h), 0.0)
    h = np.maximum(h + through(one.body[1], inner) * keep, 0.0)
    h = np.maximum(h + through(two.body[0], h) * keep, 0.0)
    wanted = through(last, np.maximum(through(third, h), 0.0))
    kept = np.ones(12, np.bool_)
    kept[1] = False
    np.testing.assert_allclose(JoinedUnits(network).without(kept)(x), wanted, atol=1e-12)


@pytest.mark.parametrize("kind", MADE)
def test_optimal_is_the_smallest_of_all_subsets(kind):
    rng = np.random.default_rng(7)
    network = MADE[kind](rng)
    parts = JoinedUnits(network)
    points = rng.uniform(-1.0, 1.0, (3000, network.d))
    eps = 0.3 * float(np.ptp(network(points)))
    found = slth.compress(network, BOX, eps=eps, time_limit=20.0)
    assert np.abs(found.network(points) - network(points)).max() <= found.error.upper <= eps
    assert [len(mask) for mask in found.kept] == WIDTHS[kind]
    assert found.least_units <= found.units < parts.total or found.status != "optimal"
    fewer = found.least_units - 1
    for chosen in itertools.combinations(range(parts.total), max(0, fewer)):
        flat = np.zeros(parts.total, np.bool_)
        flat[list(chosen)] = True
        if parts.possible(flat):
            assert np.abs(parts.outputs(points, flat) - network(points)).max() > 0.97 * eps


def test_budgets_and_labels_of_blocks():
    rng = np.random.default_rng(2)
    network = dense_blocks(rng)
    found = slth.compress(network, BOX, units=[3, 2, 3], time_limit=5.0)
    assert [int(mask.sum()) for mask in found.kept] == [3, 2, 3]
    points = rng.uniform(-1.0, 1.0, (3000, 3))
    assert np.abs(found.network(points) - network(points)).max() <= found.error.upper
    rows = rng.uniform(-1.0, 1.0, (8, 3))
    kept = slth.compress(network, BOX, agree_on=rows, radius=0.01, time_limit=10.0)
    proven = slth.agree_on(network, network, rows, radius=0.01, within=BOX)
    for row, verdict in zip(rows, proven, strict=True):
        if verdict.status == "agree":
            assert kept.network(row).argmax() == network(row).argmax()


def test_a_dropped_channel_is_compared_place_by_place():
    # Unpaired, the bound would be that of both networks' own ranges.
    rng = np.random.default_rng(0)
    first = Conv(rng.normal(size=(4, 1, 2, 2)), rng.normal(size=4))
    weight = rng.normal(size=(2, 16))
    weight[:, 4:8] *= 1e-3
    network = slth.DeepNetwork((first, Dense(weight)), input_shape=(1, 3, 3))
    hidden = HiddenUnits(network)
    kept = np.array([True, False, True, True])
    region = Region.of(BOX, network.d)
    program = program_of(hidden.compared(kept), network)
    assert relax(Difference.of(program, region), region).highest().max() < 0.1
    points = rng.uniform(-1.0, 1.0, (100, 9))
    np.testing.assert_allclose(hidden.compared(kept)(points), hidden.without(kept)(points))


def test_what_cannot_be_joined_is_refused():
    rng = np.random.default_rng(0)
    image = slth.DeepNetwork(
        (
            Conv(rng.normal(size=(2, 1, 1, 1))),
            Residual((Dense(rng.normal(size=(8, 8))),)),
            Dense(rng.normal(size=(1, 8))),
        ),
        input_shape=(1, 2, 2),
    )
    with pytest.raises(slth.InvalidInput, match="cannot be told apart"):
        slth.compress(image, BOX, eps=0.1)
    for more in ("merge", "fold", "compensate"):
        with pytest.raises(slth.InvalidInput, match="residual"):
            slth.compress(KINDS["residual"](rng), BOX, eps=0.1, **{more: True})
