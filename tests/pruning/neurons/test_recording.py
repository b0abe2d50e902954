"""What the provers write down verifies exactly, finished or not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import slth
from slth.limits import Deadline
from slth.pruning.neurons.branch import Judgement, search_tree
from slth.pruning.neurons.problem import Problem, random_sphere
from slth.pruning.neurons.recording import Recording
from slth.pruning.neurons.screening import screen
from slth.verdict import Outcome
from tests.pruning.neurons.brute import instance


def outcome(solution, net, target, name="bound", **options):
    ticket = slth.Ticket.from_solution(solution, net, target, **options)
    return slth.check(ticket)[name].outcome


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", [1, 2, 3, 5, 8])
def test_written_proofs_verify(d, readout):
    net, target = instance(9, d, 3, readout)
    found = slth.prune_neurons(net, target, radius=2.0, time_limit=None, proof=True)
    assert found.status == "optimal"
    assert found.refutation is not None
    assert outcome(found, net, target, radius=2.0) is Outcome.VERIFIED
    # The proof is of this bound, not of more than the ticket's own error.
    more = dataclasses.replace(found, bound=found.error.upper * (1 + 1e-9))
    assert outcome(more, net, target, radius=2.0) is Outcome.REFUSED
    eps = 0.9 * found.bound
    refuted = slth.prune_neurons(net, target, radius=2.0, eps=eps, time_limit=None, proof=True)
    assert refuted.status == "refuted"
    assert outcome(refuted, net, target, "status", radius=2.0, eps=eps) is Outcome.VERIFIED


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_the_bound_of_an_unfinished_tree_is_written_too(readout):
    net, target = instance(30, 2, 1, readout)
    problem, rng = Problem(net, target), np.random.default_rng(0)
    points = random_sphere(rng, 300, 2)
    bounds = []
    for judgements in (1, 3, 30):
        recording = Recording(net.width)
        left = iter(range(judgements))

        def judge(candidate, left=left):
            return Judgement(candidate.error, None, next(left, None) is None)

        outcome_ = search_tree(
            problem, 0.3, points, points[::20], rng, Deadline(20), judge, recording
        )
        assert outcome_.proof is not None
        bounds.append(outcome_.bound)
        ticket = slth.Ticket(
            net,
            target,
            slth.Mask.of_units(np.zeros(30, bool), 2),
            "neuron",
            1.0,
            slth.Enclosure(0.0, 2.0, None, slth.Status.OPEN, "norm"),
            outcome_.bound,
            slth.Status.FEASIBLE,
            refutation=outcome_.proof,
        )
        verdict = slth.check(ticket)["bound"]
        assert verdict.outcome is Outcome.VERIFIED, verdict.reason
    assert bounds[-1] > 0.01


def test_screened_units_are_branches_of_the_proof():
    net, target = instance(40, 2, 0)
    _, drops = screen(Problem(net, target), 0.01, np.random.default_rng(0), Deadline(10))
    assert len(drops) > 20
    found = slth.prune_neurons(net, target, eps=0.01, time_limit=None, proof=True)
    assert found.status == "refuted"
    assert outcome(found, net, target, eps=0.01) is Outcome.VERIFIED


def test_a_network_without_units_has_a_proof():
    target = slth.neuron([0.6, 0.8])
    net = slth.ReLUNetwork(np.zeros((0, 2)), np.zeros(0))
    found = slth.prune_neurons(net, target, proof=True)
    assert outcome(found, net, target, "status") is Outcome.VERIFIED
