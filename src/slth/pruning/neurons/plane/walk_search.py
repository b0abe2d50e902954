"""d = 2, linear readout: good tickets for a single-neuron target, by walks that close (untrusted).

Both halves of the circle are walked from one start (value, slope) of the residual's even part at
the target's kink; tables of viable states keep the depth-first searches out of dead ends. A right
and a left path make a ticket when they end on the same sinusoid and their odd parts sum up to the
target's. Wide networks use only units near the kink, so that both walks must end near zero: there
paths abound, and some thousands on each side hold a good pair.
"""

from __future__ import annotations

import math

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.neurons.plane.frame import MOST_UNITS, Frame, frame_of
from slth.pruning.neurons.plane.refute import walk_all
from slth.pruning.neurons.plane.walk import best_of_all, explore_walks, new_room, viable_states
from slth.pruning.neurons.plane.wedge import wedge_bound

_SLOPE, _ROWS = 4.0, 4096
# How far a pair may be from closing, in units of eps: value, level and odd part.
_DRIFT, _LEVEL, _MISS = 0.3, 0.8, 1.2
# Up to this width the walks of all units may end on any sinusoid, not only near zero.
_WHOLE = 80
# Up to this width all subsets are evaluated, in some milliseconds.
_FEW = 14
# Up to this width walking every path takes seconds, and leaves nothing to search.
_EVERY = 64
# Units a side of the windows tried.
_SIZES = (20, 28, 40, 56, 76, 100, MOST_UNITS)
# Pairs of an error below this many eps count as hits.
_FINE = 1.1
# Work is counted in nodes of the walks: some 50 million a second.
_WORK = 1_500_000
_EFFORT, _HITS = 5e6, 0.3
_STARTS = 256
# Paths kept of a half, at most: 48 bytes each.
_PATHS = 2**19


def search_circle(
    hidden: FloatArray,
    output: FloatArray,
    target: FloatArray,
    eps_goal: float,
    deadline: Deadline,
    seed: int,
    lower: float | None = None,
) -> tuple[BoolArray, float]:
    """Search a subset whose g_S is uniformly near the target on the unit circle.

    Args:
        hidden: float64 [N, 2]. output: float64 [N]. target: float64 [2], w*, not zero.
        eps_goal: stop at the first subset of error <= eps_goal; 0.0 for the best in the time.
        deadline: when to stop. seed: of the random starts.
        lower: a bound no subset beats (computed if None): where to look, and when to stop.

    Returns:
        keep, bool [N], and its error as evaluated in floats: certify before you quote it.
    """
    keep = np.zeros(len(output), dtype=bool)
    frame = frame_of(hidden, output, target)
    if frame is None or frame.width == 0:
        return keep, math.hypot(target[0], target[1])
    if frame.width <= _FEW:
        chosen = np.zeros(frame.width, dtype=bool)
        error = best_of_all(frame.place, frame.jump, frame.odd, chosen)
        keep[frame.index[chosen]] = True
        return keep, error * frame.norm
    hunt = _Hunt(frame, np.random.default_rng(seed), deadline)
    if eps_goal > 0.0:
        hunt.reach(eps_goal / frame.norm)
    else:
        if lower is None:
            lower = wedge_bound(hidden, output, target, deadline)
        hunt.improve(lower / frame.norm)
    keep[hunt.units] = True
    return keep, hunt.error * frame.norm


