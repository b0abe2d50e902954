"""The oracle for neuron tickets: every one of the 2^N masks, certified where it could be best."""

import numpy as np

import slth
from slth.pruning.neurons.problem import random_sphere
from tests.clocks import certified


def instance(width, d, seed, readout="linear", units=1):
    """All weights standard normal, the target of `units` units; one unit has norm 1."""
    rng = np.random.default_rng(seed)
    net = slth.ReLUNetwork(rng.standard_normal((width, d)), rng.standard_normal(width), readout)
    if units == 1:
        return net, slth.neuron(rng.standard_normal(d), normalize=True)
    hidden = rng.standard_normal((units, d))
    output = rng.standard_normal(units) if readout == "linear" else rng.random(units)
    return net, slth.ReLUNetwork(hidden, output / np.linalg.norm(output))


def all_masks(width):
    """bool [2^width, width]."""
    return ((np.arange(2**width)[:, None] >> np.arange(width)) & 1).astype(bool)


def least_error(net, target):
    """(lower, upper) around the least error of any mask, and a mask that attains it.

    A mask whose residual at some sampled point exceeds the best upper bound so far (by more than
    rounding) cannot be best; the others are certified, most promising first.
    """
    points = random_sphere(np.random.default_rng(0), 300, net.d)
    masks = all_masks(net.width)
    values = np.maximum(points @ net.hidden.T, 0.0) * net.output
    values = masks @ values.T
    if net.readout == "relu":
        values = np.maximum(values, 0.0)
    seen = np.abs(values - target(points)).max(axis=1)
    lower, upper, best = np.inf, np.inf, masks[0]
    for i in np.argsort(seen):
        if seen[i] > upper + 1e-9:
            break
        mask = slth.Mask.of_units(masks[i], net.d)
        error = certified(net.pruned(mask), target, rtol=1e-5)
        lower = min(lower, error.lower)
        if error.upper < upper:
            upper, best = error.upper, masks[i]
    return lower, upper, best
