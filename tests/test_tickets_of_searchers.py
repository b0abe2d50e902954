"""What the searchers return, written to a file with its proofs, checks: the error of every ticket,
and what every neuron mask is said to err."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import slth
from slth.certify.prove.error import loosened, prove_error
from slth.verdict import Outcome


@pytest.mark.usefixtures("still_time")
@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize(
    ("d", "granularity"),
    [(d, "neurons") for d in range(1, 9)] + [(d, "weights") for d in range(1, 5)],
)
def test_found_tickets_check(d, readout, granularity, tmp_path):
    target = slth.neuron(np.arange(1.0, d + 1.0), normalize=True)
    neurons = granularity == "neurons"
    width = 10 if neurons else 3 * d
    net = slth.random_network(d, width, d, readout)
    if neurons:
        found = slth.prune_neurons(net, target, radius=2.0, time_limit=None, proof=True)
    else:
        found = slth.prune_weights(net, target, radius=2.0, time_limit=None)
    proof = None
    if d > 2:
        found = dataclasses.replace(found, error=loosened(found.error, rtol=1e-6))
        proof = prove_error(found.pruned, target, found.error.upper, radius=2.0)
    ticket = slth.Ticket.from_solution(
        found, net, target, radius=2.0, source=(d, width, d), error_proof=proof
    )
    ticket.save(tmp_path / "a.ticket")
    verdict = slth.check(tmp_path / "a.ticket")
    assert verdict["upper"].outcome is Outcome.VERIFIED, verdict
    assert verdict["lower"].outcome is Outcome.VERIFIED, verdict
    assert verdict.outcome is not Outcome.REFUSED, verdict
    if neurons:
        assert found.status == "optimal"
        assert verdict.outcome is Outcome.VERIFIED, verdict
