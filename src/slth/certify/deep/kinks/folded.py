"""Both signs of every output of net - target as sums of kinks, where neither has more than one
hidden layer: units that do not bend on the box are part of what is linear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from slth.certify.deep.bounds import Difference
from slth.certify.deep.forward import Range
from slth.certify.deep.kinks.sums import KinkSums
from slth.certify.deep.program import Affine, Bend, Move
from slth.certify.deep.region import Region
from slth.layers import FloatArray, Matrix
from slth.rounding.outward import TINY, UNIT

# Entries of a tableau, and of a layer that is written out: 32 MiB.
_MOST_ENTRIES = 1 << 22


@dataclass(frozen=True, eq=False)
class _OneHidden:
    """outer max(inner x, slope inner x); without `inner`: outer x. values: before the bend."""

    inner: Affine | None
    slope: float
    values: Range | None
    outer: Affine


def kink_sums(difference: Difference, region: Region) -> KinkSums | None:
    """The sums of net_i - target_i and of target_i - net_i, for all i, on the region's one box;
    None where a network has more layers, nothing bends, the tableau would be too large, or a ball
    is part of the domain."""
    if region.ball is not None:
        return None
    first, second = (_one_hidden(difference, kind) for kind in (0, 1))
    if first is None or second is None:
        return None
    least, most = region.low[0], region.high[0]
    net, target = _folded(first, least, most), _folded(second, least, most)
    rows = np.concatenate([net.rows, target.rows])
    if not len(rows) or rows.size > _MOST_ENTRIES:
        return None
    linear, constant = net.linear - target.linear, net.constant - target.constant
    cost = np.concatenate([net.cost, -target.cost], axis=1)
    # The two differences.
    slack = net.slack + target.slack
    slack = slack + 4.0 * UNIT * (np.abs(linear) @ net.largest + np.abs(constant)) + TINY
    return KinkSums(
        rows,
        np.concatenate([net.offset, target.offset]),
        np.concatenate([net.low, target.low]),
        np.concatenate([net.high, target.high]),
        np.concatenate([linear, -linear]),
        np.concatenate([cost, -cost]),
        np.concatenate([constant, -constant]),
        np.tile(slack * (1.0 + 8.0 * UNIT), 2),
        least,
        most,
    )


def _one_hidden(difference: Difference, kind: int) -> _OneHidden | None:
    """Net (0) or target (1), if it takes an affine step, or one, a bend and another."""
    steps: list[Affine | Bend] = []
    values = None
    for operation, before in zip(
        difference.program.operations, difference.root.before, strict=True
    ):
        if isinstance(operation, Move):
            part = (operation.net, operation.target)[kind]
            if part is not None:
                steps.append(part)
        elif not isinstance(operation, Bend):
            return None
        elif (operation.net, operation.target)[kind]:
            steps.append(operation)
            values = before[kind]
    match steps:
        case [Affine() as outer]:
            return _OneHidden(None, 0.0, None, outer)
        case [Affine() as inner, Bend(slope=slope), Affine() as outer]:
            if max(inner.matrix.shape[0] * inner.matrix.shape[1], outer.matrix.shape[0]) > (
                _MOST_ENTRIES
            ):
                return None
            return _OneHidden(inner, slope, values, outer)
    return None


def _folded(part: _OneHidden, least: FloatArray, most: FloatArray) -> KinkSums:
    """The outputs of one network, with max(z, s z) = s z + (1 - s) max(z, 0).

    Entries of products of m terms are off by less than 2 (m + 16) u of their sizes, with the
    products by s and 1 - s in it; weights that are known up to rounding say by how much.
    """
    outer, largest = part.outer, np.maximum(np.abs(least), np.abs(most))
    V, V_off = _dense(outer.matrix), None if outer.off is None else _dense(outer.off)
    if part.inner is None:
        size = np.abs(V) @ largest + np.abs(outer.bias)
        off = outer.bias_off if V_off is None else outer.bias_off + V_off @ largest
        none = np.zeros(0)
        return KinkSums(
            np.zeros((0, V.shape[1])), none, none, none,
            V, np.zeros((len(V), 0)), outer.bias, off + 4.0 * (len(largest) + 16) * UNIT * size,
            least, most,
        )  # fmt: skip
    inner, values = part.inner, part.values
    assert values is not None
    W, low, high = _dense(inner.matrix), values.low[0], values.high[0]
    bends = (low < 0.0) & (high > 0.0) & (V != 0.0).any(axis=0)
    rest = np.where(bends, part.slope, np.where(low >= 0.0, 1.0, part.slope))
    through = V * rest
    linear, constant = through @ W, outer.bias + through @ inner.bias
    size = np.abs(W) @ largest + np.abs(inner.bias)
    moved = inner.bias_off if inner.off is None else inner.bias_off + _dense(inner.off) @ largest
    off = outer.bias_off + np.abs(V) @ moved
    if V_off is not None:
        off = off + V_off @ (size + moved)
    terms = sum(W.shape) + 16
    slack = off + 4.0 * terms * UNIT * (np.abs(V) @ size + np.abs(outer.bias))
    return KinkSums(
        W[bends], inner.bias[bends], low[bends], high[bends],
        linear, (1.0 - part.slope) * V[:, bends], constant, slack * (1.0 + 2.0**-40),
        least, most,
    )  # fmt: skip


def _dense(matrix: Matrix) -> FloatArray:
    return matrix.toarray() if scipy.sparse.issparse(matrix) else np.asarray(matrix)
