"""Upper bounds by local search: annealing over flips and swaps on a growing sample of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.neurons.problem import Problem, random_sphere
from slth.pruning.neurons.sphere import Sample, peaks
from slth.threads import crew, usable_threads

# Moves in one compiled slice: well under half a second at the sample sizes below.
_SLICE_WORK = 60_000_000
# Entries of the sample's matrix: 12 million single-precision numbers are 48 MB.
_SAMPLE_ENTRIES = 12_000_000
_COOLING = 0.15  # last over first temperature of a run


@dataclass(frozen=True)
class Candidate:
    """A mask and what its error seems to be (largest residual seen, not rigorous)."""

    keep: BoolArray
    error: float


def anneal(
    problem: Problem,
    rng: np.random.Generator,
    deadline: Deadline,
    *,
    start: BoolArray | None = None,
    moves: int = 100_000,
    runs: int = 8,
    goal: float = 0.0,
) -> tuple[Candidate, FloatArray]:
    """Anneal max_p |residual(x_p)| over masks, adding the worst points found after each run.

    Args:
        start: mask to improve; None is the empty one.
        moves: proposals in a run.
        runs: restarts of every thread, in turn from the best mask so far and from the empty one.
        goal: stop once a mask seems to err less than this.

    Returns:
        The best candidate, its error measured by climbing from many starts; and the points
        float64 [P, d] found on the way, which bind good masks and so serve provers too.
    """
    empty = np.zeros(problem.width, np.bool_)
    keep = empty if start is None else start
    sample = Sample.of(problem, random_sphere(rng, _sample_size(problem), problem.d))
    points, error = _measured(problem, keep, sample, rng, deadline)
    best = Candidate(keep.copy(), error)
    sample = sample.joined(Sample.of(problem, points))
    found = [points]
    threads = usable_threads()
    with crew(threads) as run_all:
        for first in range(0, runs * threads, threads):
            if deadline.expired or best.error <= goal:
                break
            cooling = _Cooling.over(problem, sample, moves, deadline)
            starts = []
            for run in range(first, first + threads):
                # Useful heat is a fraction of the error aimed at; which fraction differs by
                # instance.
                hot = best.error * float(rng.uniform(0.06, 0.3)) * (0.3 if run == 0 else 1.0)
                starts.append((best.keep if run % 2 == 0 else empty, hot, rng.spawn(1)[0]))
            fresh = []
            for keep, error in run_all(cooling.cooled, starts):
                if error >= best.error:
                    continue
                points, error = _measured(problem, keep, sample, rng, deadline)
                if error < best.error:
                    best = Candidate(keep, error)
                fresh.append(points)
            if fresh:
                sample = sample.joined(Sample.of(problem, np.concatenate(fresh)))
                found.extend(fresh)
    return best, np.concatenate(found)


def _measured(
    problem: Problem,
    keep: BoolArray,
    sample: Sample,
    rng: np.random.Generator,
    deadline: Deadline,
) -> tuple[FloatArray, float]:
    points, values = peaks(problem, keep.astype(np.float64), rng, deadline, sample=sample)
    return points, float(values.max(initial=0.0))


def _sample_size(problem: Problem) -> int:
    most = max(64, _SAMPLE_ENTRIES // max(1, problem.width))
    return min(4000, max(2000, 2 * problem.width), most)


def measure(
    problem: Problem, keep: BoolArray, rng: np.random.Generator, deadline: Deadline
) -> Candidate:
    """The mask with the error it seems to have: the largest residual climbed to."""
    _, values = peaks(problem, keep.astype(np.float64), rng, deadline)
    return Candidate(keep.copy(), float(values.max(initial=0.0)))


@dataclass(frozen=True, eq=False)
class _Cooling:
    """Runs of annealing on one sample.

    phi, f, cap: as `Sample.for_moves` has them; step: moves in one compiled slice.
    """

    phi: np.ndarray
    f: np.ndarray
    cap: np.ndarray
    moves: int
    step: int
    deadline: Deadline

    @classmethod
    def over(cls, problem: Problem, sample: Sample, moves: int, deadline: Deadline) -> _Cooling:
        """Runs of `moves` proposals on a sample."""
        step = max(200, _SLICE_WORK // max(1, sample.size))
        return cls(*sample.for_moves(problem), moves, step, deadline)

    def cooled(
        self, start: tuple[BoolArray, float, np.random.Generator]
    ) -> tuple[BoolArray, float]:
        """One run from a mask, its first temperature and its randomness: the best mask on the
        sample and its error there."""
        keep, hot, rng = start
        state = keep.copy()
        best = keep.copy()
        done, error = 0, np.inf
        while done < self.moves and not self.deadline.expired:
            count = min(self.step, self.moves - done)
            begin = hot * _COOLING ** (done / self.moves)
            end = hot * _COOLING ** ((done + count) / self.moves)
            error = cool(
                *(self.phi, self.f, self.cap, state, best, error),
                *(0.0, 0.0, begin, end, count, rng),
            )
            done += count
        return best, error


@njit(cache=True, nogil=True, fastmath=True)
def worst_after(residual, cap, sign_i, phi_i, sign_j, phi_j, limit, probe):
    """Largest error after adding sign_i phi_i + sign_j phi_j; stops early above `limit`.

    Returns the error (or anything above `limit`) and the point that decided.
    """
    worst = np.float32(0.0)
    size = residual.shape[0]
    r = residual[probe] + sign_i * phi_i[probe] + sign_j * phi_j[probe]
    r = max(r, min(-r, cap[probe]))
    if r > limit:
        return r, probe
    for start in range(0, size, 128):
        stop = min(start + 128, size)
        block = np.float32(0.0)
        for p in range(start, stop):
            r = residual[p] + sign_i * phi_i[p] + sign_j * phi_j[p]
            block = max(block, max(r, min(-r, cap[p])))
        if block > limit:
            for p in range(start, stop):
                r = residual[p] + sign_i * phi_i[p] + sign_j * phi_j[p]
                if max(r, min(-r, cap[p])) > limit:
                    return block, p
        worst = max(worst, block)
    return worst, probe


@njit(cache=True, nogil=True)
def start_at(phi, f, cap, state):
    """The residual of a mask at every point, and its largest error."""
    width, size = phi.shape
    residual = -f.copy()
    for i in range(width):
        if state[i]:
            for p in range(size):
                residual[p] += phi[i, p]
    worst = np.float32(0.0)
    for p in range(size):
        worst = max(worst, max(residual[p], min(-residual[p], cap[p])))
    return residual, worst


@njit(cache=True, nogil=True)
def propose(state, rng):
    """Units to flip: (i, i) one, (i, j) one kept and one not, (i, -1) no partner was met."""
    width = state.shape[0]
    i = int(rng.random() * width)
    if rng.random() >= 0.6:
        return i, i
    for _ in range(20):
        j = int(rng.random() * width)
        if state[j] != state[i]:
            return i, j
    return i, -1


@njit(cache=True, nogil=True)
def cool(phi, f, cap, state, best, record, goal, price, hot, cold, count, rng):
    """`count` proposals of a flip or a swap; `state` and `best` are updated in place.

    The energy of a mask is max(error on the sample, goal) + price * units. Without a price `best`
    is the mask of least error and `record` that error; with one, the mask of fewest units within
    the goal, and their number. Returns the record.
    """
    width, size = phi.shape
    residual, current = start_at(phi, f, cap, state)
    units = np.sum(state)
    counting = price > 0.0
    if (current <= goal and units < record) if counting else current < record:
        record = float(units) if counting else float(current)
        copy_vector(best, state)
    probes = np.zeros(width, np.int64)
    cooling = np.log(cold / hot) / count
    for move in range(count):
        heat = hot * np.exp(cooling * move)
        i, j = propose(state, rng)
        if j < 0:
            continue
        sign_i = np.float32(-1.0) if state[i] else np.float32(1.0)
        sign_j = np.float32(0.0) if j == i else -sign_i
        more = int(sign_i + sign_j)
        # The energy may rise by an exponential step; a dearer count leaves less for the error.
        limit = np.float32(max(current, goal) - heat * np.log(rng.random()) - price * more)
        if limit < goal:
            continue
        if j != i:
            p = probes[j]
            r = residual[p] + sign_i * phi[i, p] + sign_j * phi[j, p]
            if max(r, min(-r, cap[p])) > limit:
                continue
        error, probe = worst_after(residual, cap, sign_i, phi[i], sign_j, phi[j], limit, probes[i])
        if error > limit:
            probes[i] = probe
            continue
        for p in range(size):
            residual[p] += sign_i * phi[i, p] + sign_j * phi[j, p]
        state[i] = not state[i]
        if j != i:
            state[j] = not state[j]
        current = error
        units += more
        if (current <= goal and units < record) if counting else current < record:
            record = float(units) if counting else float(current)
            copy_vector(best, state)
    return record
