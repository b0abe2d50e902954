"""Certifying thousands of small differences in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from slth.certify.comparison import Comparison, Network
from slth.certify.enclose import (
    Known,
    enclose_further,
    require_eps,
    require_rtol,
)
from slth.certify.enclose_domain import enclose_pair, with_floor
from slth.certify.prepare import compile_for
from slth.certify.request import Request
from slth.certify.small.differences import SMALL_METHODS, Differences, is_small
from slth.certify.unit_pair import UnitPair, are_closed, is_ordinary, unit_threshold
from slth.deep import DeepNetwork
from slth.domain import Ball
from slth.errors import InvalidInput, require_positive, require_seed, require_time_limit
from slth.layers import Dense, bias_of
from slth.limits import Deadline, stopped_by_interrupt
from slth.network import BoolArray, ReLUNetwork
from slth.rounding.scaling import into_radius, scaled_down, scaled_up
from slth.solution import Enclosure, Enclosures, Status

# Differences whose units are gathered in memory at once.
_CHUNK = 1_000


def certify_many(
    nets: object,
    targets: object,
    masks: ArrayLike | None = None,
    radius: float = 1.0,
    rtol: float = 1e-6,
    time_limit: float | None = 60.0,
    *,
    eps: float | None = None,
    seed: int = 0,
) -> Enclosures:
    """Enclose sup |net(x) - target(x)| over ||x||_2 <= radius for many pairs of networks.

    The guarantees are those of `certify`, pair by pair; d <= 4 and up to 64 units together cost a
    fraction of a millisecond each, by a compiled search that `certify` asks second where d > 2.
    Pairs that need more than a few thousand nodes share what is left of the time when all others
    are done.

    Args:
        nets, targets: networks of one input dimension, or lists of them, as in `certify`; one of
            them may stand for all of its side.
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
    rtol, eps, seed = require_rtol(rtol), require_eps(eps), require_seed(seed)
    limit = require_time_limit(time_limit)
    started = Deadline()
    with stopped_by_interrupt(started):
        compile_for(pairs.d, pairs.units[pairs.plain].tolist(), None)
        for b in np.flatnonzero(~pairs.plain).tolist():
            pairs.comparison(b).compile(Ball(radius))
        deadline = started.within(limit)
        return _Run(pairs, radius, rtol, eps, seed, deadline).enclosures()


def _paired(nets: Any, targets: Any) -> _Pairs:
    """Both sides as sequences of one length."""
    sides = [list(side) if _is_several(side) else [side] for side in (nets, targets)]
    count = max(len(side) for side in sides) if all(sides) else 0
    for k, side in enumerate((nets, targets)):
        if not _is_several(side):
            sides[k] *= count
    if len(sides[0]) != len(sides[1]):
        raise InvalidInput(
            "targets incompatible with nets",
            got=f"{len(sides[0])} nets, {len(sides[1])} targets",
            expected="as many of one as of the other, or a single network",
            fix="Pass one network where it is the same in all pairs.",
        )
    pairs = [Comparison.of(net, target) for net, target in zip(*sides, strict=True)]
    inputs = {pair.d for pair in pairs}
    if len(inputs) > 1:
        raise InvalidInput(
            "nets of different input dimensions",
            got=f"d = {sorted(inputs)}",
            expected="one input dimension",
            fix="Call certify_many once for each of them.",
        )
    return _Pairs(pairs, inputs.pop() if inputs else 1)


def _is_several(side: object) -> bool:
    """Whether it is a sequence of models; a list of (W, b) is one model."""
    if not isinstance(side, list | tuple):
        return False
    return not side or not all(isinstance(part, list | tuple) and len(part) == 2 for part in side)


def _tickets(net: Any, target: Any, masks: ArrayLike) -> _Pairs | _Tickets:
    """Masks of one network, checked."""
    if _is_several(net) or _is_several(target):
        raise InvalidInput(
            "masks with more than one network or target",
            got=f"{type(net).__name__} and {type(target).__name__}",
            expected="one network and one target",
            fix="Call certify_many once for each network.",
        )
    pair = Comparison.of(net, target)
    width = _hidden_width(pair.net)
    keep = np.array(masks)
    if keep.dtype != np.bool_ or keep.ndim != 2 or keep.shape[1] != width:
        raise InvalidInput(
            "masks incompatible with the network",
            got=f"shape {keep.shape} of {keep.dtype}",
            expected=f"bool [number of masks, width = {width}]",
            fix="One row for each ticket, true where a unit is kept.",
        )
    if isinstance(pair.net, ReLUNetwork) and isinstance(pair.target, ReLUNetwork):
        return _Tickets(pair.net, pair.target, keep)
    tickets = [Comparison(_with_units(pair.net, kept), pair.target) for kept in keep]
    return _Pairs(tickets, pair.d)


def _hidden_width(net: Network) -> int:
    if isinstance(net, ReLUNetwork):
        return net.width
    if len(net.items) == 2 and all(isinstance(layer, Dense) for layer in net.items):
        return net.items[0].weight.shape[0]  # type: ignore[union-attr]
    raise InvalidInput(
        "masks of a network that has no one hidden layer",
        got=repr(net),
        expected="a ReLUNetwork, or a DeepNetwork of two Dense items",
        fix="Pass the pruned networks themselves.",
    )


def _with_units(net: Network, kept: BoolArray) -> Network:
    """The network with these hidden units only."""
    if isinstance(net, ReLUNetwork):
        return ReLUNetwork(net.hidden[kept], net.output[kept], net.readout)
    inner, outer = net.items
    layers = (
        Dense(inner.weight[kept], bias_of(inner)[kept]),  # type: ignore[union-attr]
        Dense(outer.weight[:, kept], bias_of(outer)),  # type: ignore[union-attr]
    )
    return DeepNetwork(layers, net.last)


