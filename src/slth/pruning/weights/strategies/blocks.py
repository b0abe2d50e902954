"""Fixed blocks: coordinate j is served by the units j N/d .. (j + 1) N/d - 1 only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from slth.network import FloatArray, Mask, ReLUNetwork

# (values float64 [m], wanted, tolerance) -> indices of the values to keep: their sum should be
# within the tolerance of `wanted`.
Serve = Callable[[FloatArray, float, float], NDArray[np.int64]]


def block_mask(net: ReLUNetwork, sides: FloatArray, eps: float, serve: Serve) -> Mask:
    """The single-coordinate mask in which `serve` picks the units of every side.

    Args:
        sides: float64 [2, d], the numbers that the units with positive and with negative incoming
            weights must sum to (`slth.pruning.weights.construct`).
        eps: the uniform error wanted on the unit ball; a coordinate may err by eps / sqrt(d). 0
            asks every side for its best.
    """
    hidden = np.zeros(net.hidden.shape, dtype=bool)
    block = net.width // net.d
    tolerance = eps / np.sqrt(net.d)
    for j in range(net.d):
        units = np.arange(j * block, (j + 1) * block)
        values = net.output[units] * np.abs(net.hidden[units, j])
        for side, sign in enumerate((1.0, -1.0)):
            own = np.flatnonzero((net.hidden[units, j] * sign > 0.0) & (values != 0.0))
            hidden[units[own[serve(values[own], float(sides[side, j]), tolerance)]], j] = True
    return Mask(hidden, hidden.sum(axis=1) > 0)
