"""Branch-and-bound over simplicial cones: the supremum of min_k A_k over a domain, small d.

Write A_k = P_k - N_k with P_k, N_k convex and positively homogeneous. On a cone with unit
generators v_1..v_d whose pairwise inner products are >= 0 (they lie in one orthant), for every
weight lambda of the pieces, every tau in [0, 1]^N and every u in R^d with

    P_lambda(v_a) - <n_tau, v_a> <= <u, v_a>   (a = 1..d),   n_tau = sum_j n_j tau_j w_j,

min_k A_k(x) <= P_lambda(x) - N_lambda(x) <= <u, x> <= |u| on the unit ball's part of the cone. The
dual problem "shortest such u" is solved by coordinate descent; the inequality is then checked
with recomputed sums, a violation mended at the price of a longer u, and rounding errors enter as
an explicit outward term. Cones that are not decided are bisected at an edge. Proofs and constants:
docs/certify.md.
"""

from __future__ import annotations

import heapq
import itertools
import math
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from slth.certify.ascent import evaluate
from slth.certify.cones.explore import explore, of_sign, rounding_terms, working_memory
from slth.certify.problem.objective import Objective
from slth.certify.problem.place import AROUND_ZERO, Place
from slth.certify.protocol import Bound
from slth.limits import Deadline
from slth.network import FloatArray
from slth.threads import Map, crew, usable_threads

# Levels one compiled call descends, and the memory its levels may take (doubles).
_LEVELS = 48
_WORK_ENTRIES = 12_000_000
# Work of one compiled call, in multiply-adds: well under 0.1 s.
_SLICE = 2e7
# Cones explored at a time, whatever the number of threads; nodes for which to start threads.
_ROUND = 16
_WORTH_A_THREAD = 4000

# -bound, order of arrival, depth, weight of the first piece, generators.
_Open = tuple[float, int, int, float, FloatArray]


@dataclass(frozen=True)
class _Split:
    """The objective as convex minus concave units.

    linear [K, d]; rising [MP, d] with weights [K, MP] >= 0; falling [MN, d] likewise.
    """

    linear: FloatArray
    rising: FloatArray
    rising_weights: FloatArray
    falling: FloatArray
    falling_weights: FloatArray

    @classmethod
    def of(cls, objective: Objective) -> _Split:
        rising, rising_weights, _ = of_sign(objective.coefficients, objective.hidden, 1.0)
        falling, falling_weights, _ = of_sign(objective.coefficients, objective.hidden, -1.0)
        return cls(objective.linear, rising, rising_weights, falling, falling_weights)


def maximize_over_cones(
    objective: Objective,
    *,
    incumbent: float,
    root: float,
    rtol: float,
    floor: float,
    stop_above: float,
    deadline: Deadline,
    place: Place = AROUND_ZERO,
) -> Bound:
    """Enclose sup min_k A_k over the points of `place` by branch-and-bound over its cones.

    Args:
        objective: with a Lipschitz bound below 2; its slack is not looked at.
        incumbent: a value known to be attained (elsewhere, too): cones that cannot exceed
            incumbent * (1 + rtol) are closed.
        root: an upper bound already proven.
        rtol, floor: cones are closed once proven <= max(floor, best * (1 + rtol)).
        stop_above: return as soon as a point above this value is found.
        deadline: when to return with what is proven.
    """
    search = _Search(_Split.of(objective), place, max(0.0, incumbent), rtol, floor)
    upper = search.run(root, stop_above, deadline)
    point = search.point
    lower = -math.inf if point is None else float(evaluate(objective, point[None])[0])
    top = max(incumbent, lower, 0.0)
    closed = upper <= max(floor, top * (1.0 + rtol))
    return Bound(lower, point, upper, search.nodes, closed, "cones")


@dataclass(frozen=True)
class _Task:
    """A cone to explore: its generators, a bound, the weight of the first piece, how many splits
    it is away from a root; how many nodes may be looked at."""

    cone: FloatArray
    bound: float
    weight: float
    depth: int
    budget: int


@dataclass(frozen=True)
class _Explored:
    """nodes looked at; cones left over, with (bound, weight, depth); the best value met and its
    point, None if no better than known; the largest bound of a closed cone."""

    nodes: int
    cones: FloatArray
    facts: FloatArray
    value: float
    point: FloatArray | None
    proven: float


