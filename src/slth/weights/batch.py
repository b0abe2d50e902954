"""The state of a batch of subset-sum problems: the best subsets so far and what is proven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.solution import Status
from slth.weights import counted, meet_in_middle, sparsest
from slth.weights.enclosure import enclose

# Samples tried first when any subset within eps will do, and how many more each time it fails.
_FIRST_PREFIX = 8
_PREFIX_STEP = 4
# Prefix searched without a proof when there are more samples than optimality can be had for.
_UNPROVEN_PREFIX = 44
# Work of one compiled call: keys written, about a quarter of a second.
_SLICE = 1 << 26
# Problems of one compiled call of the search by cardinality.
_SPARSE_SLICE = 4096


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


class Batch:
    """The state of a batch: best subsets so far and what is proven."""

    def __init__(self, samples: FloatArray, targets: FloatArray) -> None:
        batch, n = targets.shape[0], samples.shape[1]
        self._samples = samples
        self._targets = targets
        self._masks = np.zeros((batch, n), dtype=bool)
        self._bound = np.zeros(batch)
        self._kept_bound = np.zeros(batch, dtype=np.int64)
        self._solved = np.zeros(batch, dtype=bool)

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
        size = n if n <= meet_in_middle.LARGEST else _UNPROVEN_PREFIX
        done = self._meet(np.arange(len(self._targets)), size, -1.0, deadline)
        if size == n:
            self._solved[done] = True

    def within(self, eps: float, deadline: Deadline) -> None:
        """Any subset within eps: growing prefixes, the whole row last."""
        n = self._samples.shape[1]
        largest = n if n <= meet_in_middle.LARGEST else _UNPROVEN_PREFIX
        size = min(_FIRST_PREFIX, largest)
        open_ = np.flatnonzero(np.abs(self._targets) > eps)
        while open_.size and not deadline.expired:
            done = self._meet(open_, size, eps, deadline)
            if size < n:
                self._bound[done] = 0.0
            _, upper = enclose(self._rows(open_), self._masks[open_], self._targets[open_])
            open_ = open_[upper > eps]
            if size == largest:
                break
            size = min(size + _PREFIX_STEP, largest)

    def sparsest(self, eps: float, most: int, deadline: Deadline) -> None:
        """A subset within eps with the fewest members, at most `most`."""
        n = min(self._samples.shape[1], sparsest.LARGEST)
        whole = n == self._samples.shape[1]
        scratch = np.zeros(n + meet_in_middle.PAD, dtype=np.int64)
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
                scratch,
                masks,
                counts,
                excluded,
            )
            self._store(rows, masks, n)
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
            self._bound[part] = bounds
            done.append(part)
        return np.concatenate(done)

    def _rows(self, rows: NDArray[np.int64]) -> FloatArray:
        """The samples of those problems: [rows, n], or [1, n] when shared."""
        return self._samples if self._samples.shape[0] == 1 else self._samples[rows]

    def _store(self, rows: NDArray[np.int64], masks: NDArray[np.uint64], n: int) -> None:
        bits = np.arange(n, dtype=np.uint64)
        self._masks[rows, :n] = ((masks[:, None] >> bits) & np.uint64(1)).astype(bool)

    @staticmethod
    def _slices(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
        return [rows[start : start + size] for start in range(0, len(rows), size)]
