"""What was read held against the values of the library that it came from."""

from __future__ import annotations

import numpy as np

from slth.deep import DeepNetwork
from slth.layers import FloatArray

# Values of double precision agree to about 1e-12 of the numbers inside.
_AGREES, _INSIDE = 1e-6, 1e-12


def agrees(network: DeepNetwork, points: FloatArray, values: FloatArray) -> bool:
    """Whether the network has these values, up to what double precision may round.

    A softmax or sigmoid moves by as much as its argument is rounded, however large that is.

    Args:
        points: float64 [points, d].
        values: float64 [points, outputs].
    """
    with np.errstate(all="ignore"):
        mine = network(points)
        size = max(min(1.0, _largest(points)), _largest(values))
        accuracy = _AGREES * size
        if network.last in ("softmax", "sigmoid"):
            accuracy += _INSIDE * _largest(network.logits(points))
        return mine.shape == values.shape and bool((np.abs(mine - values) <= accuracy).all())


def _largest(array: FloatArray) -> float:
    return float(np.abs(array).max(initial=0.0))
