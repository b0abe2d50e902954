"""Orseau, Hutter, Rivasplata (Logarithmic pruning is all you need, 2020): batch by batch, each with
one product that shrinks what is still missing by a constant factor.

The paper expands a weight in powers of the golden ratio, draws a batch for each power and needs
one product in the right interval of each. Here a batch takes the product nearest to what is
missing, which is never worse. O(log 1/eps) batches; each must be large enough not to fail, which
for a log density at 0 costs another logarithm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slth.network import FloatArray
from slth.pruning.weights.strategies.malach import best_product
from slth.pruning.weights.strategies.strategy import register

_GOLDEN = 0.5 * (1.0 + 5.0**0.5)
# Numbers of batches tried when no error is asked for.
_MOST_BATCHES = 40


def shrinking_residual(values: FloatArray, wanted: float, tolerance: float) -> NDArray[np.int64]:
    """One value a batch, log_golden(|wanted| / tolerance) batches; tolerance 0: the best number."""
    if tolerance > 0.0:
        steps = np.log(max(abs(wanted) / tolerance, 1.0)) / np.log(_GOLDEN)
        counts = [max(1, int(np.ceil(steps)))]
    else:
        counts = list(range(1, _MOST_BATCHES + 1))
    chosen = [_by_batches(values, wanted, count) for count in counts]
    return min(chosen, key=lambda kept: abs(values[kept].sum() - wanted))


def _by_batches(values: FloatArray, wanted: float, count: int) -> NDArray[np.int64]:
    kept: list[int] = []
    for batch in np.array_split(np.arange(len(values)), count):
        found = batch[best_product(values[batch], wanted, 0.0)]
        kept += found.tolist()
        wanted -= float(values[found].sum())
    return np.array(kept, dtype=np.int64)


register(
    "orseau",
    shrinking_residual,
    summary="of each of O(log 1/eps) batches the product nearest to what is still missing",
)
