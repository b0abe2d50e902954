"""Programs that are chains of dense layers: ranges before every bend by compiled kernels.

A kernel looks at one box at a time and only at what may change sign on it, with no call of BLAS;
for layers of up to some hundred units that takes a tenth of the time of batched matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from slth.certify.deep.backward import Sizes
from slth.certify.deep.chain_changes import Pair, pair_ranges, single_ranges
from slth.certify.deep.chain_kernels import Part, Shape
from slth.certify.deep.forward import Range, Trace, Values
from slth.certify.deep.program import Affine, Bend, Move, Program
from slth.certify.deep.region import Region
from slth.layers import FloatArray
from slth.threads import crew, usable_threads

# Wider layers are better bounded by BLAS, a few boxes at a time.
_WIDEST = 256
# Boxes for one thread at once: milliseconds of work.
_BOXES = 8
_NOTHING = Values(None, None, None)


@dataclass(frozen=True, eq=False)
class Chain:
    """The layers before bends of one network, or of two that take the same steps.

    Attributes:
        shape: of the layers.
        parts: one network, or net, target and their difference.
        bends: the places of the bends in the program.
        largest: float64 [d], the largest inputs on the domain.
        kind: 0: net, 1: target, 2: both.
    """

    shape: Shape
    parts: tuple[Part, ...]
    bends: tuple[int, ...]
    largest: FloatArray
    kind: int

    def values(self, region: Region, known: Trace | None) -> dict[int, Values]:
        """Values before each bend on each box, by the place of the bend. known: as in `relax`."""
        out = self._known(len(region), known)
        count = len(region)
        ball = region.ball
        center = np.zeros(region.low.shape[1]) if ball is None else ball.center
        radius = -1.0 if ball is None else ball.radius

        def bound(first: int) -> None:
            some = slice(first, first + _BOXES)
            arguments = (region.low[some], region.high[some], center, radius, self.largest)
            if self.kind == 2:
                pair_ranges(self.shape, Pair(*self.parts), *arguments, out[some])
            else:
                single_ranges(self.shape, self.parts[0], *arguments, out[some])

        starts = range(0, count, _BOXES)
        with crew(min(usable_threads(), len(starts))) as run:
            run(bound, starts)
        return {
            place: self._values(out[:, :, self.shape.unit_at[k] : self.shape.unit_at[k + 1]])
            for k, place in enumerate(self.bends)
        }

    def _known(self, count: int, known: Trace | None) -> FloatArray:
        """float64 [B, 2 kinds, units]: lowest and highest values that are known."""
        out = np.empty((count, 2 * len(self.parts), int(self.shape.unit_at[-1])))
        out[:, ::2], out[:, 1::2] = -np.inf, np.inf
        if known is None:
            return out
        for k, place in enumerate(self.bends):
            values = known.before[place]
            ranges = (values.net, values.target) if self.kind == 2 else (values[self.kind],)
            for kind, part in enumerate(ranges):
                if part is not None:
                    some = slice(self.shape.unit_at[k], self.shape.unit_at[k + 1])
                    out[:, 2 * kind, some], out[:, 2 * kind + 1, some] = part
        return out

    def _values(self, out: FloatArray) -> Values:
        ranges = [Range(out[:, k], out[:, k + 1]) for k in range(0, out.shape[1], 2)]
        if self.kind == 2:
            return Values(*ranges)
        return Values(ranges[0], None, None) if self.kind == 0 else Values(None, ranges[0], None)


def chains_of(program: Program, sizes: tuple[Sizes, ...], root: Trace) -> tuple[Chain, ...] | None:
    """The program as chains, one if it is paired, else two; None if it is none, or too wide."""
    if not program.operations:
        return None
    if program.paired:
        layers = _layers(program, sizes, 2)
        if layers is None:
            return None
        return (_chain(layers, root, 2),) if layers else ()
    both = [_layers(program, sizes, kind) for kind in (0, 1)]
    if both[0] is None or both[1] is None:
        return None
    return tuple(_chain(layers, root, kind) for kind, layers in enumerate(both) if layers)


def known_by(program: Program, found: list[dict[int, Values]]) -> Trace:
    """What chains found, as values before the operations of their program."""
    before = [_NOTHING] * len(program.operations)
    for part in found:
        for place, values in part.items():
            before[place] = values
    return Trace(tuple(before), _NOTHING)


@dataclass(frozen=True, eq=False)
class _Layer:
    """An affine step and the bend behind it. parts: of one network, or of net, target and their
    difference, each with its sizes (see `backward.Sizes`) before and behind."""

    place: int
    slope: float
    parts: tuple[tuple[Affine, FloatArray, FloatArray], ...]


def _layers(program: Program, sizes: tuple[Sizes, ...], kind: int) -> list[_Layer] | None:
    """The layers before bends of net (0), target (1) or both (2); None if they are no chain."""
    layers: list[_Layer] = []
    waiting: tuple[int, Move] | None = None
    for place, operation in enumerate(program.operations):
        if isinstance(operation, Move):
            if kind < 2 and (operation.net, operation.target)[kind] is None:
                continue
            if waiting is not None:
                return None
            waiting = place, operation
        elif isinstance(operation, Bend):
            if kind < 2 and not (operation.net, operation.target)[kind]:
                continue
            if waiting is None:
                return None
            at, move = waiting
            kinds = (0, 1, 2) if kind == 2 else (kind,)
            affine = (move.net, move.target, move.change)
            parts = tuple((affine[k], sizes[at][k], sizes[place][k]) for k in kinds)
            layers.append(_Layer(place, operation.slope, parts))  # type: ignore[arg-type]
            waiting = None
        else:
            return None
    for layer in layers:
        for part, _, _ in layer.parts:
            if scipy.sparse.issparse(part.matrix) or max(part.matrix.shape) > _WIDEST:
                return None
    return layers


def _chain(layers: list[_Layer], root: Trace, kind: int) -> Chain:
    shapes = np.array([layer.parts[0][0].matrix.shape for layer in layers], np.int64)
    rows, columns = shapes[:, 0].copy(), shapes[:, 1].copy()
    weight_at = np.concatenate([[0], np.cumsum(rows * columns)])
    unit_at = np.concatenate([[0], np.cumsum(rows)])
    slopes = np.array([layer.slope for layer in layers])
    parts = tuple(_part([layer.parts[k] for layer in layers]) for k in range(len(layers[0].parts)))
    inputs = root.before[0].net
    assert inputs is not None
    return Chain(
        Shape(rows, columns, weight_at, unit_at, slopes),
        parts,
        tuple(layer.place for layer in layers),
        inputs.size[0],
        kind,
    )


def _part(layers: list[tuple[Affine, FloatArray, FloatArray]]) -> Part:
    def joined(arrays: list[FloatArray]) -> FloatArray:
        return np.concatenate([np.ravel(array) for array in arrays])

    maps = [part for part, _, _ in layers]
    off = [np.zeros_like(part.matrix) if part.off is None else part.off for part in maps]
    return Part(
        joined([part.matrix for part in maps]),  # type: ignore[misc]
        joined(off),  # type: ignore[arg-type]
        joined([part.bias for part in maps]),
        joined([part.bias_off for part in maps]),
        joined([move for _, move, _ in layers]),
        joined([bend for _, _, bend in layers]),
        any(np.any(part) for part in off),
    )
