"""d = 2, linear readout: what no subset at all can do, and the best one, by listing every path.

Every subset of error <= eps has a residual whose even part starts at the target's kink with some
(value, slope) and walks both halves of the circle inside the band. All choices of one half that
stay there from some start are listed, and those of the other half; all pairs that close up, with
the odd parts that the target needs, are evaluated: if each errs by more than eps, so does every
subset. For widths up to about 100 this finds the optimum; for some hundreds it gives bounds.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.neurons.plane.frame import CHART, Frame, Half, frame_of
from slth.pruning.neurons.plane.paths import (
    count_paths,
    join_paths,
    list_paths,
    new_climb,
    new_paths,
    new_store,
)

# Frames of steeper coordinates are left alone: the rounding budget grows with the slope.
_MOST_SLOPE = 4096.0
# Units of a half, at most: the rounding budget counts on it.
_MOST_UNITS = 512
# Paths of a half held in memory, at most, and of the other half in one batch.
_STORED, _BATCH = 2**20, 2**16
# Work of one call: well under half a second.
_NODES, _LOOK_UPS = 4_000_000, 2_000_000
# Paths led to estimate how many there are.
_CROWD = 1000
# A listing of more cost is cut into several slices.
_LARGE = 1e7
# Costs of listing a path's last node, of a look-up and of storing a path.
_NODE, _LOOK_UP, _STORE = 2.0, 25.0, 8.0
# The factors between successive eps while no subset is met, the least and greatest; and how much
# more each listing should cost than the one before.
_LEAST_STEP, _MOST_STEP, _GROWTH = 1.005, 1.25, 3.0
# Seconds for one unit of cost before any was measured, and the least cost to measure by.
_PACE, _LEAST_COST = 1e-8, 1e6


def refute_on_circle(
    hidden: FloatArray,
    output: FloatArray,
    target: FloatArray,
    eps: float,
    deadline: Deadline | None = None,
) -> bool | None:
    """Try to prove that every subset of the units errs by more than eps from the target.

    Args:
        hidden: float64 [N, 2]. output: float64 [N]. target: float64 [2], w*, not zero.
        eps: the error on the unit circle, > 0.
        deadline: checked between batches of well under 0.5 s.

    Returns:
        True: proven, for g_S(x) = sum_{i in S} a_i relu(<w_i, x>) and every S,
        sup_{||x|| = 1} |g_S(x) - relu(<w*, x>)| > eps. False: some subset comes within eps, or
        too near to tell. None: nothing decided (time, more than 512 units on a side, or weights
        whose rounding errors are not far below eps).
    """
    return decide_on_circle(hidden, output, target, eps, deadline)[0]


def decide_on_circle(
    hidden: FloatArray,
    output: FloatArray,
    target: FloatArray,
    eps: float,
    deadline: Deadline | None = None,
) -> tuple[bool | None, BoolArray | None, float]:
    """`refute_on_circle`, and where it is False, the subset met: bool [N], and its error as
    evaluated in floats; else (None, inf)."""
    frame = frame_of(hidden, output, target)
    if frame is None:
        return None, None, math.inf
    scaled = eps / frame.norm * (1.0 + 2.0**-50)
    listing = walk_all(frame, scaled, deadline or Deadline(), first=True)
    if listing.keep is not None:
        return False, frame.widened(listing.keep, len(output)), listing.error * frame.norm
    return True if listing.bound > 0.0 else None, None, math.inf


def circle_bound(
    hidden: FloatArray,
    output: FloatArray,
    target: FloatArray,
    lower: float,
    upper: float,
    deadline: Deadline | None = None,
) -> tuple[float, BoolArray | None, float]:
    """Raise a proven bound on every subset's error until it meets the best one's.

    Lists all paths for growing eps from `lower` on, up to just below `upper`, the error of a known
    subset, while time lasts. Arguments as in `refute_on_circle`.

    Returns:
        (bound, keep, error): the proven bound; bool [N], the best subset met of error < upper and
        its error as evaluated in floats, else (None, inf). A listing that was completed and met
        one has found the optimum: the bound is within rounding of its error.
    """
    frame = frame_of(hidden, output, target)
    if frame is None:
        return lower, None, math.inf
    deadline = deadline or Deadline()
    proven, below = lower / frame.norm, (1.0 - 1e-6) * upper / frame.norm
    best, step, pace, cost = math.inf, _MOST_STEP, _PACE, 0.0
    keep = None
    while proven < below and not deadline.expired:
        eps = min(max(step * proven, 2.0**-27 * (frame.mass + 2.0)), below)
        started = deadline.elapsed
        listing = walk_all(frame, eps, deadline, first=False, most=deadline.remaining / pace)
        if listing.keep is not None and listing.error < best:
            best = listing.error
            keep = frame.widened(listing.keep, len(output))
        if listing.bound == 0.0:
            # Out of time, too much work for the time left, or too much for memory.
            if keep is not None or step <= _LEAST_STEP:
                break
            step = max(math.sqrt(step), _LEAST_STEP)
            continue
        pace = max(pace, (deadline.elapsed - started) / max(listing.cost, _LEAST_COST))
        if listing.cost > _LEAST_COST and cost > 0.0:
            growth = math.log(max(listing.cost / cost, 1.1)) / math.log(_GROWTH)
            step = min(max(step ** (1.0 / growth), _LEAST_STEP), _MOST_STEP)
        cost = listing.cost
        if listing.bound > proven:
            proven = listing.bound
            lower = proven * frame.norm * (1.0 - 2.0**-50)
        if keep is not None:
            break
    return lower, keep, best * frame.norm


class _Plan(NamedTuple):
    """How to list: the units of the right half, whether its paths are the ones to store, into how
    many slices of slopes to cut, and what it may cost, in nodes."""

    split: int
    right_first: bool
    slices: int
    cost: float


class Listing(NamedTuple):
    """What listing all paths gave; errors divided by ||w*||.

    bound: no subset has a smaller error, over the reals; 0.0 when the listing was cut off.
    error, keep: the least error <= eps that was met, and its units, bool [M], else (inf, None).
    cost: of the whole listing, estimated in nodes.
    """

    bound: float
    error: float
    keep: BoolArray | None
    cost: float


def walk_all(
    frame: Frame, eps: float, deadline: Deadline, *, first: bool, most: float = math.inf
) -> Listing:
    """Evaluate every subset that may come within eps.

    first: stop at the first such subset, else go on to the best: a complete listing that meets
    one has found the optimum. most: begin nothing that is estimated to cost more.
    """
    none = Listing(0.0, math.inf, None, 0.0)
    split = frame.split()
    if max(split, frame.width - split) > _MOST_UNITS:
        return none
    low, high = _slope_range(frame.halves(split), eps)
    steepest = max(abs(low), abs(high))
    budget = 2.0**-38 * (frame.mass + min(steepest, _MOST_SLOPE) + 2.0)
    if not budget <= 2.0**-10 * eps:
        return none
    if low > high:
        return none._replace(bound=eps)
    plan = _plan(frame, eps, low, high, budget)
    halves = frame.halves(plan.split)
    if steepest > _MOST_SLOPE or not all((half.kind == CHART).any() for half in halves):
        return none
    threshold = eps * (1.0 + 2.0**-40) + budget
    best = _Best(threshold, np.zeros(frame.width, np.bool_))
    edges = np.linspace(low, high, plan.slices + 1).tolist()
    slices = list(itertools.pairwise(edges)) if plan.cost <= most else []
    complete = plan.cost <= most
    while slices and complete and not (first and best.error < threshold):
        start, stop = slices.pop()
        fits = _list_slice(frame, halves, plan.right_first, (start, stop), best, budget, deadline)
        if fits is False and stop - start > 0.01 * eps:
            middle = 0.5 * (start + stop)
            slices += [(start, middle), (middle, stop)]
        elif not fits:
            complete = False
    if best.error == threshold:
        return Listing(eps if complete else 0.0, math.inf, None, plan.cost)
    complete = complete and not slices
    return Listing(best.error - 2.0 * budget if complete else 0.0, best.error, best.keep, plan.cost)


@dataclass
class _Best:
    """The least error met so far, at first the threshold, and its units, bool [M]."""

    error: float
    keep: BoolArray


def _list_slice(
    frame: Frame,
    halves: tuple[Half, Half],
    right_first: bool,
    slopes: tuple[float, float],
    best: _Best,
    budget: float,
    deadline: Deadline,
) -> bool | None:
    """Evaluate all pairs that start with a slope in the slice; False when the paths of the first
    half do not fit in memory, None when out of time."""
    order = (0, 1) if right_first else (1, 0)
    first, second = (halves[side] for side in order)
    eps = best.error
    starts = [
        ((-eps - budget, slopes[0] - budget), (eps + budget, slopes[1] + budget)),
        ((-eps - budget, -1.0 - slopes[1] - budget), (eps + budget, -1.0 - slopes[0] + budget)),
    ]
    ends, kept = new_paths(first, _STORED)
    bands, climb = eps * first.band + budget, new_climb(first, *starts[order[0]])
    place = listed = 0
    while place >= 0:
        if deadline.expired:
            return None
        if listed == _STORED:
            return False
        place, more, _ = list_paths(
            first, bands, climb, place, ends[listed:], kept[listed:], _NODES
        )
        listed += more
    if listed == 0:
        return True
    store = new_store(ends[:listed], kept[:listed], 8.0 * eps)
    ends, kept = new_paths(second, _BATCH)
    bands, climb = eps * second.band + budget, new_climb(second, *starts[order[1]])
    units = (frame.place, frame.jump, frame.odd)
    place = 0
    while place >= 0:
        if deadline.expired:
            return None
        place, listed, _ = list_paths(second, bands, climb, place, ends, kept, _NODES)
        joined = 0
        while joined < listed:
            if deadline.expired:
                return None
            joined, best.error, _ = join_paths(
                second,
                ends[:listed],
                kept[:listed],
                joined,
                first,
                store,
                units,
                2.0 * best.error + budget,
                budget,
                best.error,
                best.keep,
                _LOOK_UPS,
            )
    return True


def _plan(frame: Frame, eps: float, low: float, high: float, budget: float) -> _Plan:
    """Where the halves should meet, by estimates of how many paths each would have."""
    cos, sin = frame.place[:, 0], frame.place[:, 1]
    # Both halves must end between 45 and 135 degrees.
    least, most = int(np.count_nonzero(cos >= sin)), int(np.count_nonzero(cos > -sin))
    if least >= most:
        return _Plan(frame.split(), True, 1, 0.0)
    splits = np.arange(least, most + 1)
    paths, rng = [], np.random.default_rng(0)
    for half, slopes in (
        (frame.halves(most)[0], (low, high)),
        (frame.halves(least)[1], (-1.0 - high, -1.0 - low)),
    ):
        start, stop = (-eps, slopes[0]), (eps, slopes[1])
        paths.append(count_paths(half, eps * half.band + budget, start, stop, _CROWD, rng))
    nodes = np.cumsum(paths[0])[splits] + np.cumsum(paths[1])[frame.width - splits]
    right, left = paths[0][splits], paths[1][frame.width - splits]
    fewer, more = np.minimum(right, left), np.maximum(right, left)
    costs = _NODE * nodes + _LOOK_UP * more + _STORE * fewer
    best = int(np.argmin(costs))
    # Later slices profit from the tickets of earlier ones.
    slices = math.ceil(min(2.0 * fewer[best] / _STORED, 1000.0)) + 3 * (costs[best] > _LARGE)
    return _Plan(int(splits[best]), bool(right[best] <= left[best]), slices, float(costs[best]))


def _slope_range(halves: tuple[Half, Half], eps: float) -> tuple[float, float]:
    """Least and greatest slope just right of the target's kink of walks that stay in the bands,
    widened by up to 2^-10 eps, over the first gaps."""
    first = [
        1.001 * eps * (half.band[0] + half.band[1]) / max(half.gap[0], 1e-300) for half in halves
    ]
    return max(-first[0], -1.0 - first[1]), min(first[0], -1.0 + first[1])
