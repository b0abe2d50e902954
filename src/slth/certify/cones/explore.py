"""The compiled explorer of `cones`: depth-first below one cone, within a number of nodes."""

from __future__ import annotations

from numba import njit

from slth.certify.cones.bisect import child_generators, descend, split_edge, start
from slth.certify.cones.bound import bound_cone
from slth.certify.cones.records import BOUND, DONE, SHARE, Cut
from slth.certify.cones.slices import bound_slice

# Beyond this many splits on one path a cone is kept with the bound it has.
_DEPTH = 400


@njit(cache=True, nogil=True, error_model="numpy")
def explore(parts, rules, begin, goal, memory, left):
    """Depth-first search below one cone with at most `goal.budget` nodes.

    Takes `Parts`, `Rules`, `Start`, `Goal`, `Levels` and `Left`. Returns (nodes, how many cones
    are left over in `left`, best value, largest bound of a closed cone).
    """
    # The kernels of a node take arrays: taking them out of a record again and again costs 10 %.
    _linear, rising, rising_weights, falling, falling_weights, norms = parts
    numbers, counts = memory.numbers, memory.counts
    levels = counts.shape[0]
    start(parts, begin, memory)
    best = goal.best
    nodes = 0
    kept = 0
    proven = 0.0
    level = 0
    q = left.point.copy()
    while level >= 0:
        if counts[level, DONE] == 2:
            level -= 1
            continue
        if counts[level, DONE] >= 0:
            # One child more: in the compiled levels, or left over.
            if nodes >= goal.budget or level == levels - 1 or kept > 2 * levels:
                child_generators(level, memory, left.cones[kept])
                left.facts[kept, 0] = numbers[level, BOUND]
                left.facts[kept, 1] = memory.numbers[level, SHARE]
                left.facts[kept, 2] = begin.depth + level + 1
                kept += 1
                counts[level, DONE] += 1
                continue
            descend(rising, rising_weights, falling, falling_weights, level, memory)
            counts[level, DONE] += 1
            level += 1
        nodes += 1
        error = rules.sums + rules.level * level
        displaced = rules.displaced * (begin.depth + level)
        # Nothing closer to the best value than the rounding terms can be proven.
        cut = max(
            goal.floor,
            best * (1.0 + max(goal.rtol, 1e-12)),
            best + 4.0 * (error + displaced),
        )
        below = Cut(cut, error, displaced, rules.affine + displaced)
        if rules.flat:
            total, value = bound_slice(parts, level, below, rules.ball, memory, q)
        else:
            total, value = bound_cone(
                rising_weights, falling, falling_weights, norms, level, below, memory, q
            )
        if value > best:
            best = value
            left.point[:] = q
        # Also where it is not a number: the parent's bound holds.
        if not total < numbers[level, BOUND]:
            total = numbers[level, BOUND]
        numbers[level, BOUND] = total
        if total <= cut or begin.depth + level >= _DEPTH:
            proven = max(proven, total)
            level -= 1
            continue
        split_edge(rising_weights, level, begin.depth, rules.flat, memory)
        counts[level, DONE] = 0
    return nodes, kept, best, proven
