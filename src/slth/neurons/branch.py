"""Exact branch-and-bound over all masks: proves that none errs by less than a cutoff.

Linear relaxations over sphere points, warm-started down a depth-first tree (`tree.py`). A mask
that satisfies all known points is measured by climbing; either it is a better ticket and the
cutoff drops below it, or the points where it errs join the pool. A finished tree proves a lower
bound for every mask; an unfinished one proves what its open nodes share.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slth.limits import Deadline
from slth.network import FloatArray
from slth.neurons.local import Candidate
from slth.neurons.pool import PointPool
from slth.neurons.problem import Problem, random_sphere, rounding
from slth.neurons.recording import Recording
from slth.neurons.simplex import start
from slth.neurons.sphere import peaks
from slth.neurons.tree import (
    CANDIDATE,
    CUTOFF,
    DEPTH,
    DONE,
    FRESH,
    GIVE_UP,
    NODES,
    OPEN,
    PIVOTS,
    SLIP,
    TILTED,
    Tree,
    advance,
    close,
    empty_tree,
    level,
)
from slth.neurons.tree_log import Log, empty_log
from slth.proof import OPTIMAL_WITHIN, RefutationProof

_TREE_BYTES = 300_000_000
_POOL_ROOM = 4000
# Table entries rewritten in one compiled slice, a few tenths of a second.
_SLICE_ENTRIES = 400_000_000
# The cutoff is set this far below a ticket's error: what is proven optimal is so to this factor.
BELOW = 0.5 * OPTIMAL_WITHIN


@dataclass(frozen=True)
class Outcome:
    """bound: proven for every mask; finished: the tree is closed (bound is then the cutoff,
    unless a leaf stayed open); nodes, pivots: the work done; proof: of the bound, if written."""

    bound: float
    finished: bool
    nodes: int
    pivots: int
    proof: RefutationProof | None


@dataclass(frozen=True)
class Verdict:
    """What the certifier says of a candidate: a lower bound on its error and the point of the
    ball that attains it (None: no better one known); whether the search is to stop."""

    error: float
    witness: FloatArray | None
    stop: bool


def search_tree(
    problem: Problem,
    cutoff: float,
    points: FloatArray,
    first: FloatArray,
    rng: np.random.Generator,
    deadline: Deadline,
    judge: Callable[[Candidate], Verdict],
    recording: Recording | None = None,
    units: np.ndarray | None = None,
) -> Outcome:
    """Prove that every mask errs by at least `cutoff`, or find those that err less.

    Args:
        cutoff: > 0; drops to just below the error of every better mask found.
        points: float64 [P, d] in the ball, the pool to separate from.
        first: float64 [Q, d], points whose rows start the root.
        rng: of the climbs that judge candidates.
        judge: called with every mask that seems to err less than the cutoff.
        recording: writes the tree down; the search ends when it is full.
        units: int64 [N], the names of the problem's units there.
    """
    width = problem.width
    log = empty_log(width)
    units = np.arange(width) if units is None else units
    pool = PointPool(problem, first.shape[0] + points.shape[0] + _POOL_ROOM, cutoff)
    numbers = np.concatenate([pool.always, pool.add(first)])
    pool.add(points)
    capacity = 3 * width // 2 + 40
    depth = max(2, min(width + 2, _TREE_BYTES // (8 * capacity * (width + 1))))
    tree = empty_tree(width, capacity, depth)
    # Sums of at most N + 1 rows, of N gains, and one feature or target value each, all relative
    # to the masses; the factor 4 covers numerator, denominator and the quotient.
    mass = math.fsum(problem.unit_norms) + problem.target_mass + pool.crowd_mass
    slip = rounding(4 * (width + 16) + problem.d + problem.target.width) * mass
    tree.levels[CUTOFF] = cutoff
    tree.levels[SLIP] = slip
    tree.levels[OPEN] = math.inf
    tree.levels[TILTED] = pool.tilted + 2.0 * slip
    tree.counts[FRESH] = 1
    if numbers.size == 0:
        numbers = pool.add(random_sphere(rng, 2, problem.d))
    start(level(tree, 0), pool.arrays, numbers[: capacity // 2])
    z = np.zeros(width)
    budget = max(20, _SLICE_ENTRIES // (capacity * (width + 1)))
    last: bytes | None = None
    finished = False
    while not deadline.expired and not (recording and recording.full):
        code = advance(tree, pool.arrays, z, log, budget)
        _empty(log, recording, units)
        if code == DONE:
            finished = True
            break
        if code == CANDIDATE:
            keep = z > 0.5
            places, heights = peaks(problem, keep.astype(np.float64), rng, deadline)
            error = float(heights.max(initial=0.0))
            if error < float(tree.levels[CUTOFF]):
                verdict = judge(Candidate(keep, error))
                if verdict.stop:
                    break
                error = max(error, verdict.error)
                if verdict.witness is not None:
                    pool.add(verdict.witness[None])
                lowered = min(float(tree.levels[CUTOFF]), error * (1.0 - BELOW))
                tree.levels[CUTOFF] = lowered
                pool.lower_cutoff(lowered)
            pool.add(places[:12])
            # The same mask again: its points are known and do not settle it.
            tree.counts[GIVE_UP] = int(keep.tobytes() == last)
            last = keep.tobytes()
    bound = min(float(tree.levels[CUTOFF]), float(tree.levels[OPEN]))
    if not finished:
        # Open nodes: the siblings still to come on the path, and the node being worked on.
        path = tree.bound[: max(1, int(tree.counts[DEPTH]) + 1)]
        bound = min(bound, float(path.min()))
        _close_path(tree, log)
        _empty(log, recording, units)
    bound = max(0.0, bound)
    proof = recording.proof(pool.points) if recording and bound > 0.0 else None
    return Outcome(bound, finished, int(tree.counts[NODES]), int(tree.counts[PIVOTS]), proof)


def _empty(log: Log, recording: Recording | None, units: np.ndarray) -> None:
    if recording is not None:
        recording.read(log, units)
    log.used[:] = 0


def _close_path(tree: Tree, log: Log) -> None:
    """Log the open nodes as leaves, each with the bound of its parent or its own."""
    deepest = int(tree.counts[DEPTH])
    for depth in range(deepest, -1, -1):
        if depth == deepest or tree.stage[depth] < 2:
            close(tree, depth, log)
