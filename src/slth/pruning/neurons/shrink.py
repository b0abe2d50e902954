"""Fewest units by local search: annealing over flips and swaps that pays for every unit kept.

The energy of a mask is max(error on the sample, goal) + price * units: below the goal only the
count matters. The sample grows by the worst points of each result, as in `local.py`. Untrusted.
"""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.neurons.local import cool
from slth.pruning.neurons.problem import Problem, random_sphere
from slth.pruning.neurons.sphere import Sample, peaks

_MOVES, _SLICE_WORK = 60_000, 60_000_000
_SAMPLE_ENTRIES = 12_000_000
# Price of a unit and first temperature as parts of the goal, last temperature of the first.
_PRICE, _HOT, _COOLING = 0.25, (0.05, 0.5), 0.1
# Annealing aims a little below eps, for its residuals are rounded to single precision.
_SHORT = 1.0 - 1e-4


def shrink(
    problem: Problem,
    start: BoolArray,
    eps: float,
    rng: np.random.Generator,
    deadline: Deadline,
    *,
    runs: int = 8,
) -> tuple[BoolArray, FloatArray]:
    """A mask of few units that seems to err by at most `eps`, no more units than `start`'s.

    Args:
        start: bool [N], a mask of error at most eps.

    Returns:
        The mask, and the points float64 [P, d] where those tried err most.
    """
    count = min(4000, max(2000, 2 * problem.width), max(64, _SAMPLE_ENTRIES // problem.width))
    sample = Sample.of(problem, random_sphere(rng, count, problem.d))
    best = start.copy()
    places, _ = peaks(problem, best.astype(np.float64), rng, deadline, sample=sample)
    found = [places]
    for _ in range(runs):
        if deadline.expired or not best.any():
            break
        keep = _anneal(problem, sample, best, eps * _SHORT, rng, deadline)
        for _ in range(4):
            if keep.sum() >= best.sum():
                break
            # Short of units and too far off in places not sampled: add those and mend.
            places, heights = peaks(problem, keep.astype(np.float64), rng, deadline, sample=sample)
            found.append(places)
            if heights.max(initial=0.0) <= eps:
                best = keep
                break
            sample = sample.joined(Sample.of(problem, places))
            keep = _anneal(problem, sample, keep, eps * _SHORT, rng, deadline)
    return best, np.concatenate(found)


def _anneal(
    problem: Problem,
    sample: Sample,
    start: BoolArray,
    goal: float,
    rng: np.random.Generator,
    deadline: Deadline,
) -> BoolArray:
    """One cooling: the mask of fewest units within the goal on the sample, `start` if none has
    fewer."""
    phi, f, cap = sample.for_moves(problem)
    state, best = start.copy(), start.copy()
    hot = goal * float(rng.uniform(*_HOT))
    step = max(200, _SLICE_WORK // max(1, sample.size))
    done, fewest = 0, float(start.sum())
    moves = max(_MOVES, 300 * problem.width)
    while done < moves and not deadline.expired:
        count = min(step, moves - done)
        begin = hot * _COOLING ** (done / moves)
        end = hot * _COOLING ** ((done + count) / moves)
        price = _PRICE * goal
        fewest = cool(phi, f, cap, state, best, fewest, goal, price, begin, end, count, rng)
        done += count
    return best
