"""Fixed blocks: coordinate j is served by the units j N/d .. (j + 1) N/d - 1 only."""

from __future__ import annotations

import numpy as np

from slth.errors import InvalidInput
from slth.network import FloatArray, Mask, ReLUNetwork
from slth.pruning.weights.strategies.strategy import Serve


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
            chosen = serve(values[own], float(sides[side, j]), tolerance)
            hidden[units[own[_require_indices(chosen, len(own))]], j] = True
    return Mask(hidden, hidden.sum(axis=1) > 0)


def _require_indices(chosen: object, count: int) -> np.ndarray:
    """What a strategy chose, if it is indices of the values that it was shown."""
    if (
        isinstance(chosen, np.ndarray)
        and (chosen.ndim, chosen.dtype.kind) == (1, "i")
        and ((chosen >= 0) & (chosen < count)).all()
    ):
        return chosen
    raise InvalidInput(
        "a strategy does not give indices",
        got=repr(chosen),
        expected=f"int64 [k], some of 0 .. {count - 1}",
        fix="Return the indices of the values to keep.",
    )
