"""d = 2, linear readout: no subset can cancel the target's kink (proofs near that kink).

On the line x(t) = e + t w*/||w*||, e orthogonal to w*, the even part of the residual,
E(t) = (r(x(t)) + r(-x(t))) / 2, is piecewise linear: slope jump -||w*|| at t = 0 and
a_i |<w_i, w*>| / ||w*|| at the breakpoint t_i of each kept unit. A subset of error <= eps keeps
|E(t)| <= eps sqrt(1 + t^2) for all t. Walking from t = 0 to both sides through the nearest
breakpoints, the pair (value, slope) must stay inside; a table over cells of such pairs, filled
backwards, contains every pair that can. When no pair at t = 0 is viable to both sides, no subset
of the units, near or far, has an error <= eps: the paper's broken bins, decided on the instance.
Proofs and the rounding budget: docs/neurons-circle.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from slth.limits import Deadline
from slth.network import FloatArray
from slth.pruning.neurons.plane.wedge_cells import PAD, ROUNDING, before_gap, before_jump, mark_band

# Breakpoints with |t| beyond this are outside every window: the band widens as sqrt(1 + t^2).
_REACH = 2.0
# Windows end this far before the next breakpoint, so that rounding cannot let it in.
_MARGIN = 2.0**-40
# The least half range of slopes in the table; it grows when the first gaps allow steeper slopes.
_LEAST_SLOPE = 8.0
_MOST_SLOPE = 64.0
# (breakpoints a side, slope cells per least range, 64-bit words of value cells), coarse to fine.
_LEVELS = ((12, 2048, 2), (24, 4096, 4), (48, 8192, 8), (48, 16384, 16))
# wedge_bound stops bisecting when a level's proven and open eps are this near.
_RATIOS = (1.02, 1.01, 1.005, 1.005)


@dataclass(frozen=True)
class _Wedge:
    """One side of the target's kink, scaled to a target of norm 1: the breakpoints of a window
    and one more, or all up to _REACH; ascending, with their jumps."""

    kinks: FloatArray
    jumps: FloatArray
    end: float = _REACH - _MARGIN

    def nearest(self, units: int) -> _Wedge | None:
        """The wedge of at most `units` breakpoints, which ends before the next one; None where
        rounding leaves no room."""
        count = min(units, len(self.kinks))
        end = self.end if count == len(self.kinks) else float(self.kinks[count]) - _MARGIN
        while count and self.kinks[count - 1] > end:
            count -= 1
            end = float(self.kinks[count]) - _MARGIN
        if end <= 0.0:
            return None
        return _Wedge(self.kinks[:count], self.jumps[:count], end)


def refute_on_wedges(
    hidden: FloatArray,
    output: FloatArray,
    target: FloatArray,
    eps: float,
    units: int = 48,
    deadline: Deadline | None = None,
) -> bool | None:
    """Try to prove that every subset of the units errs by more than eps from the target.

    Args:
        hidden: float64 [N, 2]. output: float64 [N]. target: float64 [2], w*, not zero.
        eps: the error on the unit circle, > 0.
        units: breakpoints used on each side of the target's kink, at most.
        deadline: checked between tables (each well under 0.5 s).

    Returns:
        True: proven, for g_S(x) = sum_{i in S} a_i relu(<w_i, x>) and every S,
        sup_{||x|| = 1} |g_S(x) - relu(<w*, x>)| > eps. False: these breakpoints do not exclude
        it. None: nothing decided (time, or weights whose rounding errors are not far below eps).
    """
    wedges = _wedges(hidden, output, target, units)
    if wedges is None:
        return None
    right, left, norm = wedges
    scaled = eps / norm * (1.0 + 2.0**-50)
    verdict: bool | None = None
    for count, rows, words in _LEVELS:
        if deadline is not None and deadline.expired:
            return verdict
        verdict = _refuted(right, left, scaled, min(count, units), rows, words)
        if verdict:
            return True
    return verdict


def wedge_bound(
    hidden: FloatArray,
    output: FloatArray,
    target: FloatArray,
    deadline: Deadline | None = None,
) -> float:
    """The largest eps proven by `refute_on_wedges`: every subset errs by more than the result.

    Starts from the closed-form bound of the two nearest breakpoints and bisects on growing
    windows and finer tables; 0.0 when nothing is proven. Arguments as in `refute_on_wedges`.
    O(N) plus about 0.3 s.
    """
    most = max(count for count, _, _ in _LEVELS)
    wedges = _wedges(hidden, output, target, most)
    if wedges is None:
        return 0.0
    right, left, norm = wedges
    proven = _witness(right, left)
    if proven <= 0.0:
        return 0.0
    for (count, rows, words), ratio in zip(_LEVELS, _RATIOS, strict=True):
        open_from = math.inf
        step = 1.5 if rows == _LEVELS[0][1] else ratio**2
        while open_from > proven * ratio:
            if deadline is not None and deadline.expired:
                return proven * norm * (1.0 - 2.0**-50)
            eps = proven * step if math.isinf(open_from) else math.sqrt(proven * open_from)
            if _refuted(right, left, eps, count, rows, words):
                proven = eps
            else:
                open_from = eps
    return proven * norm * (1.0 - 2.0**-50)


def _wedges(
    hidden: FloatArray, output: FloatArray, target: FloatArray, units: int
) -> tuple[_Wedge, _Wedge, float] | None:
    """The right and left wedge and ||w*||; None where the scales leave float64's safe range."""
    norm = math.hypot(target[0], target[1])
    size = np.max(np.abs(hidden), axis=1, initial=0.0)
    alive = (size > 0.0) & (output != 0.0)
    if not alive.all():
        hidden, output, size = hidden[alive], output[alive], size[alive]
    extremes = np.concatenate([size, np.abs(output), [norm]])
    if not (extremes.min() > 1e-100 and extremes.max() < 1e100):
        return None
    across = (hidden[:, 0] * target[1] - hidden[:, 1] * target[0]) / norm
    along = (hidden[:, 0] * target[0] + hidden[:, 1] * target[1]) / norm
    near = np.flatnonzero(np.abs(across) <= _REACH * np.abs(along))
    across, along = across[near], along[near]
    kinks = np.abs(across / along)
    jumps = output[near] * np.abs(along) / norm
    on_right = across * along <= 0.0
    sides = []
    for side in (on_right, ~on_right):
        place, jump = kinks[side], jumps[side]
        if len(place) > units + 1:
            nearest = np.argpartition(place, units)[: units + 1]
            place, jump = place[nearest], jump[nearest]
        order = np.argsort(place, kind="stable")
        sides.append(_Wedge(place[order], jump[order]))
    return sides[0], sides[1], norm