class _Hunt:
    """The state of one search: the best ticket so far and how each window has served."""

    def __init__(self, frame: Frame, rng: np.random.Generator, deadline: Deadline) -> None:
        self.frame, self.rng, self.deadline = frame, rng, deadline
        self.error, self.units = 1.0, np.zeros(0, int)
        most = min(MOST_UNITS, max(frame.middle, frame.width - frame.middle))
        # 0 stands for walks of all units that may end on any sinusoid.
        self.sizes = [size for size in _SIZES if size < most] + [most]
        self.whole = frame.width <= _WHOLE
        if self.whole:
            self.sizes = [self.sizes[-1], 0]
        # Hits and work of each window, with a weak opinion that all are alike.
        self.hits = np.full(len(self.sizes), _HITS)
        self.work = np.full(len(self.sizes), _EFFORT)
        self.walks: dict[tuple[float, int], _Walks] = {}
        self.room = new_room(_PATHS)

    def reach(self, goal: float) -> None:
        """Look for a ticket of error <= goal until the deadline."""
        tried = 0
        while self.error > goal and not self.deadline.expired:
            settle = self.frame.width <= _EVERY and tried == self.frame.width // 40
            if settle and self._every(goal, first=True):
                return
            # Wide bands hold more tickets, narrow ones a larger share of those paths.
            self._look((1.0, 0.92, 0.82, 0.7)[tried % 4] * goal, goal, _EFFORT)
            tried += 1

    def improve(self, lower: float) -> None:
        """Look for better and better tickets until the deadline or an error near `lower`.

        Widens the band until it holds a ticket, then tries bands narrower than the best ticket
        needs: a bold one first, a timid one last, with more effort each time that all fail.
        """
        eps = max(1.03 * lower, 1e-9)
        while self.units.size == 0 and eps < 0.7 and not self.deadline.expired:
            self._look(eps, _FINE * eps, 0.4 * _EFFORT)
            eps *= 1.5
        failures = 0
        while self.error > 1.005 * lower and not self.deadline.expired:
            if self.frame.width <= _EVERY and failures == self.frame.width // 20:
                before = self.error
                if self._every(0.8 * before, first=False) and (
                    self.error < before or self._every(before, first=False)
                ):
                    return
            for share in (0.78, 0.9, 0.96):
                before = self.error
                eps = max(share * before, 1.005 * lower)
                self._look(eps, min(_FINE * eps, 0.99 * before), _EFFORT * 1.5**failures)
                if self.error < 0.99 * before:
                    break
            else:
                failures += 1

    def _every(self, eps: float, *, first: bool) -> bool:
        """Walk every path in the band: whether that settled it."""
        listing = walk_all(self.frame, eps, self.deadline, first=first)
        if listing.keep is not None and listing.error < self.error:
            self.error, self.units = listing.error, self.frame.index[listing.keep]
        return listing.bound > 0.0

    def _look(self, eps: float, goal: float, effort: float) -> None:
        """Search in the band of half width eps until the goal is met or the effort is spent.

        Windows are drawn by Thompson sampling of their hits for the work.
        """
        while effort > 0.0 and self.error > goal and not self.deadline.expired:
            choice = int(np.argmax(self.rng.gamma(self.hits) / self.work))
            error, units, hits, work = self._walks(eps, choice).join(
                self.rng, self.room, self.error
            )
            if error < self.error:
                self.error, self.units = error, units
            self.hits[choice] += hits
            self.work[choice] += work
            effort -= work
        # What one band taught counts less in the next.
        self.hits = _HITS + 0.3 * (self.hits - _HITS)
        self.work = _EFFORT + 0.3 * (self.work - _EFFORT)

    def _walks(self, eps: float, choice: int) -> _Walks:
        if (eps, choice) not in self.walks:
            if len(self.walks) >= (3 if self.whole else 16):
                self.walks.pop(next(iter(self.walks)))
            size = self.sizes[choice]
            frame = self.frame.window(size, size) if size else self.frame
            self.walks[eps, choice] = _Walks(frame, eps, whole=size == 0)
        return self.walks[eps, choice]


