"""Branch-and-bound on the signs of the convex units: the supremum of min_k A_k, larger d.

A node fixes the signs of some <w_i, x>, i convex; its bound is the lifted semidefinite dual of
`lifted`. Where a half space of a free unit cannot hold a point above the incumbent (a Cholesky
factorisation proves it from the same dual matrix), the unit is fixed at no cost. With all signs
fixed, v the gradient of the convex part, <v, x> - N(x) is at most the distance from v to the
zonotope of N, which never exceeds the supremum. For two pieces every node bounds the convex
combination lambda A_1 + (1 - lambda) A_2 with a lambda of its own, moved towards the piece that
is smaller at the relaxation's point.
"""

from __future__ import annotations

import heapq
import itertools
import math
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from slth.certify.ascent import evaluate, nearest_in_zonotope, polish
from slth.certify.bound import UNIT, Bound
from slth.certify.dual_proof import excluded_signs
from slth.certify.lifted import Dual, Region, solve, step_cost
from slth.certify.objective import Objective
from slth.limits import Deadline
from slth.network import FloatArray
from slth.threads import Map, crew, usable_threads

# Lighter convex units are charged for, never branched on.
_LEAST_WEIGHT = 1e-14
# Nodes explored at a time, whatever the number of threads; work (`step_cost`) that a round must
# have for threads to be started.
_ROUND = 16
_WORTH_A_THREAD = 2e5


@dataclass(frozen=True)
class _Node:
    """signs: int8 [M] of the fixed units (0: free); bound: proven there; share: lambda, known to
    lie in [low, high]."""

    signs: np.ndarray
    bound: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class _Explored:
    """The largest bound of what a node closed, the nodes below it, and its best point."""

    proven: float
    children: tuple[_Node, ...] = ()
    value: float = -math.inf
    point: FloatArray | None = None


def maximize_over_signs(
    objective: Objective,
    *,
    incumbent: float,
    root: float,
    rtol: float,
    floor: float,
    stop_above: float,
    deadline: Deadline,
) -> Bound:
    """Enclose sup min_k A_k over the unit ball by branch-and-bound over signs.

    The arguments are those of `maximize_over_cones`. The best nodes are explored in rounds, which
    know nothing of each other, so the answer does not depend on the number of threads.
    """
    best, point, proven, nodes = max(0.0, incumbent), None, 0.0, 0
    order = itertools.count()
    start = np.zeros(objective.hidden.shape[0], np.int8)
    share = 1.0 if objective.linear.shape[0] == 1 else 0.5
    heap = [(-root, next(order), _Node(start, root, share, 0.0, 1.0))]
    costly = step_cost(*objective.hidden.shape[::-1]) > _WORTH_A_THREAD
    with ExitStack() as stack:
        helped: Map | None = None
        while heap and not deadline.expired and best <= stop_above:
            threshold = max(floor, best * (1.0 + rtol))
            tasks = []
            while heap and len(tasks) < _ROUND and -heap[0][0] > threshold:
                tasks.append(heapq.heappop(heap)[2])
            if not tasks:
                break
            explorer = _Explorer(objective, best, threshold, deadline)
            if costly and len(tasks) > 1:
                helped = helped or stack.enter_context(crew(usable_threads()))
                results = helped(explorer.explore, tasks)
            else:
                results = [explorer.explore(task) for task in tasks]
            nodes += len(tasks)
            for explored in results:
                proven = max(proven, explored.proven)
                if explored.value > best:
                    best, point = explored.value, explored.point
                for child in explored.children:
                    heapq.heappush(heap, (-child.bound, next(order), child))
    upper = min(root, max(proven, -heap[0][0] if heap else 0.0))
    lower = -math.inf if point is None else best
    closed = upper <= max(floor, best * (1.0 + rtol))
    return Bound(lower, point, upper, nodes, closed, "signs")


