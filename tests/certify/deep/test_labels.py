"""Labels: agreement, witnesses, margins of the softmax."""

from __future__ import annotations

import numpy as np
import pytest

import slth
from slth.certify.deep.labels import margin_of
from tests.certify.deep.exact_line import exact_values
from tests.certify.deep.networks import KINDS, dense, rounded


def box(d, size=1.0):
    return slth.Box([-size] * d, [size] * d)


def assert_differs(net, target, found, domain):
    """In exact rationals: a strict maximum of net that is none of target's."""
    x = found.witness
    assert found.status == "differ"
    assert ((np.array(domain.low) <= x) & (x <= np.array(domain.high))).all()
    first, second = exact_values(net, x.tolist()), exact_values(target, x.tolist())
    (label,) = [k for k, value in enumerate(first) if value == max(first)]
    assert second[label] < max(second)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_agrees_with_itself_and_with_a_permuted_copy(kind):
    net = KINDS[kind](np.random.default_rng(len(kind)))
    assert slth.agree(net, net, box(net.d)).status == "agree"


def test_networks_of_far_labels_agree():
    generator = np.random.default_rng(1)
    net = slth.DeepNetwork(
        [dense(generator, 8, 3), slth.Dense(dense(generator, 3, 8).weight, [9.0, 0.0, 0.0])]
    )
    other = slth.DeepNetwork(
        [dense(generator, 5, 3), slth.Dense(dense(generator, 3, 5).weight, [9.0, 1.0, 0.0])]
    )
    assert slth.agree(net, other, box(3)).status == "agree"


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_differ_at_an_exact_witness_or_have_one_label_on_samples(seed):
    generator = np.random.default_rng(seed)
    net, target = (
        slth.DeepNetwork([dense(generator, 8, 3), dense(generator, 6, 8), dense(generator, 3, 6)])
        for _ in range(2)
    )
    found = slth.agree(net, target, box(3), time_limit=None)
    points = generator.uniform(-1.0, 1.0, (20_000, 3))
    if (net(points).argmax(axis=1) != target(points).argmax(axis=1)).any():
        assert_differs(net, target, found, box(3))
    assert found.status in ("agree", "differ")


def test_a_planted_pocket_is_found_or_left_unknown_never_agreed():
    """Equal but for a thin tent that swaps two labels."""
    for center, width in ((0.3, 1e-3), (-0.77, 1e-5), (0.123, 1e-7)):
        # t -> max(0, 1 - |t - c| / width), as three units.
        hidden = slth.Dense(
            np.full((3, 1), 1.0 / width),
            -np.array([center - width, center, center + width]) / width,
        )
        net = slth.DeepNetwork([hidden, slth.Dense(np.zeros((2, 3)), [1.0, 0.5])])
        target = slth.DeepNetwork([hidden, slth.Dense([[0.0] * 3, [1.0, -2.0, 1.0]], [1.0, 0.5])])
        found = slth.agree(net, target, slth.Box([-1.0], [1.0]))
        assert_differs(net, target, found, slth.Box([-1.0], [1.0]))


@pytest.mark.usefixtures("counted_time")
def test_ties_are_no_difference():
    # net is tied everywhere: it has no strict maximum, so nothing can differ.
    tied = slth.DeepNetwork([slth.Dense([[1.0], [1.0]])])
    other = slth.DeepNetwork([slth.Dense([[1.0], [-1.0]])])
    assert slth.agree(tied, other, box(1), time_limit=60.0).status == "agree"
    # target is tied wherever net has a label: its label is among the maxima.
    assert slth.agree(other, tied, box(1), time_limit=60.0).status == "agree"
    verdicts = slth.agree_on(other, tied, [[0.5], [-0.5]], radius=1.0)
    assert [verdict.status for verdict in verdicts] == ["agree", "agree"]


def test_ties_of_outputs_that_are_off():
    """Last ReLUs that are off on the box are all 0."""
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((3, 2))
    dead = slth.DeepNetwork([slth.Dense(weight, [-9.0] * 3)], "relu")
    alive = slth.DeepNetwork([slth.Dense(weight, [9.0, 0.0, 0.0])], "relu")
    assert slth.agree(dead, alive, box(2)).status == "agree"
    assert slth.agree(alive, dead, box(2)).status == "agree"
    half = slth.DeepNetwork([slth.Dense(weight, [-9.0, 9.0, -9.0])], "relu")
    assert_differs(alive, half, slth.agree(alive, half, box(2)), box(2))


