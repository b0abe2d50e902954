"""Compressing trained networks, against every subset of small ones and against samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import slth
from slth.pruning.trained.hidden import HiddenUnits
from tests.certify.deep.networks import KINDS, conv, dense

BOX = slth.Box(-1.0, 1.0)


def trained(seed, sizes, outputs=2):
    """A network some of whose units matter little."""
    generator = np.random.default_rng(seed)
    layers = []
    ins = 3
    for width in sizes:
        layer = dense(generator, width, ins)
        layers.append(layer)
        ins = width
    last = dense(generator, outputs, ins)
    layers.append(slth.Dense(last.weight * generator.choice([0.02, 1.0], ins), last.bias))
    return slth.DeepNetwork(layers)


def masks_of(hidden, count):
    """Every choice of `count` units to keep."""
    for units in itertools.combinations(range(hidden.total), count):
        flat = np.zeros(hidden.total, np.bool_)
        flat[list(units)] = True
        yield hidden.split(flat)


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "residual"])
def test_the_smaller_network_is_the_one_with_zeros(kind):
    generator = np.random.default_rng(len(kind))
    network = KINDS[kind](generator)
    hidden = HiddenUnits(network)
    points = generator.uniform(-1.0, 1.0, (50, network.d))
    for _ in range(5):
        # A convolution needs a channel.
        kept = [generator.random(width) < 0.6 for width in hidden.widths]
        for mask in kept:
            mask[0] = True
        smaller = hidden.pruned(kept)
        np.testing.assert_allclose(
            smaller(points), hidden.values(points, kept), rtol=1e-12, atol=1e-13
        )
        assert HiddenUnits(smaller).widths == [int(mask.sum()) for mask in kept]
    np.testing.assert_allclose(hidden.values(points, hidden.everything()), network(points))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("sizes", [(7,), (4, 3)])
def test_optimal_is_the_smallest_of_all_subsets(seed, sizes):
    network = trained(seed, sizes)
    hidden = HiddenUnits(network)
    generator = np.random.default_rng(seed)
    points = generator.uniform(-1.0, 1.0, (4000, 3))
    points = np.concatenate([points, np.array(list(itertools.product((-1.0, 1.0), repeat=3)))])
    eps = 0.25 * float(np.ptp(network(points)))
    found = slth.compress(network, BOX, eps=eps, time_limit=None)
    assert found.status == "optimal"
    assert found.units == found.least_units
    assert found.error.upper <= eps
    assert np.abs(found.network(points) - network(points)).max() <= found.error.upper
    # No smaller subset is within eps on samples clearly.
    original = network(points)
    for kept in masks_of(hidden, found.units - 1) if found.units else ():
        assert np.abs(hidden.values(points, kept) - original).max() > eps * 0.98


def test_units_that_do_nothing_go_first():
    generator = np.random.default_rng(1)
    inner, outer = dense(generator, 30, 4), dense(generator, 2, 30)
    weight = outer.weight.copy()
    weight[:, ::3] = 0.0
    network = slth.DeepNetwork([inner, slth.Dense(weight, outer.bias)])
    found = slth.compress(network, slth.Box(0.0, 1.0), eps=1e-9, time_limit=20.0)
    assert not found.kept[0][::3].any()
    assert found.error.upper <= 1e-9


def test_budgets():
    network = trained(5, (9, 6))
    for units in (8, [5, 2]):
        found = slth.compress(network, BOX, units=units, time_limit=2.0)
        counts = [int(mask.sum()) for mask in found.kept]
        if isinstance(units, int):
            assert sum(counts) <= units
        else:
            assert all(a <= b for a, b in zip(counts, units, strict=True))
        points = np.random.default_rng(0).uniform(-1.0, 1.0, (5000, 3))
        assert np.abs(found.network(points) - network(points)).max() <= found.error.upper
    assert slth.compress(network, BOX, ratio=0.5, time_limit=2.0).units <= 7


def test_labels_around_rows():
    generator = np.random.default_rng(2)
    network = trained(3, (10,), outputs=3)
    rows = generator.uniform(-1.0, 1.0, (20, 3))
    found = slth.compress(network, BOX, agree_on=rows, radius=0.02, time_limit=20.0)
    assert found.units < 10
    assert found.stats["rows"] + found.stats["rows left out"] == 20
    verdicts = slth.agree_on(network, network, rows, radius=0.02, within=BOX)
    for row, verdict in zip(rows, verdicts, strict=True):
        if verdict.status != "agree":
            continue
        points = row + generator.uniform(-0.02, 0.02, (300, 3))
        points = np.clip(points, -1.0, 1.0)
        label = network(row).argmax()
        assert (found.network(points).argmax(axis=1) == label).all()


def test_channels_of_a_convolution():
    generator = np.random.default_rng(4)
    first = conv(generator, 4, 1, 2)
    weight = dense(generator, 2, 4 * 4).weight.copy()
    # The second channel is not read.
    weight[:, 4:8] = 0.0
    network = slth.DeepNetwork([first, slth.Dense(weight)], input_shape=(1, 3, 3))
    found = slth.compress(network, slth.Box(0.0, 1.0), eps=1e-9, time_limit=20.0)
    assert found.kept[0].tolist() == [True, False, True, True]
    assert found.network.items[0].weight.shape[0] == 3
    assert found.network.shape == (1, 3, 3)


def test_the_table_says_before_and_after():
    found = slth.compress(trained(0, (6,)), BOX, eps=0.3)
    text = found.table()
    for word in ("hidden units", "parameters", "multiply-adds", "certified error", "before"):
        assert word in text


BAD = {
    "nothing asked": {},
    "two things asked": {"eps": 0.1, "units": 3},
    "no radius": {"agree_on": [[0.0, 0.0, 0.0]]},
    "a radius too many": {"eps": 0.1, "radius": 0.1},
    "eps of 0": {"eps": 0.0},
    "a ratio above 1": {"ratio": 1.5},
    "units of other layers": {"units": [1, 2, 3]},
    "half a unit": {"units": 2.5},
}


@pytest.mark.parametrize("options", BAD.values(), ids=BAD)
def test_bad_input(options):
    with pytest.raises(slth.InvalidInput):
        slth.compress(trained(0, (4,)), BOX, **options)


def test_labels_of_no_provable_row_remove_nothing():
    network = trained(3, (6,), outputs=3)
    rows = np.zeros((2, 3))
    found = slth.compress(network, BOX, agree_on=rows, radius=50.0, time_limit=5.0)
    assert found.stats["rows"] in (0, 2)
    outside = slth.Box(-0.5, 0.5)
    with pytest.raises(slth.InvalidInput):
        slth.compress(network, outside, agree_on=rows + 0.9, radius=0.1)
    with pytest.raises(slth.InvalidInput, match="rows incompatible"):
        slth.compress(network, BOX, agree_on=np.zeros((2, 4)), radius=0.1)


@pytest.mark.usefixtures("still_time")
def test_labels_keep_rows_outside_of_a_ball_too():
    # Units that are dead on the ball live on the boxes around rows near its edge.
    inner = slth.Dense([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [0.0, 0.0, -1.0])
    outer = slth.Dense([[1.0, 0.0, 0.0], [0.0, 1.0, 50.0]], [0.0, -0.5])
    network = slth.DeepNetwork([inner, outer])
    rows = np.array([[1.05, 0.0]])
    found = slth.compress(network, slth.Ball(1.0), agree_on=rows, radius=0.01, time_limit=None)
    assert network(rows).argmax() == 1
    assert found.network(rows).argmax() == 1
