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

from dataclasses import dataclass

import numpy as np

from slth.certify.best_first import BestFirst, Explored, Wave
from slth.certify.climbed import climbed
from slth.certify.cones.explore import explore_cones, explore_slices
from slth.certify.cones.records import (
    Cutoff,
    Left,
    Levels,
    OpenCone,
    parts_of,
    rules_of,
    working_memory,
)
from slth.certify.problem.problem import Maximization
from slth.certify.protocol import Ask, Bound
from slth.network import FloatArray

# Levels one compiled call descends, and the memory its levels may take (doubles).
_LEVELS = 48
_WORK_ENTRIES = 12_000_000
# Work of one compiled call, in multiply-adds: well under 0.1 s.
_SLICE = 2e7
# Nodes for which to start threads.
_WORTH_A_THREAD = 4000
# Nodes looked at below one cone: few while there are few cones to choose from.
_FEW_NODES, _NODES_A_CONE = 300.0, 0.3
# Inputs up to which the cones that cover a place are not too many.
_UP_TO = {"ball": 11, "box": 8, "orthant": 14}


class Cones:
    """Branch-and-bound over cones, for few inputs."""

    compiled_with = 3

    def applies(self, problem: Maximization) -> bool:
        """Wherever a place is covered by not too many cones."""
        return problem.d <= _UP_TO[problem.place.shape]

    def maximize(self, problem: Maximization, ask: Ask) -> Bound:
        """Climb, then search over the cones."""
        return climbed(problem, ask, over_cones)


def over_cones(problem: Maximization, ask: Ask) -> Bound:
    """Enclose sup min_k A_k over the points of the place by branch-and-bound over its cones."""
    # All weight on the one piece there is, or between the two.
    weight = 1.0 if problem.pieces == 1 else 0.5
    cones = [_Cone(cone, problem.root, weight, 0) for cone in problem.place.cones(problem.d)]
    search = BestFirst(_Explorer(problem, ask), cones, problem.root, ask, "cones")
    return search.run(ask.incumbent, ask.deadline)


@dataclass(frozen=True)
class _Cone:
    """generators: float64 [d, d]; a bound; the weight of the first piece; how many splits it is
    away from a root."""

    generators: FloatArray
    bound: float
    weight: float
    depth: int


class _Explorer:
    """Explores below single cones, within a number of nodes."""

    def __init__(self, problem: Maximization, ask: Ask) -> None:
        place, d, objective = problem.place, problem.d, problem.objective
        self._ask = ask
        self._parts = parts_of(
            objective.linear, objective.coefficients, objective.hidden, place.flat
        )
        self._explorer = explore_slices if place.flat else explore_cones
        units = len(self._parts.rising) + len(self._parts.falling)
        self._rules = rules_of(
            units, d, place.generators_within(d), place.flat, place.shape != "box"
        )
        self._most = max(1.0, _SLICE / (d * units + 4 * d * d + 50))
        self._levels = max(2, min(_LEVELS, _WORK_ENTRIES // ((d + 2) * (units + 2))))
        # The working memory of threads that are not at work.
        self._idle: list[tuple[Levels, Left]] = []

    def work(self, node: _Cone, known: Wave) -> float:
        """In units worth a thread."""
        return self._budget(node, known) / _WORTH_A_THREAD

    def _budget(self, node: _Cone, known: Wave) -> int:
        """How many nodes may be looked at: one of each cone that covers the place, at first."""
        few = min(self._most, _FEW_NODES + _NODES_A_CONE * known.waiting)
        return int(few) if node.depth else 1

    def explore(self, node: _Cone, known: Wave) -> Explored[_Cone]:
        """Depth first below the cone; it is left as it is if time is up."""
        if known.deadline.expired:
            return Explored(0.0, (node,), nodes=0)
        # Not more of them than threads; list operations are atomic.
        try:
            memory, left = self._idle.pop()
        except IndexError:
            memory, left = working_memory(self._levels, self._parts)
        cone = node.generators
        nodes, count, value, proven = self._explorer(
            self._parts,
            self._rules,
            OpenCone(cone, _dual_basis(cone), node.weight, node.bound, node.depth),
            Cutoff(known.best, self._ask.rtol, self._ask.floor, self._budget(node, known)),
            memory,
            left,
        )
        facts = left.facts[:count].tolist()
        children = tuple(
            _Cone(cone, bound, weight, int(depth))
            for cone, (bound, weight, depth) in zip(left.cones[:count].copy(), facts, strict=True)
        )
        point = left.point.copy() if value > known.best else None
        self._idle.append((memory, left))
        return Explored(proven, children, value, point, nodes)


def _dual_basis(cone: FloatArray) -> FloatArray:
    """Rows b_a with <b_a, v_b> = 1 if a = b else 0, nearly: no bound rests on it."""
    try:
        return np.ascontiguousarray(np.linalg.inv(cone).T, dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.ascontiguousarray(np.linalg.pinv(cone).T, dtype=np.float64)
