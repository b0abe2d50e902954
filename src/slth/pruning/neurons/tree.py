"""Compiled depth-first branch-and-bound over masks, on the dual simplex of `simplex.py`.

Every level keeps its own dictionary, so a child starts from its parent's optimal basis and going
back costs nothing. A node is closed only by `_safe`: multipliers re-evaluated without trusting the
dictionary, less a rounding allowance, reach the cutoff. Masks that no known point excludes are
handed to the caller, who finds the points where they err.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from slth.copying import copy_matrix, copy_vector
from slth.network import FloatArray
from slth.pruning.neurons.simplex import (
    ABOVE_CUTOFF,
    OPTIMAL,
    TINY_PIVOT,
    Dictionary,
    add_row,
    dual_simplex,
    multipliers_of,
    rows_of,
    safe_multipliers,
    start,
    weights_of,
)
from slth.pruning.neurons.tree_log import has_room, log_branch, log_leaf

DONE, SLICE, CANDIDATE = 0, 1, 2
# Places in `Tree.counts`: where the search stands, and what it has done.
DEPTH, FRESH, NODES, PIVOTS, GIVE_UP, REBUILDS, LEAVES, TRIES = 0, 1, 2, 3, 4, 5, 6, 7
# Places in `Tree.levels`: the cutoff, the rounding allowance, the least bound of an open leaf,
# and how far the simplex must go past the cutoff for its multipliers to prove it.
CUTOFF, SLIP, OPEN, TILTED = 0, 1, 2, 3

# What became of a visit to a node.
_CLOSED, _CANDIDATE, _BRANCH, _PAUSE = 0, 1, 2, 3
# Rounds of new rows at one node before it is branched on, whatever they brought.
_MOST_TRIES = 60
# Rounds in which rows are added that the relaxation's optimum violates by more than this part of
# the way to the cutoff; later ones only where the mask is integral.
_SEPARATION_ROUNDS = 1
_SEPARATION = 0.1
# Units whose branches are tried by a few dual pivots each before one of them is chosen.
_PROBES, _PROBE_PIVOTS = 4, 6
# This near to 0 or 1 a unit counts as decided: a thousand times the simplex's tolerance.
_INTEGRAL = 1e-6
# What summing the gains in another order, up to a thousand of them, may change.
_SURE = 1.0 - 1e-9


class Tree(NamedTuple):
    """Dictionaries by depth (the last level is scratch), and the path to the current node.

    table: float64 [D, R, N + 1]; basic, value: [D, R]; nonbasic, at: [D, N + 1];
    low, high: float64 [D, N]; rows: int64 [D, 1]; unit: int64 [D], the unit branched on;
    stage: int64 [D], children begun; side: int64 [D], value of the first child; bound: float64
    [D], proven for the node's masks by the first `proofs` (int64 [D]) of the rows `row`
    (int64 [D, N + 1]) with multipliers `weight` (float64 [D, N + 1]); counts: int64 [8];
    levels: float64 [4].
    """

    table: FloatArray
    basic: np.ndarray
    value: FloatArray
    nonbasic: np.ndarray
    at: FloatArray
    low: FloatArray
    high: FloatArray
    rows: np.ndarray
    unit: np.ndarray
    stage: np.ndarray
    side: np.ndarray
    bound: FloatArray
    row: np.ndarray
    weight: FloatArray
    proofs: np.ndarray
    counts: np.ndarray
    levels: FloatArray


def empty_tree(width: int, capacity: int, depth: int) -> Tree:
    """Arrays for `depth` levels of dictionaries with `capacity` rows, and one scratch level."""
    many = depth + 1
    return Tree(
        np.zeros((many, capacity, width + 1)),
        np.zeros((many, capacity), np.int64),
        np.zeros((many, capacity)),
        np.zeros((many, width + 1), np.int64),
        np.zeros((many, width + 1)),
        np.zeros((many, width)),
        np.ones((many, width)),
        np.zeros((many, 1), np.int64),
        np.zeros(many, np.int64),
        np.zeros(many, np.int64),
        np.zeros(many, np.int64),
        np.zeros(many),
        np.zeros((many, width + 1), np.int64),
        np.zeros((many, width + 1)),
        np.zeros(many, np.int64),
        np.zeros(8, np.int64),
        np.zeros(4),
    )


@njit(cache=True, nogil=True)
def level(tree, i):
    """The dictionary of depth i (views)."""
    return Dictionary(
        tree.table[i],
        tree.basic[i],
        tree.value[i],
        tree.nonbasic[i],
        tree.at[i],
        tree.low[i],
        tree.high[i],
        tree.rows[i],
    )


@njit(cache=True, nogil=True)
def _copy(source, goal):
    count = source.rows[0]
    copy_matrix(goal.table, source.table[:count])
    copy_vector(goal.basic, source.basic[:count])
    copy_vector(goal.value, source.value[:count])
    copy_vector(goal.nonbasic, source.nonbasic)
    copy_vector(goal.at, source.at)
    copy_vector(goal.low, source.low)
    copy_vector(goal.high, source.high)
    goal.rows[0] = count


@njit(cache=True, nogil=True, fastmath=True)
def _excess(pool, z, excess):
    """excess[p] = sum_i z_i phi_i(x_p) - f(x_p) for all points of the pool."""
    size = pool.size[0]
    for p in range(size):
        excess[p] = -pool.f[p]
    for i in range(z.shape[0]):
        if z[i] > 1e-12:
            weight = z[i]
            phi = pool.phi[i]
            for p in range(size):
                excess[p] += weight * phi[p]


@njit(cache=True, nogil=True)
def _separate(d, pool, z, excess, above, most):
    """Add up to `most` rows that z exceeds `above` in, the worst of each stretch of the pool."""
    _excess(pool, z, excess)
    size = pool.size[0]
    added = 0
    for part in range(most):
        worst, row = above, np.int64(-1)
        for p in range(part * size // most, (part + 1) * size // most):
            if excess[p] > worst:
                worst, row = excess[p], 2 * p
            elif -excess[p] > worst and pool.holds[2 * p + 1]:
                worst, row = -excess[p], 2 * p + 1
        if row >= 0 and add_row(d, pool, row):
            added += 1
    return added


@njit(cache=True, nogil=True)
def _fix(d, gains, room, log):
    """Fix nonbasic units whose other value alone would close the node."""
    width = d.low.shape[0]
    first = True
    for k in range(width + 1):
        v = d.nonbasic[k]
        if v < width and d.low[v] < d.high[v] and abs(gains[v]) * _SURE > room:
            favoured = d.low[v] if gains[v] > 0.0 else d.high[v]
            if d.at[k] == favoured:
                d.low[v] = favoured
                d.high[v] = favoured
                log_branch(log, v, favoured == 0.0)
                row, weight = log.row[log.used[1] :], log.weight[log.used[1] :]
                log_leaf(log, row, weight, multipliers_of(d, row, weight) if first else 0)
                first = False


@njit(cache=True, nogil=True)
def _penalties(d, z, room, unit, down, up):
    """Fractional units with the rise of the bound that one dual step to 0 or to 1 promises."""
    width = d.low.shape[0]
    count = 0
    for r in range(1, d.rows[0]):
        v = d.basic[r]
        if v >= width or not _INTEGRAL < z[v] < 1.0 - _INTEGRAL:
            continue
        least_down, least_up = np.inf, np.inf
        for k in range(width + 1):
            a = d.table[r, k]
            if abs(a) < TINY_PIVOT:
                continue
            u = d.nonbasic[k]
            low = True
            if u < width:
                if d.low[u] == d.high[u]:
                    continue
                low = d.at[k] == d.low[u]
            ratio = abs(d.table[0, k] / a)
            if (a > 0.0) == low:
                least_up = min(least_up, ratio)
            else:
                least_down = min(least_down, ratio)
        unit[count] = v
        down[count] = min(least_down * z[v], room)
        up[count] = min(least_up * (1.0 - z[v]), room)
        count += 1
    return count


@njit(cache=True, nogil=True)
def _score(down, up, room):
    least = 1e-7 * room
    return max(down, least) * max(up, least)


@njit(cache=True, nogil=True)
def _choose(tree, d, pool, z, cutoff, unit, down, up):
    """The unit to branch on and the value to try first; (-1, 0) if none is fractional."""
    value = d.value[0]
    room = max(cutoff - value, 1e-300)
    count = _penalties(d, z, room, unit, down, up)
    if count == 0:
        return -1, 0
    scratch = level(tree, tree.table.shape[0] - 1)
    chosen, best = 0, -1.0
    for q in range(min(_PROBES, count)):
        top = q
        for w in range(q + 1, count):
            if _score(down[w], up[w], room) > _score(down[top], up[top], room):
                top = w
        unit[q], unit[top] = unit[top], unit[q]
        down[q], down[top] = down[top], down[q]
        up[q], up[top] = up[top], up[q]
        for side in range(2):
            _copy(d, scratch)
            if side == 0:
                scratch.high[unit[q]] = 0.0
            else:
                scratch.low[unit[q]] = 1.0
            status, pivots = dual_simplex(scratch, pool, cutoff, np.int64(_PROBE_PIVOTS))
            tree.counts[PIVOTS] += pivots
            gain = room if status == ABOVE_CUTOFF else min(room, scratch.value[0] - value)
            if side == 0:
                down[q] = gain
            else:
                up[q] = gain
        score = _score(down[q], up[q], room)
        if score > best:
            best, chosen = score, q
        if down[q] >= room and up[q] >= room:
            break
    return unit[chosen], (1 if up[chosen] > down[chosen] else 0)


@njit(cache=True, nogil=True)
def _safe(tree, d, pool, gains):
    return safe_multipliers(d, pool, gains) - tree.levels[SLIP]


@njit(cache=True, nogil=True)
def _visit(tree, pool, z, log, gains, excess, unit, down, up, limit):
    """Work on the current node. Returns what became of it, the unit to branch on, its first value;
    unit -1 if there is none left."""
    counts = tree.counts
    depth = counts[DEPTH]
    d = level(tree, depth)
    separated = 0
    while counts[TRIES] < _MOST_TRIES:
        counts[TRIES] += 1
        cutoff = tree.levels[CUTOFF]
        status, pivots = dual_simplex(d, pool, cutoff + tree.levels[TILTED], limit)
        counts[PIVOTS] += pivots
        bound = _safe(tree, d, pool, gains)
        if bound > tree.bound[depth]:
            tree.bound[depth] = bound
            tree.proofs[depth] = multipliers_of(d, tree.row[depth], tree.weight[depth])
        if tree.bound[depth] >= cutoff:
            return _CLOSED, -1, 0
        if status != OPTIMAL:
            if pivots < limit or counts[TRIES] % 10 == 0:
                # The dictionary has drifted, or cycles: build it anew from its rows.
                counts[REBUILDS] += 1
                start(d, pool, rows_of(d))
            if pivots >= limit:
                return _PAUSE, -1, 0
            continue
        _fix(d, gains, cutoff - bound, log)
        fractional = weights_of(d, z)
        value = d.value[0]
        if fractional == 0:
            if _separate(d, pool, z, excess, value * (1.0 + 1e-7) + 1e-10, 4) > 0:
                continue
            if counts[GIVE_UP] == 0:
                return _CANDIDATE, -1, 0
            break
        if separated < _SEPARATION_ROUNDS:
            separated += 1
            if _separate(d, pool, z, excess, value + _SEPARATION * (cutoff - value), 4) > 0:
                continue
        branch, first = _choose(tree, d, pool, z, cutoff, unit, down, up)
        if branch >= 0:
            return _BRANCH, branch, first
        break
    for j in range(d.low.shape[0]):
        if d.low[j] < d.high[j]:
            return _BRANCH, j, 0
    return _BRANCH, -1, 0


@njit(cache=True, nogil=True)
def close(tree, depth, log):
    """Log a leaf at a node of the path: it or its open child has the bound of that node."""
    log_leaf(log, tree.row[depth], tree.weight[depth], tree.proofs[depth])


@njit(cache=True, nogil=True)
def descend(source, i, goal, j, side):
    """Let `goal` go on at its level j, with the child of node i of `source` whose branching unit
    has value `side`."""
    unit = source.unit[i]
    child = level(goal, j)
    _copy(level(source, i), child)
    if side == 0:
        child.high[unit] = 0.0
    else:
        child.low[unit] = 1.0
    # A fallback branching may take a nonbasic unit: its value must move with its bounds.
    for k in range(child.nonbasic.shape[0]):
        if child.nonbasic[k] == unit and child.at[k] != side:
            step = side - child.at[k]
            child.at[k] = side
            for r in range(child.rows[0]):
                child.value[r] += child.table[r, k] * step
    goal.bound[j] = source.bound[i]
    goal.row[j] = source.row[i]
    goal.weight[j] = source.weight[i]
    goal.proofs[j] = source.proofs[i]
    goal.counts[DEPTH] = j
    goal.counts[FRESH] = 1


@njit(cache=True, nogil=True)
def advance(tree, pool, z, log, budget):
    """Search until done, a candidate needs judging, `budget` pivots are spent or the log is full.

    DONE: every mask errs by at least min(levels[CUTOFF], levels[OPEN]). CANDIDATE: z (float64
    [N], filled) satisfies all known points; lower the cutoff or add points, and call again (with
    counts[GIVE_UP] = 1 to leave it open).
    """
    counts = tree.counts
    width = z.shape[0]
    gains = np.empty(width)
    excess = np.empty(pool.f.shape[0])
    unit = np.empty(width, np.int64)
    down = np.empty(width)
    up = np.empty(width)
    stop = counts[PIVOTS] + budget
    deepest = tree.table.shape[0] - 2
    while counts[DEPTH] >= 0:
        depth = counts[DEPTH]
        if counts[FRESH]:
            if counts[PIVOTS] >= stop or not has_room(log, width):
                return SLICE
            limit = max(20, stop - counts[PIVOTS])
            state, branch, first = _visit(tree, pool, z, log, gains, excess, unit, down, up, limit)
            if state == _PAUSE:
                return SLICE
            if state == _CANDIDATE:
                counts[TRIES] = 0
                return CANDIDATE
            closed = state == _CLOSED
            counts[GIVE_UP] = 0
            counts[TRIES] = 0
            counts[NODES] += 1
            counts[FRESH] = 0
            if not closed and (branch < 0 or depth == deepest):
                tree.levels[OPEN] = min(tree.levels[OPEN], tree.bound[depth])
                counts[LEAVES] += 1
                closed = True
            if closed:
                close(tree, depth, log)
                counts[DEPTH] = depth - 1
                continue
            tree.unit[depth] = branch
            tree.stage[depth] = 0
            tree.side[depth] = first
        if tree.stage[depth] == 2 or tree.bound[depth] >= tree.levels[CUTOFF]:
            if tree.stage[depth] < 2:
                close(tree, depth, log)
            counts[DEPTH] = depth - 1
            continue
        side = tree.side[depth] if tree.stage[depth] == 0 else 1 - tree.side[depth]
        if tree.stage[depth] == 0:
            log_branch(log, tree.unit[depth], side == 1)
        tree.stage[depth] += 1
        descend(tree, depth, tree, depth + 1, side)
    return DONE
