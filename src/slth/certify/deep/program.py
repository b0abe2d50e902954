"""Two networks as one program: what each does, and what their difference does, step by step.

Where both take the same steps, their values z, z' and the difference z - z' travel together: with
z = W h + b and z' = W' h' + b',

    z - z' = W' (h - h') + (W - W') h + (b - b').

Units are matched by index, or by assignment where they were permuted or partly dropped; a unit
without a partner is paired with one that is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray

from slth.deep import Activate, DeepNetwork, Skip, Step
from slth.layers import AffineMap, FloatArray, Matrix
from slth.rounding.outward import UNIT

# Of a row's size: as near as single precision and pruned inputs leave rows.
_ALL_BUT_EQUAL = 1e-3
# Differences of weights, some seconds of work: beyond, matching takes longer than it helps.
_MOST_WORK = 4e9


@dataclass(frozen=True, eq=False)
class Affine:
    """z = matrix h + bias of one network, known up to rounding.

    Attributes:
        matrix: float64 [m, n], dense or csr.
        bias: float64 [m].
        off: at most how far each entry of the matrix is from the real one, as matrix; None: exact.
        bias_off: float64 [m], the same of the bias.
    """

    matrix: Matrix
    bias: FloatArray
    off: Matrix | None
    bias_off: FloatArray

    @classmethod
    def of(cls, step: AffineMap) -> Affine:
        bias_off = step.bias_rounding
        off = np.zeros_like(step.bias) if bias_off is None else bias_off
        return cls(step.matrix, step.bias, step.matrix_rounding, off)

    @cached_property
    def size(self) -> Matrix:
        """|matrix|, entry by entry."""
        return abs(self.matrix)

    @cached_property
    def is_zero(self) -> bool:
        """Whether z is 0 for every h."""
        parts = (self.matrix, self.bias, self.bias_off, self.off)
        return all(part is None or _is_zero(part) for part in parts)

    @property
    def terms(self) -> int:
        """Products and sums of one entry of z, at most."""
        return self.matrix.shape[1] + 2

    def minus(self, other: Affine) -> Affine:
        """The map of (W - W', b - b'), with what the subtraction rounds."""
        matrix = self.matrix - other.matrix
        off = UNIT * abs(matrix)
        for part in (self.off, other.off):
            off = off if part is None else off + part
        bias = self.bias - other.bias
        bias_off = UNIT * np.abs(bias) + self.bias_off + other.bias_off
        # Sums of a few positive numbers, each rounded once more.
        return Affine(matrix, bias, off * (1.0 + 2.0**-50), bias_off * (1.0 + 2.0**-50))


def _is_zero(part: Matrix) -> bool:
    return not (part.data if scipy.sparse.issparse(part) else part).any()


@dataclass(frozen=True, eq=False)
class Move:
    """An affine step of both networks. change: that of the difference, W - W'; None where the
    networks are not paired. A network that does not take the step has None."""

    net: Affine | None
    target: Affine | None
    change: Affine | None


@dataclass(frozen=True)
class Bend:
    """z -> max(z, slope z) in both networks; in one of them (`net` or `target`) if not paired."""

    slope: float
    net: bool = True
    target: bool = True


@dataclass(frozen=True)
class Keep:
    """Remember the value: a residual block begins."""

    net: bool = True
    target: bool = True


@dataclass(frozen=True)
class Add:
    """Add what was remembered last: a residual block ends."""

    net: bool = True
    target: bool = True


Operation = Move | Bend | Keep | Add
Order = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, eq=False)
class Program:
    """What two networks do, from the inputs to the outputs.

    Attributes:
        operations: in order. Unpaired, those of the net come first, then those of the target.
        paired: whether both take every step, so that differences travel too.
        inputs, outputs: numbers of inputs and outputs.
        orders: if paired, of each affine step but the last: which rows of net and of target stand
            side by side, -1 for a row of zeros; None: as they are.
    """

    operations: tuple[Operation, ...]
    paired: bool
    inputs: int
    outputs: int
    orders: tuple[Order | None, ...] = ()


def program_of(net: DeepNetwork, target: DeepNetwork) -> Program:
    """Both networks' steps, paired where that is possible."""
    first, second = list(_flat(net.steps)), list(_flat(target.steps))
    if _alike(first, second):
        matched = _matched(first, second)
        if matched is not None:
            operations, orders = matched
            return Program(tuple(operations), True, net.d, net.outputs, tuple(orders))
    alone = [_alone(step, True) for step in first] + [_alone(step, False) for step in second]
    return Program(tuple(alone), False, net.d, net.outputs)


def program_alone(target: DeepNetwork) -> Program:
    """One network's steps; the other does nothing."""
    steps = [_alone(step, False) for step in _flat(target.steps)]
    return Program(tuple(steps), False, target.d, target.outputs)


_BEGIN, _END = "begin", "end"
_Flat = Affine | float | str