def test_a_constant_is_not_tied_with_itself():
    """Where both have constant outputs the ranges are points."""
    one = slth.DeepNetwork([slth.Dense(np.zeros((2, 1)), [1.0, 0.0])])
    other = slth.DeepNetwork([slth.Dense(np.zeros((2, 1)), [0.0, 1.0])])
    assert_differs(one, other, slth.agree(one, other, box(1)), box(1))


def test_rows_that_are_known_up_to_rounding_are_no_tie():
    off = np.full((2, 1), 0.1)
    loose = slth.DeepNetwork([slth.Dense([[1.0], [1.0]], [0.0, 0.0], off)])
    other = slth.DeepNetwork([slth.Dense([[1.0], [-1.0]])])
    for pair in ((loose, other), (other, loose)):
        assert slth.agree(*pair, box(1), time_limit=0.2).status == "unknown"


def test_delta_leaves_out_uncertain_points():
    # softmax(net)_0 is that of 4 t; target swaps the labels for |t| < 1/4.
    net = slth.DeepNetwork([slth.Dense([[2.0], [-2.0]])])
    target = slth.DeepNetwork(
        [
            slth.Dense([[1.0], [1.0], [1.0]], [-0.25, 0.0, 0.25]),
            slth.Identity(),
            slth.Dense(np.zeros((2, 3))),
        ]
    )
    steps = slth.Dense([[1.0], [-1.0]], [-0.25, -0.25])
    target = slth.DeepNetwork([steps, slth.Dense([[1.0, -1.0], [-1.0, 1.0]], [-0.01, 0.01])])
    whole = slth.agree(net, target, box(1))
    assert_differs(net, target, whole, box(1))
    # 1 / (1 + exp(-4 t)) > delta only beyond t = .26: there both have the same label.
    edge = 1.0 / (1.0 + np.exp(-4.0 * 0.27))
    assert slth.agree(net, target, box(1), delta=edge).status == "agree"
    inside = 1.0 / (1.0 + np.exp(-4.0 * 0.2))
    found = slth.agree(net, target, box(1), delta=inside)
    assert_differs(net, target, found, box(1))
    logits = net.logits(found.witness)
    assert np.exp(logits).max() / np.exp(logits).sum() > inside


def test_the_margin_of_a_softmax_is_below_the_true_one():
    for delta in (0.5, 0.6, 0.9, 0.999, 1.0 - 1e-12):
        assert margin_of(delta, 3) <= np.log(delta / (1.0 - delta)) * (1 + 1e-15) + 1e-15
        assert margin_of(delta, 3) >= np.log(delta / (1.0 - delta)) * (1 - 1e-9) - 1e-9
    assert margin_of(0.3, 3) == 0.0


def test_rows_of_data():
    generator = np.random.default_rng(4)
    net = slth.DeepNetwork([dense(generator, 8, 3), dense(generator, 3, 8)], "softmax")
    target = rounded(net, np.float16)
    rows = generator.uniform(-1.0, 1.0, (12, 3))
    verdicts = slth.agree_on(net, target, rows, radius=0.05, within=box(3), time_limit=None)
    assert {verdict.status for verdict in verdicts} <= {"agree", "differ"}
    for row, verdict in zip(rows, verdicts, strict=True):
        label = int(net.logits(row).argmax())
        around = slth.Box.around(row, 0.05, box(3))
        points = generator.uniform(around.low, around.high, (500, 3))
        same = (target.logits(points).argmax(axis=1) == label).all()
        assert same or verdict.status == "differ"
        if verdict.status == "differ":
            values = exact_values(target.before_last(), verdict.witness.tolist())
            assert values[label] < max(values)


BAD = {
    "one output": lambda net: slth.agree(
        *[slth.DeepNetwork([slth.Dense([[1.0]], [1.0])])] * 2, box(1)
    ),
    "other outputs": lambda net: slth.agree(net, slth.DeepNetwork([slth.Dense(np.eye(3))]), box(3)),
    "delta of 1": lambda net: slth.agree(net, net, box(3), delta=1.0),
    "no domain": lambda net: slth.agree(net, net, "box"),
    "a softmax on one side": lambda net: slth.agree(
        net, slth.DeepNetwork(net.items, "softmax"), box(3)
    ),
    "rows of another length": lambda net: slth.agree_on(net, net, np.zeros((2, 4)), radius=0.1),
    "rows outside": lambda net: slth.agree_on(
        net, net, np.full((1, 3), 2.0), radius=0.1, within=box(3)
    ),
    "a bad seed": lambda net: slth.agree(net, net, box(3), seed=-1),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_bad_input(call):
    net = KINDS["mlp"](np.random.default_rng(0))
    with pytest.raises(slth.InvalidInput):
        call(net)
