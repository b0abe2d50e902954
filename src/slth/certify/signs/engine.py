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

import math
from dataclasses import dataclass, replace

import numpy as np

from slth.certify.ascent import evaluate, nearest_in_zonotope, polish
from slth.certify.best_first import BestFirst, Explored, Wave
from slth.certify.climbed import climbed
from slth.certify.problem.objective import Objective
from slth.certify.problem.place import AROUND_ZERO, Place
from slth.certify.problem.problem import Maximization
from slth.certify.protocol import Ask, Bound
from slth.certify.signs.lifted import DECIDED, Dual, solve, step_cost
from slth.certify.signs.proven import excluded_signs
from slth.certify.signs.records import SignDual
from slth.network import FloatArray
from slth.rounding.outward import UNIT

# Lighter convex units are charged for, never branched on.
_LEAST_WEIGHT = 1e-14
# Bisections of lambda in a node with all signs fixed; work (`step_cost`) of a step that is worth
# threads.
_BISECTIONS = 40
_WORTH_A_THREAD = 2e5
# Up to this dimension cones are quicker than signs, except for problems of so few units. Around 0
# the two take as long with twice the units where those point anywhere, and signs a tenth where they
# are nearly parallel.
_CONES_UP_TO = 6
_SIGNS_UP_TO_WIDTH = {4: 20, 5: 20, 6: 60}
_SIGNS_AROUND_ZERO = {4: 50, 5: 60, 6: 120}
# Dearer Newton steps would not end within a slice.
_DEAREST_STEP = 6e8


class Signs:
    """Branch-and-bound on signs, for many inputs or few units."""

    compiled_with = _CONES_UP_TO + 1

    def applies(self, problem: Maximization) -> bool:
        """Where cones are not quicker and a Newton step is not too dear."""
        width, d = problem.width, problem.d
        around_zero = problem.place == AROUND_ZERO
        up_to = _SIGNS_AROUND_ZERO if around_zero else _SIGNS_UP_TO_WIDTH
        wide = d <= _CONES_UP_TO and width > up_to.get(d, 0)
        return not wide and step_cost(d, width) <= _DEAREST_STEP

    def maximize(self, problem: Maximization, ask: Ask) -> Bound:
        """Climb, then search over the signs."""
        return climbed(problem, ask, over_signs)


def over_signs(problem: Maximization, ask: Ask) -> Bound:
    """Enclose sup min_k A_k over the points of the place by branch-and-bound over signs."""
    lifted = _Lifted.of(problem.objective, problem.place)
    share = 1.0 if problem.pieces == 1 else 0.5
    root = _Node(np.zeros(problem.width, np.int8), problem.root, share, 0.0, 1.0)
    search = BestFirst(_Explorer(lifted), [root], problem.root, ask, "signs")
    return search.run(ask.incumbent, ask.deadline)


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
class _Lifted:
    """An objective in the coordinates z = (1, x / reach) of the lifted relaxation.

    Attributes:
        reach: the place lies in a ball of that radius; x leaves out the constant coordinate.
        linear, hidden: float64 [K, n], [M, n]: the objective's, acting on z.
        always: float64 [R, n]: rows that are >= 0 on the whole place.
        ceiling: float64 [M]: the largest weight a unit can have in the convex part.
    """

    objective: Objective
    place: Place
    reach: float
    linear: FloatArray
    hidden: FloatArray
    always: FloatArray
    ceiling: FloatArray

    @classmethod
    def of(cls, objective: Objective, place: Place) -> _Lifted:
        d = objective.hidden.shape[1] - place.flat
        box = place.shape == "box"
        reach = math.nextafter(math.sqrt(d), math.inf) if box else 1.0

        def lifted(rows: FloatArray) -> FloatArray:
            constant = rows[:, d:] if place.flat else np.zeros((len(rows), 1))
            return np.hstack([constant, reach * rows[:, :d]])

        axes = np.hstack([np.zeros((d, 1)), np.eye(d)])
        always = axes if place.shape == "orthant" else axes[:0]
        if box:
            always = np.vstack([reach * axes, -reach * axes])
            always[:, 0] = 1.0
        ceiling = np.maximum(objective.coefficients.max(axis=0), 0.0)
        linear, hidden = lifted(objective.linear), lifted(objective.hidden)
        return cls(objective, place, reach, linear, hidden, always, ceiling)

    def combined(self, share: float) -> tuple[FloatArray, FloatArray]:
        """Linear part [n] and coefficients [M] of lambda A_1 + (1 - lambda) A_2."""
        linear, coefficients = self.linear, self.objective.coefficients
        if linear.shape[0] == 1:
            return linear[0], coefficients[0]
        return (
            share * linear[0] + (1.0 - share) * linear[1],
            share * coefficients[0] + (1.0 - share) * coefficients[1],
        )

    def point(self, z: FloatArray) -> FloatArray | None:
        """The point that z stands for, moved into the place."""
        x = self.reach * z[1:]
        moved = self.place.onto((np.append(x, 1.0) if self.place.flat else x)[None])
        return moved[0] if len(moved) else None


