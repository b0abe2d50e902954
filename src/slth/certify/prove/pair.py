"""Write proofs about two networks of any layers: boxes cut in halves until the checker's own rule
closes every leaf.

The engine finds where to cut and which lines to take. A leaf is closed only by what the checker
will compute, so that a proof that was finished is one that is verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from slth.archive import MAX_BYTES
from slth.certify.comparison import Comparison
from slth.certify.deep import DeepComparison
from slth.certify.deep.bounds import Relaxation, Signs, known_from, relax
from slth.certify.deep.labels import Agreement, Looked
from slth.certify.deep.region import Region
from slth.check_pair import at_once, equal_functions, halves
from slth.check_pair.leaves import Box, Leaves, cut_to_ball, leaves, units_of
from slth.check_pair.lines import APART, FLAT, JOINT, PARTS
from slth.check_pair.rule import NEVER, LabelRule, farthest, margin_below
from slth.check_pair.steps import PairStep, apart, together
from slth.domain import Box as BoxDomain
from slth.domain import Domain
from slth.layers import FloatArray
from slth.limits import Deadline, Progress, Report, silent
from slth.pair_proof import PairClaim, PairProof
from slth.proof import Spool

# Bytes of a proof: half of what a reader takes.
_MOST_BYTES = MAX_BYTES // 2
# Multipliers of labels in the rule's quarters, likely ones first.
_MULTIPLIERS = (2, 4, 0, 8)
# A leaf is closed with this relative room to spare, as another BLAS sums in another order.
_ROOM = 2.0**-36


def prove_pair(
    net: object,
    target: object,
    domain: Domain,
    claim: PairClaim,
    deadline: Deadline,
    report: Report = silent,
) -> PairProof | None:
    """A written proof of the claim, which `slth.check` verifies; None if there was none within the
    time and 128 MiB: false claims have none.

    Args:
        net, target: anything that `slth.as_network` takes.
        domain: where it is claimed.
        claim: an error, or labels.
        deadline: KeyboardInterrupt propagates.
        report: called with the number of open boxes.

    Raises:
        InvalidInput: networks or a domain that cannot be compared.
    """
    pair = Comparison.of(net, target)
    deep = pair.on(domain)
    if deep.overflows:
        return None
    program = deep.difference.program
    first, second = deep.net, deep.target
    orders = program.orders
    steps = together(first, second, orders) if program.paired else apart(first, second)
    margin = margin_below(claim.delta)
    question = (
        _Labels(
            Agreement(deep.difference, deep.region, margin, claim.delta),
            LabelRule(margin, program.paired),
        )
        if claim.eps is None
        else _Error(claim.eps)
    )
    tree = _Tree(units_of(steps), first.outputs**2 if claim.eps is None else 0)
    if claim.eps is None and equal_functions(first, second):
        # Nothing is left to bound, and a tie can be told from a difference.
        tree.close(0, *(np.zeros(width, np.uint8) for width in tree.widths))
    elif not _Writer(deep, steps, question, tree).run(deadline, report):
        return None
    sizes = [0 if order is None else len(order[0]) for order in orders]
    sides = [
        np.concatenate([np.zeros(0), *(order[side] for order in orders if order is not None)])
        for side in (0, 1)
    ]
    split, slopes, joins, ways = tree.finished()
    return PairProof(
        claim,
        first.digest(),
        second.digest(),
        _spelled(domain, first.d),
        program.paired,
        np.array(sizes, np.int32),
        sides[0].astype(np.int32),
        sides[1].astype(np.int32),
        split,
        slopes,
        joins,
        ways,
    )


def _spelled(domain: Domain, d: int) -> Domain:
    """A box with a number for every coordinate."""
    if not isinstance(domain, BoxDomain):
        return domain
    low, high = (np.broadcast_to(np.array(end), d).tolist() for end in (domain.low, domain.high))
    return BoxDomain(low, high)


class _Question(Protocol):
    """What is to be proven of boxes."""

    def look(self, relaxation: Relaxation) -> Looked:
        """Which boxes the engine leaves open, and what keeps them so."""
        ...

    def proven(self, known: Leaves) -> tuple[np.ndarray, np.ndarray]:
        """bool [B], what the checker's rule closes; and the ways to write, uint8 [B, n]."""
        ...


