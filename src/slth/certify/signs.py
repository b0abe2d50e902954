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
from dataclasses import dataclass, replace

import numpy as np

from slth.certify.ascent import evaluate, nearest_in_zonotope, polish
from slth.certify.bound import UNIT, Bound
from slth.certify.dual_proof import excluded_signs
from slth.certify.lifted import Dual, Iterate, Region, solve
from slth.certify.objective import Objective
from slth.limits import Deadline
from slth.network import FloatArray

# Lighter convex units are charged for, never branched on.
_LEAST_WEIGHT = 1e-14


# Multiplier of a newly fixed sign, in units of the unit's weight.
_NEW_MULTIPLIER = 0.25
# Doubles that the open nodes' starting points may take.
_MEMORY_ENTRIES = 20_000_000


@dataclass(frozen=True)
class _Trace:
    """A centred iterate of a node's barrier method, by unit: rho [M] (0: not free),
    multipliers [M], the concave units' numbers and policies, (eta, sigma, mu)."""

    rho: FloatArray
    multipliers: FloatArray
    concave: np.ndarray
    policies: FloatArray
    scalars: FloatArray


@dataclass(frozen=True)
class _Node:
    """signs: int8 [M] of the fixed units (0: free); share: lambda, known to lie in [low, high];
    the parent's trace."""

    signs: np.ndarray
    share: float
    low: float
    high: float
    trace: _Trace | None


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

    The arguments are those of `maximize_over_cones`.
    """
    search = _Search(objective, max(0.0, incumbent), root, rtol, floor)
    pieces = objective.linear.shape[0]
    start = _Node(
        np.zeros(objective.hidden.shape[0], np.int8), 1.0 if pieces == 1 else 0.5, 0.0, 1.0, None
    )
    search.open(start, root)
    while search.heap and not deadline.expired:
        bound, _, node = search.heap[0]
        if -bound <= search.threshold or search.best > stop_above:
            break
        heapq.heappop(search.heap)
        search.process(node, -bound, deadline)
    upper = max(search.proven, -search.heap[0][0] if search.heap else 0.0)
    upper = min(root, upper)
    lower = -math.inf if search.point is None else search.best
    return Bound(lower, search.point, upper, search.nodes, upper <= search.threshold, "signs")


class _Search:
    """The heap of open nodes, the incumbent, and what has been proven of closed nodes."""

    def __init__(
        self, objective: Objective, best: float, root: float, rtol: float, floor: float
    ) -> None:
        self.objective = objective
        self.best = best
        self.point: FloatArray | None = None
        self.root = root
        self.rtol = rtol
        self.floor = floor
        self.proven = 0.0
        self.nodes = 0
        self.heap: list[tuple[float, int, _Node]] = []
        self.order = itertools.count()
        # The largest weight a unit can have in the convex part.
        self.ceiling = np.maximum(objective.coefficients.max(axis=0), 0.0)
        self.convex = self.ceiling > _LEAST_WEIGHT

    @property
    def threshold(self) -> float:
        """What need not be told apart."""
        return max(self.floor, self.best * (1.0 + self.rtol))

    def open(self, node: _Node, bound: float) -> None:
        """Put a node on the heap."""
        heapq.heappush(self.heap, (-bound, next(self.order), node))

    def offer(self, x: FloatArray, deadline: Deadline) -> None:
        """Try a point (of any length) as incumbent, polished if it is promising."""
        norm = float(np.linalg.norm(x))
        if not norm > 1e-12:
            return
        point = x / norm
        value = float(evaluate(self.objective, point[None])[0])
        if value > 0.8 * self.best:
            point, value = polish(self.objective, point, deadline)
        if value > self.best:
            self.best, self.point = value, point

    def process(self, node: _Node, parent: float, deadline: Deadline) -> None:
        """Bound a node; close it, or fix what can be fixed and open two children."""
        self.nodes += 1
        linear, weights = self.combined(node.share)
        signs = node.signs
        if not ((signs == 0) & self.convex).any():
            self.close_leaf(node, parent)
            return
        relaxed, free, trace = self.relax(linear, weights, node, deadline)
        bound = min(parent, relaxed.bound)
        if bound > self.threshold:
            self.offer(relaxed.point, deadline)
        if bound <= self.threshold:
            self.proven = max(self.proven, bound)
            return
        signs = self.fix(signs, free, relaxed)
        free = np.flatnonzero((signs == 0) & self.convex)
        low, high, share = self.next_share(node, relaxed)
        if free.size == 0:
            self.open(_Node(signs, share, low, high, trace), bound)
            return
        rows = self.objective.hidden[free]
        spread = np.sqrt(np.maximum(np.einsum("id,de,ie->i", rows, relaxed.moments, rows), 0.0))
        gaps = self.ceiling[free] * (spread - np.abs(rows @ relaxed.point))
        branch = free[int(np.argmax(gaps))]
        for sign in (1, -1):
            child = signs.copy()
            child[branch] = sign
            self.open(_Node(child, share, low, high, trace), bound)

    def combined(self, share: float) -> tuple[FloatArray, FloatArray]:
        """Linear part and coefficients of lambda A_1 + (1 - lambda) A_2."""
        linear, coefficients = self.objective.linear, self.objective.coefficients
        if linear.shape[0] == 1:
            return linear[0], coefficients[0]
        return (
            share * linear[0] + (1.0 - share) * linear[1],
            share * coefficients[0] + (1.0 - share) * coefficients[1],
        )

    def relax(
        self, linear: FloatArray, weights: FloatArray, node: _Node, deadline: Deadline
    ) -> tuple[Dual, np.ndarray, _Trace | None]:
        """The lifted dual of a node, which units it holds free, and where to start below it."""
        hidden = self.objective.hidden
        signs = node.signs
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
        near = _near(node.trace, free, fixed, down, weights)
        dual = solve(region, self.threshold - extra, deadline, near)
        dual = replace(
            dual, bound=(dual.bound + extra) * (1.0 + 2.0**-50), charge=dual.charge + extra
        )
        trace = None
        if len(self.heap) * (2 * hidden.shape[0] + dual.iterate.policies.size) < _MEMORY_ENTRIES:
            trace = _Trace(
                np.zeros(hidden.shape[0]),
                np.zeros(hidden.shape[0]),
                down,
                dual.iterate.policies,
                dual.iterate.scalars,
            )
            trace.rho[free] = dual.iterate.rho
            trace.multipliers[fixed] = dual.iterate.multipliers
        return dual, free, trace

    def fix(self, signs: np.ndarray, free: np.ndarray, dual: Dual) -> np.ndarray:
        """Fix the free units one of whose half spaces holds nothing above the threshold."""
        found = np.empty(free.size, np.int64)
        excess = (dual.value + dual.charge - self.threshold) * (1.0 + 2.0**-40)
        if excluded_signs(dual.matrix, self.objective.hidden[free], excess, found) == 0:
            return signs
        self.proven = max(self.proven, self.threshold)
        signs = signs.copy()
        signs[free] = found
        return signs

    def next_share(self, node: _Node, relaxed: Dual) -> tuple[float, float, float]:
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

    def close_leaf(self, node: _Node, parent: float) -> None:
        """All convex signs fixed: bound by the distance to the zonotope, and close the node."""
        objective = self.objective
        toward = node.signs > 0
        residual, tau, share = nearest_in_zonotope(
            objective.hidden, objective.coefficients, objective.linear, toward
        )
        self.offer(residual, Deadline())
        linear, weights = self.combined(share)
        up = weights > 0.0
        tiny = up & (node.signs == 0)
        tau = np.where(up, toward, np.clip(tau, 0.0, 1.0))
        # |linear + sum weights tau w|, its rounding below (M + 2 d + 16) u times a bound < 2.
        residual = linear + (weights * tau) @ objective.hidden
        bound = float(np.sqrt(residual @ residual))
        bound += 2.0 * float(weights[tiny] @ np.abs(objective.hidden[tiny]).sum(axis=1))
        bound += 4.0 * (objective.hidden.shape[0] + 2 * objective.hidden.shape[1] + 24) * UNIT
        self.proven = max(self.proven, min(parent, bound * (1.0 + 2.0**-40)))


def _near(
    trace: _Trace | None,
    free: np.ndarray,
    fixed: np.ndarray,
    down: np.ndarray,
    weights: FloatArray,
) -> Iterate | None:
    """The parent's centred iterate as a start for the child, where it has all the child needs."""
    if trace is None or not trace.scalars[2] > 0.0 or not np.array_equal(trace.concave, down):
        return None
    rho = trace.rho[free]
    if not (rho > 0.0).all():
        return None
    multipliers = trace.multipliers[fixed]
    # A sign that is new here gets a share of its unit's weight.
    multipliers = np.where(multipliers > 0.0, multipliers, _NEW_MULTIPLIER * np.abs(weights[fixed]))
    if not (multipliers > 0.0).all():
        return None
    return Iterate(rho, trace.policies, multipliers, trace.scalars)