@dataclass(frozen=True)
class _Explorer:
    """Bounds and splits single nodes.

    Attributes:
        best: the best value known. threshold: what need not be told apart.
    """

    objective: Objective
    best: float
    threshold: float
    deadline: Deadline

    def explore(self, node: _Node) -> _Explored:
        """Bound a node; close it, or fix what can be fixed and split it in two."""
        if self.deadline.expired:
            return _Explored(0.0, (node,))
        # The largest weight a unit can have in the convex part.
        ceiling = np.maximum(self.objective.coefficients.max(axis=0), 0.0)
        convex = ceiling > _LEAST_WEIGHT
        if not ((node.signs == 0) & convex).any():
            return self._leaf(node)
        relaxed, free, extra = self._relax(node)
        bound = min(node.bound, (relaxed.bound + extra) * (1.0 + 2.0**-50))
        if bound <= self.threshold:
            return _Explored(bound)
        value, point = self._improved(relaxed.point)
        signs = self._fix(node.signs, free, relaxed, extra)
        proven = 0.0 if signs is node.signs else self.threshold
        low, high, share = self._next_share(node, relaxed)
        free = np.flatnonzero((signs == 0) & convex)
        children = [signs]
        if free.size:
            rows = self.objective.hidden[free]
            spread = np.sqrt(np.maximum(np.einsum("id,de,ie->i", rows, relaxed.moments, rows), 0.0))
            gaps = ceiling[free] * (spread - np.abs(rows @ relaxed.point))
            children = [signs.copy(), signs.copy()]
            for child, sign in zip(children, (1, -1), strict=True):
                child[free[int(np.argmax(gaps))]] = sign
        below = tuple(_Node(child, bound, share, low, high) for child in children)
        return _Explored(proven, below, value, point)

    def _improved(self, x: FloatArray) -> tuple[float, FloatArray | None]:
        """The direction of x, polished if it is promising, and the value there."""
        norm = float(np.linalg.norm(x))
        if not norm > 1e-12:
            return -math.inf, None
        point = x / norm
        value = float(evaluate(self.objective, point[None])[0])
        if value > 0.8 * self.best:
            point, value = polish(self.objective, point, self.deadline)
        return value, point

    def _combined(self, share: float) -> tuple[FloatArray, FloatArray]:
        """Linear part and coefficients of lambda A_1 + (1 - lambda) A_2."""
        linear, coefficients = self.objective.linear, self.objective.coefficients
        if linear.shape[0] == 1:
            return linear[0], coefficients[0]
        return (
            share * linear[0] + (1.0 - share) * linear[1],
            share * coefficients[0] + (1.0 - share) * coefficients[1],
        )

    def _relax(self, node: _Node) -> tuple[Dual, np.ndarray, float]:
        """The lifted dual of a node, which units it holds free, and what its bounds leave out."""
        linear, weights = self._combined(node.share)
        hidden, signs = self.objective.hidden, node.signs
        tiny = (weights > 0.0) & (weights <= _LEAST_WEIGHT) & (signs == 0)
        free = np.flatnonzero((signs == 0) & (weights > _LEAST_WEIGHT))
        on = (signs > 0) & (weights > 0.0)
        down = np.flatnonzero(weights < -_LEAST_WEIGHT)
        fixed = np.flatnonzero(signs)
        region = Region(
            weights[free],
            hidden[free],
            hidden[fixed] * signs[fixed, None],
            -weights[down],
            hidden[down],
            linear + weights[on] @ hidden[on] + 0.5 * (weights[free] @ hidden[free]),
        )
        # Units too light to matter cost at most weight * |w|; the linear part's own rounding and
        # that of the combined coefficients is at most (M + 2 d + 16) u times a bound below 2.
        extra = 2.0 * float(weights[tiny] @ np.abs(hidden[tiny]).sum(axis=1))
        extra += 4.0 * (hidden.shape[0] + 2 * hidden.shape[1] + 16) * UNIT
        return solve(region, self.threshold - extra, self.deadline), free, extra

    def _fix(self, signs: np.ndarray, free: np.ndarray, dual: Dual, extra: float) -> np.ndarray:
        """Fix the free units one of whose half spaces holds nothing above the threshold."""
        found = np.empty(free.size, np.int64)
        excess = (dual.value + dual.charge + extra - self.threshold) * (1.0 + 2.0**-40)
        if excluded_signs(dual.matrix, self.objective.hidden[free], excess, found) == 0:
            return signs
        signs = signs.copy()
        signs[free] = found
        return signs

    def _next_share(self, node: _Node, relaxed: Dual) -> tuple[float, float, float]:
        """Bisect lambda towards the piece that is smaller at the relaxation's point."""
        if self.objective.linear.shape[0] == 1:
            return node.low, node.high, node.share
        inner = self.objective.hidden @ relaxed.point
        active = np.where(node.signs == 0, np.maximum(inner, 0.0), inner * (node.signs > 0))
        pieces = self.objective.linear @ relaxed.point + self.objective.coefficients @ active
        if pieces[0] > pieces[1]:
            low, high = 0.5 * node.low, node.share
        else:
            low, high = node.share, 0.5 * (node.high + 1.0)
        return low, high, 0.5 * (low + high)

    def _leaf(self, node: _Node) -> _Explored:
        """All convex signs fixed: bound by the distance to the zonotope, and close the node."""
        objective = self.objective
        toward = node.signs > 0
        residual, tau, share = nearest_in_zonotope(
            objective.hidden, objective.coefficients, objective.linear, toward
        )
        value, point = self._improved(residual)
        linear, weights = self._combined(share)
        up = weights > 0.0
        tiny = up & (node.signs == 0)
        tau = np.where(up, toward, np.clip(tau, 0.0, 1.0))
        # |linear + sum weights tau w|, its rounding below (M + 2 d + 16) u times a bound < 2.
        residual = linear + (weights * tau) @ objective.hidden
        bound = float(np.sqrt(residual @ residual))
        bound += 2.0 * float(weights[tiny] @ np.abs(objective.hidden[tiny]).sum(axis=1))
        bound += 4.0 * (objective.hidden.shape[0] + 2 * objective.hidden.shape[1] + 24) * UNIT
        return _Explored(min(node.bound, bound * (1.0 + 2.0**-40)), (), value, point)
