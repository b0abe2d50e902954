"""What the searchers return, written to a file with its proof, checks; bounds they prove stay open
where the file carries no proof of them."""

from __future__ import annotations

import numpy as np
import pytest

import slth
from slth.certify.proof import loosened, prove_error
from slth.check import Outcome


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", range(1, 9))
def test_found_tickets_check(d, readout, tmp_path):
    target = slth.neuron(np.arange(1.0, d + 1.0), normalize=True)
    for prune, width in ((slth.prune_neurons, 10), (slth.prune_weights, 10 * d)):
        net = slth.random_network(d, width, d, readout)
        found = prune(net, target, radius=2.0, time_limit=0.5)
        error, proof = found.error, None
        if d > 2:
            error = loosened(error, rtol=1e-4)
            proof = prove_error(found.pruned, target, error.upper, radius=2.0)
        solution = slth.Solution(found.mask, error, found.bound, found.status, found.pruned)
        ticket = slth.Ticket.from_solution(
            solution, net, target, radius=2.0, source=(d, width, d), error_proof=proof
        )
        ticket.save(tmp_path / "a.ticket")
        verdict = slth.check(tmp_path / "a.ticket")
        assert verdict["upper"].outcome is Outcome.VERIFIED, verdict
        assert verdict["lower"].outcome is Outcome.VERIFIED, verdict
        assert verdict.outcome is not Outcome.REFUSED, verdict
        assert verdict
