"""Upper bounds by iterated greedy: drop a few units, then flip whichever helps most, any of them.

Where annealing moves among hundreds of units, this looks at thousands for each flip: most are
ruled out at the points where the residual is largest. The sample grows by the worst points of each
result, as in `local.py`. Untrusted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.cluster import restricted, useful_units, widened
from slth.pruning.neurons.local import Candidate, start_at
from slth.pruning.neurons.problem import Problem, random_sphere
from slth.pruning.neurons.sphere import Sample, peaks
from slth.threads import crew, usable_threads

# Units that take part, and points of the sample at first and at most: 3000 by 4000 doubles are
# 96 MB, and a scan of all units a tenth of a second.
_WIDEST, _POINTS, _MOST_POINTS = 3000, 2000, 4000
# Unit scans in one round, a tenth of a second or two, and cycles of drops and flips.
_ROUND_SCANS, _MOST_CYCLES = 60_000, 60
# Rounds without a gain of 1 % after which the search ends.
_PATIENCE = 60
# Units dropped at most; flips in a row without a gain after which a mask is left; how much worse
# a mask to go on from may be, at most.
_DROPPED, _IDLE_FLIPS, _SLACK = 6, 3, 0.02
# Points of largest residual that are looked at before all others.
_PROBES = 24
# Climbs to the points where a result errs most.
_CLIMBS = 60


def renew(
    problem: Problem,
    start: BoolArray,
    rng: np.random.Generator,
    deadline: Deadline,
    *,
    goal: float = 0.0,
) -> Candidate:
    """Improve a mask among its own units and the most useful ones, until it seems to err less than
    `goal`, nothing helps, or the time is up.

    Args:
        start: bool [N].
    """
    useful = useful_units(problem, min(problem.width, _WIDEST))
    units = np.union1d(np.flatnonzero(start), useful)
    part = restricted(problem, units)
    best = Candidate(start[units], np.inf)
    sample = Sample.of(part, random_sphere(rng, _POINTS, problem.d))
    threads = usable_threads()
    count = max(1, min(_MOST_CYCLES, _ROUND_SCANS // units.size))
    keep, idle, last = best.keep, 0, np.inf
    with crew(threads) as run_all:
        while not deadline.expired:
            weights = keep.astype(np.float64)
            places, heights = peaks(
                part, weights, rng, deadline, sample=sample, starts=_CLIMBS, count=_CLIMBS
            )
            error = float(heights.max(initial=0.0))
            if error < best.error:
                best = Candidate(keep, error)
            idle = idle + 1 if best.error > 0.99 * last else 0
            last = last if idle else best.error
            if idle == _PATIENCE or best.error <= goal:
                break
            sample = _joined(part, sample, Sample.of(part, places), best.keep)
            phi, f, cap = sample.for_moves(problem)

            def cycle(own: np.random.Generator, phi=phi, f=f, cap=cap, keep=best.keep):
                return _cycles(phi, f, cap, keep.copy(), count, own)

            found = run_all(cycle, rng.spawn(threads))
            keep = min(found, key=lambda result: result[0])[1]
    return Candidate(widened(problem, units, best.keep), best.error)


def _joined(problem: Problem, sample: Sample, fresh: Sample, keep: BoolArray) -> Sample:
    """Both samples; beyond `_MOST_POINTS` the half of the points where the mask errs most."""
    both = sample.joined(fresh)
    if both.size <= _MOST_POINTS:
        return both
    residual = np.abs(both.residual(problem, keep.astype(np.float64)))
    worst = np.sort(np.argsort(-residual)[: _MOST_POINTS // 2])
    return Sample(both.points[worst], both.phi[worst], both.f[worst])


@njit(cache=True, nogil=True)
def _best_flip(phi, residual, cap, sign, fixed, probes):
    """The unit not fixed whose flip leaves the least error, and that error."""
    width, size = phi.shape
    least, chosen = np.float32(np.inf), -1
    for i in range(width):
        if fixed[i]:
            continue
        s, row = sign[i], phi[i]
        worst = np.float32(0.0)
        for p in probes:
            r = residual[p] + s * row[p]
            worst = max(worst, max(r, min(-r, cap[p])))
            if worst >= least:
                break
        if worst >= least:
            continue
        for start in range(0, size, 128):
            block = np.float32(0.0)
            for p in range(start, min(start + 128, size)):
                r = residual[p] + s * row[p]
                block = max(block, max(r, min(-r, cap[p])))
            worst = max(worst, block)
            if worst >= least:
                break
        if worst < least:
            least, chosen = worst, i
    return chosen, least


@njit(cache=True, nogil=True)
def _cycles(phi, f, cap, state, count, rng):
    """`count` times drop up to `_DROPPED` kept units and flip the best ones of the others; the
    least error met on the sample, and its mask."""
    width = phi.shape[0]
    residual, current = start_at(phi, f, cap, state)
    least, best = np.float32(np.inf), state.copy()
    sign = np.empty(width, np.float32)
    for _ in range(count):
        trial, left = state.copy(), residual.copy()
        fixed = np.zeros(width, np.bool_)
        kept = np.flatnonzero(trial)
        drops = 1 + int(rng.random() * min(_DROPPED, kept.shape[0]))
        for _ in range(min(drops, kept.shape[0])):
            i = kept[int(rng.random() * kept.shape[0])]
            if trial[i]:
                trial[i] = False
                fixed[i] = True
                left -= phi[i]
        for i in range(width):
            sign[i] = -1.0 if trial[i] else 1.0
        idle, error = 0, np.float32(np.inf)
        mask, after = trial.copy(), left.copy()
        while idle < _IDLE_FLIPS:
            seen = np.maximum(left, np.minimum(-left, cap))
            i, reached = _best_flip(phi, left, cap, sign, fixed, np.argsort(-seen)[:_PROBES])
            if i < 0:
                break
            left += sign[i] * phi[i]
            trial[i] = not trial[i]
            fixed[i] = True
            idle += 1
            if reached < error:
                error, idle = reached, 0
                copy_vector(mask, trial)
                copy_vector(after, left)
        if error < current * (1.0 + _SLACK * rng.random() ** 3):
            copy_vector(state, mask)
            copy_vector(residual, after)
            current = error
            if error < least:
                least = error
                copy_vector(best, state)
    return least, best