@dataclass(frozen=True)
class _Error:
    """Every output differs by at most eps."""

    eps: float

    def look(self, relaxation: Relaxation) -> Looked:
        count = relaxation.difference.program.outputs
        eye = np.eye(count)
        pulled = relaxation.outputs(np.concatenate([eye, -eye]))
        region = relaxation.region
        top = np.minimum(pulled.highest(region), np.tile(relaxation.change().size, 2))
        rows = np.broadcast_to(pulled.rows, (len(region), *pulled.rows.shape[1:]))
        return Looked(~(top.max(axis=1) <= self.eps), np.abs(rows).sum(axis=1))

    def proven(self, known: Leaves) -> tuple[np.ndarray, np.ndarray]:
        top = farthest(known)
        return top <= self.eps * (1.0 - _ROOM), np.zeros((len(top), 0), np.uint8)


@dataclass(frozen=True)
class _Labels:
    """Target has the label of net."""

    question: Agreement
    rule: LabelRule

    def look(self, relaxation: Relaxation) -> Looked:
        return self.question.look(relaxation)

    def proven(self, known: Leaves) -> tuple[np.ndarray, np.ndarray]:
        boxes, count = known.after.net.low.shape
        room = _ROOM * (known.after.net.size + known.after.target.size).max(axis=1)[:, None]
        firsts, seconds = np.nonzero(~np.eye(count, dtype=bool))
        ways = np.zeros((boxes, count, count), np.uint8)
        left = np.ones(ways.shape, bool)
        for way in (NEVER, *_MULTIPLIERS):
            fits = self.rule.tops(known, firsts, seconds, way) <= -room
            fits &= left[:, firsts, seconds]
            ways[:, firsts, seconds] = np.where(fits, way, ways[:, firsts, seconds])
            left[:, firsts, seconds] &= ~fits
        # One rival is enough for a label that net has not.
        never = (ways == NEVER).any(axis=2)
        holds = (never | ~(left & ~np.eye(count, dtype=bool)).any(axis=2)).all(axis=1)
        return holds, ways.reshape(boxes, -1)


class _Tree:
    """Nodes and leaves as they come; `finished` puts them in order."""

    def __init__(self, units: int, ways: int) -> None:
        self.widths = units, units, ways
        self._axis: list[int] = [-1]
        self._first: list[int] = [-1]
        self._leaf: list[int] = [-1]
        self._codes = tuple(Spool(np.dtype(np.uint8)) for _ in self.widths)
        self._leaves = 0

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum(column.count for column in self._codes) + 4 * len(self._axis)

    def cut(self, node: int, axis: int) -> tuple[int, int]:
        """Cut a node; the numbers of its halves."""
        first = len(self._axis)
        self._axis[node], self._first[node] = axis, first
        for column in (self._axis, self._first, self._leaf):
            column += [-1, -1]
        return first, first + 1

    def close(self, node: int, slopes: np.ndarray, joins: np.ndarray, ways: np.ndarray) -> None:
        """Make a node a leaf with these codes."""
        self._leaf[node] = self._leaves
        self._leaves += 1
        for column, codes in zip(self._codes, (slopes, joins, ways), strict=True):
            column.extend(codes)

    def finished(self) -> tuple[NDArray[np.int32], *tuple[NDArray[np.uint8], ...]]:
        """split, slopes, joins and ways of a proof."""
        split, order, stack = [], [], [0]
        while stack:
            node = stack.pop()
            split.append(self._axis[node])
            if self._axis[node] == -1:
                order.append(self._leaf[node])
            else:
                stack += [self._first[node] + 1, self._first[node]]
        codes = [
            column.finished().reshape(self._leaves, width)[order]
            if width
            else np.zeros((0 if place == 2 else self._leaves, 0), np.uint8)
            for place, (column, width) in enumerate(zip(self._codes, self.widths, strict=True))
        ]
        return np.array(split, np.int32), *codes


# A box that is not closed yet: low, high, its node, and the signs of units on it.
_Open = tuple[FloatArray, FloatArray, int, Signs | None]


