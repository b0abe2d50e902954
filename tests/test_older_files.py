"""What 0.1 wrote is still read: files in tests/data, made by 0.1 from the calls beside them."""

from pathlib import Path

import numpy as np
import pytest

import slth
from slth.verdict import Outcome

DATA = Path(__file__).parent / "data"


def test_a_ticket_of_whole_neurons():
    """prune_neurons(random_network(2, 8, 7), neuron([.6, .8]), time_limit=None, proof=True)."""
    ticket = slth.Ticket.load(DATA / "neurons.ticket")
    assert ticket.net == slth.random_network(2, 8, 7)
    error = slth.certify(ticket.masked, ticket.target)
    assert error.lower <= ticket.error.upper
    assert ticket.error.lower <= error.upper
    verdict = slth.check(DATA / "neurons.ticket")
    assert verdict["upper"].outcome is Outcome.VERIFIED
    assert verdict.outcome is Outcome.VERIFIED


def test_a_ticket_of_single_weights():
    """prune_weights(random_network(2, 12, 3, "relu"), neuron([1, 0]), eps=.3)."""
    ticket = slth.Ticket.load(DATA / "weights.ticket")
    assert ticket.net == slth.random_network(2, 12, 3, "relu")
    assert slth.check(DATA / "weights.ticket")["upper"].outcome is Outcome.VERIFIED


def test_an_embedding():
    """embed([(W, b), (V, c)], .2, domain=Box(0, 1), seed=5); see `layers`."""
    rng = np.random.default_rng(0)

    def drawn(*shape):
        return np.round(rng.normal(size=shape) * 16) / 64

    layers = [(drawn(4, 3), drawn(4)), (drawn(2, 4), drawn(2))]
    embedding = slth.load(DATA / "mlp.slt")
    assert embedding.error == pytest.approx(0.14098060118753103)
    assert embedding([0.1, 0.2, 0.3]) == pytest.approx([0.2190345, 0.02721929], abs=1e-8)
    # The file states the digest of its target: it must not have changed.
    assert embedding.certify(slth.as_network(layers)) <= 0.2


def test_a_network_with_biases():
    """np.savez(hidden=, output=, bias=, output_bias=): read as the deep network it is."""
    network = slth.read_network(DATA / "biased.npz")
    assert isinstance(network, slth.DeepNetwork)
    x = np.random.default_rng(0).normal(size=(50, 2))
    inner = np.maximum(x @ np.array([[1.0, 0.5], [-1.0, 2.0]]) + [0.125, -0.25], 0.0)
    assert network(x)[:, 0] == pytest.approx(inner @ [1.0, -0.5] + 0.5)