class _Memory:
    """The working memory of one thread's compiled explorer."""

    def __init__(self, split: _Split) -> None:
        pieces, d = split.linear.shape
        rising, falling = split.rising.shape[0], split.falling.shape[0]
        per_level = (d + 2) * (rising + falling + 2)
        levels = max(2, min(_LEVELS, _WORK_ENTRIES // per_level))
        self.floats, self.integers, self.left = working_memory(levels, pieces, d, rising, falling)
        self.found = np.empty(d)


class _Search:
    """The heap of open cones, the incumbent, and what has been proven of closed cones."""

    def __init__(self, split: _Split, place: Place, best: float, rtol: float, floor: float) -> None:
        self.split, self.place = split, place
        self.best, self.rtol, self.floor = best, rtol, floor
        self.point: FloatArray | None = None
        self.proven = 0.0
        self.nodes = 0
        self.order = itertools.count()
        d = split.linear.shape[1]
        width = split.rising.shape[0] + split.falling.shape[0]
        self.most = max(1.0, _SLICE / (d * width + 4 * d * d + 50))
        inputs = d - 1 if place.flat else d
        self.norms = np.einsum("jd,jd->j", split.falling[:, :inputs], split.falling[:, :inputs])
        self.errors = rounding_terms(
            width, d, place.generators_within(d), 8 * math.sqrt(d) if place.flat else 4.0
        )
        self.idle: list[_Memory] = []

    @property
    def threshold(self) -> float:
        """What need not be told apart."""
        return max(self.floor, self.best * (1.0 + self.rtol))

    def run(self, root: float, stop_above: float, deadline: Deadline) -> float:
        """Explore the best cones of the heap, round by round; returns an upper bound.

        A round's tasks know nothing of each other, so the answer does not depend on the threads.
        """
        split = self.split
        # All weight on the one piece there is, or between the two.
        weight = 1.0 if split.linear.shape[0] == 1 else 0.5
        cones = self.place.cones(split.linear.shape[1])
        heap: list[_Open] = []
        for cone in cones:
            self._open(heap, cone, root, weight, 0)
        threads = usable_threads()
        with ExitStack() as stack:
            helped: Map | None = None
            while heap and not deadline.expired and self.best <= stop_above:
                budget = int(min(self.most, 300.0 + 0.3 * len(heap)))
                tasks = []
                while heap and len(tasks) < _ROUND and -heap[0][0] > self.threshold:
                    bound, _, depth, weight, cone = heapq.heappop(heap)
                    tasks.append(_Task(cone, -bound, weight, depth, budget if depth else 1))
                if not tasks:
                    break
                if sum(task.budget for task in tasks) < _WORTH_A_THREAD:
                    results = [self._explore(task, deadline) for task in tasks]
                else:
                    helped = helped or stack.enter_context(crew(threads))
                    results = helped(lambda task: self._explore(task, deadline), tasks)
                for task, explored in zip(tasks, results, strict=True):
                    if explored is None:
                        self._open(heap, task.cone, task.bound, task.weight, task.depth)
                    else:
                        self._take_in(explored, heap)
        return min(root, max(self.proven, -heap[0][0] if heap else 0.0))

    def _explore(self, task: _Task, deadline: Deadline) -> _Explored | None:
        """None if the time is up before it began."""
        if deadline.expired:
            return None
        split = self.split
        # Not more of them than threads; list operations are atomic.
        try:
            memory = self.idle.pop()
        except IndexError:
            memory = _Memory(split)
        nodes, left, value, proven = explore(
            split.rising,
            split.rising_weights,
            split.falling,
            split.falling_weights,
            self.norms,
            split.linear,
            task.cone,
            _dual_basis(task.cone),
            task.weight,
            task.bound,
            task.depth,
            self.best,
            self.rtol,
            self.floor,
            task.budget,
            self.place.flat,
            self.place.shape != "box",
            self.errors,
            memory.floats,
            memory.integers,
            memory.left,
            memory.found,
        )
        cones, facts = memory.left[0][:left].copy(), memory.left[1][:left].copy()
        point = memory.found.copy() if value > self.best else None
        self.idle.append(memory)
        return _Explored(nodes, cones, facts, value, point, proven)

    def _take_in(self, explored: _Explored, heap: list[_Open]) -> None:
        self.nodes += explored.nodes
        self.proven = max(self.proven, explored.proven)
        if explored.value > self.best:
            self.best, self.point = explored.value, explored.point
        for cone, (bound, weight, depth) in zip(explored.cones, explored.facts, strict=True):
            self._open(heap, cone, bound, weight, int(depth))

    def _open(
        self, heap: list[_Open], cone: FloatArray, bound: float, weight: float, depth: int
    ) -> None:
        heapq.heappush(heap, (-bound, next(self.order), depth, weight, cone))


def _dual_basis(cone: FloatArray) -> FloatArray:
    """Rows b_a with <b_a, v_b> = 1 if a = b else 0, nearly: no bound rests on it."""
    try:
        return np.ascontiguousarray(np.linalg.inv(cone).T, dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.ascontiguousarray(np.linalg.pinv(cone).T, dtype=np.float64)
