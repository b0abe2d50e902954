"""d = 2, linear readout: proofs that no subset at all comes within eps, by walking every path.

Every subset of error <= eps has a residual whose even part starts at the target's kink with some
(value, slope) and walks both halves of the circle inside the band. The starts are cut into cells;
the walk from a cell's centre stays in the band widened by the cell's size. All surviving pairs of
right and left paths that close up, with the odd parts that the target needs, are evaluated: if
each errs by more than eps, so does every subset. For widths up to about 60 this decides.
"""

from __future__ import annotations

import math

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.neurons.circle_frame import CHART, MOST_UNITS, Frame, Half, frame_of
from slth.neurons.circle_walk import explore, new_room, viable_states
from slth.neurons.wedge_cells import ROUNDING

# Half sizes of a cell of starts (value, slope) and of a slice of end slopes, in units of eps.
_VALUE, _RISE, _SLICE = 0.2, 0.3, 2.0
_LEAST_SLOPE, _MOST_SLOPE = 4.0, 4096.0
_LEAST_ROWS, _MOST_ROWS, _WORDS = 2048, 32768, 1
_PATHS = 2**17
_NODES, _WORK = 20_000_000, 4_000_000


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
        too near to tell. None: nothing decided (time, memory, more than 128 units on a side, or
        weights whose rounding errors are not far below eps).
    """
    frame = frame_of(hidden, output, target)
    if frame is None:
        return None
    eps = eps / frame.norm * (1.0 + 2.0**-50)
    complete, _, keep = walk_all(frame, eps, deadline or Deadline(), first=True)
    if keep is not None:
        return False
    return True if complete else None


def walk_all(
    frame: Frame, eps: float, deadline: Deadline, *, first: bool
) -> tuple[bool, float, BoolArray | None]:
    """Walk every path of the subsets that may come within eps; errors divided by ||w*||.

    first: stop at the first such subset, else go on to the best.

    Returns:
        (complete, error, keep): whether every subset of error <= eps was evaluated; the least
        error found and its units bool [M], (inf, None) when none is <= eps. Complete and none:
        no subset has an error <= eps, over the reals. Complete, not `first`, and some: the
        optimum.
    """
    none = (False, math.inf, None)
    split = frame.split()
    if max(split, frame.width - split) > MOST_UNITS:
        return none
    halves = frame.halves(split)
    if not all((half.kind == CHART).any() for half in halves):
        return none
    budget = 2.0**-42 * (frame.mass + _MOST_SLOPE + 1.0)
    value, rise = _VALUE * eps, _RISE * eps
    bands = tuple(
        eps * half.band + value * np.abs(half.by_value) + rise * half.by_slope + budget
        for half in halves
    )
    top = max(band.max() for band in bands) * (1.0 + 2.0**-6)
    if not budget <= ROUNDING * (top / (32 * _WORDS)):
        return none
    low, high, last = _slope_range(halves, bands)
    if low > high:
        return True, math.inf, None
    slope, rows = _LEAST_SLOPE, _LEAST_ROWS
    while slope <= 1.01 * max(-low, high + 1.0, last):
        slope *= 2.0
        if slope > _MOST_SLOPE:
            return none
    while rows * eps < 2.0 * slope and rows < _MOST_ROWS:
        rows *= 2
    starts = _grid(eps, value, low, high, rise)
    slices = math.ceil(last / (_SLICE * eps))
    tolerance = 1.001 * last / slices
    room = new_room(_PATHS)
    closing = (value + budget, rise + budget, math.inf, 2.0 * eps + budget, 0.0)
    threshold = eps * (1.0 + 2.0**-40) + budget
    tolerances = (tolerance + budget, tolerance + 2.0 * value + budget)
    keep = np.zeros(frame.width, dtype=bool)
    error, found, swapped = threshold, False, False
    for aim in np.linspace(-last, last, 2 * slices + 1)[1::2]:
        tables = tuple(
            viable_states(half, band, top, slope, sign * aim, wide, rows, _WORDS)
            for half, band, sign, wide in zip(halves, bands, (1.0, -1.0), tolerances, strict=True)
        )
        begin = 0
        while begin < len(starts):
            if deadline.expired:
                return False, error if found else math.inf, keep if found else None
            turn = slice(None, None, -1) if swapped else slice(None)
            batch = starts * [1.0, -1.0] - [0.0, 1.0] if swapped else starts
            begin, error, _, half_way, both_ways, _, whole = explore(
                halves[turn],
                bands[turn],
                tables[turn],
                (top, slope),
                (-aim if swapped else aim, *tolerances[turn]),
                batch,
                begin,
                (_NODES, _WORK),
                (frame.place, frame.jump, frame.odd),
                (*closing, error),
                np.zeros((2, MOST_UNITS + 2), np.int64),
                room,
                keep,
            )
            found = error < threshold
            if not whole or (found and first):
                return False, error if found else math.inf, keep if found else None
            swapped ^= 2 * both_ways < half_way
    return True, error if found else math.inf, keep if found else None


def circle_bound(
    hidden: FloatArray,
    output: FloatArray,
    target: FloatArray,
    lower: float,
    upper: float,
    deadline: Deadline | None = None,
) -> float:
    """Raise a proven bound `lower` on every subset's error towards the error `upper` of one.

    Tries sqrt(lower upper), 0.95 upper and (1 - 1e-6) upper in turn, while `refute_on_circle`
    proves them; returns the largest proven. Arguments as there.
    """
    for eps in (math.sqrt(lower * upper), 0.95 * upper, (1.0 - 1e-6) * upper):
        if eps > lower:
            if not refute_on_circle(hidden, output, target, eps, deadline):
                break
            lower = eps
    return lower


def _slope_range(halves: tuple[Half, Half], bands: tuple) -> tuple[float, float, float]:
    """Least and greatest slope just right of the target's kink, and the greatest |slope| at the
    right end, of walks that stay in the bands over the first gaps and over the last."""
    first = [
        (band[0] + band[1]) / max(half.gap[0], 1e-300)
        for half, band in zip(halves, bands, strict=True)
    ]
    last = (bands[0][-2] + bands[0][-1]) / max(halves[0].gap[-1], 1e-300)
    low = max(-first[0], -1.0 - first[1])
    high = min(first[0], -1.0 + first[1])
    return low, high, last


def _grid(eps: float, value: float, low: float, high: float, rise: float) -> FloatArray:
    """float64 [S, 2]: centres of cells of half sizes (value, rise) that cover [-eps, eps] x
    [low, high], with some overlap."""
    across = max(1, math.ceil(1.001 * eps / value))
    along = max(1, math.ceil(1.001 * (high - low) / (2.0 * rise)))
    values = (2.0 * np.arange(across) + 1.0 - across) * value
    slopes = 0.5 * (low + high) + (2.0 * np.arange(along) + 1.0 - along) * rise
    pairs = np.meshgrid(values, slopes)
    return np.stack(pairs, axis=-1).reshape(-1, 2).astype(np.float64)
