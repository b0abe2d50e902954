"""Branch-and-bound over simplicial cones: the supremum of min_k A_k over the unit ball, small d.

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
from slth.certify.objective import Objective
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
) -> Bound:
    """Enclose sup min_k A_k over the unit ball by branch-and-bound over cones (2^d orthants).

    Args:
        objective: with a Lipschitz bound below 2; its slack is not looked at.
        incumbent: a value known to be attained (elsewhere, too): cones that cannot exceed
            incumbent * (1 + rtol) are closed.
        root: an upper bound already proven.
        rtol, floor: cones are closed once proven <= max(floor, best * (1 + rtol)).
        stop_above: return as soon as a point above this value is found.
        deadline: when to return with what is proven.
    """
    search = _Search(_Split.of(objective))
    _best, point, upper, nodes = search.run(
        max(0.0, incumbent), root, rtol, floor, stop_above, deadline
    )
    lower = -math.inf if point is None else float(evaluate(objective, point[None])[0])
    top = max(incumbent, lower, 0.0)
    return Bound(lower, point, upper, nodes, upper <= max(floor, top * (1.0 + rtol)))


class _Search:
    """The heap of open cones and the working memory of the compiled explorer."""

    def __init__(self, split: _Split) -> None:
        self.split = split
        pieces, d = split.linear.shape
        rising, falling = split.rising.shape[0], split.falling.shape[0]
        per_level = (d + 2) * (rising + falling + 2)
        levels = max(2, min(_LEVELS, _WORK_ENTRIES // per_level))
        self.levels = levels
        self.cost = d * (rising + falling) + 4 * d * d + 50
        self.floats = (
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
        self.integers = (
            np.empty((levels, rising + 1), np.int64),
            np.empty((levels, falling + 1), np.int64),
            np.empty((levels, 6), np.int64),  # open convex, open concave, state, edge, edge
        )
        self.left = (np.empty((4 * levels + 4, d, d)), np.empty((4 * levels + 4, 3)))
        self.norms = np.einsum("jd,jd->j", split.falling, split.falling)
        # Rounding errors (docs/certify.md, "Rounding"), for a Lipschitz bound below 2.
        width = rising + falling
        self.errors = np.array(
            [
                2.0 * _UNIT * (4 * width + 16 * d + 64 + 2 * math.sqrt(d) * (d + 4)),
                2.0 * _UNIT * 14 * math.sqrt(d),
                2.0 * _UNIT * 4,
            ]
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
        heap = [
            (-root, next(order), 0, weight, np.diag(np.array(signs)))
            for signs in itertools.product((1.0, -1.0), repeat=d)
        ]
        heapq.heapify(heap)
        most = max(1.0, _SLICE / self.cost)
        while heap and not deadline.expired:
            bound, _, depth, weight, cone = heap[0]
            if -bound <= max(floor, best * (1.0 + rtol)) or best > stop_above:
                break
            heapq.heappop(heap)
            budget = 1 if depth == 0 else int(min(most, 300.0 + 0.3 * len(heap)))
            count, left, value, closed = _explore(
                split.rising,
                split.rising_weights,
                split.falling,
                split.falling_weights,
                self.norms,
                split.linear,
                cone,
                weight,
                -bound,
                depth,
                best,
                rtol,
                floor,
                budget,
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


@njit(cache=True, nogil=True)
def _explore(
    rising,
    rising_weights,
    falling,
    falling_weights,
    norms,
    linear,
    cone,
    weight,
    bound,
    depth,
    best,
    rtol,
    floor,
    budget,
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
    _start(rising, rising_weights, falling, falling_weights, linear, cone, floats, integers)
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
                _child_generators(V, scalars, counts, level, cones[kept])
                facts[kept, 0] = scalars[level, 1]
                facts[kept, 1] = scalars[level, 0]
                facts[kept, 2] = depth + level + 1
                kept += 1
                counts[level, 2] += 1
                continue
            _descend(rising, rising_weights, falling, falling_weights, level, floats, integers)
            counts[level, 2] += 1
            level += 1
        nodes += 1
        error = errors[0] + errors[1] * level
        displaced = errors[2] * (depth + level)
        cut = max(floor, best * (1.0 + max(rtol, 1e-12))) + 4.0 * (error + displaced)
        total, value = _bound(
            rising_weights,
            falling,
            falling_weights,
            norms,
            level,
            cut,
            best,
            error,
            displaced,
            floats,
            integers,
            q,
            rising,
        )
        if value > best:
            best = value
            for l in range(q.shape[0]):
                found[l] = q[l]
        total = min(total, scalars[level, 1])
        scalars[level, 1] = total
        if total <= cut or depth + level >= _DEPTH:
            proven = max(proven, total)
            level -= 1
            continue
        _split(rising_weights, falling_weights, level, depth, floats, integers)
        counts[level, 2] = 0
    return nodes, kept, best, proven


@njit(cache=True, nogil=True)
def _start(rising, rising_weights, falling, falling_weights, linear, cone, floats, integers):
    """Level 0: the cone itself; units whose sign is constant on it go into the linear parts."""
    V, B, PV, linP, linN, TP, TN, _midP, _midN, _scalars, _scratch = floats
    indexP, indexN, counts = integers
    d = cone.shape[0]
    pieces = linear.shape[0]
    V[0] = cone
    B[0] = np.linalg.inv(cone).T
    linP[0] = linear
    linN[0] = 0.0
    open_units = 0
    for i in range(rising.shape[0]):
        low = np.inf
        high = -np.inf
        for a in range(d):
            t = 0.0
            for l in range(d):
                t += rising[i, l] * cone[a, l]
            TP[0, a, open_units] = t
            low = min(low, t)
            high = max(high, t)
        if low >= 0.0:
            for k in range(pieces):
                for l in range(d):
                    linP[0, k, l] += rising_weights[k, i] * rising[i, l]
        elif high > 0.0:
            indexP[0, open_units] = i
            open_units += 1
    counts[0, 0] = open_units
    open_units = 0
    for i in range(falling.shape[0]):
        low = np.inf
        high = -np.inf
        for a in range(d):
            t = 0.0
            for l in range(d):
                t += falling[i, l] * cone[a, l]
            TN[0, a, open_units] = t
            low = min(low, t)
            high = max(high, t)
        if low >= 0.0:
            for k in range(pieces):
                for l in range(d):
                    linN[0, k, l] += falling_weights[k, i] * falling[i, l]
        elif high > 0.0:
            indexN[0, open_units] = i
            open_units += 1
    counts[0, 1] = open_units
    counts[0, 2] = -1
    for k in range(pieces):
        for a in range(d):
            s = 0.0
            for l in range(d):
                s += linP[0, k, l] * cone[a, l]
            for i in range(counts[0, 0]):
                s += rising_weights[k, indexP[0, i]] * max(TP[0, a, i], 0.0)
            PV[0, k, a] = s


@njit(cache=True, nogil=True)
def _bound(
    rising_weights,
    falling,
    falling_weights,
    norms,
    level,
    cut,
    best,
    error,
    displaced,
    floats,
    integers,
    q,
    rising,
):
    """A proven bound of the cone at `level` and, if it is above `cut`, the objective's value at a
    point of the cone (then in q, normalised), else -inf."""
    allV, allB, allPV, all_linP, all_linN, _allTP, allTN, _midP, _midN, scalars, scratch = floats
    indexP, indexN, counts = integers
    V = allV[level]
    B = allB[level]
    PV = allPV[level]
    linN = all_linN[level]
    TN = allTN[level]
    index = indexN[level]
    mP = counts[level, 0]
    mN = counts[level, 1]
    pieces, d = linN.shape
    tau = scratch[0]
    weights = scratch[1]
    share = scalars[level, 0]
    y = np.empty(d)
    n = np.empty(d)

    # How the generators lie: smallest inner product, and a vector z with <z, v_a> >= 1.
    narrow = 1.0
    total = np.zeros(d)
    for a in range(d):
        for l in range(d):
            total[l] += V[a, l]
        for b in range(a + 1, d):
            s = 0.0
            for l in range(d):
                s += V[a, l] * V[b, l]
            narrow = min(narrow, s)
    narrow -= (d + 8) * 2.0**-51
    least = np.inf
    length = 0.0
    for a in range(d):
        s = 0.0
        for l in range(d):
            s += total[l] * V[a, l]
        least = min(least, s)
        length += total[a] * total[a]
    mend = math.sqrt(length) / least * (1.0 + 2.0**-40)

    # Chord slopes of the open concave units, and the bound at the generators they give.
    for j in range(mN):
        low = np.inf
        high = -np.inf
        for a in range(d):
            t = TN[a, j]
            low = min(low, t)
            high = max(high, t)
        tau[j] = high / (high - low)
        c = share * falling_weights[0, index[j]]
        if pieces == 2:
            c += (1.0 - share) * falling_weights[1, index[j]]
        weights[j] = c
    if narrow > 0.05:
        top = 0.0
        for a in range(d):
            s = share * PV[0, a]
            if pieces == 2:
                s += (1.0 - share) * PV[1, a]
            for l in range(d):
                t = share * linN[0, l]
                if pieces == 2:
                    t += (1.0 - share) * linN[1, l]
                s -= t * V[a, l]
            for j in range(mN):
                s -= weights[j] * tau[j] * TN[a, j]
            top = max(top, s)
        bound = (top + error) / math.sqrt(narrow) * (1.0 + 2.0**-40) + displaced
        if bound <= cut:
            return bound, -np.inf

    # The dual: q = u, y >= 0 the slack of the generators' inequalities, tau, and the weight.
    goal = cut - displaced - 2.0 * error * mend
    goal = max(goal, 0.0) * (1.0 - 2.0**-40)
    goal *= goal
    _assemble(falling, falling_weights, index, mN, tau, share, linN, n)
    for l in range(d):
        q[l] = -n[l]
    for a in range(d):
        y[a] = 0.0
        s = share * PV[0, a]
        if pieces == 2:
            s += (1.0 - share) * PV[1, a]
        for l in range(d):
            q[l] += s * B[a, l]
    size = 0.0
    previous = np.inf
    exact = mP == 0
    for _ in range(2000 if exact else 100):
        if pieces == 2:
            share = _share_step(falling, falling_weights, index, mN, tau, share, PV, B, linN, q)
        for a in range(d):
            g = 0.0
            s = 0.0
            for l in range(d):
                g += B[a, l] * q[l]
                s += B[a, l] * B[a, l]
            moved = max(0.0, y[a] - g / s)
            delta = moved - y[a]
            if delta != 0.0:
                y[a] = moved
                for l in range(d):
                    q[l] += delta * B[a, l]
        for j in range(mN):
            i = index[j]
            c = share * falling_weights[0, i]
            if pieces == 2:
                c += (1.0 - share) * falling_weights[1, i]
            g = 0.0
            for l in range(d):
                g += falling[i, l] * q[l]
            if c <= 0.0:
                tau[j] = 1.0 if g > 0.0 else 0.0
                continue
            moved = min(1.0, max(0.0, tau[j] + g / (c * norms[i])))
            delta = (moved - tau[j]) * c
            if delta != 0.0:
                tau[j] = moved
                for l in range(d):
                    q[l] -= delta * falling[i, l]
        size = 0.0
        for l in range(d):
            size += q[l] * q[l]
        if size <= goal:
            break
        if previous - size < (1e-12 * size if exact else 1e-3 * (size - goal)):
            break
        previous = size
    scalars[level, 0] = share

    # Proof, from q, tau and the weight alone.
    _assemble(falling, falling_weights, index, mN, tau, share, linN, n)
    worst = 0.0
    for a in range(d):
        s = share * PV[0, a]
        if pieces == 2:
            s += (1.0 - share) * PV[1, a]
        for l in range(d):
            s -= (n[l] + q[l]) * V[a, l]
        worst = max(worst, s)
    bound = (math.sqrt(size) + (worst + error) * mend) * (1.0 + 2.0**-40) + displaced
    if bound <= cut:
        return bound, -np.inf

    # A point of the cone: q's coordinates there, the negative ones dropped.
    x = np.zeros(d)
    for a in range(d):
        s = 0.0
        for l in range(d):
            s += B[a, l] * q[l]
        y[a] = max(s, 0.0)
        for l in range(d):
            x[l] += y[a] * V[a, l]
    size = 0.0
    for l in range(d):
        size += x[l] * x[l]
    for a in range(d):
        scalars[level, 3 + a] = y[a]
    if not size > 0.0:
        return bound, -np.inf
    for l in range(d):
        q[l] = x[l] / math.sqrt(size)
    value = np.inf
    for k in range(pieces):
        s = 0.0
        for l in range(d):
            s += (all_linP[level, k, l] - linN[k, l]) * q[l]
        for i in range(mP):
            t = 0.0
            for l in range(d):
                t += rising[indexP[level, i], l] * q[l]
            s += rising_weights[k, indexP[level, i]] * max(t, 0.0)
        for j in range(mN):
            t = 0.0
            for l in range(d):
                t += falling[index[j], l] * q[l]
            s -= falling_weights[k, index[j]] * max(t, 0.0)
        value = min(value, s)
    return bound, value


@njit(cache=True, nogil=True)
def _assemble(falling, falling_weights, index, mN, tau, share, linN, n):
    """n = the gradient sum_j n_j tau_j w_j of the concave part's minorant, in place."""
    pieces, d = linN.shape
    for l in range(d):
        n[l] = share * linN[0, l]
        if pieces == 2:
            n[l] += (1.0 - share) * linN[1, l]
    for j in range(mN):
        i = index[j]
        c = share * falling_weights[0, i]
        if pieces == 2:
            c += (1.0 - share) * falling_weights[1, i]
        c *= tau[j]
        for l in range(d):
            n[l] += c * falling[i, l]


