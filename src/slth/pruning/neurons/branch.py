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
from slth.proof import OPTIMAL_WITHIN, RefutationProof
from slth.pruning.neurons.grove import Branch, Closing, grow, hand_out
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.pool import PointPool
from slth.pruning.neurons.problem import Problem, random_sphere, rounding
from slth.pruning.neurons.recording import Recording
from slth.pruning.neurons.sphere import peaks
from slth.pruning.neurons.tree import CANDIDATE
from slth.threads import crew, usable_threads

# Points that a search may add to its pool; later ones are dropped, which costs time, not proofs.
_POOL_ROOM = 4000
_WORST = 12
# The cutoff is set this far below a ticket's error: what is proven optimal is so to this factor.
BELOW = 0.5 * OPTIMAL_WITHIN


@dataclass(frozen=True)
class TreeResult:
    """bound: proven for every mask; finished: the tree is closed (bound is then the cutoff,
    unless a leaf stayed open); nodes, pivots: the work done; proof: of the bound, if written."""

    bound: float
    finished: bool
    nodes: int
    pivots: int
    proof: RefutationProof | None


@dataclass(frozen=True)
class Judgement:
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
    judge: Callable[[Candidate], Judgement],
    recording: Recording | None = None,
    units: np.ndarray | None = None,
) -> TreeResult:
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
    units = np.arange(width) if units is None else units
    pool = PointPool(problem, first.shape[0] + points.shape[0] + _POOL_ROOM, cutoff)
    numbers = np.concatenate([pool.always, pool.add(first)])
    pool.add(points)
    if numbers.size == 0:
        numbers = pool.add(random_sphere(rng, 2, problem.d))
    # Sums of at most N + 1 rows, of N gains, and one feature or target value each, all relative
    # to the masses; the factor 4 covers numerator, denominator and the quotient.
    mass = math.fsum(problem.unit_norms) + problem.target_mass + pool.crowd_mass
    slip = rounding(4 * (width + 16) + problem.d + problem.target.width) * mass
    # A written proof is one tree in preorder.
    threads = 1 if recording else usable_threads()
    branches = grow(threads, width, Closing(cutoff, slip, pool.tilted))
    branches[0].plant(pool.arrays, numbers)
    finished = stopped = False
    with crew(threads) as run:
        while not (stopped or deadline.expired or (recording and recording.full)):
            hand_out(branches)
            busy = [branch for branch in branches if not branch.idle]
            if not busy:
                finished = True
                break
            codes = run(lambda branch: branch.advance(pool.arrays), busy)
            for branch, code in zip(busy, codes, strict=True):
                branch.record(recording, units)
                if code == CANDIDATE and not stopped:
                    cutoff, stopped = _settled(branch, cutoff, problem, pool, rng, deadline, judge)
            for branch in branches:
                branch.lower_cutoff(cutoff)
    if not finished:
        branches[0].close_path()
        branches[0].record(recording, units)
    bound = max(0.0, min(branch.bound for branch in branches))
    proof = recording.proof(pool.points) if recording and bound > 0.0 else None
    nodes, pivots = sum(b.nodes for b in branches), sum(b.pivots for b in branches)
    return TreeResult(bound, finished, nodes, pivots, proof)


def _settled(
    branch: Branch,
    cutoff: float,
    problem: Problem,
    pool: PointPool,
    rng: np.random.Generator,
    deadline: Deadline,
    judge: Callable[[Candidate], Judgement],
) -> tuple[float, bool]:
    """Judge the mask that a branch has met, and add the points where it errs to the pool.

    Returns the cutoff, lowered if the mask errs less; whether the search is to stop.
    """
    keep = branch.mask
    places, heights = peaks(problem, keep.astype(np.float64), rng, deadline)
    error = float(heights.max(initial=0.0))
    if error < cutoff:
        judgement = judge(Candidate(keep, error))
        if judgement.stop:
            return cutoff, True
        error = max(error, judgement.error)
        if judgement.witness is not None:
            pool.add(judgement.witness[None])
        cutoff = min(cutoff, error * (1.0 - BELOW))
        pool.lower_cutoff(cutoff)
    # The points where the mask errs most; more would slow every node.
    pool.add(places[:_WORST])
    branch.judged()
    return cutoff, False
