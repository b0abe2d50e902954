"""What is claimed of two networks, on leaves: how far the outputs are apart, and labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, ctx  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray

from slth.check_pair.leaves import Leaves, Rows
from slth.check_pair.values import Span
from slth.layers import FloatArray
from slth.rounding.outward import UNIT

# A way in quarters: the multiplier. The last code: net cannot have that label, by this rival.
QUARTERS, NEVER = 4.0, 255
_BITS = 128


def farthest(leaves: Leaves) -> FloatArray:
    """At least |net_i - target_i| for every output anywhere on each leaf: float64 [B]."""
    count = leaves.after.net.low.shape[1]
    eye = np.eye(count)
    both = np.concatenate([eye, -eye])[None]
    change = leaves.after.change
    rows = Rows(both, -both, None) if change is None else Rows(None, None, both)
    top = leaves.highest(rows)
    if change is not None:
        top = np.minimum(top, np.concatenate([change.high, -change.low], axis=1))
    return top.max(axis=1)


@dataclass(frozen=True)
class LabelRule:
    """Wherever net_j exceeds every other output by more than the margin, target_j is one of
    target's largest outputs.

    For each j, either net_j - net_k <= margin on the leaf for one k (the way NEVER): then net has
    not that label; or for every k, for the multiplier m = way / 4,

        target_k - target_j + m (net_j - net_k - margin) <= 0.

    Attributes:
        margin: at most what the label of net exceeds each other output by, >= 0.
        paired: whether the leaves' differences are known.
    """

    margin: float
    paired: bool

    def holds(self, leaves: Leaves, ways: NDArray[np.uint8]) -> np.ndarray:
        """bool [B]: whether these ways prove it. ways: uint8 [B, outputs, outputs]."""
        count = ways.shape[1]
        rivals = ~np.eye(count, dtype=bool)[None]
        proven = np.zeros(ways.shape, dtype=bool)
        for way in np.unique(ways):
            here = (ways == way) & rivals
            firsts, seconds = np.nonzero(here.any(axis=0))
            fits = self.tops(leaves, firsts, seconds, int(way)) <= 0.0
            proven[:, firsts, seconds] |= here[:, firsts, seconds] & fits
        never = (proven & (ways == NEVER)).any(axis=2)
        every = ((proven & (ways != NEVER)) | ~rivals).all(axis=2)
        return (never | every).all(axis=1)

    def tops(self, leaves: Leaves, firsts: np.ndarray, seconds: np.ndarray, way: int) -> FloatArray:
        """At least what a way says is <= 0, for pairs (j, k) of outputs: float64 [B, pairs]; -inf
        where ranges say what it is for without rounding: net_j <= net_k, or target_k <= target_j.
        """
        count = leaves.after.net.low.shape[1]
        pairs = np.arange(len(firsts))
        rows = np.zeros((1, len(firsts), count))
        rows[0, pairs, seconds] = 1.0
        rows[0, pairs, firsts] = -1.0
        if way == NEVER:
            top = _less(leaves.highest(Rows(-rows, None, None)), self.margin)
            return np.where(_below(leaves.after.net, firsts, seconds), -np.inf, top)
        multiplier = way / QUARTERS
        if self.paired and multiplier <= 1.0:
            # target = net - (net - target); quarters are exact.
            functional = Rows((1.0 - multiplier) * rows, None, -rows)
        else:
            functional = Rows(-multiplier * rows, rows, None)
        top = _less(leaves.highest(functional), multiplier * self.margin * (1.0 - 4.0 * UNIT))
        return np.where(_below(leaves.after.target, seconds, firsts), -np.inf, top)


def _below(values: Span, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether one output is at most another by their ranges: bool [B, pairs]."""
    return values.high[:, first] <= values.low[:, second]


def _less(top: FloatArray, margin: float) -> FloatArray:
    """top - margin, rounded up."""
    return np.nextafter(top - margin, np.inf)


def margin_below(delta: float | None) -> float:
    """At most what an output exceeds every other by if its softmax is above delta, >= 0.

    softmax_j > delta says exp(net_k - net_j) < 1 / delta - 1 for each other k.
    """
    if delta is None or delta <= 0.5:
        return 0.0
    before = ctx.prec
    ctx.prec = _BITS
    try:
        least = float((arb(delta) / (1 - arb(delta))).log().lower())
    finally:
        ctx.prec = before
    return max(0.0, float(np.nextafter(least, -np.inf)))
