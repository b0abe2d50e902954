"""Many differences at once: their units in one array, and kernels that take them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit

from slth.certify.exact.circle import circle_sup
from slth.certify.problem.cheap import noise_of
from slth.certify.problem.objective import PIECES, SIGNS, kind_of, stacked
from slth.certify.small.search import Batch, Wanted, search_many
from slth.certify.values import distance_at
from slth.copying import copy_vector
from slth.limits import Deadline
from slth.network import BoolArray, FloatArray, ReLUNetwork
from slth.rounding.ball import into_ball
from slth.rounding.outward import TINY

# From d = 3 on, differences of at most as many inputs and units are searched in compiled code
# first.
_SMALL_INPUTS, _SMALL_WIDTH = 4, 64
# What proves the bounds of `Differences.enclose`, by d (3: and more).
SMALL_METHODS = {1: "endpoints", 2: "circle sweep", 3: "cones"}
# Nodes of each, by d: twice what differences of random masks need. Those of nearly parallel units
# need far more, at a tenth of a second for a thousand, and `enclose_further` knows better.
_MOST_NODES = {3: 400, 4: 1_000}
# Nodes of one compiled call, and entries of the units it sweeps: well under half a second.
_SLICE_NODES = 10_000
_SLICE_ENTRIES = 300_000
_STARTS = 6


def is_small(d: int, units: int) -> bool:
    """Whether `Differences.enclose` is the first thing to try."""
    return d <= 2 or (d <= _SMALL_INPUTS and units <= _SMALL_WIDTH)


@dataclass(frozen=True)
class Differences:
    """Differences G_b - F_b, b < B, of networks without biases in d dimensions.

    Attributes:
        hidden: float64 [T, d]; units offsets[b] to offsets[b + 1] belong to difference b, those of
            G_b before cuts[b], those of F_b from there on.
        split: float64 [2, T], each unit's output weight in its G_b and in its F_b (one is 0).
        offsets: int64 [B + 1]. cuts: int64 [B].
        kinds: int64 [B], the readouts (`kind_of`).
    """

    hidden: FloatArray
    split: FloatArray
    offsets: np.ndarray
    cuts: np.ndarray
    kinds: np.ndarray

    @classmethod
    def of_pairs(cls, pairs: Sequence[tuple[ReLUNetwork, ReLUNetwork]]) -> Differences:
        """One difference for each (net, target), B >= 1."""
        widths = np.array([[net.width, target.width] for net, target in pairs])
        ends = np.cumsum(widths)
        hidden = np.concatenate([network.hidden for pair in pairs for network in pair])
        output = np.concatenate([network.output for pair in pairs for network in pair])
        of_target = np.repeat(np.arange(ends.size) % 2 == 1, widths.ravel())
        split = np.stack([np.where(of_target, 0.0, output), np.where(of_target, output, 0.0)])
        return cls(
            hidden,
            split,
            np.append(0, ends[1::2]),
            ends[::2].copy(),
            np.array([kind_of(net, target) for net, target in pairs]),
        )

    @classmethod
    def of_masks(cls, net: ReLUNetwork, target: ReLUNetwork, masks: BoolArray) -> Differences:
        """One difference for each mask of the net's units. masks: bool [B, net.width]."""
        count = len(masks)
        used = np.hstack([masks, np.ones((count, target.width), np.bool_)])
        columns = np.nonzero(used)[1]
        hidden, split = stacked(net, target)
        kept = masks.sum(axis=1)
        offsets = np.append(0, np.cumsum(kept + target.width))
        return cls(
            hidden[columns],
            np.ascontiguousarray(split[:, columns]),
            offsets,
            offsets[:-1] + kept,
            np.full(count, kind_of(net, target)),
        )

    def __len__(self) -> int:
        return len(self.cuts)

    @property
    def sizes(self) -> tuple[FloatArray, FloatArray]:
        """Upper bounds that cost nothing, and the upper bounds so small that they are rounding
        rather than error: float64 [B] each."""
        return _sizes(self.hidden, self.split, self.offsets)

    def enclose(
        self, rtol: float, eps: float, seed: int, deadline: Deadline
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Enclose every supremum over the unit ball as far as compiled searches get.

        Exact for d <= 2. Differences that the deadline leaves out have the bounds that cost
        nothing.
        rtol, eps: as in `enclose`; eps is inf where nothing is to be decided.
        Returns (lower [B], upper [B], witnesses [B, d]); a witness is 0 where lower is.
        """
        count, d = len(self), self.hidden.shape[1]
        upper, noise = self.sizes
        points = np.zeros((count, d))
        done = 0
        while done < count and (done == 0 or not deadline.expired):
            if d == 1:
                upper[:] = _ends(*self._columns, points)
                done = count
            elif d == 2:
                done = _circles(self._batch, _SLICE_ENTRIES, done, upper, points)
            else:
                wanted = Wanted(rtol / 2, eps, _starts(d, seed), _MOST_NODES[d], _SLICE_NODES)
                done = search_many(self._batch, noise, wanted, done, upper, points)
        return self.attained(points, inside=d == 1), upper, points

    def attained(self, points: FloatArray, *, inside: bool) -> FloatArray:
        """Rigorous lower bounds [B] of |G_b - F_b| at the points [B, d]; zeros in the points
        where that is 0.

        inside: take the points as they are; else they are first moved into the unit ball.
        """
        lower = np.empty(len(self))
        _attained(*self._columns, inside, points, lower)
        return lower

    @property
    def _columns(self) -> tuple[FloatArray, FloatArray, np.ndarray, np.ndarray, np.ndarray]:
        return self.hidden, self.split, self.offsets, self.cuts, self.kinds

    @property
    def _batch(self) -> Batch:
        return Batch(self.hidden, self.split, self.offsets, SIGNS[self.kinds], PIECES[self.kinds])


@cache
def compile_small() -> None:
    """Compile what `Differences.enclose` calls for d >= 3, so that no time limit pays for it."""
    tiny = ReLUNetwork(np.eye(3), np.ones(3))
    Differences.of_pairs([(tiny, tiny)]).enclose(1e-2, np.inf, 0, Deadline())


@cache
def _starts(d: int, seed: int) -> FloatArray:
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.standard_normal((_STARTS, d))


@njit(cache=True, nogil=True)
def _sizes(hidden, split, offsets):
    sizes = np.empty(offsets.shape[0] - 1)
    noise = np.empty(offsets.shape[0] - 1)
    d = hidden.shape[1]
    for item in range(sizes.shape[0]):
        units = offsets[item + 1] - offsets[item]
        mass = 0.0
        for i in range(offsets[item], offsets[item + 1]):
            length = 0.0
            for l in range(d):
                length += abs(hidden[i, l])
            mass += (abs(split[0, i]) + abs(split[1, i])) * length
        sizes[item] = mass * (1.0 + (units + d + 8) * 2.0**-52) + TINY
        noise[item] = noise_of(mass, units)
    return sizes, noise


@njit(cache=True, nogil=True)
def _distance(hidden, split, offsets, cuts, kinds, item, x):
    """Rigorous (lower, upper) for |G - F| of one difference at the float point x."""
    start, cut, end = offsets[item], cuts[item], offsets[item + 1]
    return distance_at(
        hidden[start:cut],
        split[0, start:cut],
        kinds[item] >= 2,
        hidden[cut:end],
        split[1, cut:end],
        kinds[item] % 2 == 1,
        x,
    )


@njit(cache=True, nogil=True)
def _attained(hidden, split, offsets, cuts, kinds, inside, points, lower):
    for item in range(points.shape[0]):
        lower[item] = 0.0
        if points[item].any():
            if not inside:
                copy_vector(points[item], into_ball(points[item]))
            lower[item], _ = _distance(hidden, split, offsets, cuts, kinds, item, points[item])
        if lower[item] == 0.0:
            points[item] = 0.0


@njit(cache=True, nogil=True)
def _ends(hidden, split, offsets, cuts, kinds, points):
    """d = 1: the unit ball is [-1, 1] and each difference is linear on either side of 0."""
    upper = np.zeros(points.shape[0])
    for item in range(points.shape[0]):
        best = 0.0
        for sign in (1.0, -1.0):
            x = np.array([sign])
            below, above = _distance(hidden, split, offsets, cuts, kinds, item, x)
            upper[item] = max(upper[item], above)
            if below > best:
                best = below
                points[item, 0] = sign
    return upper


@njit(cache=True, nogil=True)
def _circles(batch, slice_entries, first, upper, points):
    """d = 2: the sweep for differences number `first`, ...; how many are done."""
    spent = 0
    for item in range(first, points.shape[0]):
        units = slice(batch.offsets[item], batch.offsets[item + 1])
        upper[item], points[item, 0], points[item, 1] = circle_sup(
            batch.hidden[units], batch.split[:, units].copy(), batch.signs[item], batch.pieces[item]
        )
        spent += batch.offsets[item + 1] - batch.offsets[item]
        if spent >= slice_entries:
            return item + 1
    return points.shape[0]
