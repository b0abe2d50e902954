"""Do two networks name the same label? Bounds on boxes, cut in halves until all are decided.

A label is an output that is the largest. That net has label j and target does not, on a box, is
impossible if for every k the supremum of target_k - target_j, where net_j exceeds all other outputs
by their margins, is at most 0; and that is so if for some multiplier lambda >= 0

    sup target_k - target_j + lambda (net_j - net_k - margin) <= 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import scipy
from flint import arb, ctx  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray

from slth.certify.deep.backward import Functional
from slth.certify.deep.bounds import Difference, Relaxation, Signs, known_from, relax
from slth.certify.deep.forward import Range, intervals
from slth.certify.deep.points import gradients, values_at
from slth.certify.deep.program import Add, Move, Program
from slth.certify.deep.region import Region
from slth.layers import FloatArray
from slth.limits import Deadline, Progress, Report
from slth.network import BoolArray

Indices = NDArray[np.intp]
# Multipliers tried; in between little is gained.
_MULTIPLIERS = (0.5, 1.0, 0.0, 2.0)
_BOXES = 64
_BITS = 128


class Looked(NamedTuple):
    """What a look at B boxes shows. open: bool [B], undecided; rows: float64 [B, d], coefficients
    of the inputs in what keeps each open."""

    open: BoolArray
    rows: FloatArray


class Question(Protocol):
    """Something that holds on a box if bounds say so, and fails where a point shows it."""

    @property
    def difference(self) -> Difference:
        """What is asked about."""
        ...

    def look(self, relaxation: Relaxation) -> Looked:
        """Which boxes are undecided."""
        ...

    def refuted_by(self, points: FloatArray) -> FloatArray | None:
        """One of the points [n, d], moved into the domain, at which it fails for certain."""
        ...


@dataclass
class Halving:
    """Boxes on which a question is undecided, the deepest first.

    Attributes:
        nodes: boxes looked at.
        witness: a point at which it fails.
    """

    question: Question
    nodes: int = 0
    witness: FloatArray | None = None
    _stack: list[tuple[Region, Signs | None]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the question holds on the whole domain."""
        return self.witness is None and not self._stack

    def run(
        self, domain: Region, deadline: Deadline, report: Report, most: int | None = None
    ) -> None:
        """Until it holds, fails, the time is up, or that many boxes were looked at."""
        self._stack = [(domain, None)]
        while self._stack and self.witness is None and not deadline.expired:
            if most is not None and self.nodes >= most:
                break
            region, signs = self._stack.pop()
            difference = self.question.difference
            known = None if signs is None else known_from(difference, signs)
            relaxation = relax(difference, region, known)
            looked = self.question.look(relaxation)
            self.nodes += len(region)
            left = np.flatnonzero(looked.open)
            if len(left):
                self._cut(region.chosen(left), looked.rows[left], relaxation.signs()[left])
            waiting = float(sum(len(part) for part, _ in self._stack))
            report(Progress("agree", 0.0, waiting, "open boxes"))

    def _cut(self, region: Region, rows: FloatArray, signs: Signs) -> None:
        found = self.question.refuted_by(np.concatenate([region.highest_at(rows), region.center]))
        if found is not None:
            self.witness = found
            return
        width = region.high - region.low
        score = (np.abs(rows) + 1e-9 * np.abs(rows).max(axis=1, keepdims=True) + 1e-300) * width
        halves, of = region.halves(score.argmax(axis=1)).near_ball()
        for start in range(0, len(halves), _BOXES):
            some = np.arange(start, min(len(halves), start + _BOXES))
            self._stack.append((halves.chosen(some), signs[of[some] % len(signs)]))


