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
from dataclasses import dataclass

import numpy as np
from numba import njit

from slth.certify.ascent import evaluate
from slth.certify.bound import Bound
from slth.certify.cone_bound import bound_cone
from slth.certify.cone_split import child_generators, descend, split_edge, start
from slth.certify.objective import Objective
from slth.certify.place import AROUND_ZERO, Place
from slth.certify.slice_bound import bound_slice
from slth.limits import Deadline
from slth.network import FloatArray

# Beyond this many splits on one path a cone is kept with the bound it has.
_DEPTH = 400
# Levels one compiled call descends, and the memory its levels may take (doubles).
_LEVELS = 48
_WORK_ENTRIES = 12_000_000
# Work of one compiled call, in multiply-adds: well under 0.1 s.
_SLICE = 2e7
_UNIT = 2.0**-53


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
        coefficients = objective.coefficients
        up = (coefficients > 0.0).any(axis=0)
        down = (coefficients < 0.0).any(axis=0)
        return cls(
            objective.linear,
            np.ascontiguousarray(objective.hidden[up]),
            np.ascontiguousarray(np.maximum(coefficients[:, up], 0.0)),
            np.ascontiguousarray(objective.hidden[down]),
            np.ascontiguousarray(np.maximum(-coefficients[:, down], 0.0)),
        )


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
    search = _Search(_Split.of(objective), place)
    _best, point, upper, nodes = search.run(
        max(0.0, incumbent), root, rtol, floor, stop_above, deadline
    )
    lower = -math.inf if point is None else float(evaluate(objective, point[None])[0])
    top = max(incumbent, lower, 0.0)
    return Bound(lower, point, upper, nodes, upper <= max(floor, top * (1.0 + rtol)), "cones")