@njit(cache=True, nogil=True)
def _share_step(falling, falling_weights, index, mN, tau, share, PV, B, linN, q):
    """Minimise |q| over the weight of the first piece (two pieces); updates q."""
    d = q.shape[0]
    g = np.empty(d)
    for l in range(d):
        g[l] = linN[1, l] - linN[0, l]
    for a in range(d):
        s = PV[0, a] - PV[1, a]
        for l in range(d):
            g[l] += s * B[a, l]
    for j in range(mN):
        i = index[j]
        c = (falling_weights[0, i] - falling_weights[1, i]) * tau[j]
        for l in range(d):
            g[l] -= c * falling[i, l]
    top = 0.0
    bottom = 0.0
    for l in range(d):
        top += g[l] * q[l]
        bottom += g[l] * g[l]
    if bottom > 0.0:
        moved = min(1.0, max(0.0, share - top / bottom))
        for l in range(d):
            q[l] += (moved - share) * g[l]
        share = moved
    return share


@njit(cache=True, nogil=True)
def _split(rising_weights, falling_weights, level, depth, floats, integers):
    """Choose the edge to bisect; put the new generator, its inner products and values in place."""
    allV, _allB, _PV, linP, _linN, allTP, allTN, midP, midN, scalars, _scratch = floats
    indexP, _indexN, counts = integers
    V = allV[level]
    TP = allTP[level]
    TN = allTN[level]
    pieces, d = linP.shape[1], linP.shape[2]
    mP = counts[level, 0]
    mN = counts[level, 1]
    share = scalars[level, 0]
    longest = 2.0
    first = 0
    second = 1
    for a in range(d):
        for b in range(a + 1, d):
            s = 0.0
            for l in range(d):
                s += V[a, l] * V[b, l]
            if s < longest:
                longest = s
                first = a
                second = b
    if longest > -0.2 and (depth + level) % 3 != 2:
        limit = 1.0 - 0.16 * (1.0 - longest)
        most = 1e-12
        for a in range(d):
            for b in range(a + 1, d):
                s = 0.0
                for l in range(d):
                    s += V[a, l] * V[b, l]
                if s > limit:
                    continue
                kinks = 0.0
                for i in range(mP):
                    ta = TP[a, i]
                    tb = TP[b, i]
                    if ta * tb < 0.0:
                        c = share * rising_weights[0, indexP[level, i]]
                        if pieces == 2:
                            c += (1.0 - share) * rising_weights[1, indexP[level, i]]
                        kinks += c * min(abs(ta), abs(tb))
                if kinks > most:
                    most = kinks
                    first = a
                    second = b
    counts[level, 3] = first
    counts[level, 4] = second
    size = 0.0
    for l in range(d):
        t = V[first, l] + V[second, l]
        scalars[level, 3 + l] = t
        size += t * t
    scale = 1.0 / math.sqrt(size)
    scalars[level, 2] = scale
    for l in range(d):
        scalars[level, 3 + l] *= scale
    for i in range(mP):
        midP[level, i] = (TP[first, i] + TP[second, i]) * scale
    for j in range(mN):
        midN[level, j] = (TN[first, j] + TN[second, j]) * scale
    for k in range(pieces):
        s = 0.0
        for l in range(d):
            s += linP[level, k, l] * scalars[level, 3 + l]
        for i in range(mP):
            s += rising_weights[k, indexP[level, i]] * max(midP[level, i], 0.0)
        scalars[level, 3 + d + k] = s