@dataclass(frozen=True, eq=False)
class Agreement:
    """Wherever net has a label with the margin, target has it too.

    Attributes:
        margin: net_j must exceed every other output by more than this (0: it is the largest).
        delta: and its softmax must exceed this; None: no such condition.
        domain: where.
    """

    difference: Difference
    domain: Region
    margin: float = 0.0
    delta: float | None = None

    def look(self, relaxation: Relaxation) -> Looked:
        count = self.difference.program.outputs
        firsts, seconds = _ordered_pairs(count)
        possible = self._possible(relaxation, firsts, seconds)
        possible &= ~never_above(relaxation, 0).any(axis=2)
        boxes, dim = len(relaxation.region), self.difference.program.inputs
        undecided = np.zeros(boxes, np.bool_)
        rows = np.zeros((boxes, dim))
        left = possible[:, firsts] & ~never_above(relaxation, 1)[:, seconds, firsts]
        for multiplier in _MULTIPLIERS:
            pairs = np.flatnonzero(left.any(axis=0))
            if not len(pairs):
                break
            functional = self._functional(firsts[pairs], seconds[pairs], multiplier)
            end = len(self.difference.program.operations)
            pulled = self.difference.pulled(end, functional, relaxation.bounds)
            top = pulled.highest(relaxation.region) - multiplier * self.margin
            top = np.nextafter(top, np.inf)
            # A NaN proves nothing.
            left[:, pairs] &= ~(top <= 0.0)
            coefficients = np.broadcast_to(pulled.rows, (boxes, len(pairs), dim))
            rows = np.where(left[:, pairs, None], np.abs(coefficients), 0.0).sum(axis=1)
        undecided = left.any(axis=1)
        return Looked(np.asarray(undecided), rows)

    def _possible(self, relaxation: Relaxation, firsts: Indices, seconds: Indices) -> BoolArray:
        """bool [B, outputs]: whether net may have that label somewhere on the box."""
        count = self.difference.program.outputs
        rows = np.zeros((len(firsts), count))
        rows[np.arange(len(firsts)), firsts] = 1.0
        rows[np.arange(len(firsts)), seconds] = -1.0
        end = len(self.difference.program.operations)
        functional = Functional(rows[None], None, None)
        top = self.difference.pulled(end, functional, relaxation.bounds).highest(relaxation.region)
        possible = np.ones((len(relaxation.region), count), np.bool_)
        for pair, first in enumerate(firsts):
            possible[:, first] &= ~(top[:, pair] <= self.margin)
        return possible

    def _functional(self, firsts: Indices, seconds: Indices, multiplier: float) -> Functional:
        """target_k - target_j + multiplier (net_j - net_k), one row for each pair (j, k)."""
        count = self.difference.program.outputs
        rows = np.zeros((1, len(firsts), count))
        rows[0, np.arange(len(firsts)), seconds] = 1.0
        rows[0, np.arange(len(firsts)), firsts] = -1.0
        if self.difference.program.paired and multiplier <= 1.0:
            # target = net - change.
            own = None if multiplier == 1.0 else (1.0 - multiplier) * rows
            return Functional(own, None, -rows)
        net = None if multiplier == 0.0 else -multiplier * rows
        return Functional(net, rows, None)

    def refuted_by(self, points: FloatArray) -> FloatArray | None:
        points = self.domain.into(points)
        net, target = end_values(self.difference.program, points)
        for k in range(len(points)):
            first = int(_midpoint(net)[k].argmax())
            if target.low[k].max() <= target.high[k, first]:
                continue
            others = np.delete(net.high[k], first)
            if not (net.low[k, first] > others).all():
                continue
            if self.delta is not None and not exceeds(net, k, first, self.delta):
                continue
            return points[k]
        return None


@dataclass(frozen=True, eq=False)
class SameLabel:
    """The target has this label everywhere on the domain."""

    difference: Difference
    domain: Region
    label: int

    def look(self, relaxation: Relaxation) -> Looked:
        count, dim = self.difference.program.outputs, self.difference.program.inputs
        others = np.delete(np.arange(count), self.label)
        rows = np.zeros((1, len(others), count))
        rows[0, np.arange(len(others)), others] = 1.0
        rows[0, :, self.label] = -1.0
        end = len(self.difference.program.operations)
        pulled = self.difference.pulled(end, Functional(None, rows, None), relaxation.bounds)
        left = ~(pulled.highest(relaxation.region) <= 0.0)
        left &= ~never_above(relaxation, 1)[:, others, self.label]
        coefficients = np.broadcast_to(pulled.rows, (len(left), len(others), dim))
        score = np.where(left[:, :, None], np.abs(coefficients), 0.0).sum(axis=1)
        return Looked(np.asarray(left.any(axis=1)), score)

    def refuted_by(self, points: FloatArray) -> FloatArray | None:
        points = self.domain.into(points)
        _, target = end_values(self.difference.program, points)
        wrong = target.low.max(axis=1) > target.high[:, self.label]
        found = np.flatnonzero(wrong)
        return points[found[0]] if len(found) else None


