"""Best-first branch-and-bound, in rounds of nodes that know nothing of each other.

So the answer does not depend on the number of threads.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from slth.certify.protocol import Ask, Bound
from slth.limits import Deadline
from slth.network import FloatArray
from slth.threads import Mapper, crew, usable_threads

# Nodes explored at a time, whatever the number of threads.
_ROUND = 16


class Node(Protocol):
    """A part of the problem."""

    @property
    def bound(self) -> float:
        """The supremum over this part is at most this."""
        ...


N = TypeVar("N", bound=Node)


@dataclass(frozen=True)
class Wave:
    """What the nodes of one round are explored with.

    best: the best value known; threshold: what need not be told apart; waiting: how many nodes
    were open.
    """

    best: float
    threshold: float
    waiting: int
    deadline: Deadline


@dataclass(frozen=True)
class Explored(Generic[N]):
    """What became of a node.

    Attributes:
        proven: the largest bound of the parts of it that were closed.
        children: the parts that were not.
        value, point: the best value met there and its point; None if it is not above the best.
        nodes: how many were looked at.
    """

    proven: float
    children: tuple[N, ...] = ()
    value: float = -math.inf
    point: FloatArray | None = None
    nodes: int = 1


class Explorer(Protocol[N]):
    """Bounds nodes, and closes or splits them."""

    def explore(self, node: N, known: Wave) -> Explored[N]: ...

    def work(self, node: N, known: Wave) -> float:
        """What exploring a node may cost, in units worth starting threads for."""
        ...


class BestFirst(Generic[N]):
    """The heap of open nodes, the incumbent, and what has been proven of closed nodes."""

    def __init__(
        self, explorer: Explorer[N], nodes: Iterable[N], root: float, ask: Ask, method: str
    ) -> None:
        self._explorer, self._root, self._ask, self._method = explorer, root, ask, method
        self._best, self._proven, self._nodes = 0.0, 0.0, 0
        self._point: FloatArray | None = None
        self._order = itertools.count()
        self._heap: list[tuple[float, int, N]] = []
        for node in nodes:
            self._open(node)

    def run(self, incumbent: float, deadline: Deadline) -> Bound:
        """Explore open nodes until nothing is left above the threshold, or time is up."""
        self._best = max(self._best, incumbent)
        heap, explorer = self._heap, self._explorer
        with ExitStack() as stack:
            helped: Mapper | None = None
            while heap and not deadline.expired and self._best <= self._ask.stop_above:
                known = Wave(self._best, self._threshold, len(heap), deadline)
                nodes: list[N] = []
                while heap and len(nodes) < _ROUND and -heap[0][0] > known.threshold:
                    nodes.append(heapq.heappop(heap)[2])
                if not nodes:
                    break
                if len(nodes) > 1 and sum(explorer.work(node, known) for node in nodes) >= 1.0:
                    helped = helped or stack.enter_context(crew(usable_threads()))
                    results = helped(lambda node, known=known: explorer.explore(node, known), nodes)
                else:
                    results = [explorer.explore(node, known) for node in nodes]
                for explored in results:
                    self._take_in(explored)
        upper = min(self._root, max(self._proven, -heap[0][0] if heap else 0.0))
        closed = upper <= self._threshold
        return Bound(
            -math.inf if self._point is None else self._best,
            self._point,
            upper,
            self._nodes,
            closed,
            self._method,
            self.run if heap and not closed else None,
        )

    @property
    def _threshold(self) -> float:
        return self._ask.threshold(self._best)

    def _take_in(self, explored: Explored[N]) -> None:
        self._nodes += explored.nodes
        self._proven = max(self._proven, explored.proven)
        if explored.value > self._best:
            self._best, self._point = explored.value, explored.point
        for child in explored.children:
            self._open(child)

    def _open(self, node: N) -> None:
        heapq.heappush(self._heap, (-node.bound, next(self._order), node))
