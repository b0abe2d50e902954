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

import math
from dataclasses import dataclass

import numpy as np

from slth.certify.best_first import BestFirst, Explored, Round
from slth.certify.climbed import climbed
from slth.certify.cones.explore import explore, of_sign, rounding_terms, working_memory
from slth.certify.problem.objective import Objective
from slth.certify.problem.place import Place
from slth.certify.problem.problem import Problem
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

    def applies(self, problem: Problem) -> bool:
        """Wherever a place is covered by not too many cones."""
        return problem.d <= _UP_TO[problem.place.shape]

    def maximize(self, problem: Problem, ask: Ask) -> Bound:
        """Climb, then search over the cones."""
        return climbed(problem, ask, over_cones)


def over_cones(problem: Problem, ask: Ask) -> Bound:
    """Enclose sup min_k A_k over the points of the place by branch-and-bound over its cones."""
    # All weight on the one piece there is, or between the two.
    weight = 1.0 if problem.pieces == 1 else 0.5
    cones = [_Cone(cone, problem.root, weight, 0) for cone in problem.place.cones(problem.d)]
    explorer = _Explorer(_Split.of(problem.objective), problem.place, ask)
    return BestFirst(explorer, cones, problem.root, ask, "cones").run(ask.incumbent, ask.deadline)


@dataclass(frozen=True)
class _Cone:
    """generators: float64 [d, d]; a bound; the weight of the first piece; how many splits it is
    away from a root."""

    generators: FloatArray
    bound: float
    weight: float
    depth: int


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


class _Memory:
    """The working memory of one thread's compiled explorer."""

    def __init__(self, split: _Split) -> None:
        pieces, d = split.linear.shape
        rising, falling = split.rising.shape[0], split.falling.shape[0]
        per_level = (d + 2) * (rising + falling + 2)
        levels = max(2, min(_LEVELS, _WORK_ENTRIES // per_level))
        self.floats, self.integers, self.left = working_memory(levels, pieces, d, rising, falling)
        self.found = np.empty(d)


class _Explorer:
    """Explores below single cones, within a number of nodes."""

    def __init__(self, split: _Split, place: Place, ask: Ask) -> None:
        self._split, self._place, self._ask = split, place, ask
        d = split.linear.shape[1]
        width = split.rising.shape[0] + split.falling.shape[0]
        self._most = max(1.0, _SLICE / (d * width + 4 * d * d + 50))
        inputs = d - 1 if place.flat else d
        self._norms = np.einsum("jd,jd->j", split.falling[:, :inputs], split.falling[:, :inputs])
        self._errors = rounding_terms(
            width, d, place.generators_within(d), 8 * math.sqrt(d) if place.flat else 4.0
        )
        self._idle: list[_Memory] = []

    def work(self, node: _Cone, known: Round) -> float:
        """In units worth a thread."""
        return self._budget(node, known) / _WORTH_A_THREAD

    def _budget(self, node: _Cone, known: Round) -> int:
        """How many nodes may be looked at: one of each cone that covers the place, at first."""
        few = min(self._most, _FEW_NODES + _NODES_A_CONE * known.waiting)
        return int(few) if node.depth else 1

    def explore(self, node: _Cone, known: Round) -> Explored[_Cone]:
        """Depth first below the cone; it is left as it is if time is up."""
        if known.deadline.expired:
            return Explored(0.0, (node,), nodes=0)
        split, place = self._split, self._place
        # Not more of them than threads; list operations are atomic.
        try:
            memory = self._idle.pop()
        except IndexError:
            memory = _Memory(split)
        nodes, left, value, proven = explore(
            split.rising,
            split.rising_weights,
            split.falling,
            split.falling_weights,
            self._norms,
            split.linear,
            node.generators,
            _dual_basis(node.generators),
            node.weight,
            node.bound,
            node.depth,
            known.best,
            self._ask.rtol,
            self._ask.floor,
            self._budget(node, known),
            place.flat,
            place.shape != "box",
            self._errors,
            memory.floats,
            memory.integers,
            memory.left,
            memory.found,
        )
        cones, facts = memory.left[0][:left].copy(), memory.left[1][:left].tolist()
        children = tuple(
            _Cone(cone, bound, weight, int(depth))
            for cone, (bound, weight, depth) in zip(cones, facts, strict=True)
        )
        point = memory.found.copy() if value > known.best else None
        self._idle.append(memory)
        return Explored(proven, children, value, point, nodes)


def _dual_basis(cone: FloatArray) -> FloatArray:
    """Rows b_a with <b_a, v_b> = 1 if a = b else 0, nearly: no bound rests on it."""
    try:
        return np.ascontiguousarray(np.linalg.inv(cone).T, dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.ascontiguousarray(np.linalg.pinv(cone).T, dtype=np.float64)