@dataclass
class _Writer:
    """Boxes that are not closed yet, the deepest first."""

    deep: DeepComparison
    steps: tuple[PairStep, ...]
    question: _Question
    tree: _Tree

    def run(self, deadline: Deadline, report: Report) -> bool:
        """Whether every leaf was closed."""
        whole = self.deep.region
        stack: list[_Open] = [(whole.low[0], whole.high[0], 0, None)]
        most = at_once(self.steps, whole.low.shape[1])
        while stack:
            if deadline.expired or self.tree.size > _MOST_BYTES:
                return False
            taken = [stack.pop() for _ in range(min(most, len(stack)))]
            taken, region = self._reached(taken)
            if not taken:
                continue
            signs = [box[3] for box in taken]
            known = None
            if all(sign is not None for sign in signs):
                known = known_from(self.deep.difference, np.array(signs))
            relaxation = relax(self.deep.difference, region, known)
            looked = self.question.look(relaxation)
            open_ = looked.open.copy()
            closed = np.flatnonzero(~open_)
            if len(closed):
                open_[closed] = ~self._closed(relaxation, closed, [taken[k][2] for k in closed])
            found = relaxation.signs()
            for k in np.flatnonzero(open_)[::-1]:
                low, high, node, _ = taken[k]
                width = region.high[k] - region.low[k]
                score = looked.rows[k] * width
                axis = int((score if score.any() else width).argmax())
                below, above = halves(low, high, axis)
                if not (low[axis] < above[0][axis] < high[axis]):
                    # Nothing is left to cut.
                    return False
                lower, upper = self.tree.cut(node, axis)
                stack += [(*above, upper, found[k]), (*below, lower, found[k])]
            report(Progress("prove", 0.0, float(len(stack)), "open boxes"))
        return True

    def _reached(self, taken: list[_Open]) -> tuple[list[_Open], Region]:
        """Those that the ball reaches, cut to it as the checker does; the others are closed."""
        ball = self.deep.region.ball
        low, high = (np.array([box[end] for box in taken]) for end in (0, 1))
        box, empty = cut_to_ball(_box(Region(low, high, ball)))
        for k in np.flatnonzero(empty):
            self.tree.close(taken[k][2], *(np.zeros(width, np.uint8) for width in self.tree.widths))
        left = [box for box, outside in zip(taken, empty, strict=True) if not outside]
        return left, Region(box.low[~empty], box.high[~empty], ball)

    def _closed(self, relaxation: Relaxation, some: np.ndarray, nodes: list[int]) -> np.ndarray:
        """Close what the checker's rule closes: bool [some]."""
        slopes, joins = _codes_of(relaxation, some)
        box = _box(relaxation.region.chosen(some))
        paired = self.deep.difference.program.paired
        with np.errstate(all="ignore"):
            holds, ways = self.question.proven(leaves(self.steps, paired, box, slopes, joins))
        for k in np.flatnonzero(holds):
            self.tree.close(nodes[k], slopes[k], joins[k], ways[k])
        return holds


def _box(region: Region) -> Box:
    """A region as the checker has it."""
    ball = region.ball
    center = np.zeros(region.low.shape[1]) if ball is None else ball.center
    return Box(region.low, region.high, center, -1.0 if ball is None else ball.radius)


def _codes_of(relaxation: Relaxation, some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The engine's lines as codes of a proof; 0 where nothing may bend."""
    slopes: list[np.ndarray] = []
    joins: list[np.ndarray] = []
    for bounds, values in zip(relaxation.bounds, relaxation.trace.before, strict=True):
        if bounds is None:
            continue
        parts = []
        for lines, span in ((bounds.net, values.net), (bounds.target, values.target)):
            if lines is None or span is None:
                continue
            low, high = span.low[some], span.high[some]
            code = np.rint(PARTS * lines[0].slope[some]).astype(np.uint8)
            parts.append(np.where((low < 0.0) & (high > 0.0), code, 0).astype(np.uint8))
        if bounds.change is None or bounds.joint is None:
            slopes.append(parts[0])
            joins.append(np.zeros_like(parts[0]))
            continue
        slopes.append(parts[0] | parts[1] << 4)
        sides = []
        for line, joint in zip(bounds.change, bounds.joint, strict=True):
            flat = np.where(line.slope[some] == 0.0, FLAT, JOINT)
            sides.append(np.where(joint[some], flat, APART).astype(np.uint8))
        assert values.net is not None
        assert values.target is not None
        net, target = values.net.chosen(some), values.target.chosen(some)
        on = (net.low >= 0.0) & (target.low >= 0.0)
        off = (net.high <= 0.0) & (target.high <= 0.0)
        joins.append(np.where(on | off, 0, sides[1] | sides[0] << 4).astype(np.uint8))
    if not slopes:
        empty = np.zeros((len(some), 0), np.uint8)
        return empty, empty
    return np.concatenate(slopes, axis=1), np.concatenate(joins, axis=1)