@dataclass(frozen=True)
class _Explorer:
    """Bounds and splits single nodes."""

    problem: _Lifted

    def work(self, node: _Node, known: Wave) -> float:
        """In units worth a thread."""
        width, n = self.problem.hidden.shape
        return step_cost(n - 1, width) / _WORTH_A_THREAD

    def explore(self, node: _Node, known: Wave) -> Explored[_Node]:
        """Bound a node; close it, or fix what can be fixed and split it in two."""
        if known.deadline.expired:
            return Explored(0.0, (node,), nodes=0)
        return _Visit(self.problem, known).of(node)


@dataclass(frozen=True)
class _Visit:
    """Visits to nodes, knowing what a round knows."""

    problem: _Lifted
    known: Wave

    def of(self, node: _Node) -> Explored[_Node]:
        """The node's bound, and the nodes below it if there are any."""
        convex = self.problem.ceiling > _LEAST_WEIGHT
        if not ((node.signs == 0) & convex).any():
            around_zero = self.problem.place == AROUND_ZERO
            return self._leaf(node) if around_zero else self._settled(node)
        relaxed, free, extra = self._relax(node)
        bound = min(node.bound, (relaxed.bound + extra) * (1.0 + 2.0**-50))
        if bound <= self.known.threshold:
            return Explored(bound)
        value, point = self._improved(relaxed.moments[0])
        signs = self._fix(node.signs, free, relaxed, extra)
        proven = 0.0 if signs is node.signs else self.known.threshold
        low, high, share = self._next_share(node, relaxed)
        free = np.flatnonzero((signs == 0) & convex)
        children = [signs]
        if free.size:
            rows = self.problem.hidden[free]
            squares = np.einsum("id,de,ie->i", rows, relaxed.moments, rows)
            spread = np.sqrt(np.maximum(squares, 0.0))
            gaps = self.problem.ceiling[free] * (spread - np.abs(rows @ relaxed.moments[0]))
            children = [signs.copy(), signs.copy()]
            for child, sign in zip(children, (1, -1), strict=True):
                child[free[int(np.argmax(gaps))]] = sign
        below = tuple(_Node(child, bound, share, low, high) for child in children)
        return Explored(proven, below, value, point)

    def _improved(self, z: FloatArray) -> tuple[float, FloatArray | None]:
        """A point of the place near z, polished if it is promising, and the value there."""
        objective, point = self.problem.objective, self.problem.point(z)
        if point is None:
            return -math.inf, None
        value = float(evaluate(objective, point[None])[0])
        if value > 0.8 * self.known.best and self.problem.place == AROUND_ZERO:
            point, value = polish(objective, point, self.known.deadline)
        return value, point

    def _relax(self, node: _Node, *, settled: bool = False) -> tuple[Dual, np.ndarray, float]:
        """The lifted dual of a node, which units it holds free, and what its bounds leave out.

        settled: solve it exactly, and on the whole place.
        """
        linear, weights = self.problem.combined(node.share)
        hidden, signs = self.problem.hidden, node.signs
        tiny = (weights > 0.0) & (weights <= _LEAST_WEIGHT) & (signs == 0)
        free = np.flatnonzero((signs == 0) & (weights > _LEAST_WEIGHT))
        on = (signs > 0) & (weights > 0.0)
        down = np.flatnonzero(weights < -_LEAST_WEIGHT)
        fixed = np.flatnonzero(signs)
        known = hidden[fixed] * signs[fixed, None]
        region = SignDual(
            weights[free],
            hidden[free],
            np.concatenate([known[: 0 if settled else None], self.problem.always]),
            -weights[down],
            hidden[down],
            linear + weights[on] @ hidden[on] + 0.5 * (weights[free] @ hidden[free]),
            not self.problem.place.flat,
        )
        # Units too light to matter cost at most weight * |w|; the linear part's own rounding and
        # that of the combined coefficients is at most (M + 2 d + 16) u times a bound below
        # 2 reach, and |z| < 1.5. So is that of the units where they were scaled.
        extra = 2.0 * float(weights[tiny] @ np.abs(hidden[tiny]).sum(axis=1))
        extra += 6.0 * self.problem.reach * (hidden.shape[0] + 2 * hidden.shape[1] + 16) * UNIT
        decided = 0.0 if settled else DECIDED
        dual = solve(region, self.known.threshold - extra, self.known.deadline, decided=decided)
        return dual, free, extra

    def _fix(self, signs: np.ndarray, free: np.ndarray, dual: Dual, extra: float) -> np.ndarray:
        """Fix the free units one of whose half spaces holds nothing above the threshold."""
        found = np.empty(free.size, np.int64)
        excess = (dual.value + dual.charge + extra - self.known.threshold) * (1.0 + 2.0**-40)
        if excluded_signs(dual.matrix, self.problem.hidden[free], excess, found) == 0:
            return signs
        signs = signs.copy()
        signs[free] = found
        return signs

    def _next_share(self, node: _Node, relaxed: Dual) -> tuple[float, float, float]:
        """Bisect lambda towards the piece that is smaller at the relaxation's point."""
        if self.problem.linear.shape[0] == 1:
            return node.low, node.high, node.share
        if self._first_is_larger(node, relaxed):
            low, high = 0.5 * node.low, node.share
        else:
            low, high = node.share, 0.5 * (node.high + 1.0)
        return low, high, 0.5 * (low + high)

    def _first_is_larger(self, node: _Node, relaxed: Dual) -> bool:
        """Whether the first of two pieces is, at the relaxation's point."""
        z = relaxed.moments[0]
        inner = self.problem.hidden @ z
        active = np.where(node.signs == 0, np.maximum(inner, 0.0), inner * (node.signs > 0))
        pieces = self.problem.linear @ z + self.problem.objective.coefficients @ active
        return bool(pieces[0] > pieces[1])

    def _settled(self, node: _Node) -> Explored[_Node]:
        """All convex signs fixed, v the gradient: close the node.

        <v, z> - N(z) is concave, its relaxation exact, and it is at most the objective on the whole
        place, so nothing is lost by bounding it there. lambda is bisected.
        """
        bound, low, high, share = node.bound, 0.0, 1.0, node.share
        value, point = -math.inf, None
        for _ in range(_BISECTIONS):
            at = replace(node, share=share)
            relaxed, _, extra = self._relax(at, settled=True)
            bound = min(bound, (relaxed.bound + extra) * (1.0 + 2.0**-50))
            reached, where = self._improved(relaxed.moments[0])
            if reached > value:
                value, point = reached, where
            near_enough = bound <= max(self.known.threshold, value) or self.known.deadline.expired
            if near_enough or self.problem.linear.shape[0] == 1:
                break
            if self._first_is_larger(at, relaxed):
                high = share
            else:
                low = share
            share = 0.5 * (low + high)
        return Explored(bound, (), value, point)

    def _leaf(self, node: _Node) -> Explored[_Node]:
        """All convex signs fixed: bound by the distance to the zonotope, and close the node.

        On the ball around 0 only: there the region's own part of the sphere need not be told from
        the rest.
        """
        objective = self.problem.objective
        toward = node.signs > 0
        residual, tau, share = nearest_in_zonotope(
            objective.hidden, objective.coefficients, objective.linear, toward
        )
        value, point = self._improved(np.append(1.0, residual))
        linear, weights = self.problem.combined(share)
        up = weights > 0.0
        tiny = up & (node.signs == 0)
        tau = np.where(up, toward, np.clip(tau, 0.0, 1.0))
        # |linear + sum weights tau w|, its rounding below (M + 2 d + 16) u times a bound < 2.
        residual = linear + (weights * tau) @ self.problem.hidden
        bound = float(np.sqrt(residual @ residual))
        bound += 2.0 * float(weights[tiny] @ np.abs(objective.hidden[tiny]).sum(axis=1))
        bound += 4.0 * (objective.hidden.shape[0] + 2 * objective.hidden.shape[1] + 24) * UNIT
        return Explored(min(node.bound, bound * (1.0 + 2.0**-40)), (), value, point)
