"""The state of a batch of subset-sum problems: the best subsets so far and what is proven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.weights import counted, meet_in_middle, outer_signs, sparsest
from slth.pruning.weights.enclosure import enclose
from slth.solution import Status

# Samples tried first when any subset within eps will do, and how many more each time it fails.
_FIRST_PREFIX = 8
_PREFIX_STEP = 4
# Samples searched at a time when there are more than two lists hold.
_UNPROVEN_PREFIX = 44
# Work of one compiled call: keys written, about a quarter of a second.
_SLICE = 1 << 26
# Problems of one compiled call of the search by cardinality.
_SPARSE_SLICE = 4096


@njit(cache=True, nogil=True)
def _unpack(words, rows, n, masks):
    """masks[rows[t], k] = bit k of words[t], k < n."""
    for t in range(words.shape[0]):
        for k in range(n):
            masks[rows[t], k] = (words[t] >> np.uint64(k)) & np.uint64(1) != 0


@dataclass(frozen=True, eq=False)
class SubsetSums:
    """Answers to a batch of subset-sum problems.

    Attributes:
        masks: bool [batch, n], the subsets.
        lower, upper: float64 [batch], lower <= |sum of the subset - target| <= upper over the
            reals, for the float64 samples taken as exact numbers.
        bound: float64 [batch], proven lower bound on that error for EVERY admissible subset (with
            `at_most`: of at most that many samples); 0.0 where nothing is proven.
        kept_bound: int64 [batch], every admissible subset within eps has at least this many
            members (n + 1: there is none); 0 where nothing is proven.
        statuses: str [batch], values of `slth.Status`. Without eps: "optimal" (bound agrees with
            upper up to the fixed-point resolution of the search, below 1e-10 times
            sum |samples| + |target|) or "feasible". With eps: "reached", "refuted" (proven: no
            admissible subset) or "unknown".
    """

    masks: BoolArray
    lower: FloatArray
    upper: FloatArray
    bound: FloatArray
    kept_bound: NDArray[np.int64]
    statuses: NDArray[np.str_]

    @property
    def kept(self) -> NDArray[np.int64]:
        """Number of samples in each subset, int64 [batch]."""
        return self.masks.sum(axis=1)


class SubsetBatch:
    """The state of a batch: best subsets so far and what is proven."""

    def __init__(self, samples: FloatArray, targets: FloatArray) -> None:
        batch, n = targets.shape[0], samples.shape[1]
        self._samples = samples
        self._targets = targets
        self._masks = np.zeros((batch, n), dtype=bool)
        self._bound = np.zeros(batch)
        self._kept_bound = np.zeros(batch, dtype=np.int64)
        self._solved = np.zeros(batch, dtype=bool)

    def _out_of_reach(self, rows: NDArray[np.int64]) -> FloatArray:
        """How far these targets surely lie beyond the sum of all positive or negative samples.

        n additions err by less than 2 n u sum |x|, u = 2^-53.
        """
        samples, targets = self._rows(rows), self._targets[rows]
        positive = np.maximum(samples, 0.0).sum(axis=1)
        negative = np.minimum(samples, 0.0).sum(axis=1)
        mass = positive - negative + np.abs(targets)
        beyond = np.maximum(targets - positive, negative - targets)
        return np.maximum(beyond - (samples.shape[1] + 4) * 2.0**-52 * mass, 0.0)

    def _take_extremes(self) -> NDArray[np.int64]:
        """Settle the targets out of reach; returns the other problems."""
        rows = np.arange(len(self._targets))
        self._bound = self._out_of_reach(rows)
        far = rows[self._bound > 0.0]
        self._masks[far] = self._rows(far) * np.sign(self._targets[far, None]) > 0.0
        self._solved[far] = True
        return rows[self._bound == 0.0]

    def answer(self, eps: float | None) -> SubsetSums:
        """Enclose the errors and say what is proven."""
        lower, upper = enclose(self._samples, self._masks, self._targets)
        bound = np.minimum(self._bound, lower)
        if eps is None:
            statuses = np.where(self._solved, Status.OPTIMAL.value, Status.FEASIBLE.value)
        else:
            none = self._masks.shape[1] + 1
            refuted = (bound > eps) | (self._kept_bound >= none)
            statuses = np.where(
                upper <= eps,
                Status.REACHED.value,
                np.where(refuted, Status.REFUTED.value, Status.UNKNOWN.value),
            )
        return SubsetSums(self._masks, lower, upper, bound, self._kept_bound, statuses)

    def closest(self, deadline: Deadline) -> None:
        """The nearest subset of every problem."""
        n = self._samples.shape[1]
        open_ = self._take_extremes()
        if n <= meet_in_middle.LARGEST:
            self._solved[self._meet(open_, n, -1.0, deadline)] = True
        elif n <= outer_signs.LARGEST:
            self._solved[self._meet_outer(open_, -1.0, deadline)] = True
        else:
            self._meet_rest(open_, -1.0, deadline)

    def within(self, eps: float, deadline: Deadline) -> None:
        """Any subset within eps: growing prefixes, the whole row last."""
        n = self._samples.shape[1]
        largest = n if n <= meet_in_middle.LARGEST else _UNPROVEN_PREFIX
        size = min(_FIRST_PREFIX, largest)
        open_ = self._take_extremes()
        open_ = open_[np.abs(self._targets[open_]) > eps]
        while open_.size and not deadline.expired:
            self._meet(open_, size, eps, deadline)
            open_ = self._beyond(open_, eps)
            if size == largest:
                break
            size = min(size + _PREFIX_STEP, largest)
        if largest < n:
            solve = self._meet_outer if n <= outer_signs.LARGEST else self._meet_rest
            solve(open_, eps, deadline)

    def _beyond(self, rows: NDArray[np.int64], eps: float) -> NDArray[np.int64]:
        """Those of the problems whose subset is not surely within eps."""
        _, upper = enclose(self._rows(rows), self._masks[rows], self._targets[rows])
        return rows[upper > eps]

    def sparsest(self, eps: float, most: int, deadline: Deadline) -> None:
        """A subset within eps with the fewest members, at most `most`."""
        n = min(self._samples.shape[1], sparsest.LARGEST)
        whole = n == self._samples.shape[1]
        lists = sparsest.scratch()
        for rows in self._slices(np.arange(len(self._targets)), _SPARSE_SLICE):
            if deadline.expired:
                return
            masks = np.zeros(len(rows), dtype=np.uint64)
            counts = np.zeros(len(rows), dtype=np.int64)
            excluded = np.zeros(len(rows), dtype=np.int64)
            sparsest.sparsest_batch(
                self._rows(rows),
                n,
                self._targets[rows],
                eps,
                most,
                *lists,
                masks,
                counts,
                excluded,
            )
            self._store(rows, masks, n)
            lost = rows[counts < 0]
            self._bound[lost] = self._out_of_reach(lost)
            if whole:
                full = (counts < 0) & (excluded > most)
                self._kept_bound[rows] = np.where(full, self._masks.shape[1] + 1, excluded)

    def by_count(self, most: int, deadline: Deadline) -> tuple[BoolArray, FloatArray]:
        """masks bool [batch, most + 1, n], proven bounds float64 [batch, most + 1]."""
        batch, n = self._masks.shape
        n = min(n, counted.LARGEST)
        found = np.zeros((batch, most + 1, self._masks.shape[1]), dtype=bool)
        bound = np.zeros((batch, most + 1))
        half = 1 << (n - n // 2)
        keys = np.empty(n, dtype=np.int64)
        work = np.empty((4, half + meet_in_middle.PAD), dtype=np.int64)
        for rows in self._slices(np.arange(batch), max(1, _SLICE // (4 * n * half))):
            if deadline.expired:
                break
            masks = np.zeros((len(rows), n + 1), dtype=np.uint64)
            bounds = np.zeros((len(rows), n + 1))
            counted.counted_batch(
                self._rows(rows), n, self._targets[rows], min(most, n), keys, work, masks, bounds
            )
            bits = np.arange(n, dtype=np.uint64)
            width = min(most, n) + 1
            found[rows, :width, :n] = (masks[:, :width, None] >> bits) & np.uint64(1) != 0
            bound[rows, :width] = bounds[:, :width]
        return found, bound

    def closest_of_at_most(self, most: int, deadline: Deadline) -> None:
        """The nearest subset with at most `most` members; proven for n <= counted.LARGEST."""
        masks, bound = self.by_count(most, deadline)
        batch, sizes, n = masks.shape
        flat = masks.reshape(-1, n)
        samples = self._samples
        if samples.shape[0] > 1:
            samples = np.repeat(samples, sizes, axis=0)
        _, upper = enclose(samples, flat, np.repeat(self._targets, sizes))
        best = upper.reshape(batch, sizes).argmin(axis=1)
        self._masks = masks[np.arange(batch), best]
        if n <= counted.LARGEST and not deadline.expired:
            self._bound = bound.min(axis=1)
            self._solved[:] = True

    def _meet(
        self, rows: NDArray[np.int64], size: int, eps: float, deadline: Deadline
    ) -> NDArray[np.int64]:
        """Meet in the middle on the first `size` samples; returns the rows done in time."""
        half = 1 << (size - size // 2)
        keys = np.empty(size, dtype=np.int64)
        work = np.empty((4, half + meet_in_middle.PAD), dtype=np.int64)
        done = [np.empty(0, dtype=np.int64)]
        for part in self._slices(rows, max(1, _SLICE // (4 * half))):
            if deadline.expired:
                break
            masks = np.zeros(len(part), dtype=np.uint64)
            bounds = np.zeros(len(part))
            meet_in_middle.closest_batch(
                self._rows(part), size, self._targets[part], eps, keys, work, masks, bounds
            )
            self._store(part, masks, size)
            if size == self._masks.shape[1]:
                self._bound[part] = bounds
            done.append(part)
        return np.concatenate(done)

    def _meet_outer(
        self, rows: NDArray[np.int64], eps: float, deadline: Deadline
    ) -> NDArray[np.int64]:
        """All of 49 .. 64 samples; returns the rows done in time."""
        done = []
        search = outer_signs.OuterSigns() if rows.size else None
        for row in rows:
            if search is None or deadline.expired:
                break
            part = np.array([row])
            mask, bound, proven = search.closest(
                self._rows(part)[0], float(self._targets[row]), eps, deadline
            )
            self._store(part, np.array([mask], dtype=np.uint64), self._masks.shape[1])
            self._bound[row] = bound
            if proven:
                done.append(row)
        return np.array(done, dtype=np.int64)

    def _meet_rest(self, rows: NDArray[np.int64], eps: float, deadline: Deadline) -> None:
        """More samples than can be searched: most are taken greedily, largest first, so that what
        is missing lies amid the sums of the rest, samples of every magnitude. Proves nothing."""
        n = self._masks.shape[1]
        for row in rows:
            if deadline.expired:
                return
            x = self._rows(np.array([row]))[0]
            ranked = np.argsort(-np.abs(x), kind="stable")
            searched = np.zeros(n, dtype=bool)
            searched[ranked[np.linspace(0, n - 1, _UNPROVEN_PREFIX).astype(np.int64)]] = True
            mask = np.zeros(n, dtype=bool)
            missing = float(self._targets[row] - 0.5 * x[searched].sum())
            for k in ranked[~searched[ranked]]:
                if abs(missing - x[k]) < abs(missing):
                    mask[k] = True
                    missing -= x[k]
            missing += 0.5 * float(x[searched].sum())
            part = SubsetBatch(x[None, searched], np.array([missing]))
            if eps < 0.0:
                part.closest(deadline)
            else:
                part.within(eps, deadline)
            mask[searched] = part._masks[0]
            self._masks[row] = mask

    def _rows(self, rows: NDArray[np.int64]) -> FloatArray:
        """The samples of those problems, given in order: [rows, n], or [1, n] when shared."""
        if self._samples.shape[0] == 1 or len(rows) == len(self._targets):
            return self._samples
        return self._samples[rows]

    def _store(self, rows: NDArray[np.int64], masks: NDArray[np.uint64], n: int) -> None:
        _unpack(masks, rows, n, self._masks)

    @staticmethod
    def _slices(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
        return [rows[start : start + size] for start in range(0, len(rows), size)]