class _Walks:
    """Both halves of a window, or of the whole circle, with their tables, for one eps."""

    def __init__(self, frame: Frame, eps: float, *, whole: bool) -> None:
        self.frame, self.eps = frame, eps
        self.halves = frame.halves(frame.split() if whole else None)
        self.bands = tuple(eps * half.band for half in self.halves)
        self.top = eps * max(half.band.max() for half in self.halves) * 1.01
        self.aims = np.zeros(1)
        if whole:
            self.tolerance, self.rise, self.level = 2.0 * eps, 0.5 * eps, math.inf
            last = (self.bands[0][-1] + self.bands[0][-2]) / max(self.halves[0].gap[-1], 1e-9)
            slices = math.ceil(min(last, _SLOPE) / self.tolerance)
            self.aims = np.linspace(-last, last, 2 * slices + 1)[1::2]
        else:
            # A slope that is off by `rise` at the kink moves the value by at most 0.15 eps within
            # a narrow window.
            cos, sin = np.abs(frame.place[:, 0]), frame.place[:, 1]
            widest = (sin / cos).max() if len(cos) and (cos > sin).all() else 1.0
            self.rise = min(1.0, eps * max(1.0, 0.15 / max(widest, 1e-12)))
            self.tolerance, self.level = self.rise, _LEVEL * eps
        self.paths = int(min(max(8192, 6.0 / eps), _PATHS))
        self.swapped, self.cost = False, 0
        self.prepared: dict[float, tuple[tuple, np.ndarray]] = {}

    def _prepare(self, aim: float) -> tuple[tuple, np.ndarray]:
        """The tables of both halves and the cells of starts that are viable to both."""
        if aim not in self.prepared:
            tables = tuple(
                viable_states(half, band, self.top, _SLOPE, goal, self.tolerance, _ROWS, 1)
                for half, band, goal in zip(self.halves, self.bands, (aim, -aim), strict=True)
            )
            row = np.arange(_ROWS)
            mirror = int((2.0 * _SLOPE - 1.0) * _ROWS / (2.0 * _SLOPE)) - row - 1
            inside = (mirror >= 0) & (mirror < _ROWS)
            both = np.zeros((_ROWS, 1), np.uint64)
            both[inside] = tables[0][0][inside] & tables[1][0][mirror[inside]]
            starts = np.flatnonzero(np.unpackbits(both.view(np.uint8), bitorder="little"))
            self.prepared[aim] = tables, starts
            self.cost = 3000 * sum(len(half.gap) for half in self.halves)
        else:
            self.cost = 1000
        return self.prepared[aim]

    def join(
        self, rng: np.random.Generator, room: tuple, error: float
    ) -> tuple[float, np.ndarray, int, int]:
        """Join the paths of random starts: the least error below `error`, its units, from how
        many starts a pair came near eps, and the work done."""
        aim = float(rng.choice(self.aims))
        tables, starts = self._prepare(aim)
        keep = np.zeros(self.frame.width, dtype=bool)
        if len(starts) == 0:
            return error, self.frame.index[keep], 0, self.cost
        row, bit = np.divmod(starts[rng.integers(len(starts), size=_STARTS)], 64)
        value = (bit + rng.random(_STARTS)) * self.top / 32.0 - self.top
        tilt = (row + rng.random(_STARTS)) * 2.0 * _SLOPE / _ROWS - _SLOPE
        turn = slice(None, None, -1) if self.swapped else slice(None)
        if self.swapped:
            tilt, aim = -1.0 - tilt, -aim
        closing = (_DRIFT * self.eps, self.rise, self.level, _MISS * self.eps, _FINE * self.eps)
        _, error, hits, half_way, both_ways, work, _ = explore_walks(
            self.halves[turn],
            self.bands[turn],
            tables[turn],
            (self.top, _SLOPE),
            (aim, self.tolerance, self.tolerance),
            np.stack([value, tilt], axis=1),
            0,
            (24 * self.paths, _WORK),
            (self.frame.place, self.frame.jump, self.frame.odd),
            (*closing, error),
            rng.integers(0, 2, (2, MOST_UNITS + 2)),
            tuple(buffer[: self.paths] for buffer in room),
            keep,
        )
        if 2 * both_ways < half_way:
            self.swapped = not self.swapped
        return error, self.frame.index[keep], hits, work
