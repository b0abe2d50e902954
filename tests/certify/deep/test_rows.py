"""Labels on many boxes at once, against samples and against the answers for single boxes."""

import sys

import numpy as np
import pytest

import slth
from slth.certify.deep.region import Region
from slth.certify.deep.rows import LabelledBoxes
from slth.limits import Deadline
from tests.certify.deep.networks import KINDS


def boxes_around(network, count, radius, seed=0):
    rows = np.random.default_rng(seed).uniform(-1.0, 1.0, (count, network.d))
    region = Region(rows - radius, rows + radius, None)
    return LabelledBoxes(region, network(rows).argmax(axis=1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [0.0, 0.01, 0.2])
def test_no_sample_exceeds_what_is_bounded(kind, radius):
    network = KINDS[kind](np.random.default_rng(len(kind)))
    if network.outputs < 2:
        network = slth.DeepNetwork((*network.items, slth.Dense(np.array([[1.0], [-0.5]]))))
    rows = boxes_around(network, 40, radius)
    excess = rows.excess(network)
    rng = np.random.default_rng(1)
    samples = [rows.boxes.center, rows.attacked(network)]
    samples += [rng.uniform(rows.boxes.low, rows.boxes.high) for _ in range(200)]
    for points in samples:
        assert (points >= rows.boxes.low).all()
        assert (points <= rows.boxes.high).all()
        values = network(points)
        own = np.take_along_axis(values, rows.labels[:, None], axis=1)[:, 0]
        np.put_along_axis(values, rows.labels[:, None], -np.inf, axis=1)
        assert (values.max(axis=1) - own <= excess + 1e-9).all()
    if radius == 0.0:
        assert (values.max(axis=1) - own >= excess - 1e-6).all()


def test_boxes_together_are_bounded_no_worse_than_alone(monkeypatch):
    network = KINDS["mlp"](np.random.default_rng(0))
    rows = boxes_around(network, 23, 0.1)
    whole = rows.excess(network)
    monkeypatch.setattr(sys.modules[LabelledBoxes.__module__], "_AT_ONCE", 5)
    parts = rows.excess(network)
    alone = np.array([rows.chosen(np.array([k])).excess(network)[0] for k in range(23)])
    # A unit that is open on one box is bounded better on all that are looked at with it.
    assert (whole <= parts + 1e-9).all()
    assert (parts <= alone + 1e-9).all()
    assert (alone - whole).max() < 0.5 * np.ptp(whole)


@pytest.mark.usefixtures("still_time")
def test_cutting_boxes_decides_more_and_nothing_false():
    rng = np.random.default_rng(3)
    network = slth.DeepNetwork(
        [slth.Dense(rng.normal(size=(12, 3)), rng.normal(size=12)),
         slth.Dense(rng.normal(size=(3, 12)))]
    )  # fmt: skip
    rows = boxes_around(network, 60, 0.15)
    # `one_look` also cuts nothing: a box is looked at once.
    one_look = rows.open(network, 0, Deadline())
    cut = rows.open(network, 200, Deadline())
    assert (one_look >= cut).all()
    assert one_look.sum() > cut.sum()
    assert (rows.excess(network) > 0.0).sum() == one_look.sum()
    for k in np.flatnonzero(~cut):
        points = rng.uniform(rows.boxes.low[k], rows.boxes.high[k], (300, 3))
        assert (network(points).argmax(axis=1) == rows.labels[k]).all()
    proven = rows.chosen(np.flatnonzero(~cut))
    assert proven.all_hold(network, 200, Deadline())
    assert not proven.all_hold(network, 0, Deadline())
    other = LabelledBoxes(proven.boxes, (proven.labels + 1) % 3)
    assert not other.all_hold(network, 50, Deadline())


def test_without_boxes_everything_holds():
    network = slth.DeepNetwork([slth.Dense(np.eye(2)), slth.Dense(np.eye(2))])
    none = LabelledBoxes(Region(np.zeros((0, 2)), np.zeros((0, 2)), None), np.zeros(0, np.int64))
    assert none.all_hold(network, 1, Deadline())
    assert none.excess(network).shape == (0,)
