"""What evaluating a network in floats can be off by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slth.deep import Activate, DeepNetwork, Skip, Step
from slth.layers import FloatArray
from slth.rounding.outward import UNIT


def margin_of(network: DeepNetwork, points: FloatArray) -> float:
    """What floats of this network, or of one with some of its weights 0, can be off by at the
    points, at most.

    A float sum of n products is off by n u times the sum of their sizes, and activations do not
    enlarge: so the whole by (sum of n + 4) u times the network of absolute weights. What weights
    are known up to is added in the same way.
    """
    sizes, off, terms = _through(network.steps, np.abs(points.T), np.zeros_like(points.T))
    rounding = 4.0 * (terms + 4) * UNIT * (sizes + off).max(initial=0.0)
    return float(rounding + 1.01 * off.max(initial=0.0))


def _through(
    steps: Sequence[Step], sizes: FloatArray, off: FloatArray
) -> tuple[FloatArray, FloatArray, int]:
    """Sizes of values, what weights are known up to does to them, and the terms of all sums."""
    terms = 0
    for step in steps:
        if isinstance(step, Activate):
            continue
        if isinstance(step, Skip):
            more, more_off, inner = _through(step.body, sizes, off)
            sizes, off, terms = sizes + more, off + more_off, terms + inner + 4
            continue
        own = np.zeros((len(step.bias), sizes.shape[1]))
        if step.matrix_rounding is not None:
            own = step.matrix_rounding @ (sizes + off)
        if step.bias_rounding is not None:
            own = own + step.bias_rounding[:, None]
        size = abs(step.matrix)
        off = size @ off + own
        sizes = size @ sizes + np.abs(step.bias)[:, None]
        terms += step.matrix.shape[1] + 4
    return sizes, off, terms
