"""Upper bounds by iterated greedy: drop a few units, then flip whichever helps most, any of them.

Where annealing moves among hundreds of units, this looks at thousands for each flip: most are
ruled out at the points where the residual is largest. The sample grows by the worst points of each
result, as in `local.py`. Untrusted.
"""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.cluster import restricted, useful_units, widened
from slth.pruning.neurons.flips import cycles
from slth.pruning.neurons.local import Candidate
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
            rows = np.ascontiguousarray(phi.T)

            def cycle(own: np.random.Generator, phi=phi, rows=rows, f=f, cap=cap, keep=best.keep):
                return cycles(phi, rows, f, cap, keep.copy(), keep.size, count, own)

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
