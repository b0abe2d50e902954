"""Branch and bound on the signs of kinks, the sums of largest bounds first."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slth.certify.deep.kinks.descent import Scaled, Vertex, descend
from slth.certify.deep.kinks.sums import KinkSums
from slth.certify.deep.points import Incumbent
from slth.certify.deep.search import Goal
from slth.layers import FloatArray
from slth.limits import Deadline, Progress, Report
from slth.network import BoolArray

Signs = NDArray[np.int8]
# Multiplications of one call of `descend`: about a fifth of a second.
_MOST_WORK = 3e8
# Nodes between two climbs, each as dear as some nodes, that begin at a node's own point; and the
# longest climb.
_CLIMB_EVERY, _CLIMBS = 50, 30


class _Node(NamedTuple):
    """Minus the bound, a number, which sum, signs int8 [m] (0: not split), the vertex that its
    bound comes from (None: not bounded by one yet), and the kink to split."""

    negative: float
    number: int
    which: int
    signs: Signs
    vertex: Vertex | None
    kink: int


@dataclass(frozen=True, eq=False)
class _Scales:
    """Coordinates in which boxes, ranges and sums are of size 1."""

    sums: KinkSums
    rows: FloatArray
    offset: FloatArray
    middle: FloatArray
    reach: FloatArray
    of_rows: FloatArray
    of_sums: FloatArray

    @classmethod
    def of(cls, sums: KinkSums) -> _Scales:
        middle = 0.5 * sums.least + 0.5 * sums.most
        reach = 0.5 * sums.most - 0.5 * sums.least
        of_rows = np.maximum(-sums.low, sums.high)
        rows = np.ascontiguousarray(sums.rows * reach / of_rows[:, None])
        offset = (sums.offset + sums.rows @ middle) / of_rows
        spread = np.abs(sums.linear) @ reach + np.abs(sums.cost) @ of_rows
        return cls(sums, rows, offset, middle, reach, of_rows, np.maximum(spread, 1e-300))

    def problem(
        self, which: int, low: FloatArray, high: FloatArray, on: BoolArray | None
    ) -> Scaled:
        """One sum where z lies in [low, high]. on: bool [m], kinks of positive cost taken for z,
        the others for 0, which lowers the sum; None: as it is."""
        sums, scale = self.sums, self.of_sums[which]
        linear = sums.linear[which] * self.reach / scale
        constant = (sums.constant[which] + sums.linear[which] @ self.middle) / scale
        cost = sums.cost[which] * self.of_rows / scale
        if on is not None:
            linear = linear + cost[on] @ self.rows[on]
            constant = constant + cost[on] @ self.offset[on]
            cost = np.minimum(cost, 0.0)
        one = np.ones(len(self.reach))
        return Scaled(
            self.rows, self.offset, linear, float(constant), cost,
            low / self.of_rows, high / self.of_rows, -one, one,
        )  # fmt: skip


@dataclass
class KinkSearch:
    """What is left of the sums to look at, and what is known of the rest.

    Attributes:
        closed: an upper bound on all that needs no more work.
        nodes: programs solved so far; work: multiplications so far.
    """

    sums: KinkSums
    incumbent: Incumbent
    goal: Goal
    closed: float = 0.0
    nodes: int = 0
    work: float = 0.0
    _heap: list[_Node] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @classmethod
    def of(cls, sums: KinkSums, bounds: FloatArray, incumbent: Incumbent, goal: Goal) -> KinkSearch:
        """bounds: float64 [Q], what is known of the sums."""
        search = cls(sums, incumbent, goal)
        for which, bound in enumerate(bounds.tolist()):
            signs = np.zeros(len(sums.offset), np.int8)
            search._push(_Node(-bound, 0, which, signs, None, -1))
        return search

    def __post_init__(self) -> None:
        self._scales = _Scales.of(self.sums)

    @property
    def upper(self) -> float:
        """An upper bound of the supremum of all sums."""
        return max(self.closed, -self._heap[0].negative) if self._heap else self.closed

    @property
    def finished(self) -> bool:
        """Whether nothing is left to look at."""
        return not self._heap

    def run(self, deadline: Deadline, report: Report, most: float = np.inf) -> None:
        """Until the goal is reached, the time is up, or so much work is done."""
        until = self.work + most
        while self._heap and self.work < until and not deadline.expired:
            if self.goal.decided(self.incumbent.lower):
                return
            node = heapq.heappop(self._heap)
            if -node.negative <= self.goal.enough(self.incumbent.lower):
                self.closed = max(self.closed, -node.negative)
                continue
            if node.vertex is None:
                self._look(node, node.signs)
            elif node.kink < 0:
                # No sign is left to split: the bound stands.
                self.closed = max(self.closed, -node.negative)
            else:
                for sign in (1, -1):
                    signs = node.signs.copy()
                    signs[node.kink] = sign
                    self._look(node, signs)
            report(Progress("certify", self.incumbent.lower, self.upper))

    def _look(self, parent: _Node, signs: Signs) -> None:
        """Bound a part of a node; keep it if it needs more work."""
        sums, which = self.sums, parent.which
        low = np.where(signs > 0, 0.0, sums.low)
        high = np.where(signs < 0, 0.0, sums.high)
        enough = self.goal.enough(self.incumbent.lower)
        begun = parent.vertex or self._blank()
        vertex = self._descended(which, low, high, begun, enough)
        scale = self._scales.of_sums[which]
        multipliers = vertex.multipliers * scale / self._scales.of_rows
        bound = min(-parent.negative, sums.highest(which, low, high, multipliers))
        self.nodes += 1
        if bound <= enough:
            self.closed = max(self.closed, bound)
            return
        point = self._inside(vertex.point)
        reached = self.incumbent.lower
        self.incumbent.offer(point[None])
        root = parent.vertex is None
        if root or self.incumbent.lower > reached or self.nodes % _CLIMB_EVERY == 0:
            self._climb(which, point)
        z = sums.rows @ point + sums.offset
        kink = _widest(sums.cost[which], low, high, z, signs)
        self._push(_Node(-bound, 0, which, signs, vertex, kink))

    def _push(self, node: _Node) -> None:
        heapq.heappush(self._heap, node._replace(number=next(self._numbers)))

    def _blank(self) -> Vertex:
        m, n = self.sums.rows.shape
        few = min(m, n)
        return Vertex(
            np.zeros(few, np.int32), np.zeros(few, np.int32), np.zeros(m, np.int8),
            np.zeros(2, np.int64), np.zeros(m), np.zeros(n),
        )  # fmt: skip

    def _descended(
        self,
        which: int,
        low: FloatArray,
        high: FloatArray,
        begun: Vertex,
        enough: float,
        on: BoolArray | None = None,
    ) -> Vertex:
        """The vertex that a descent from another one reaches; on: as for `_Scales.problem`."""
        m, n = self.sums.rows.shape
        vertex = Vertex(*(part.copy() for part in begun))
        scaled = self._scales.problem(which, low, high, on)
        # Each step runs through the tableau three times.
        most = int(max(16.0, _MOST_WORK / (3.0 * m * n)))
        descend(scaled, vertex, enough / self._scales.of_sums[which], np.int64(most))
        self.work += 3.0 * m * n * (1.0 + float(vertex.counts[0]) + float(vertex.counts[1]))
        return vertex

    def _inside(self, point: FloatArray) -> FloatArray:
        scales = self._scales
        inside = scales.middle + scales.reach * np.clip(point, -1.0, 1.0)
        return np.clip(inside, self.sums.least, self.sums.most)

    def _climb(self, which: int, point: FloatArray) -> None:
        """Offer points from which no kink of positive cost, taken for linear, leads higher: what is
        left is concave, and its maximum is at least the value at the point before."""
        sums, best = self.sums, -np.inf
        vertex = self._blank()
        for _ in range(_CLIMBS):
            z = sums.rows @ point + sums.offset
            value = sums.constant[which] + sums.linear[which] @ point
            value += sums.cost[which] @ np.maximum(z, 0.0)
            if value <= best + 1e-12 * abs(best):
                return
            best = value
            on = (sums.cost[which] > 0.0) & (z > 0.0)
            vertex = self._descended(which, sums.low, sums.high, vertex, -np.inf, on)
            point = self._inside(vertex.point)
            self.incumbent.offer(point[None])


def _widest(
    cost: FloatArray, low: FloatArray, high: FloatArray, z: FloatArray, signs: Signs
) -> int:
    """The kink of positive cost, not split yet, whose chord is farthest above it at z; -1: none."""
    width = np.where(signs == 0, high - low, 1.0)
    above = high * (z - low) / width - np.maximum(z, 0.0)
    gap = np.where((signs == 0) & (cost > 0.0), np.maximum(cost * above, 0.0), -1.0)
    kink = int(gap.argmax())
    return kink if gap[kink] >= 0.0 else -1
