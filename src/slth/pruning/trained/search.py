"""The search for hidden units that can go: greedy by sampled effect, every answer certified."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from slth.certify import certify
from slth.certify.deep.bounds import Difference, relax
from slth.certify.deep.program import program_of
from slth.certify.deep.region import Region
from slth.certify.deep.rows import LabelledBoxes
from slth.certify.problem.chart import Chart
from slth.deep import DeepNetwork
from slth.domain import Box, Domain
from slth.errors import InvalidInput
from slth.layers import FloatArray
from slth.limits import Deadline, Progress, Report
from slth.network import BoolArray
from slth.pruning.trained.free import Free
from slth.pruning.trained.hidden import HiddenUnits
from slth.pruning.trained.labels import MOST_BOXES, KeptLabels
from slth.pruning.trained.least import least_units
from slth.pruning.trained.means import compensated
from slth.solution import Enclosure, Status

# Points at which removals are tried: enough to tell units apart; certificates do not rest on them.
_POINTS = 256
# Candidates for the next removal: those that change least alone.
_CANDIDATES = 24
# Networks of up to this many hidden units are searched subset by subset.
_ENUMERATED = 16
# Of the time that is left, for one certificate.
_SHARE = 0.2


@dataclass(frozen=True)
class Found:
    """What a search found: bool [units], the certified error, and what is proven of fewer."""

    kept: BoolArray
    error: Enclosure
    status: Status
    least: int
    stats: dict[str, object] = field(default_factory=dict)


@dataclass
class Removal:
    """One call of `slth.compress`. The points at which removals are tried grow by what certificates
    attain.

    Attributes:
        hidden: the network.
        free: what goes for nothing.
        domain, deadline, seed, report: as for `slth.compress`.
        means: of each hidden layer, what the next biases take over of units that are gone; none:
            nothing. Optimality is not asked for with them.
    """

    hidden: HiddenUnits
    free: Free
    domain: Domain
    deadline: Deadline
    seed: int
    report: Report
    means: list[FloatArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        generator = np.random.Generator(np.random.PCG64(self.seed))
        region = Region.of(self.domain, self.hidden.network.d)
        low, high = region.low[0], region.high[0]
        inside = generator.uniform(low, high, (_POINTS, len(low)))
        corners = np.where(generator.random((_POINTS // 4, len(low))) < 0.5, low, high)
        points = region.into(np.concatenate([inside, corners, region.center]))
        chart = Chart.of(self.domain, self.hidden.network.d)
        # They refute removals: none may lie a rounding outside of a ball.
        self.points = np.array([chart.inside(point) for point in points])
        self.original = self.hidden.values(self.points, self.hidden.everything())

    def within(self, eps: float) -> Found:
        """Fewest units with error <= eps. Raises InvalidInput if folding alone rounds by more."""
        rounding = self._as_given(self.free.needed).upper
        if rounding > eps:
            raise InvalidInput(
                "eps below what folding rounds",
                got=f"eps = {eps!r}",
                expected=f"at least {rounding:.3g}",
                fix="Leave out fold, or allow a larger error.",
            )
        if not self.means and int((~self.free.always).sum()) <= _ENUMERATED:
            found = self._every_subset(eps)
            if found is not None:
                return found
        order = self._order(lambda error: error <= eps)
        kept, error = self._most_removed(order, lambda kept: self._proven(kept, eps))
        self.report(Progress("compress", 0.0, float(kept.sum()), "units"))
        for unit in self._left(kept):
            if self.deadline.expired:
                break
            fewer = kept.copy()
            fewer[unit] = False
            if self.hidden.possible(fewer) and self._sampled(fewer) <= eps:
                proven = self._proven(fewer, eps)
                if proven is not None:
                    kept, error = fewer, proven
        least = 0 if self.means else least_units(self.hidden, self.points, eps)
        status = Status.OPTIMAL if least == kept.sum() else Status.FEASIBLE
        return Found(kept, error, status, least)

    def budget(self, budget: int | list[int]) -> Found:
        """A small error with at most so many units."""
        order = self._order(lambda error: True)
        kept = self.free.needed.copy()
        for unit in order:
            if self._fits(kept, budget):
                break
            if self._wanted(kept, unit, budget):
                kept[unit] = False
        error = self._certified(kept, None, self.deadline.remaining)
        return Found(kept, error, Status.FEASIBLE, 0)

    def labels(self, rows: FloatArray, radius: float) -> Found:
        """Fewest units that keep the labels around rows."""
        within = self.domain if isinstance(self.domain, Box) else None
        boxes = [Box.around(row, radius, within) for row in rows]
        low, high = (
            np.array([getattr(box, end) for box in boxes]).reshape(rows.shape)
            for end in ("low", "high")
        )
        labels = self.hidden.network.logits(rows).argmax(axis=1) if len(rows) else np.zeros(0, int)
        given = LabelledBoxes(Region(low, high, None), labels)
        until = self.deadline.within(_SHARE * self.deadline.remaining)
        good = given.chosen(np.flatnonzero(~given.open(self.hidden.network, MOST_BOXES, until)))

        def report(count: int) -> None:
            self.report(Progress("compress", 0.0, float(count), "units"))

        # Units that are dead on the domain may live on boxes that leave it.
        start = np.ones(self.hidden.total, np.bool_) if within is None else self.free.needed
        kept = KeptLabels(self.hidden, good, self.deadline, report).run(start)
        error = self._certified(kept, None, self.deadline.remaining)
        stats: dict[str, object] = {"rows": len(good), "rows left out": len(rows) - len(good)}
        return Found(kept, error, Status.FEASIBLE, 0, stats)

    def _every_subset(self, eps: float) -> Found | None:
        """The smallest subset within eps: each smaller one is refuted at a point. Units that can
        always go are in none."""
        candidates = np.flatnonzero(~self.free.always)
        open_below = len(candidates)
        for count in range(len(candidates) + 1):
            for units in itertools.combinations(candidates.tolist(), count):
                if self.deadline.expired:
                    return None
                kept = np.zeros(self.hidden.total, np.bool_)
                kept[list(units)] = True
                if not self.hidden.possible(kept) or self._refuted(kept, eps):
                    continue
                proven = self._proven(kept, eps)
                if proven is not None:
                    least = min(count, open_below)
                    status = Status.OPTIMAL if least == count else Status.FEASIBLE
                    return Found(kept, proven, status, least)
                if not self._refuted(kept, eps):
                    open_below = min(open_below, count)
        return None

    def _refuted(self, kept: BoolArray, eps: float) -> bool:
        """Whether a point shows an error above eps for certain."""
        return self._sampled(kept) > eps + 2.0 * self.hidden.margin(self.points)

    def _sampled(self, kept: BoolArray) -> float:
        values = self.hidden.values(self.points, self.hidden.split(kept), self.means)
        return float(np.abs(values - self.original).max(initial=0.0))

    def _proven(self, kept: BoolArray, eps: float) -> Enclosure | None:
        """The certified error if it is at most eps; a point that shows more is remembered."""
        error = self._certified(kept, eps, _SHARE * self.deadline.remaining)
        if error.upper <= eps:
            return error
        if error.witness is not None:
            point = error.witness.reshape(1, -1)
            self.points = np.concatenate([self.points, point])
            more = self.hidden.values(point, self.hidden.everything())
            self.original = np.concatenate([self.original, more])
        return None

    @cached_property
    def _base(self) -> DeepNetwork:
        """The network without what goes for nothing: equal on the domain, within what it states."""
        return self.hidden.pruned(self.hidden.split(self.free.needed))

    def written(self, kept: BoolArray) -> DeepNetwork:
        """The network of these units, of floats alone."""
        masks = self.hidden.split(kept)
        if self.means:
            return self.free.plain(compensated(self.hidden, masks, self.means))
        return self.free.plain(self.hidden.pruned(masks))

    def _as_given(self, kept: BoolArray) -> Enclosure:
        """The error without what goes for nothing: 0, but for what folding rounds."""
        if not self.free.places:
            return Enclosure(0.0, 0.0, None, Status.CLOSED, "equal on the domain")
        region = Region.of(self.domain, self.hidden.network.d)
        difference = Difference.of(program_of(self.written(kept), self._base), region)
        upper = float(relax(difference, region).highest().max())
        return Enclosure(0.0, upper, None, Status.OPEN, "equal on the domain up to rounding")

    def _certified(self, kept: BoolArray, eps: float | None, seconds: float) -> Enclosure:
        if not (self.free.needed & ~kept).any():
            return self._as_given(kept)
        pruned = self.written(kept)
        limit = max(seconds, 1e-3) if math.isfinite(seconds) else None
        return certify(pruned, self._base, domain=self.domain, eps=eps, time_limit=limit)

    def _order(self, allowed: Callable[[float], bool]) -> list[int]:
        """Units in the order of removal: each time the one of the least sampled error among those
        that change least alone; as long as the error is allowed."""
        kept = self.free.needed.copy()
        left = self._left(kept)
        order: list[int] = []
        while left and not self.deadline.expired:
            best, best_error = -1, math.inf
            for unit in left[:_CANDIDATES]:
                kept[unit] = False
                error = self._sampled(kept) if self.hidden.possible(kept) else math.inf
                kept[unit] = True
                if error < best_error:
                    best, best_error = unit, error
            if best < 0 or not allowed(best_error):
                break
            kept[best] = False
            left.remove(best)
            order.append(best)
        return order

    def _most_removed(
        self, order: list[int], proven: Callable[[BoolArray], Enclosure | None]
    ) -> tuple[BoolArray, Enclosure]:
        """The longest start of the order whose removal is proven, by halving; what goes for nothing
        needs no other proof."""
        best = self.free.needed.copy()
        found = self._certified(best, None, math.inf)
        low, high = 0, len(order)
        guess = high
        while low < high and not self.deadline.expired:
            kept = self.free.needed.copy()
            kept[order[:guess]] = False
            error = proven(kept)
            if error is not None:
                best, found, low = kept, error, guess
            else:
                high = guess - 1
            guess = (low + high + 1) // 2
        return best, found

    def _left(self, kept: BoolArray) -> list[int]:
        """Units still there, those that change least first."""
        errors = []
        for unit in np.flatnonzero(kept):
            fewer = kept.copy()
            fewer[unit] = False
            errors.append((self._sampled(fewer), int(unit)))
        return [unit for _, unit in sorted(errors)]

    def _fits(self, kept: BoolArray, budget: int | list[int]) -> bool:
        if isinstance(budget, int):
            return int(kept.sum()) <= budget
        parts = self.hidden.split(kept)
        return all(int(part.sum()) <= most for part, most in zip(parts, budget, strict=True))

    def _wanted(self, kept: BoolArray, unit: int, budget: int | list[int]) -> bool:
        """Whether the unit's layer still has too many."""
        if isinstance(budget, int):
            return True
        ends = np.cumsum(self.hidden.widths)
        layer = int(np.searchsorted(ends, unit, side="right"))
        return int(self.hidden.split(kept)[layer].sum()) > budget[layer]
