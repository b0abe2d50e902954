"""The instances of the neuron benchmarks."""

from __future__ import annotations

import numpy as np

import slth
from slth.network import Readout


def instance(
    width: int, d: int, seed: int, readout: Readout = "linear"
) -> tuple[slth.ReLUNetwork, slth.ReLUNetwork]:
    """The network and the target of one seed: every weight standard normal, the target
    normalised."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((width, d))
    output = rng.standard_normal(width)
    net = slth.ReLUNetwork(hidden, output, readout)
    return net, slth.neuron(rng.standard_normal(d), normalize=True)
