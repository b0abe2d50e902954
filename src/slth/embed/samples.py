"""Which random weights a layer of the target is pruned from.

An input channel h_j >= 0 of a layer (for the first one each side max(x_j, 0), max(-x_j, 0)) has a
*pool* of units of the random layer before, each with a value a h_j:

- behind a *split* layer the unit keeps one incoming weight of that sign, a = |weight| in [1/2, 1).
  Any unit can serve any channel, so slots take, in the order (place in pool, channel), the first
  unused unit whose weight there is in the interval;
- behind a layer of copies (depth plus one) unit P j + c is copy c of unit j, a = 1.

The bias has a pool of units that keep no incoming weight but a bias in [1/2, 1) 2^bias_scale, and
so are constant.

A weight of the target sees n of its pool's P products a v, chosen by a rule that costs no bits
of the mask: ceil(n/2) positive and floor(n/2) negative ones (where a sign is short, more of the
other), of each sign those at evenly spaced ranks from the largest magnitude to the smallest.
Without it the samples of about one weight in a hundred lie so much to one side that it is out of
reach, and those few would decide the error of the whole network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from slth.embed.random import BIASES, WEIGHTS, entry
from slth.embed.shape import Shape
from slth.layers import FloatArray

# Units of a pool beyond the samples a weight sees.
SPARE_SPLIT = 20
SPARE_COPIES = 10
# 32 products of two 24-bit numbers add up exactly; fixed-point keys of 30 samples fit int64.
LEAST_SAMPLES, MOST_SAMPLES = 2, 30


@dataclass(frozen=True)
class LayerPlan:
    """What one affine layer of the target is pruned from.

    Attributes:
        samples: n, random weights that each weight of the target sees.
        scale: the layer's random weights are uniform on (-2^scale, 2^scale).
        bias_samples, bias_scale: the same for its bias, 0 samples where it has none; the
            constant units' biases are scaled by 2^bias_scale.
    """

    samples: int
    scale: int
    bias_samples: int
    bias_scale: int


@dataclass(frozen=True, eq=False)
class Pools:
    """units: int64 [channels, P], gains: float64 [channels, P], and the same for the bias,
    [1, P_b]; width: units of the random layer before."""

    units: NDArray[np.int64]
    gains: FloatArray
    bias_units: NDArray[np.int64]
    bias_gains: FloatArray
    width: int


@dataclass(frozen=True, eq=False)
class Layer:
    """One affine layer of the target and the random weights it is pruned from.

    Attributes:
        shape, plan, pools: as above; `shape.channels` counts the target's channels.
        index: the random layer's number t in the generator.
        copies: how many units stand for each unit of the target.
        sides: 2 if the channels are doubled by sign, else 1.
        stacked: copies of every input unit; 0 behind a split layer.
    """

    shape: Shape
    plan: LayerPlan
    pools: Pools
    seed: int
    index: int
    copies: int
    sides: int
    stacked: int

    @property
    def rows(self) -> int:
        """Units of the random layer that stand for units of the target."""
        return self.shape.out * self.copies

    @property
    def channels(self) -> int:
        """Channels with a pool."""
        return self.pools.units.shape[0]

    @property
    def bias_tap(self) -> int:
        """The tap of the constant channels that is kept: it never reads the padding."""
        return self.shape.padding * (self.shape.width + 1)

    def draw(self, start: int, stop: int) -> tuple[FloatArray, NDArray[np.uint8]]:
        """Products float64 [stop - start, channels, taps, n] and their slots in the pool."""
        shape = (stop - start, self.channels, self.shape.taps, self.plan.samples)
        return self._drawn(start, shape, 0, self.pools.units, self.pools.gains)

    def draw_bias(self, start: int, stop: int) -> tuple[FloatArray, NDArray[np.uint8]]:
        """The same for the bias: float64 [stop - start, 1, 1, n_b]."""
        shape = (stop - start, 1, 1, self.plan.bias_samples)
        pools = self.pools
        return self._drawn(start, shape, self.bias_tap, pools.bias_units, pools.bias_gains)

    def _drawn(
        self,
        start: int,
        shape: tuple[int, int, int, int],
        first_tap: int,
        units: NDArray[np.int64],
        gains: FloatArray,
    ) -> tuple[FloatArray, NDArray[np.uint8]]:
        products = np.empty(shape)
        slots = np.empty(shape, dtype=np.uint8)
        _draw(
            np.uint64(self.seed),
            np.uint64(self.index),
            start,
            self.pools.width,
            self.shape.taps,
            first_tap,
            units,
            gains,
            2.0**self.plan.scale,
            products,
            slots,
        )
        return products, slots


def split_pools(seed: int, index: int, plan: LayerPlan, channels: int, sides: int) -> Pools:
    """The pools behind split layer `index` that reads `channels` channels."""
    pool = plan.samples + SPARE_SPLIT
    constant = plan.bias_samples + SPARE_SPLIT if plan.bias_samples else 0
    signs = np.tile(np.repeat([1, -1][:sides], channels), pool)
    wanted = np.tile(np.arange(channels), sides * pool)
    wanted = np.concatenate([wanted, np.full(constant, -1)]).astype(np.int64)
    signs = np.concatenate([signs, np.ones(constant)]).astype(np.float64)
    units = np.empty(len(wanted), dtype=np.int64)
    gains = np.empty(len(wanted))
    width = _assign(np.uint64(seed), np.uint64(index), channels, wanted, signs, units, gains)
    cut = pool * sides * channels
    return Pools(
        np.ascontiguousarray(units[:cut].reshape(pool, -1).T),
        np.ascontiguousarray(gains[:cut].reshape(pool, -1).T),
        np.ascontiguousarray(units[None, cut:]),
        np.ascontiguousarray(gains[None, cut:] * 2.0**plan.bias_scale),
        width,
    )


def copied_pools(seed: int, index: int, plan: LayerPlan, channels: int, copies: int) -> Pools:
    """The pools behind random layer `index` that holds `copies` of every channel."""
    constant = plan.bias_samples + SPARE_SPLIT if plan.bias_samples else 0
    units = np.arange(channels * copies).reshape(channels, copies)
    bias_units = np.empty(constant, dtype=np.int64)
    bias_gains = np.empty(constant)
    width = _constants(np.uint64(seed), np.uint64(index), channels * copies, bias_units, bias_gains)
    gains = bias_gains * 2.0**plan.bias_scale
    return Pools(units, np.ones(units.shape), bias_units[None, :], gains[None, :], width)


def example(rng: np.random.Generator, count: int, n: int, *, split: bool) -> FloatArray:
    """Products as `count` weights would see them, of scale 1: float64 [count, n]."""
    pool = n + (SPARE_SPLIT if split else SPARE_COPIES)
    values = 2.0 * rng.random((count, pool)) - 1.0
    if split:
        values *= 0.5 + 0.5 * rng.random((count, pool))
    products = np.empty((count, n))
    _choose_all(values, products)
    return products


@njit(cache=True, nogil=True)
def _choose_all(values, products):
    order = np.empty(values.shape[1], np.int64)
    slots = np.empty(products.shape[1], np.uint8)
    for row in range(values.shape[0]):
        _choose(values[row], order, products.shape[1], products[row], slots)


@njit(cache=True, nogil=True)
def _assign(seed, index, channels, wanted, signs, units, gains):
    """For each slot the first unused unit with sign * weight >= 1/2 (bias for channel -1).
    Returns the number of units looked at, the width of the layer."""
    capacity = 64
    following = np.arange(1, capacity + 1)
    known = 0
    head = 0
    for slot in range(wanted.shape[0]):
        before = -1
        unit = head
        while True:
            if unit == capacity:
                capacity *= 2
                grown = np.arange(1, capacity + 1)
                grown[: following.shape[0]] = following
                following = grown
            known = max(known, unit + 1)
            if wanted[slot] < 0:
                value = entry(seed, index, np.uint64(BIASES), np.uint64(unit))
            else:
                place = np.uint64(unit) * np.uint64(channels) + np.uint64(wanted[slot])
                value = signs[slot] * entry(seed, index, np.uint64(WEIGHTS), place)
            if value >= 0.5:
                break
            before = unit
            unit = following[unit]
        units[slot] = unit
        gains[slot] = value
        if before < 0:
            head = following[unit]
        else:
            following[before] = following[unit]
    return known


@njit(cache=True, nogil=True)
def _constants(seed, index, first, units, gains):
    """The first units from `first` on whose bias is >= 1/2; returns the width."""
    unit = first
    for slot in range(units.shape[0]):
        value = entry(seed, index, np.uint64(BIASES), np.uint64(unit))
        while value < 0.5:
            unit += 1
            value = entry(seed, index, np.uint64(BIASES), np.uint64(unit))
        units[slot] = unit
        gains[slot] = value
        unit += 1
    return unit


@njit(cache=True, nogil=True)
def _draw(seed, index, start, width, taps, tap, units, gains, scale, products, slots):
    """Fill products[r, c, t, :] and their slots: see the module's rule. Weight of row r, unit k
    and tap t is entry (r width + k) taps + t."""
    rows, channels, count, n = products.shape
    pool = units.shape[1]
    values = np.empty(pool)
    order = np.empty(pool, np.int64)
    for r in range(rows):
        for c in range(channels):
            for t in range(count):
                for p in range(pool):
                    place = np.uint64(start + r) * np.uint64(width) + np.uint64(units[c, p])
                    place = place * np.uint64(taps) + np.uint64(tap + t)
                    values[p] = entry(seed, index, np.uint64(WEIGHTS), place) * gains[c, p] * scale
                if n > 0:
                    _choose(values, order, n, products[r, c, t], slots[r, c, t])


@njit(cache=True, nogil=True)
def _choose(values, order, n, products, slots):
    """The rule of the module for one pool. order: int64 [pool], scratch."""
    pool = values.shape[0]
    above = 0
    for p in range(pool):
        place = p
        while place > 0 and values[order[place - 1]] < values[p]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = p
        above += values[p] > 0.0
    below = pool - above
    positive = min(above, max((n + 1) // 2, n - below))
    negative = n - positive
    for k in range(positive):
        slots[k] = order[_spaced(k, positive, above)]
    for k in range(negative):
        slots[positive + k] = order[pool - 1 - _spaced(k, negative, below)]
    for k in range(n):
        products[k] = values[slots[k]]


@njit(cache=True, nogil=True)
def _spaced(k, count, ranks):
    """Rank k of `count` evenly spaced ones among 0 .. ranks - 1, the first and last included."""
    steps = max(1, count - 1)
    return k + (2 * k * (ranks - count) + steps) // (2 * steps)
