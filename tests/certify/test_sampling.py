"""Certified upper bounds lie above every sampled error, lower bounds below their upper ones."""

import numpy as np
import pytest

import slth
from tests.clocks import certified


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", range(1, 9))
def test_no_sampled_error_exceeds_the_certified_bound(d, readout):
    generator = np.random.default_rng(d)
    sphere = generator.standard_normal((20_000, d))
    sphere /= np.linalg.norm(sphere, axis=1)[:, None]
    for seed in range(3):
        net = slth.random_network(d, int(generator.integers(1, 9)), seed, readout)
        target = slth.neuron(generator.standard_normal(d), normalize=True)
        enclosure = certified(net, target)
        assert float(np.abs(net(sphere) - target(sphere)).max()) <= enclosure.upper * (1 + 1e-13)
        assert 0.0 < enclosure.lower <= enclosure.upper
        x = enclosure.witness
        reached = abs(float(net(x)) - float(target(x)))
        assert reached >= enclosure.lower * (1 - 1e-12)
