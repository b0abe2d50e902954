"""Malach, Yehudai, Shalev-Shwartz, Shamir (Proving the lottery ticket hypothesis: pruning is all
you need, 2020): the best single product. N = O(1/eps) units a side hold one near enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slth.network import FloatArray
from slth.pruning.weights.strategies.strategy import register


def best_product(values: FloatArray, wanted: float, tolerance: float) -> NDArray[np.int64]:
    """The one value nearest to `wanted`; none where 0 is nearer."""
    if len(values) == 0:
        return np.empty(0, dtype=np.int64)
    best = int(np.abs(values - wanted).argmin())
    keep = abs(values[best] - wanted) < abs(wanted)
    return np.array([best] if keep else [], dtype=np.int64)


register("malach", best_product, summary="the one product nearest to the weight wanted")