def _witness(right: _Wedge, left: _Wedge) -> float:
    """The bound of the two empty gaps next to the target's kink, for a target of norm 1.

    E is affine on [0, t] and on [-s, 0] with |E(0)| <= eps, |E(t)| <= eps sqrt(1 + t^2), and a
    slope jump of -1 at 0: eps >= 1 / ((1 + sqrt(1 + t^2)) / t + (1 + sqrt(1 + s^2)) / s).
    """
    total = 0.0
    for wedge in (right, left):
        empty = wedge.nearest(0)
        if empty is None:
            return 0.0
        total += (1.0 + math.sqrt(1.0 + empty.end**2)) / empty.end
    return (1.0 - 2.0**-40) / total


def _refuted(
    right: _Wedge, left: _Wedge, eps: float, units: int, rows: int, words: int
) -> bool | None:
    """Whether no (value, slope) at the target's kink is viable to both sides; target norm 1."""
    right_part, left_part = right.nearest(units), left.nearest(units)
    if right_part is None or left_part is None:
        return None
    # A slope at t = 0 beyond the table's range must leave the band before the first breakpoint.
    steepest = min(
        eps * (1.0 + math.sqrt(1.0 + first**2)) / first if first > 0.0 else math.inf
        for first in (
            float(part.kinks[0]) if len(part.kinks) else part.end
            for part in (right_part, left_part)
        )
    )
    slope = _LEAST_SLOPE
    while slope - 1.0 <= 1.01 * steepest:
        slope *= 2.0
        rows *= 2
        if slope > _MOST_SLOPE:
            return None
    reach = max(right_part.end, left_part.end)
    top = eps * math.sqrt(1.0 + reach * reach) * (1.0 + 2.0**-6)
    mass = float(np.abs(right_part.jumps).sum() + np.abs(left_part.jumps).sum())
    budget = 2.0**-45 * (mass + slope + 1.0)
    if not budget <= ROUNDING * (2.0 * top / (64 * words)):
        return None
    tables = []
    for part in (right_part, left_part):
        places = np.append(part.kinks, part.end)
        bands = eps * np.sqrt(1.0 + places * places)
        tables.append(_viable(places, bands, part.jumps, eps, top, slope, rows, words))
    return not _meet(tables[0], tables[1], slope)


@njit(cache=True, nogil=True)
def _viable(places, bands, jumps, eps, top, slope, rows, words):
    """uint64 [rows, words]: bit b of row q is set unless no walk that starts at t = 0 with a
    value in cell b of [-top, top] and a slope in cell q of [-slope, slope) stays in the band at
    0, at every place, whichever jumps are taken.

    places, bands: [m + 1], the breakpoints and the end. jumps: [m].
    """
    full = ~np.uint64(0)
    ahead = np.zeros((rows, words), np.uint64)
    after = np.zeros((rows, words), np.uint64)
    here = np.zeros((rows, words), np.uint64)
    inside = np.zeros(words, np.uint64)
    last = len(jumps)
    mark_band(inside, bands[last], top)
    for q in range(rows):
        ahead[q] = inside
    for k in range(last - 1, -2, -1):
        place = places[k] if k >= 0 else 0.0
        band = bands[k] if k >= 0 else eps
        mark_band(inside, band, top)
        gap = places[k + 1] - place
        before_gap(ahead, after, gap, top, slope)
        # Slopes beyond the table count as viable unless this very gap is too long for them.
        beyond = full if slope * gap <= (band + bands[k + 1]) * (1.0 + PAD) else np.uint64(0)
        before_jump(after, here, inside, jumps[k] if k >= 0 else 0.0, beyond, slope)
        ahead, here = here, ahead
    return ahead


@njit(cache=True, nogil=True)
def _meet(right, left, slope):
    """Whether some value cell is viable to the right with slope p and to the left with -1 - p."""
    rows, words = right.shape
    width = 2.0 * slope / rows
    for q in range(rows):
        mirror = (2.0 * slope - 1.0) / width - q - 1
        for i in range(math.floor(mirror - PAD), math.floor(mirror + 1.0 + PAD) + 1):
            for w in range(words):
                other = left[i, w] if 0 <= i < rows else ~np.uint64(0)
                if right[q, w] & other:
                    return True
    return False