class _Search:
    """The heap of open cones and the working memory of the compiled explorer."""

    def __init__(self, split: _Split, place: Place) -> None:
        self.split, self.place = split, place
        pieces, d = split.linear.shape
        rising, falling = split.rising.shape[0], split.falling.shape[0]
        per_level = (d + 2) * (rising + falling + 2)
        levels = max(2, min(_LEVELS, _WORK_ENTRIES // per_level))
        self.cost = d * (rising + falling) + 4 * d * d + 50
        self.floats, self.integers, self.left = working_memory(levels, pieces, d, rising, falling)
        inputs = d - 1 if place.flat else d
        self.norms = np.einsum("jd,jd->j", split.falling[:, :inputs], split.falling[:, :inputs])
        self.errors = rounding_terms(
            rising + falling, d, place.generators_within(d), 8 * math.sqrt(d) if place.flat else 4.0
        )

    def run(
        self,
        best: float,
        root: float,
        rtol: float,
        floor: float,
        stop_above: float,
        deadline: Deadline,
    ) -> tuple[float, FloatArray | None, float, int]:
        """Returns (best value, its point if better than the incumbent, upper bound, nodes)."""
        split = self.split
        d = split.linear.shape[1]
        point: FloatArray | None = None
        found = np.empty(d)
        proven = 0.0
        nodes = 0
        order = itertools.count()
        # All weight on the one piece there is, or between the two.
        weight = 1.0 if split.linear.shape[0] == 1 else 0.5
        heap = [(-root, next(order), 0, weight, cone) for cone in self.place.cones(d)]
        heapq.heapify(heap)
        most = max(1.0, _SLICE / self.cost)
        while heap and not deadline.expired:
            bound, _, depth, weight, cone = heap[0]
            if -bound <= max(floor, best * (1.0 + rtol)) or best > stop_above:
                break
            heapq.heappop(heap)
            budget = 1 if depth == 0 else int(min(most, 300.0 + 0.3 * len(heap)))
            count, left, value, closed = explore(
                split.rising,
                split.rising_weights,
                split.falling,
                split.falling_weights,
                self.norms,
                split.linear,
                cone,
                _dual_basis(cone),
                weight,
                -bound,
                depth,
                best,
                rtol,
                floor,
                budget,
                self.place.flat,
                self.place.shape != "box",
                self.errors,
                self.floats,
                self.integers,
                self.left,
                found,
            )
            nodes += count
            proven = max(proven, closed)
            if value > best:
                best, point = value, found.copy()
            for k in range(left):
                bound, weight, depth = self.left[1][k]
                heapq.heappush(
                    heap, (-bound, next(order), int(depth), weight, self.left[0][k].copy())
                )
        if heap:
            proven = max(proven, -heap[0][0])
        return best, point, min(root, proven), nodes


def _dual_basis(cone: FloatArray) -> FloatArray:
    """Rows b_a with <b_a, v_b> = 1 if a = b else 0, nearly: no bound rests on it."""
    try:
        return np.ascontiguousarray(np.linalg.inv(cone).T, dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.ascontiguousarray(np.linalg.pinv(cone).T, dtype=np.float64)


@njit(cache=True, nogil=True)
def working_memory(levels, pieces, d, rising, falling):
    """What `explore` writes to, for that many levels below a cone: (floats, integers, left)."""
    floats = (
        np.empty((levels, d, d)),  # generators
        np.empty((levels, d, d)),  # dual basis
        np.empty((levels, pieces, d)),  # convex part at the generators
        np.empty((levels, pieces, d)),  # linear part of the convex units decided so far
        np.empty((levels, pieces, d)),  # and of the concave ones
        np.empty((levels, d, rising + 1)),  # inner products with the open convex units
        np.empty((levels, d, falling + 1)),
        np.empty((levels, rising + 1)),  # the same at the new generator
        np.empty((levels, falling + 1)),
        np.empty((levels, 3 + pieces + d)),  # weight, bound, -, new generator and its values
        np.empty((2, falling + 1)),  # tau, weight of the concave units
    )
    integers = (
        np.empty((levels, rising + 1), np.int64),
        np.empty((levels, falling + 1), np.int64),
        np.empty((levels, 6), np.int64),  # open convex, open concave, state, edge, edge
    )
    return floats, integers, (np.empty((4 * levels + 4, d, d)), np.empty((4 * levels + 4, 3)))


@njit(cache=True, nogil=True)
def rounding_terms(width, d, reach, displacement):
    """What rounding may change (docs/certify.md, "Rounding"), for a Lipschitz bound below 2.

    reach: a bound of the generators' norms. displacement: of a point at one split, in units of
    2u.
    """
    return np.array(
        [
            reach * 2.0 * _UNIT * (4 * width + 16 * d + 64 + 2 * math.sqrt(d) * (d + 4)),
            reach * 2.0 * _UNIT * 14 * math.sqrt(d),
            2.0 * _UNIT * displacement,
            reach * 2.0 * _UNIT * 4 * (d + 4),
        ]
    )


@njit(cache=True, nogil=True, error_model="numpy")
def explore(
    rising,
    rising_weights,
    falling,
    falling_weights,
    norms,
    linear,
    cone,
    basis,
    weight,
    bound,
    depth,
    best,
    rtol,
    floor,
    budget,
    flat,
    ball,
    errors,
    floats,
    integers,
    left,
    found,
):
    """Depth-first search below one cone with at most `budget` nodes.

    Returns (nodes, cones left over, best value, largest bound of a closed cone); the cones left
    over stand in `left`: generators, (bound, weight, depth); `found` is the best point if any.
    """
    V, _B, _PV, _linP, _linN, _TP, _TN, _midP, _midN, scalars, _scratch = floats
    _, _, counts = integers
    levels = V.shape[0]
    cones, facts = left
    start(rising, rising_weights, falling, falling_weights, linear, cone, basis, floats, integers)
    scalars[0, 0] = weight
    scalars[0, 1] = bound
    nodes = 0
    kept = 0
    proven = 0.0
    level = 0
    q = np.empty(V.shape[1])
    while level >= 0:
        state = counts[level, 2]
        if state == 2:
            level -= 1
            continue
        if state == 1 or state == 0:
            # One child more: in the compiled levels, or left over.
            if nodes >= budget or level == levels - 1 or kept > 2 * levels:
                child_generators(V, scalars, counts, level, cones[kept])
                facts[kept, 0] = scalars[level, 1]
                facts[kept, 1] = scalars[level, 0]
                facts[kept, 2] = depth + level + 1
                kept += 1
                counts[level, 2] += 1
                continue
            descend(rising, rising_weights, falling, falling_weights, level, floats, integers)
            counts[level, 2] += 1
            level += 1
        nodes += 1
        error = errors[0] + errors[1] * level
        displaced = errors[2] * (depth + level)
        # Nothing closer to the best value than the rounding terms can be proven.
        cut = max(floor, best * (1.0 + max(rtol, 1e-12)), best + 4.0 * (error + displaced))
        if flat:
            total, value = bound_slice(
                rising,
                rising_weights,
                falling,
                falling_weights,
                norms,
                level,
                cut,
                error,
                displaced,
                errors[3] + displaced,
                ball,
                floats,
                integers,
                q,
            )
        else:
            total, value = bound_cone(
                rising,
                rising_weights,
                falling,
                falling_weights,
                norms,
                level,
                cut,
                error,
                displaced,
                floats,
                integers,
                q,
            )
        if value > best:
            best = value
            for l in range(q.shape[0]):
                found[l] = q[l]
        # Also where it is not a number: the parent's bound holds.
        if not total < scalars[level, 1]:
            total = scalars[level, 1]
        scalars[level, 1] = total
        if total <= cut or depth + level >= _DEPTH:
            proven = max(proven, total)
            level -= 1
            continue
        split_edge(rising_weights, level, depth, flat, floats, integers)
        counts[level, 2] = 0
    return nodes, kept, best, proven
