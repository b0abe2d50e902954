"""The compiled explorers of `cones`: depth-first below one cone, within a number of nodes.

One for each way to bound a cone: a process compiles only what its places need.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from slth.certify.cones.bisect import child_generators, descend, split_edge, start
from slth.certify.cones.bound import bound_cone
from slth.certify.cones.records import BOUND, DONE, SHARE, Cut
from slth.certify.cones.slices import bound_slice
from slth.copying import copy_vector

# Beyond this many splits on one path a cone is kept with the bound it has.
_DEPTH = 400


@njit(cache=True, nogil=True, error_model="numpy")
def explore_cones(parts, rules, begin, goal, memory, left):
    """Depth-first search below one cone of the ball around 0 with at most `goal.budget` nodes.

    Takes `Parts`, `Rules`, `OpenCone`, `Cutoff`, `Levels` and `Left`. Returns (nodes, how many
    cones are left over in `left`, best value, largest bound of a closed cone).
    """
    # The kernels of a node take arrays: taking them out of a record again and again costs 10 %.
    _linear, rising, rising_weights, falling, falling_weights, norms = parts
    start(parts, begin, memory)
    level, nodes, kept, best, proven = np.int64(0), 0, np.int64(0), goal.best, 0.0
    q = left.point.copy()
    while level >= 0:
        nodes += 1
        below = _cut(rules, goal, best, begin.depth, level)
        total, value = bound_cone(
            rising_weights, falling, falling_weights, norms, level, below, memory, q
        )
        level, kept, best, proven = _onward(
            rising, rising_weights, falling, falling_weights, total, value, q, below.cut,
            rules.flat, begin.depth, nodes >= goal.budget, level, kept, best, proven, memory, left,
        )  # fmt: skip
    return nodes, kept, best, proven


@njit(cache=True, nogil=True, error_model="numpy")
def explore_slices(parts, rules, begin, goal, memory, left):
    """`explore_cones` for flat places: below one simplex of a slice."""
    _linear, rising, rising_weights, falling, falling_weights, _norms = parts
    start(parts, begin, memory)
    level, nodes, kept, best, proven = np.int64(0), 0, np.int64(0), goal.best, 0.0
    q = left.point.copy()
    while level >= 0:
        nodes += 1
        below = _cut(rules, goal, best, begin.depth, level)
        total, value = bound_slice(parts, level, below, rules.ball, memory, q)
        level, kept, best, proven = _onward(
            rising, rising_weights, falling, falling_weights, total, value, q, below.cut,
            rules.flat, begin.depth, nodes >= goal.budget, level, kept, best, proven, memory, left,
        )  # fmt: skip
    return nodes, kept, best, proven


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _cut(rules, goal, best, depth, level):
    """What the bound of the cone at `level` has to come below, and the outward terms in it."""
    error = rules.sums + rules.level * level
    displaced = rules.displaced * (depth + level)
    # Nothing closer to the best value than the rounding terms can be proven.
    cut = max(
        goal.floor,
        best * (1.0 + max(goal.rtol, 1e-12)),
        best + 4.0 * (error + displaced),
    )
    return Cut(cut, error, displaced, rules.affine + displaced)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _onward(
    rising, rising_weights, falling, falling_weights, total, value, q, cut, flat, depth, spent,
    level, kept, best, proven, memory, left,
):  # fmt: skip
    """Note what was found of the cone at `level`: its bound, and the objective's value at q; split
    it unless it is settled. Then the level of the next one to look at, see `_next`."""
    if value > best:
        best = value
        copy_vector(left.point, q)
    if _settles(total, cut, depth, level, memory):
        proven = max(proven, memory.numbers[level, BOUND])
    else:
        split_edge(rising_weights, level, depth, flat, memory)
    level, kept = _next(
        rising, rising_weights, falling, falling_weights, depth, spent, level, kept, memory, left
    )
    return level, kept, best, proven


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _settles(total, cut, depth, level, memory):
    """Note the cone's bound; whether its children need not be looked at."""
    numbers, counts = memory.numbers, memory.counts
    # Also where it is not a number: the parent's bound holds.
    if total < numbers[level, BOUND]:
        numbers[level, BOUND] = total
    settled = numbers[level, BOUND] <= cut or depth + level >= _DEPTH
    counts[level, DONE] = 2 if settled else 0
    return settled


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _next(
    rising, rising_weights, falling, falling_weights, depth, spent, level, kept, memory, left
):
    """The level of the next cone to look at, -1 if there is none, and how many are left over.

    spent: whether the budget is. The children of a cone that are not looked at are left over.
    """
    numbers, counts = memory.numbers, memory.counts
    levels = counts.shape[0]
    while level >= 0 and counts[level, DONE] >= 0:
        if counts[level, DONE] == 2:
            level -= 1
        elif spent or level == levels - 1 or kept > 2 * levels:
            child_generators(level, memory, left.cones[kept])
            left.facts[kept, 0] = numbers[level, BOUND]
            left.facts[kept, 1] = numbers[level, SHARE]
            left.facts[kept, 2] = depth + level + 1
            kept += 1
            counts[level, DONE] += 1
        else:
            descend(rising, rising_weights, falling, falling_weights, level, memory)
            counts[level, DONE] += 1
            level += 1
    return level, kept
