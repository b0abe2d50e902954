"""Certifying thousands of small differences in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from slth.certify.enclose import (
    Found,
    enclose,
    enclose_further,
    require_eps,
    require_networks,
    require_rtol,
    unit_threshold,
)
from slth.certify.enclose_domain import enclose_on
from slth.certify.prepare import compile_for
from slth.certify.problem.chart import Chart
from slth.certify.small.differences import SMALL_METHODS, Differences, is_small
from slth.domain import Ball
from slth.errors import InvalidInput, require_positive, require_time_limit
from slth.limits import Deadline, silent, stopped_by_interrupt
from slth.network import BoolArray, ReLUNetwork
from slth.rounding.outward import TINY
from slth.solution import Enclosure, Enclosures, Status, scaled_bounds

# Differences whose units are gathered in memory at once.
_CHUNK = 1_000


def certify_many(
    nets: ReLUNetwork | Sequence[ReLUNetwork],
    targets: ReLUNetwork | Sequence[ReLUNetwork],
    masks: ArrayLike | None = None,
    radius: float = 1.0,
    rtol: float = 1e-6,
    time_limit: float | None = 60.0,
    *,
    eps: float | None = None,
    seed: int = 0,
) -> Enclosures:
    """Enclose sup |net(x) - target(x)| over ||x||_2 <= radius for many pairs of networks.

    The enclosures are those of `certify`, pair by pair; d <= 4 and up to 64 units together cost a
    fraction of a millisecond each. Pairs that need more than a few thousand nodes share what is
    left of the time when all others are done.

    Args:
        nets, targets: networks of one input dimension; one of them may stand for all of its side.
        masks: bool [B, width], which units of the one network are kept: B tickets of one network.
        radius, rtol, eps, seed: as in `certify`, for every pair.
        time_limit: seconds for all pairs together; None means no limit. Ctrl-C ends the search
            like a passed limit: what is proven by then is returned.

    Returns:
        Enclosures: arrays over the pairs, and a sequence of Enclosure.

    Raises:
        InvalidInput: as `certify`; sequences of different lengths, masks of another shape or type,
            masks with more than one network.
    """
    pairs = _paired(nets, targets) if masks is None else _tickets(nets, targets, masks)
    radius = require_positive("radius", radius)
    rtol, eps = require_rtol(rtol), require_eps(eps)
    limit = require_time_limit(time_limit)
    started = Deadline()
    with stopped_by_interrupt(started):
        chart = Chart.of(Ball(radius), pairs.d) if pairs.biased.any() else None
        compile_for(pairs.d, pairs.units.tolist(), chart)
        deadline = started.within(limit)
        return _Run(pairs, radius, rtol, eps, seed, deadline).enclosures()


def _paired(
    nets: ReLUNetwork | Sequence[ReLUNetwork], targets: ReLUNetwork | Sequence[ReLUNetwork]
) -> _Pairs:
    """Both sides as sequences of one length."""
    sides = [[side] if isinstance(side, ReLUNetwork) else list(side) for side in (nets, targets)]
    count = max(len(side) for side in sides) if all(sides) else 0
    for k, side in enumerate((nets, targets)):
        if isinstance(side, ReLUNetwork):
            sides[k] *= count
    if len(sides[0]) != len(sides[1]):
        raise InvalidInput(
            "targets incompatible with nets",
            got=f"{len(sides[0])} nets, {len(sides[1])} targets",
            expected="as many of one as of the other, or a single network",
            fix="Pass one network where it is the same in all pairs.",
        )
    for net, target in zip(*sides, strict=True):
        require_networks(net, target)
    inputs = {net.d for net in sides[0]}
    if len(inputs) > 1:
        raise InvalidInput(
            "nets of different input dimensions",
            got=f"d = {sorted(inputs)}",
            expected="one input dimension",
            fix="Call certify_many once for each of them.",
        )
    return _Pairs(sides[0], sides[1], inputs.pop() if inputs else 1)


def _tickets(
    nets: ReLUNetwork | Sequence[ReLUNetwork],
    targets: ReLUNetwork | Sequence[ReLUNetwork],
    masks: ArrayLike,
) -> _Tickets:
    """Masks of one network, checked."""
    if not (isinstance(nets, ReLUNetwork) and isinstance(targets, ReLUNetwork)):
        raise InvalidInput(
            "masks with more than one network or target",
            got=f"{type(nets).__name__} and {type(targets).__name__}",
            expected="one ReLUNetwork and one target",
            fix="Call certify_many once for each network.",
        )
    require_networks(nets, targets)
    keep = np.array(masks)
    if keep.dtype != np.bool_ or keep.ndim != 2 or keep.shape[1] != nets.width:
        raise InvalidInput(
            "masks incompatible with the network",
            got=f"shape {keep.shape} of {keep.dtype}",
            expected=f"bool [number of masks, width = {nets.width}]",
            fix="One row for each ticket, true where a unit is kept.",
        )
    return _Tickets(nets, targets, keep)


@dataclass(frozen=True)
class _Pairs:
    """B pairs of networks."""

    nets: Sequence[ReLUNetwork]
    targets: Sequence[ReLUNetwork]
    d: int

    def __len__(self) -> int:
        return len(self.nets)

    @property
    def biased(self) -> BoolArray:
        return np.array(
            [
                net.biased or target.biased
                for net, target in zip(self.nets, self.targets, strict=True)
            ],
            np.bool_,
        )

    @cached_property
    def units(self) -> np.ndarray:
        return np.array(
            [net.width + target.width for net, target in zip(self.nets, self.targets, strict=True)],
            np.int64,
        )

    def pair(self, b: int) -> tuple[ReLUNetwork, ReLUNetwork]:
        return self.nets[b], self.targets[b]

    def differences(self, which: np.ndarray) -> Differences:
        return Differences.of_pairs([self.pair(b) for b in which.tolist()])


@dataclass(frozen=True)
class _Tickets:
    """B tickets of one network and their target. keep: bool [B, width]."""

    net: ReLUNetwork
    target: ReLUNetwork
    keep: BoolArray

    @property
    def d(self) -> int:
        return self.net.d

    def __len__(self) -> int:
        return len(self.keep)

    @property
    def biased(self) -> BoolArray:
        return np.full(len(self), self.net.biased or self.target.biased)

    @cached_property
    def units(self) -> np.ndarray:
        return self.keep.sum(axis=1) + self.target.width

    def pair(self, b: int) -> tuple[ReLUNetwork, ReLUNetwork]:
        net, kept = self.net, self.keep[b]
        bias = None if net.bias is None else net.bias[kept]
        ticket = ReLUNetwork(net.hidden[kept], net.output[kept], net.readout, bias, net.output_bias)
        return ticket, self.target

    def differences(self, which: np.ndarray) -> Differences:
        return Differences.of_masks(self.net, self.target, self.keep[which])


class _Run:
    """The pairs' enclosures as they come: the small ones in chunks, then what is left."""

    def __init__(
        self,
        pairs: _Pairs | _Tickets,
        radius: float,
        rtol: float,
        eps: float | None,
        seed: int,
        deadline: Deadline,
    ) -> None:
        self._pairs = pairs
        self._radius, self._rtol, self._eps, self._seed = radius, rtol, eps, seed
        self._deadline = deadline
        count = len(pairs)
        self._lower, self._upper = np.zeros(count), np.full(count, np.inf)
        self._witness = np.full((count, pairs.d), np.nan)
        self._closed = np.zeros(count, np.bool_)
        self._method = [SMALL_METHODS[min(pairs.d, 3)]] * count
        # What was found on the unit ball where that leaves a pair open.
        self._found: dict[int, Found] = {}

    def enclosures(self) -> Enclosures:
        count = len(self._pairs)
        biased = self._pairs.biased
        units = self._pairs.units
        small = ~biased & np.array([is_small(self._pairs.d, m) for m in units.tolist()], np.bool_)
        for start in range(0, count, _CHUNK):
            which = start + np.flatnonzero(small[start : start + _CHUNK])
            if len(which) and not (start and self._deadline.expired):
                self._enclose_small(which)
        final = small & (self._pairs.d <= 2)
        left = np.flatnonzero(~self._closed & ~final).tolist()
        for number, b in enumerate(left):
            if self._deadline.expired:
                break
            share = self._deadline.within(self._deadline.remaining / (len(left) - number))
            self._set(b, self._enclose_one(b, bool(biased[b]), share))
        for b in np.flatnonzero(np.isinf(self._upper)).tolist():
            self._upper[b] = self._size(b)
        return Enclosures(
            self._lower, self._upper, self._witness, self._closed, tuple(self._method)
        )

    def _enclose_small(self, which: np.ndarray) -> None:
        differences = self._pairs.differences(which)
        threshold = unit_threshold(self._eps, self._radius)
        lower, upper, points = differences.enclose(
            self._rtol, threshold, self._seed, self._deadline
        )
        closed = (upper - lower <= self._rtol * upper) | (upper <= differences.sizes[1])
        found = lower, upper, points
        if self._radius != 1.0:
            # As `at_radius` does.
            lower, upper, points = scaled_bounds(*found, self._radius)
            lower = np.minimum(lower, differences.attained(points, inside=True))
        if self._eps is not None:
            closed |= (upper <= self._eps) | (lower > self._eps)
        self._lower[which], self._upper[which], self._closed[which] = lower, upper, closed
        self._witness[which] = np.where(lower[:, None] > 0.0, points, np.nan)
        for k in np.flatnonzero(~closed).tolist():
            self._found[int(which[k])] = Found.of(found[0][k], found[1][k], found[2][k])

    def _enclose_one(self, b: int, biased: bool, deadline: Deadline) -> Enclosure:
        net, target = self._pairs.pair(b)
        rtol, eps, seed = self._rtol, self._eps, self._seed
        if biased:
            chart = Chart.of(Ball(self._radius), net.d)
            return enclose_on(net, target, chart, rtol, deadline, eps=eps, seed=seed, report=silent)
        if b in self._found:
            found = self._found[b]
            return enclose_further(net, target, found, self._radius, rtol, deadline, eps, seed)
        return enclose(net, target, self._radius, rtol, deadline, eps=eps, seed=seed)

    def _size(self, b: int) -> float:
        """An upper bound that costs nothing."""
        size, terms = 0.0, 0
        for network in self._pairs.pair(b):
            lengths = np.abs(network.hidden).sum(axis=1) * self._radius
            lengths += 0.0 if network.bias is None else np.abs(network.bias)
            size += float(np.abs(network.output) @ lengths) + abs(network.output_bias)
            terms += network.width + network.d
        return size * (1.0 + (terms + 16) * 2.0**-52) + TINY

    def _set(self, b: int, enclosure: Enclosure) -> None:
        self._lower[b], self._upper[b] = enclosure.lower, enclosure.upper
        self._witness[b] = np.nan if enclosure.witness is None else enclosure.witness
        self._closed[b] = enclosure.status == Status.CLOSED
        self._method[b] = enclosure.method
