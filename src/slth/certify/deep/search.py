"""Branch and bound for the difference of two networks: boxes cut in halves, the worst first."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from slth.certify.deep.bounds import Difference, Relaxation, Signs, known_from, relax
from slth.certify.deep.points import Incumbent
from slth.certify.deep.program import Bend, Move
from slth.certify.deep.region import Region
from slth.layers import FloatArray
from slth.limits import Deadline, Progress, Report

# Multiplications of one batch: about a tenth of a second.
_BATCH = 2e9
_MOST_BOXES = 256
# A box is cut into at most 2 to this many at once.
_MOST_CUTS = 4
Axes = tuple[int, ...]
# Minus the upper bound, a number, low, high, where to cut, and what is known of the units.
_Entry = tuple[float, int, FloatArray, FloatArray, Axes, Signs]


@dataclass(frozen=True)
class Goal:
    """When a search ends.

    Attributes:
        rtol: the bounds are this near, relatively.
        eps: the supremum is decided to be at most, or more than this; None: no such question.
        floor: upper bounds up to here are as good as 0.
    """

    rtol: float
    eps: float | None
    floor: float

    def enough(self, lower: float) -> float:
        """An upper bound this small needs no work, with such a lower bound."""
        least = max(self.floor, lower * (1.0 + self.rtol) if self.rtol else lower)
        return least if self.eps is None else max(least, self.eps)

    def decided(self, lower: float) -> bool:
        """Whether a lower bound answers the question."""
        return self.eps is not None and lower > self.eps


@dataclass
class BoxSearch:
    """What is left of a domain to look at, and what is known of the rest.

    Attributes:
        closed: an upper bound on all boxes that need no more work.
        nodes: boxes bounded so far; work: multiplications so far, roughly.
    """

    difference: Difference
    incumbent: Incumbent
    goal: Goal
    closed: float = 0.0
    nodes: int = 0
    work: float = 0.0
    _heap: list[_Entry] = field(default_factory=list)

    @classmethod
    def of(cls, root: Relaxation, incumbent: Incumbent, goal: Goal) -> BoxSearch:
        """From one pass of relaxation of the whole domain."""
        search = cls(root.difference, incumbent, goal)
        search._take(root)
        return search

    @property
    def finished(self) -> bool:
        """Whether nothing is left to look at."""
        return not self._heap

    @property
    def upper(self) -> float:
        """An upper bound of the supremum on the whole domain."""
        return max(self.closed, -self._heap[0][0]) if self._heap else self.closed

    def run(self, deadline: Deadline, report: Report, most: float = np.inf) -> None:
        """Until the goal is reached, the time is up, or so much work is done."""
        batch, until = int(min(_MOST_BOXES, max(2, _BATCH / self._cost))), self.work + most
        while self._heap and self.work < until and not deadline.expired:
            if self.goal.decided(self.incumbent.lower):
                return
            worst = self._worst(int(max(2, min(batch, (until - self.work) / self._cost))))
            if worst is None:
                return
            region, signs = worst
            self._take(relax(self.difference, region, known_from(self.difference, signs)))
            report(Progress("certify", self.incumbent.lower, self.upper))

    @cached_property
    def _cost(self) -> float:
        """Multiplications of a box: a number that depends on the networks only."""
        widths = [
            len(operation.net.bias) if operation.net else len(operation.target.bias)  # type: ignore[union-attr]
            for operation in self.difference.program.operations
            if isinstance(operation, Move)
        ]
        bends = sum(isinstance(part, Bend) for part in self.difference.program.operations)
        return 6.0 * max(bends, 1) * max(widths) ** 2 * sum(widths)

    def _take(self, relaxation: Relaxation) -> None:
        """Bound these boxes; keep those that need more work, with the axis to cut them at."""
        count = self.difference.program.outputs
        eye = np.eye(count)
        rows = np.concatenate([eye, -eye])
        pulled = relaxation.outputs(rows)
        region = relaxation.region
        self.nodes += len(region)
        self.work += self._cost * len(region)
        top = np.minimum(pulled.highest(region), np.tile(relaxation.change().size, 2))
        upper = top.max(axis=1)
        coefficients = np.broadcast_to(pulled.rows, (len(region), *pulled.rows.shape[1:]))
        worst = coefficients[np.arange(len(region)), top.argmax(axis=1)]
        self.incumbent.offer(region.highest_at(worst))
        enough = self.goal.enough(self.incumbent.lower)
        # All outputs' slopes together: what a cut takes from any of them.
        score = np.abs(coefficients).sum(axis=1) * (region.high - region.low)
        signs = relaxation.signs()
        for k in range(len(region)):
            if upper[k] <= enough:
                self.closed = max(self.closed, float(upper[k]))
                continue
            width = region.high[k] - region.low[k]
            axes = _axes(score[k] if score[k].any() else width, _cuts(float(upper[k]), enough))
            entry = (
                -float(upper[k]),
                self.nodes + k,
                region.low[k],
                region.high[k],
                axes,
                signs[k],
            )
            heapq.heappush(self._heap, entry)

    def _worst(self, count: int) -> tuple[Region, Signs] | None:
        """The halves of the boxes with the largest upper bounds, and the signs of their units
        there; None where no work is left."""
        enough = self.goal.enough(self.incumbent.lower)
        low, high, signs = [], [], []
        ball = self.incumbent.domain.ball
        while self._heap and len(low) < max(1, count - 1):
            upper, _, bottom, top, axes, known = heapq.heappop(self._heap)
            if -upper <= enough:
                self.closed = max(self.closed, -upper)
                continue
            if not bottom[axes[0]] < top[axes[0]]:
                # A point: nothing is left to cut.
                self.closed = max(self.closed, -upper)
                continue
            box = Region(bottom[None], top[None], ball)
            for axis in axes:
                box = box.halves(np.full(len(box), axis))
            box, _ = box.near_ball()
            low.extend(box.low)
            high.extend(box.high)
            signs.extend([known] * len(box))
        if not low:
            return None
        return Region(np.array(low), np.array(high), ball), np.array(signs)


def _cuts(upper: float, enough: float) -> int:
    """How often to cut a box before it is bounded again: a cut takes less than a factor of 4."""
    ratio = upper / enough if enough > 0.0 else np.inf
    return int(np.clip(0.5 * np.log2(ratio), 1, _MOST_CUTS)) if np.isfinite(ratio) else 1


def _axes(score: FloatArray, count: int) -> Axes:
    """The axes to cut at, the one of the largest score first; a cut halves its axis' score."""
    left, axes = score.copy(), []
    for _ in range(count):
        axis = int(left.argmax())
        axes.append(axis)
        left[axis] *= 0.5
    return tuple(axes)