@dataclass(frozen=True)
class _Pairs:
    """B pairs of networks of any kind."""

    pairs: Sequence[Comparison]
    d: int

    def __len__(self) -> int:
        return len(self.pairs)

    @cached_property
    def plain(self) -> BoolArray:
        """Which pairs are two ReLUNetworks."""
        sides = [(pair.net, pair.target) for pair in self.pairs]
        both = [all(isinstance(side, ReLUNetwork) for side in pair) for pair in sides]
        return np.array(both, np.bool_)

    @cached_property
    def units(self) -> np.ndarray:
        """Hidden units of each pair of ReLUNetworks; 0 for the others."""
        return np.array(
            [
                pair.net.width + pair.target.width if plain else 0  # type: ignore[union-attr]
                for pair, plain in zip(self.pairs, self.plain.tolist(), strict=True)
            ],
            np.int64,
        )

    @cached_property
    def ordinary(self) -> BoolArray:
        """Which pairs are compared at the scale that they have: those with units to compare, of
        ordinary weights."""
        return np.array(
            [
                bool(units) and is_ordinary(pair.net, pair.target)  # type: ignore[arg-type]
                for pair, units in zip(self.pairs, self.units.tolist(), strict=True)
            ],
            np.bool_,
        )

    def comparison(self, b: int) -> Comparison:
        return self.pairs[b]

    def differences(self, which: np.ndarray) -> Differences:
        chosen = [self.pairs[b] for b in which.tolist()]
        return Differences.of_pairs([(pair.net, pair.target) for pair in chosen])  # type: ignore[misc]


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

    @cached_property
    def plain(self) -> BoolArray:
        return np.ones(len(self), np.bool_)

    @cached_property
    def units(self) -> np.ndarray:
        return self.keep.sum(axis=1) + self.target.width

    @cached_property
    def ordinary(self) -> BoolArray:
        """As those of `_Pairs`."""
        return (self.units > 0) & is_ordinary(self.net, self.target)

    def comparison(self, b: int) -> Comparison:
        return Comparison(_with_units(self.net, self.keep[b]), self.target)

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
        self._found: dict[int, Known] = {}

    def enclosures(self) -> Enclosures:
        count = len(self._pairs)
        plain = self._pairs.plain
        units = self._pairs.units
        small = plain & np.array([is_small(self._pairs.d, m) for m in units.tolist()], np.bool_)
        small &= self._pairs.ordinary
        for start in range(0, count, _CHUNK):
            which = start + np.flatnonzero(small[start : start + _CHUNK])
            if len(which) and not (start and self._deadline.expired):
                self._enclose_small(which)
        final = small & (self._pairs.d <= 2) & np.isfinite(self._upper)
        left = np.flatnonzero(~self._closed & ~final).tolist()
        for number, b in enumerate(left):
            if self._deadline.expired:
                break
            share = self._deadline.within(self._deadline.remaining / (len(left) - number))
            self._set(b, self._enclose_one(b, bool(plain[b]), share))
        for b in np.flatnonzero(np.isinf(self._upper)).tolist():
            self._upper[b] = self._size(b)
        return Enclosures(
            self._lower, self._upper, self._witness, self._closed, tuple(self._method)
        )

    def _enclose_small(self, which: np.ndarray) -> None:
        differences = self._pairs.differences(which)
        threshold = np.inf if self._eps is None else unit_threshold(self._eps, self._radius)
        found = differences.enclose(self._rtol, threshold, self._seed, self._deadline)
        lower, upper, points = found
        noise = differences.sizes[1]
        if self._radius != 1.0:
            # As `UnitPair.at` does.
            upper, noise = scaled_up(upper, self._radius), scaled_down(noise, self._radius)
            points = into_radius(points, self._radius)
            shift = int(np.frexp(self._radius)[1])
            attained = differences.attained(np.ldexp(points, -shift), inside=True)
            lower = scaled_down(attained, 1.0, shift)
        closed = are_closed(lower, upper, self._rtol, noise, self._eps)
        self._lower[which], self._upper[which], self._closed[which] = lower, upper, closed
        self._witness[which] = np.where(lower[:, None] > 0.0, points, np.nan)
        for k in np.flatnonzero(~closed).tolist():
            self._found[int(which[k])] = Known.of(found[0][k], found[1][k], found[2][k])

    def _enclose_one(self, b: int, plain: bool, deadline: Deadline) -> Enclosure:
        pair = self._pairs.comparison(b)
        request = Request(self._rtol, self._eps, deadline, self._seed)
        if not plain or b not in self._found:
            return enclose_pair(pair, Ball(self._radius), request)
        unit = UnitPair(ReLUNetwork.of(pair.net), ReLUNetwork.of(pair.target), 0)
        asked = request.about(unit.unit_eps(self._eps, self._radius))
        further = enclose_further(unit, self._found[b], asked)
        floored = with_floor(further, pair.on(Ball(1.0)), asked)
        return unit.at(floored, self._radius, self._rtol, self._eps)

    def _size(self, b: int) -> float:
        """An upper bound that costs nothing."""
        return self._pairs.comparison(b).on(Ball(self._radius)).by_interval

    def _set(self, b: int, enclosure: Enclosure) -> None:
        self._lower[b], self._upper[b] = enclosure.lower, enclosure.upper
        self._witness[b] = np.nan if enclosure.witness is None else enclosure.witness
        self._closed[b] = enclosure.status == Status.CLOSED
        self._method[b] = enclosure.method