def never_above(relaxation: Relaxation, kind: int) -> BoolArray:
    """bool [B, outputs, outputs]: whether output j of net (kind 0) or target (1) is at most output
    k anywhere on a box, for reasons without rounding: equal rows of the last layer, or ranges that
    do not overlap, as where a last ReLU is off. Bounds that round never show a tie."""
    values = relaxation.trace.after[kind]
    assert values is not None
    apart = values.high[:, :, None] <= values.low[:, None, :]
    others = ~np.eye(apart.shape[1], dtype=np.bool_)
    return (apart | _same_rows(relaxation.difference.program, kind)) & others


def _same_rows(program: Program, kind: int) -> BoolArray:
    """bool [outputs, outputs]: outputs that are the same function of what comes before the last
    affine step; activations behind it do to both the same."""
    for operation in reversed(program.operations):
        if isinstance(operation, Add):
            break
        part = (operation.net, operation.target)[kind] if isinstance(operation, Move) else None
        if part is None:
            continue
        if part.off is not None or part.bias_off.any() or scipy.sparse.issparse(part.matrix):
            break
        rows = np.column_stack([part.matrix, part.bias])
        return (rows[:, None] == rows[None]).all(axis=2)
    return np.zeros((program.outputs, program.outputs), np.bool_)


def end_values(program: Program, points: FloatArray) -> tuple[Range, Range]:
    """Rigorous intervals of net and target at float points [n, d]."""
    net, target, _ = intervals(program, Region(points, points, None)).after
    assert net is not None
    assert target is not None
    return net, target


def margin_of(delta: float, outputs: int) -> float:
    """A margin by which an output whose softmax exceeds delta exceeds every other, rounded down:
    softmax_j > delta implies exp(net_k - net_j) < 1/delta - 1."""
    before = ctx.prec
    ctx.prec = _BITS
    try:
        least = (arb(delta) / (1 - arb(delta))).log()
        lower = float(least.lower())
    finally:
        ctx.prec = before
    # Half or less of the whole says nothing of the others.
    return max(0.0, float(np.nextafter(lower, -np.inf))) if outputs > 1 else 0.0


def exceeds(net: Range, k: int, first: int, delta: float) -> bool:
    """Whether softmax(net)_first > delta for certain, for outputs in these intervals."""
    before = ctx.prec
    ctx.prec = _BITS
    try:
        total = arb(0)
        for place, high in enumerate(net.high[k].tolist()):
            total += arb(1) if place == first else (arb(high) - arb(float(net.low[k, first]))).exp()
        return bool(total * arb(delta) < 1)
    finally:
        ctx.prec = before


def _midpoint(values: Range) -> FloatArray:
    return 0.5 * values.low + 0.5 * values.high


def _ordered_pairs(count: int) -> tuple[Indices, Indices]:
    firsts, seconds = np.nonzero(~np.eye(count, dtype=np.bool_))
    return firsts, seconds


# Starts of the search for a point of another label, and steps of each.
_STARTS, _STEPS = 128, 30


def other_labels(
    program: Program, domain: Region, generator: np.random.Generator, deadline: Deadline
) -> FloatArray:
    """Points that climb towards another label of target than net has there: float64 [n, d]."""
    low, high = domain.low[0], domain.high[0]
    points = domain.into(
        np.concatenate([domain.center, generator.uniform(low, high, (_STARTS, len(low)))])
    )
    reach = domain.reach()[0]
    found = [points]
    for step in range(_STEPS):
        if deadline.expired:
            break
        net, target = values_at(program, points)
        rows = np.arange(len(points))
        first = net.argmax(axis=1)
        rivals = target.copy()
        rivals[rows, first] = -np.inf
        second = rivals.argmax(axis=1)
        toward = np.zeros_like(target)
        toward[rows, second] += 1.0
        toward[rows, first] -= 1.0
        slope = gradients(program, points, np.zeros_like(toward), toward)
        if domain.ball is None:
            move = np.sign(slope) * reach
        else:
            length = np.linalg.norm(slope, axis=1, keepdims=True)
            move = slope / np.maximum(length, 1e-300) * domain.ball.radius
        points = domain.into(points + move * 0.5 * 0.85**step)
        found.append(points)
    return np.concatenate(found)
