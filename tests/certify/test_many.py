"""certify_many: exact suprema, the same answers as certify, limits and bad input."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slth
from slth.certify.problem.objective import COMBINATIONS, PIECES, SIGNS
from tests import clocks
from tests.certify.biased import biased_network, parts

from .oracles import objective, supremum_squared

READOUTS = ["linear", "relu"]


def tickets(d, count, readout="linear", width=12, seed=0):
    """A network, a target, and masks of all sizes: the empty one first, then the full one."""
    net = slth.random_network(d, width, seed, readout)
    generator = np.random.default_rng(seed)
    masks = generator.random((count, width)) < generator.random((count, 1))
    masks[0], masks[1] = False, True
    return net, slth.neuron(generator.standard_normal(d), normalize=True), masks


def kept(net, mask):
    return slth.ReLUNetwork(net.hidden[mask], net.output[mask], net.readout)


def assert_same(many, one):
    assert (many.lower, many.upper, many.status) == (one.lower, one.upper, one.status)
    assert many.method == one.method
    assert (many.witness is None) == (one.witness is None)
    if many.witness is not None:
        np.testing.assert_array_equal(many.witness, one.witness)


def assert_alike(many, one):
    """Two enclosures of one supremum that answer the same question."""
    assert many.status == one.status
    assert max(many.lower, one.lower) <= min(many.upper, one.upper)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_tickets_against_the_exact_supremum(d):
    net, target, masks = tickets(d, 25, width=5, seed=d)
    enclosures = slth.certify_many(net, target, masks)
    assert enclosures.closed.all()
    for mask, enclosure in zip(masks, enclosures, strict=True):
        weights = np.append(net.output[mask], -1.0)
        hidden = np.vstack([net.hidden[mask], target.hidden])
        exact = max(supremum_squared(objective(sign * weights, hidden)) for sign in (1, -1))
        assert Fraction(enclosure.lower) ** 2 <= exact <= Fraction(enclosure.upper) ** 2
        assert enclosure.gap <= 1e-6 * enclosure.upper


# Small integers: parallel, antiparallel, duplicate and dead units, exact cancellation.
weight = st.integers(-2, 2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_degenerate_differences_against_the_exact_supremum(data):
    d = data.draw(st.integers(1, 4))
    unit = st.tuples(*[weight] * (d + 1))
    rows = np.array(data.draw(st.lists(unit, min_size=1, max_size=6)), dtype=np.float64)
    cut = data.draw(st.integers(0, len(rows)))
    net = slth.ReLUNetwork(rows[:cut, 1:], rows[:cut, 0])
    target = slth.ReLUNetwork(rows[cut:, 1:], -rows[cut:, 0])
    (enclosure,) = slth.certify_many([net], [target], time_limit=None)
    problems = [objective(sign * rows[:, 0], rows[:, 1:]) for sign in (1, -1)]
    exact = max(supremum_squared(problem) for problem in problems)
    assert Fraction(enclosure.lower) ** 2 <= exact <= Fraction(enclosure.upper) ** 2


@pytest.mark.parametrize(
    "options", [{}, {"radius": 2.5}, {"radius": 3.0, "eps": 4.0}, {"eps": 1.0}]
)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_the_answers_are_those_of_certify(d, readout, options):
    net, target, masks = tickets(d, 12, readout, seed=10 + d)
    networks = [kept(net, mask) for mask in masks]
    enclosures = slth.certify_many(net, target, masks, **options)
    # From d = 3 on `certify` tries sign patterns first, which take longer than all else here.
    same = assert_same if d <= 2 else assert_alike
    for network, many, pair in zip(
        networks, enclosures, slth.certify_many(networks, target, **options), strict=True
    ):
        one = slth.certify(network, target, **options)
        same(many, one)
        same(pair, one)
        assert one.status == "closed"


def test_every_pairing_of_readouts_in_one_batch():
    generator = np.random.default_rng(5)
    networks = [
        slth.ReLUNetwork(generator.standard_normal((4, 3)), generator.standard_normal(4), readout)
        for readout in READOUTS * 4
    ]
    others = [networks[k] for k in (1, 2, 7, 4, 5, 0, 3, 6)]
    for many, net, target in zip(
        slth.certify_many(networks, others), networks, others, strict=True
    ):
        assert_alike(many, slth.certify(net, target))


def test_the_tables_of_signs_are_the_problems_of_their_readouts():
    for kind, ((net, target), problems) in enumerate(COMBINATIONS.items()):
        assert kind == 2 * (net == "relu") + (target == "relu")
        assert [SIGNS[kind, p, : PIECES[kind, p]].tolist() for p in range(len(problems))] == [
            [list(map(float, row)) for row in rows] for rows in problems
        ]
        assert not PIECES[kind, len(problems) :].any()


def test_witnesses_lie_in_the_ball_and_attain_the_lower_bound():
    net, target, masks = tickets(3, 20, "relu", seed=3)
    enclosures = slth.certify_many(net, target, masks, radius=1.7)
    for mask, enclosure in zip(masks, enclosures, strict=True):
        x = enclosure.witness
        assert sum(Fraction(v) ** 2 for v in x.tolist()) <= Fraction(1.7) ** 2
        error = abs(kept(net, mask)(x) - target(x))
        assert error == pytest.approx(enclosure.lower, rel=1e-12)


def test_wide_deep_and_biased_pairs_in_one_batch():
    generator = np.random.default_rng(2)
    target = slth.neuron([0.0, 1.0, 0.0])
    biased = biased_network(np.eye(3), np.ones(3), bias=[0.1, 0.0, -0.2], output_bias=0.3)
    nets = [slth.random_network(3, 4, 0), slth.random_network(3, 90, 0), biased]
    for many, net in zip(slth.certify_many(nets, target, rtol=1e-3), nets, strict=True):
        assert_alike(many, slth.certify(net, target, rtol=1e-3))
    # The masks of a biased network keep the biases of its units.
    masks = np.array([[True, False, True], [False, False, False]])
    for many, mask in zip(slth.certify_many(biased, target, masks, rtol=1e-3), masks, strict=True):
        old = parts(biased)
        ticket = biased_network(
            old.hidden[mask], old.output[mask], bias=old.bias[mask], output_bias=0.3
        )
        assert_same(many, slth.certify(ticket, target, rtol=1e-3))
    five = slth.ReLUNetwork(generator.standard_normal((4, 5)), generator.standard_normal(4))
    (many,) = slth.certify_many(five, slth.neuron(np.eye(5)[0]))
    assert_same(many, slth.certify(five, slth.neuron(np.eye(5)[0])))


def test_enclosures_are_arrays_and_a_sequence():
    net, target, masks = tickets(2, 6)
    enclosures = slth.certify_many(net, target, masks)
    assert len(enclosures) == 6
    assert enclosures[-1].upper == enclosures.upper[5]
    part = enclosures[1:3]
    assert isinstance(part, slth.Enclosures)
    assert [e.lower for e in part] == enclosures.lower[1:3].tolist()
    np.testing.assert_array_equal(enclosures.gap, enclosures.upper - enclosures.lower)
    assert "6 closed" in repr(enclosures)
    # The difference of a network and itself vanishes: no witness.
    same = slth.certify_many(net, net)
    assert same[0].witness is None
    assert same[0].status == "closed"
    nothing = slth.certify_many(net, target, masks[:0])
    assert len(nothing) == 0
    assert repr(nothing) == "Enclosures(none)"
    assert len(slth.certify_many([], target)) == 0


@pytest.mark.parametrize("d", [2, 3])
def test_a_limit_that_has_passed_leaves_true_bounds(d):
    net, target, masks = tickets(d, 2_500)
    full = slth.certify_many(net, target, masks)
    cut = slth.certify_many(net, target, masks, time_limit=1e-9)
    assert full.closed.all()
    assert not cut.closed.all()
    assert (cut.upper >= full.lower).all()
    assert (cut.lower <= full.upper).all()
    assert np.isfinite(cut.upper).all()


def test_ctrl_c_returns_what_is_proven(monkeypatch):
    net, target, masks = tickets(4, 30)
    clocks.use(monkeypatch, clocks.Ticking(interrupt_at=60))
    enclosures = slth.certify_many(net, target, masks, rtol=0.0, time_limit=None)
    assert not enclosures.closed.all()
    assert (enclosures.lower > 0.0).all()
    assert (enclosures.gap <= 1e-6 * enclosures.upper).any()


def test_bad_input():
    net, target, masks = tickets(3, 4)
    for bad in (masks.astype(float), masks[0], masks[:, 1:]):
        with pytest.raises(slth.InvalidInput, match="masks incompatible"):
            slth.certify_many(net, target, bad)
    with pytest.raises(slth.InvalidInput, match="more than one network"):
        slth.certify_many([net], target, masks)
    with pytest.raises(slth.InvalidInput, match="2 nets, 3 targets"):
        slth.certify_many([net] * 2, [target] * 3)
    with pytest.raises(slth.InvalidInput, match="incompatible with net"):
        slth.certify_many([net], [slth.neuron([1.0, 0.0])])
    plane = slth.random_network(2, 3, 0)
    with pytest.raises(slth.InvalidInput, match="different input dimensions"):
        slth.certify_many([net, plane], [net, plane])
    with pytest.raises(slth.InvalidInput, match="not a network"):
        slth.certify_many([net, None], target)
    for option in ({"rtol": -1.0}, {"radius": 0.0}, {"eps": 0.0}, {"time_limit": 0.0}):
        with pytest.raises(slth.InvalidInput):
            slth.certify_many(net, target, masks, **option)
