"""Cone proofs: upper bounds in d >= 3 that the checker follows leaf by leaf."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import slth
from slth.certify.prove.error import prove_error
from slth.check import check
from slth.proof import ONE, ErrorProof
from slth.verdict import Outcome
from tests import clocks
from tests.ticket_files import claim, examples

READOUTS = [("linear", "linear"), ("linear", "relu"), ("relu", "linear"), ("relu", "relu")]


def case(d, width, seed, readouts=("linear", "neuron")):
    """A pruned network, its whole mask, and a target."""
    net = slth.random_network(d, width, seed, readouts[0])
    if readouts[1] == "neuron":
        weights = np.random.default_rng(seed).standard_normal(d)
        target = slth.neuron(weights, normalize=True)
    else:
        target = slth.random_network(d, 3, seed + 100, readouts[1])
    return net, target, slth.Mask.of_units([True] * width, d)


def upper_claim(net, target, mask, upper, proof, **parts):
    return check(claim(net, target, mask, 0.0, upper, error_proof=proof, **parts))["upper"]


@pytest.mark.parametrize("readouts", [*READOUTS, ("linear", "neuron"), ("relu", "neuron")])
@pytest.mark.parametrize(("d", "width"), [(3, 12), (4, 8), (5, 6)])
def test_proofs_of_what_was_certified_are_verified(readouts, d, width, monkeypatch):
    for seed in range(2):
        net, target, mask = case(d, width, seed, readouts)
        error = slth.certify(net, target, rtol=1e-5)
        upper = error.upper * (1 + 1e-6)
        proof = prove_error(net, target, upper)
        verdict = upper_claim(net, target, mask, upper, proof)
        assert verdict.outcome is Outcome.VERIFIED
        assert "cone proof" in verdict.reason
        wide = upper_claim(net, target, mask, 2.5 * upper, proof, radius=2.5)
        assert wide.outcome is Outcome.VERIFIED
        below = error.lower * (1 - 1e-9)
        with monkeypatch.context() as patch:
            clocks.use(patch, clocks.Ticking())
            assert prove_error(net, target, below, time_limit=40) is None
        assert upper_claim(net, target, mask, below, proof).outcome is Outcome.REFUSED


def test_a_cone_proof_covers_what_the_sum_over_coordinates_does_not():
    # One incoming weight a unit, relu readout: the sum over the coordinates counts points where
    # both ReLUs are off.
    net, target, _ = case(3, 12, 0, ("relu", "neuron"))
    hidden = np.zeros((12, 3), dtype=bool)
    hidden[np.arange(12), np.arange(12) % 3] = True
    mask = slth.Mask(hidden, np.arange(12) % 4 > 0)
    upper = slth.certify(net.pruned(mask), target).upper * (1 + 1e-6)
    assert check(claim(net, target, mask, 0.0, upper))["upper"].outcome is Outcome.NOT_COVERED
    proof = prove_error(net.pruned(mask), target, upper)
    assert upper_claim(net, target, mask, upper, proof).outcome is Outcome.VERIFIED


def test_a_zero_network_and_the_zero_target_have_proofs(monkeypatch):
    nothing = slth.ReLUNetwork(np.zeros((0, 3)), np.zeros(0))
    target = slth.neuron([0.0, 0.0, 1.0])
    mask = slth.Mask.of_units(np.zeros(0, dtype=bool), 3)
    proof = prove_error(nothing, target, 1.0 + 1e-9)
    assert upper_claim(nothing, target, mask, 1.0 + 1e-9, proof).outcome is Outcome.VERIFIED
    clocks.use(monkeypatch, clocks.Ticking())
    assert prove_error(nothing, target, 1.0 - 1e-9, time_limit=40) is None


def test_bad_arguments_are_refused():
    net, target, _ = case(3, 2, 0)
    with pytest.raises(slth.InvalidInput, match="same input dimension"):
        prove_error(net, slth.neuron([1.0, 0.0]), 1.0)
    for parts in ({"upper": 0.0}, {"upper": 1.0, "radius": -1.0}, {"upper": 1.0, "time_limit": 0}):
        with pytest.raises(slth.InvalidInput):
            prove_error(net, target, **parts)


def test_malformed_proofs_are_refused():
    ticket = examples()["cones"]
    proof = ticket.error_proof
    assert proof is not None
    assert check(ticket)["upper"].outcome is Outcome.VERIFIED

    def changed(**parts):
        made = dataclasses.replace(ticket, error_proof=dataclasses.replace(proof, **parts))
        return check(made)["upper"].outcome

    # A split needs one leaf more: write one leaf twice.
    def grown(row):
        names = ("tau", "mix", "slope")
        parts = {name: np.insert(getattr(proof, name), 3, 0, axis=0) for name in names}
        parts["mix"][3], parts["slope"][3] = proof.mix[3], proof.slope[3]
        twice = np.insert(proof.split, 3, 0, axis=0)
        return {"split": np.insert(twice, 3, row, axis=0), **parts}

    assert changed(**grown([0, 1, 1, 1])) is Outcome.VERIFIED
    assert changed(**grown([0, 1, 7, 65535])) is Outcome.VERIFIED
    for row in ([1, 1, 1, 1], [0, 3, 1, 1], [0, 1, 1, 0], [65535, 0, 1, 1]):
        assert changed(**grown(row)) is Outcome.REFUSED, row
    fewer = {name: getattr(proof, name)[1:] for name in vars(proof)}
    assert changed(**fewer) is Outcome.REFUSED
    more = {name: np.repeat(getattr(proof, name), 2, axis=0) for name in vars(proof)}
    assert changed(**more) is Outcome.REFUSED
    assert changed(tau=np.zeros((16, 3), dtype=np.uint32)) is Outcome.REFUSED
    assert changed(slope=np.zeros((16, 4))) is Outcome.REFUSED
    assert changed(slope=proof.slope * (1 + 2.0**-52)) is Outcome.REFUSED
    assert changed(slope=proof.slope * (1 - 2.0**-52)) is Outcome.REFUSED
    assert changed(mix=proof.mix + np.uint32(1)) is Outcome.REFUSED
    assert changed(tau=proof.tau + np.uint32(ONE + 1)) is Outcome.REFUSED
    assert changed(tau=proof.tau + np.uint32([[ONE, 0]])) is Outcome.REFUSED
    assert changed(tau=proof.tau + np.uint32(ONE)) is Outcome.VERIFIED
    assert changed(mix=np.zeros(16, dtype=np.uint32)) is Outcome.REFUSED
    deep = np.zeros((401 + 16, 4), dtype=np.uint16)
    deep[:401] = (0, 1, 1, 1)
    parts = {
        "split": deep,
        "tau": proof.tau,
        "mix": proof.mix,
        "slope": proof.slope,
    }
    assert changed(**parts) is Outcome.REFUSED


def test_no_mutated_proof_proves_a_false_bound():
    rng = np.random.default_rng(5)
    net, target, mask = case(3, 6, 1)
    error = slth.certify(net, target)
    proof = prove_error(net, target, error.upper * (1 + 1e-6))
    assert proof is not None
    false, true = error.lower * (1 - 1e-7), error.upper * (1 + 1e-6)
    verified = 0
    for _ in range(300):
        parts = {name: getattr(proof, name).copy() for name in vars(proof)}
        for _ in range(int(rng.integers(1, 4))):
            name = rng.choice(list(parts))
            flat = parts[name].reshape(-1)
            at = int(rng.integers(flat.size))
            if name == "slope":
                flat[at] *= rng.choice([-1.0, 0.0, 1 - 1e-9, 1e3])
            elif name == "split":
                flat[at] = rng.integers(0, 4)
            else:
                flat[at] = rng.integers(0, ONE + 1)
        try:
            mutated = ErrorProof(**parts)
        except slth.InvalidInput:
            continue
        assert upper_claim(net, target, mask, false, mutated).outcome is Outcome.REFUSED
        verified += upper_claim(net, target, mask, true, mutated).outcome is Outcome.VERIFIED
    assert verified > 0