@njit(cache=True, nogil=True)
def _child_generators(V, scalars, counts, level, cone):
    """The generators of the next child of `level`: the new one replaces an end of the edge."""
    d = V.shape[1]
    replaced = counts[level, 3 + counts[level, 2]]
    for a in range(d):
        for l in range(d):
            cone[a, l] = V[level, a, l]
    for l in range(d):
        cone[replaced, l] = scalars[level, 3 + l]


@njit(cache=True, nogil=True)
def _descend(rising, rising_weights, falling, falling_weights, level, floats, integers):
    """Build the next child of `level` at level + 1; units whose sign is now constant are folded."""
    V, B, PV, linP, linN, TP, TN, midP, midN, scalars, _scratch = floats
    indexP, indexN, counts = integers
    pieces, d = linP.shape[1], linP.shape[2]
    below = level + 1
    which = counts[level, 2]
    replaced = counts[level, 3 + which]
    partner = counts[level, 4 - which]
    _child_generators(V, scalars, counts, level, V[below])
    scale = scalars[level, 2]
    for a in range(d):
        for l in range(d):
            B[below, a, l] = B[level, a, l]
    for l in range(d):
        B[below, replaced, l] = B[level, replaced, l] / scale
        B[below, partner, l] = B[level, partner, l] - B[level, replaced, l]
    for k in range(pieces):
        for l in range(d):
            linP[below, k, l] = linP[level, k, l]
            linN[below, k, l] = linN[level, k, l]
            PV[below, k, l] = PV[level, k, l]
        PV[below, k, replaced] = scalars[level, 3 + d + k]
    counts[below, 0] = _fold(
        rising,
        rising_weights,
        counts[level, 0],
        replaced,
        TP[level],
        midP[level],
        indexP[level],
        TP[below],
        indexP[below],
        linP[below],
    )
    counts[below, 1] = _fold(
        falling,
        falling_weights,
        counts[level, 1],
        replaced,
        TN[level],
        midN[level],
        indexN[level],
        TN[below],
        indexN[below],
        linN[below],
    )
    counts[below, 2] = -1
    scalars[below, 0] = scalars[level, 0]
    scalars[below, 1] = scalars[level, 1]


@njit(cache=True, nogil=True)
def _fold(hidden, weights, count, replaced, T, mid, index, below_T, below_index, linear):
    """Copy the open units to the child; those of constant sign there go into `linear`."""
    pieces, d = linear.shape
    kept = 0
    for i in range(count):
        low = mid[i]
        high = low
        for a in range(d):
            if a == replaced:
                below_T[a, kept] = mid[i]
            else:
                t = T[a, i]
                below_T[a, kept] = t
                low = min(low, t)
                high = max(high, t)
        if low >= 0.0:
            for k in range(pieces):
                c = weights[k, index[i]]
                for l in range(d):
                    linear[k, l] += c * hidden[index[i], l]
        elif high > 0.0:
            below_index[kept] = index[i]
            kept += 1
    return kept