def _flat(steps: Sequence[Step]) -> Iterator[_Flat]:
    """Affine maps, slopes of activations, and the ends of residual blocks."""
    for step in steps:
        if isinstance(step, AffineMap):
            yield Affine.of(step)
        elif isinstance(step, Activate):
            yield step.slope
        elif isinstance(step, Skip):
            yield _BEGIN
            yield from _flat(step.body)
            yield _END


def _alone(step: _Flat, net: bool) -> Operation:
    if isinstance(step, Affine):
        return Move(step if net else None, None if net else step, None)
    if isinstance(step, float):
        return Bend(step, net, not net)
    return Keep(net, not net) if step == _BEGIN else Add(net, not net)


def _alike(first: Sequence[_Flat], second: Sequence[_Flat]) -> bool:
    """Whether both take the same kinds of steps (widths apart)."""
    if len(first) != len(second):
        return False
    for one, other in zip(first, second, strict=True):
        if isinstance(one, Affine) != isinstance(other, Affine):
            return False
        if not isinstance(one, Affine) and one != other:
            return False
    return True


def _matched(
    first: list[_Flat], second: list[_Flat]
) -> tuple[list[Operation], list[Order | None]] | None:
    """The paired operations and the orders of their units; None if the widths differ where units
    cannot be matched."""
    skips = any(isinstance(step, str) for step in first)
    moves = [place for place, step in enumerate(first) if isinstance(step, Affine)]
    pairs: dict[int, tuple[Affine, Affine]] = {
        place: (first[place], second[place])  # type: ignore[misc]
        for place in moves
    }
    orders: list[Order | None] = []
    for here, after in pairwise(moves):
        one, other = pairs[here]
        orders.append(None)
        if (
            skips
            or scipy.sparse.issparse(one.matrix)
            or scipy.sparse.issparse(pairs[after][0].matrix)
        ):
            if one.matrix.shape != other.matrix.shape:
                return None
            continue
        order = _assignment(one, other)
        if order is None:
            continue
        orders[-1] = order
        pairs[here] = _rows(one, order[0]), _rows(other, order[1])
        pairs[after] = _columns(pairs[after][0], order[0]), _columns(pairs[after][1], order[1])
    if any(one.matrix.shape != other.matrix.shape for one, other in pairs.values()):
        return None
    operations: list[Operation] = []
    for place, step in enumerate(first):
        if isinstance(step, Affine):
            one, other = pairs[place]
            operations.append(Move(one, other, one.minus(other)))
        elif isinstance(step, float):
            operations.append(Bend(step))
        else:
            operations.append(Keep() if step == _BEGIN else Add())
    return operations, orders


def _assignment(one: Affine, other: Affine) -> Order | None:
    """Which rows stand side by side, -1 for a row of zeros; None: as they are.

    The cost of a pair is the distance of its rows (weights and bias), that of a row alone its size.
    """
    rows, others = (np.column_stack([part.matrix, part.bias]) for part in (one, other))
    count, more = len(rows), len(others)
    if rows.shape[1] != others.shape[1]:
        return None
    sizes, other_sizes = np.abs(rows).sum(axis=1), np.abs(others).sum(axis=1)
    direct = np.abs(rows - others).sum(axis=1) if count == more else np.full(count, np.inf)
    # Nothing to gain where every row is all but equal to its own partner.
    if (direct <= _ALL_BUT_EQUAL * sizes).all() or count * more * rows.shape[1] > _MOST_WORK:
        return None
    cost = scipy.spatial.distance.cdist(rows, others, "cityblock")
    # Pairs that cost more than both rows alone are not made.
    gain = np.minimum(cost - sizes[:, None] - other_sizes[None, :], 0.0)
    left, right = scipy.optimize.linear_sum_assignment(gain)
    made = gain[left, right] < 0.0
    left, right = left[made], right[made]
    if count == more and cost[left, right].sum() >= direct.sum() and len(left) == count:
        return None
    alone_left = np.setdiff1d(np.arange(count), left)
    alone_right = np.setdiff1d(np.arange(more), right)
    order = np.concatenate([left, alone_left, np.full(len(alone_right), -1)])
    other_order = np.concatenate([right, np.full(len(alone_left), -1), alone_right])
    return order, other_order


def _rows(part: Affine, order: np.ndarray) -> Affine:
    """The map with its outputs in that order, 0 for -1."""

    def chosen(array: FloatArray) -> FloatArray:
        return np.concatenate([array, np.zeros((1, *array.shape[1:]))])[order]

    off = None if part.off is None else chosen(part.off)
    return Affine(chosen(part.matrix), chosen(part.bias), off, chosen(part.bias_off))


def _columns(part: Affine, order: np.ndarray) -> Affine:
    """The map with its inputs in that order; an input of -1 is not read."""

    def chosen(array: FloatArray) -> FloatArray:
        return np.column_stack([array, np.zeros(len(array))])[:, order]

    off = None if part.off is None else chosen(part.off)
    return Affine(chosen(part.matrix), part.bias, off, part.bias_off)
