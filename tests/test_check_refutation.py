"""Refutations: multipliers and trees that bound the error of every mask, checked exactly."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slth
from slth.check import check
from slth.proof import RefutationProof, RefutationRecorder
from slth.ticket import Ticket
from slth.verdict import Outcome
from tests.refuting import all_masks, points_on_sphere, refute_neurons, refute_weights
from tests.ticket_files import claim
from tests.ticket_oracles import best_neuron_error, root_above, squared_error


def nothing_kept(net, kind="neuron"):
    hidden = np.zeros(net.hidden.shape, dtype=bool)
    if kind == "weight":
        hidden[0, 0] = True
    return slth.Mask(hidden, np.zeros(net.width, dtype=bool))


def refuting(net, target, bound, proof, **parts) -> Ticket:
    mask = parts.pop("mask", nothing_kept(net))
    return claim(net, target, mask, 0.0, 1e6, bound=bound, refutation=proof, **parts)


def outcome(ticket: Ticket) -> Outcome:
    return check(ticket)["bound"].outcome


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("seed", range(3))
def test_trees_prove_nearly_the_optimum_and_nothing_above_it(readout, seed):
    net = slth.random_network(2, 5, seed, readout)
    target = slth.neuron([0.6, 0.8])
    best = math.sqrt(best_neuron_error(net, target))
    points = points_on_sphere(2, 200)
    proof = refute_neurons(net, target, 0.98 * best, points)
    assert proof is not None
    assert outcome(refuting(net, target, 0.98 * best, proof)) is Outcome.VERIFIED
    # The radius scales the error and the bound alike.
    wide = refuting(net, target, 0.98 * 3 * best, proof, radius=3.0)
    assert outcome(wide) is Outcome.VERIFIED
    assert outcome(refuting(net, target, 1.001 * best, proof)) is Outcome.REFUSED


@pytest.mark.parametrize("d", [3, 5])
def test_trees_work_in_any_dimension(d):
    net, target = slth.random_network(d, 8, 1), slth.neuron(np.eye(d)[0])
    points = points_on_sphere(d, 300)
    low, high = 0.0, 1.0
    for _ in range(5):
        middle = 0.5 * (low + high)
        proof = refute_neurons(net, target, middle, points)
        low, high = (middle, high) if proof is not None else (low, middle)
    proof = refute_neurons(net, target, low, points)
    assert outcome(refuting(net, target, low, proof)) is Outcome.VERIFIED
    keep = np.array([i % 2 == 0 for i in range(8)])
    mask = slth.Mask.of_units(keep, d)
    seen = float(np.abs(net.pruned(mask)(points) - target(points)).max())
    assert seen >= low


def test_the_witness_segment_is_three_multipliers():
    # No hyperplane of the units x, y and x - y crosses the inside of the segment, while the
    # target relu(2 x - y) / sqrt 5 has its kink in the middle.
    net = slth.ReLUNetwork([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]], [1.0, -2.0, 3.0])
    target = slth.neuron([2.0, -1.0], normalize=True)
    points = np.array([[0.5, 0.5], [0.375, 0.75], [0.25, 1.0]])
    recorder = RefutationRecorder()
    recorder.leaf([0, 1, 2], [-1.0, 2.0, -1.0])
    proof = recorder.proof(points)
    kink = (0.5 / math.sqrt(5.0)) / float(
        np.array([1.0, 2.0, 1.0]) @ np.linalg.norm(points, axis=1)
    )
    flipped = dataclasses.replace(proof, weight=-proof.weight)
    assert outcome(refuting(net, target, kink * (1 - 1e-12), proof)) is Outcome.VERIFIED
    assert outcome(refuting(net, target, kink * (1 + 1e-12), proof)) is Outcome.REFUSED
    assert outcome(refuting(net, target, kink * (1 - 1e-12), flipped)) is Outcome.REFUSED


def test_a_relu_readout_is_not_held_up_where_the_target_is_small():
    # One unit -relu(x) + ... under a ReLU: G = -relu(x) has relu(G) = 0 = f on x > 0, so a
    # multiplier that says "G is far below f there" is invalid.
    net = slth.ReLUNetwork([[1.0, 0.0], [0.0, 1.0]], [-5.0, 1.0], "relu")
    target = slth.neuron([0.0, 1.0])
    recorder = RefutationRecorder()
    recorder.branch(0)
    recorder.leaf([0], [-1.0])
    recorder.leaf([0], [-1.0])
    proof = recorder.proof(np.array([[1.0, 0.0]]))
    verdict = check(refuting(net, target, 0.5, proof))["bound"]
    assert verdict.outcome is Outcome.REFUSED
    assert "ReLU readout" in verdict.reason


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_no_multipliers_prove_more_than_the_optimum(readout):
    rng = np.random.default_rng(3)
    target = slth.neuron([1.0, 0.0])
    verified = 0
    for seed in range(3):
        net = slth.random_network(2, 4, 40 + seed, readout)
        best = root_above(best_neuron_error(net, target))
        points = points_on_sphere(2, 120)
        proof = refute_neurons(net, target, 0.9 * best, points)
        assert proof is not None
        used = len(proof.points)
        for _ in range(25):
            parts = {name: getattr(proof, name).copy() for name in vars(proof)}
            kind = rng.integers(4)
            at = rng.integers(len(parts["weight"]))
            if kind == 0:
                parts["weight"][at] *= rng.choice([-1.0, 0.0, 0.5, 3.0])
            elif kind == 1:
                parts["points"][rng.integers(used)] *= rng.choice([-1.0, 0.5, 1e6])
            elif kind == 2:
                parts["unit"][rng.integers(len(parts["unit"]))] = rng.integers(0, 4)
                parts["unit"][-1] = -1
            else:
                parts["point"][at] = rng.integers(used)
            try:
                changed = RefutationProof(**parts)
            except slth.InvalidInput:
                continue
            assert outcome(refuting(net, target, best * 1.0001, changed)) is not Outcome.VERIFIED
            verified += outcome(refuting(net, target, 0.8 * best, changed)) is Outcome.VERIFIED
    assert verified > 5


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), readout=st.sampled_from(["linear", "relu"]))
def test_random_multipliers_never_refute_what_exists(seed, readout):
    rng = np.random.default_rng(seed)
    net = slth.random_network(2, int(rng.integers(1, 4)), seed, readout)
    target = slth.random_network(2, 2, seed + 1, ["linear", "relu"][int(rng.integers(2))])
    best = root_above(best_neuron_error(net, target))
    recorder = RefutationRecorder()
    recorder.leaf(range(4), rng.standard_normal(4))
    proof = recorder.proof(rng.standard_normal((4, 2)))
    assert outcome(refuting(net, target, max(best, 1e-9) * 1.0001, proof)) is Outcome.REFUSED


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_weight_masks_are_refuted_over_all_masks_of_every_unit(readout):
    target = slth.neuron([1.0, 0.0])
    for seed in range(3):
        net = slth.random_network(2, 2, 90 + seed, readout)
        best = math.sqrt(min(squared_error(net.masked(mask), target) for mask in all_masks(net)))
        if readout == "linear":
            reached, proof = refute_weights(net, target, points_on_sphere(2, 60))
        else:
            recorder = RefutationRecorder()
            recorder.leaf([0], [-1.0])
            proof, top = recorder.proof(np.array([[1.0, 0.0]])), 0.0
            for mask in all_masks(net):
                top = max(top, float(net.masked(mask)([1.0, 0.0])))
            reached = 1.0 - top
        mask = nothing_kept(net, "weight")
        if reached > 1e-9:
            low = refuting(net, target, reached * (1 - 1e-9), proof, mask=mask)
            assert outcome(low) is Outcome.VERIFIED
            assert reached <= best * (1 + 1e-9)
        high = refuting(net, target, best * (1 + 1e-9), proof, mask=mask)
        assert outcome(high) is Outcome.REFUSED


def test_trees_over_weight_masks_are_not_covered():
    net, target = slth.random_network(2, 2, 0), slth.neuron([1.0, 0.0])
    recorder = RefutationRecorder()
    recorder.branch(0)
    recorder.leaf([0], [1.0])
    recorder.leaf([0], [1.0])
    proof = recorder.proof(np.array([[1.0, 0.0]]))
    ticket = refuting(net, target, 0.1, proof, mask=nothing_kept(net, "weight"))
    assert outcome(ticket) is Outcome.NOT_COVERED


def test_the_child_that_drops_may_come_first():
    # f = 2 relu(x) at (1, 0); unit 0 gives 5 there: kept it errs by 3, dropped by 2.
    net = slth.ReLUNetwork([[1.0, 0.0], [0.0, 1.0]], [5.0, 1.0])
    target = slth.ReLUNetwork([[1.0, 0.0]], [2.0])
    for keep_first, weights, expected in [
        (True, (1.0, -1.0), Outcome.VERIFIED),
        (False, (-1.0, 1.0), Outcome.VERIFIED),
        (True, (-1.0, 1.0), Outcome.REFUSED),
        (False, (1.0, -1.0), Outcome.REFUSED),
    ]:
        recorder = RefutationRecorder()
        recorder.branch(0, keep_first=keep_first)
        for weight in weights:
            recorder.leaf([0], [weight])
        proof = recorder.proof(np.array([[1.0, 0.0]]))
        assert outcome(refuting(net, target, 2.0 - 1e-12, proof)) is expected
    assert outcome(refuting(net, target, 2.0 + 1e-12, proof)) is Outcome.REFUSED


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ([0, +1.0, 1, -1.0, None], Outcome.VERIFIED),
        ([0, 1, +1.0, None, -1.0], Outcome.VERIFIED),
        ([0, +1.0, None], Outcome.REFUSED),
        ([0, None, -1.0], Outcome.REFUSED),
    ],
)
def test_a_leaf_without_multipliers_has_those_of_the_leaf_before(tree, expected):
    # As above: at (1, 0) the network is 3 too large with unit 0, and 2 too small without.
    net = slth.ReLUNetwork([[1.0, 0.0], [0.0, 1.0]], [5.0, 1.0])
    target = slth.ReLUNetwork([[1.0, 0.0]], [2.0])
    recorder = RefutationRecorder()
    for node in tree:
        if isinstance(node, int):
            recorder.branch(node)
        else:
            recorder.leaf([] if node is None else [0], [] if node is None else [node])
    proof = recorder.proof(np.array([[1.0, 0.0]]))
    assert outcome(refuting(net, target, 2.0 - 1e-12, proof)) is expected


def test_long_columns_are_kept_in_files(monkeypatch):
    def proof():
        recorder = RefutationRecorder()
        for unit in range(50):
            recorder.branch(unit, keep_first=unit % 2 == 0)
            recorder.leaf([3, 1], [unit + 0.5, -1.0])
        recorder.leaf([0], [1.0])
        return recorder.proof(np.arange(10.0).reshape(5, 2))

    held = proof()
    monkeypatch.setattr("slth.proof._HELD_BYTES", 100)
    filed = proof()
    assert len(filed.points) == 3
    for name in vars(held):
        np.testing.assert_array_equal(getattr(filed, name), getattr(held, name))
        assert not getattr(filed, name).flags.writeable


def test_malformed_trees_are_refused():
    net, target = slth.random_network(2, 3, 0), slth.neuron([1.0, 0.0])
    points = np.array([[1.0, 0.0], [0.0, 1.0]])

    def tree(*units, weight=1.0):
        recorder = RefutationRecorder()
        for unit in units:
            if unit == -1:
                recorder.leaf([0], [weight])
            else:
                recorder.branch(max(unit, -2 - unit), keep_first=unit >= 0)
        return recorder.proof(points)

    for proof in (
        tree(),
        tree(0, -1),
        tree(-1, -1),
        tree(0, 0, -1, -1, -1),
        tree(3, -1, -1),
        tree(-5, -1, -1),
        tree(-1, weight=0.0),
        RefutationRecorder().proof(points),
        dataclasses.replace(tree(-1), points=np.zeros((2, 2))),
        dataclasses.replace(tree(-1), points=np.ones((2, 3))),
    ):
        assert outcome(refuting(net, target, 1e-9, proof)) is Outcome.REFUSED


@pytest.mark.parametrize("last", [0, 1])
def test_a_norm_that_is_short_in_its_last_place_is_not_enough(last):
    """At (1, 1), an integer times 2^-52 to the checker, the norm sqrt 2 is a little above the
    value N 2^-116 of the target c relu(x) with N its floor in that place: the bound 1 is then not
    reached. The target's units hold N in exact parts."""
    norm = math.isqrt(2 << 2 * 116) + last
    parts = [norm >> 80 << 80, norm & ((1 << 80) - (1 << 40)), norm & ((1 << 40) - 1)]
    assert sum(parts) == norm
    target = slth.ReLUNetwork([[1.0, 0.0]] * 3, [math.ldexp(float(part), -116) for part in parts])
    nothing = slth.ReLUNetwork(np.zeros((0, 2)), np.zeros(0))
    recorder = RefutationRecorder()
    recorder.leaf([0], [-1.0])
    proof = recorder.proof(np.array([[1.0, 1.0]]))
    ticket = refuting(nothing, target, 1.0, proof)
    assert outcome(ticket) is (Outcome.VERIFIED if last else Outcome.REFUSED)
