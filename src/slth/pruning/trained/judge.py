"""What is known of a removal: its error at sampled points, and its certified error.

What can be removed (hidden units, single weights) is numbered; a removal is what it keeps,
bool [total]. Points refute removals, certificates prove them; neither trusts the search.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from slth.certify import certify
from slth.certify.deep import DeepComparison
from slth.certify.deep.region import Region
from slth.certify.problem.chart import Chart
from slth.deep import DeepNetwork
from slth.domain import Domain
from slth.layers import FloatArray
from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.trained.free import Free
from slth.solution import Enclosure, Status

# Points at which removals are tried: enough to tell units apart; certificates do not rest on them.
_POINTS = 256
# Networks of up to this many removable parts are searched subset by subset.
ENUMERATED = 16


class Removable(Protocol):
    """A network's parts that may go, numbered."""

    @property
    def network(self) -> DeepNetwork:
        """The network with all of them."""
        ...

    @property
    def total(self) -> int:
        """How many there are."""
        ...

    def possible(self, kept: BoolArray) -> bool:
        """Whether there is a network of these."""
        ...

    def outputs(self, points: FloatArray, kept: BoolArray) -> FloatArray:
        """The values without the others, in floats: [points, outputs]."""
        ...

    def without(self, kept: BoolArray) -> DeepNetwork:
        """The network without the others."""
        ...

    def compared(self, kept: BoolArray) -> DeepNetwork:
        """The same function as `without`, in the shape that certificates compare best."""
        ...

    def margin(self, points: FloatArray) -> float:
        """What `outputs` can be off by at the points, at most."""
        ...


@dataclass(frozen=True)
class Found:
    """What a search found: bool [total], the certified error, and what is proven of fewer."""

    kept: BoolArray
    error: Enclosure
    status: Status
    least: int
    stats: dict[str, object] = field(default_factory=dict)


@dataclass
class Judge:
    """Errors of removals. The points at which they are tried grow by what certificates attain.

    Attributes:
        parts: what may go.
        free: what goes for nothing; a folded network's is equal to what was given only within what
            it states.
        plain: what the network without them is but for what its layers state: `parts` itself
            unless biases take over what is gone.
        domain, deadline, seed: as for `slth.compress`.
        share: of the time that is left, for one certificate.
    """

    parts: Removable
    plain: Removable
    free: Free
    domain: Domain
    deadline: Deadline
    seed: int
    share: float = 0.2

    def __post_init__(self) -> None:
        generator = np.random.Generator(np.random.PCG64(self.seed))
        region = Region.of(self.domain, self.parts.network.d)
        low, high = region.low[0], region.high[0]
        inside = generator.uniform(low, high, (_POINTS, len(low)))
        corners = np.where(generator.random((_POINTS // 4, len(low))) < 0.5, low, high)
        points = region.into(np.concatenate([inside, corners, region.center]))
        chart = Chart.of(self.domain, self.parts.network.d)
        # They refute removals: none may lie a rounding outside of a ball.
        self.points = np.array([chart.inside(point) for point in points])
        self.original = self._original(self.points)

    def _original(self, points: FloatArray) -> FloatArray:
        return self.plain.outputs(points, np.ones(self.parts.total, np.bool_))

    def sampled(self, kept: BoolArray) -> float:
        """The largest error at the points."""
        values = self.parts.outputs(self.points, kept)
        return float(np.abs(values - self.original).max(initial=0.0))

    def refuted(self, kept: BoolArray, eps: float) -> bool:
        """Whether a point shows an error above eps for certain."""
        return self.sampled(kept) > eps + 2.0 * self.parts.margin(self.points)

    def proven(self, kept: BoolArray, eps: float) -> Enclosure | None:
        """The certified error if it is at most eps; a point that shows more is remembered."""
        error = self.certified(kept, eps, self.share * self.deadline.remaining)
        if error.upper <= eps:
            return error
        if error.witness is not None:
            point = error.witness.reshape(1, -1)
            self.points = np.concatenate([self.points, point])
            self.original = np.concatenate([self.original, self._original(point)])
        return None

    def certified(self, kept: BoolArray, eps: float | None, seconds: float) -> Enclosure:
        """The error over the domain, enclosed."""
        # Of a dead unit all weights may go, or none: without some of them it may live.
        if kept.all() or np.array_equal(kept, self.free.needed):
            return self.as_given(kept)
        pruned = self.free.plain(self.parts.compared(kept))
        limit = max(seconds, 1e-3) if math.isfinite(seconds) else None
        return certify(pruned, self._base, domain=self.domain, eps=eps, time_limit=limit)

    @cached_property
    def _base(self) -> DeepNetwork:
        """The network without what goes for nothing: equal on the domain, within what it states."""
        return self.plain.compared(self.free.needed)

    def written(self, kept: BoolArray) -> DeepNetwork:
        """The network that is left, of floats alone."""
        return self.free.plain(self.parts.without(kept))

    def as_given(self, kept: BoolArray) -> Enclosure:
        """The error without what goes for nothing: 0, but for what folding rounds."""
        if not self.free.places:
            return Enclosure(0.0, 0.0, None, Status.CLOSED, "equal on the domain")
        upper = self.bounded(kept)
        return Enclosure(0.0, upper, None, Status.OPEN, "equal on the domain up to rounding")

    def bounded(self, kept: BoolArray) -> float:
        """At least the error over the domain, by one relaxation: what certificates begin with, some
        milliseconds."""
        pruned = self.free.plain(self.parts.compared(kept))
        return DeepComparison(pruned, self._base, self.domain).floor

    def every_subset(self, eps: float) -> Found | None:
        """The smallest subset within eps: each smaller one is refuted at a point. Parts that can
        always go are in none. None once the time is up."""
        candidates = np.flatnonzero(~self.free.always)
        open_below = len(candidates)
        for count in range(len(candidates) + 1):
            for chosen in itertools.combinations(candidates.tolist(), count):
                if self.deadline.expired:
                    return None
                kept = np.zeros(self.parts.total, np.bool_)
                kept[list(chosen)] = True
                if not self.parts.possible(kept) or self.refuted(kept, eps):
                    continue
                proven = self.proven(kept, eps)
                if proven is not None:
                    least = min(count, open_below)
                    status = Status.OPTIMAL if least == count else Status.FEASIBLE
                    return Found(kept, proven, status, least)
                if not self.refuted(kept, eps):
                    open_below = min(open_below, count)
        return None

    def most_removed(
        self, order: Sequence[int], eps: float, known: int = 0
    ) -> tuple[BoolArray, Enclosure]:
        """The longest start of the order whose removal is proven within eps, by halving; what goes
        for nothing needs no other proof. known: the length of one that is likely to be."""
        best = self.free.needed.copy()
        found = self.certified(best, None, math.inf)
        low, high = 0, len(order)
        guess = known or high
        while low < high and not self.deadline.expired:
            kept = self.free.needed.copy()
            kept[list(order[:guess])] = False
            error = self.proven(kept, eps)
            if error is not None:
                best, found, low = kept, error, guess
            else:
                high = guess - 1
            guess = (low + high + 1) // 2
        return best, found
