"""`slth.compress`: which hidden units of a trained network can go, with a certified error."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from slth.certify import Agrees, agree_on, certify
from slth.certify.deep.region import Region
from slth.deep import DeepNetwork
from slth.domain import Box, Domain
from slth.doors import as_network
from slth.errors import (
    InvalidInput,
    require_array,
    require_count,
    require_number,
    require_positive,
    require_seed,
    require_time_limit,
)
from slth.frozen import Rebuilt, freeze
from slth.layers import FloatArray
from slth.limits import Deadline, Progress, Report, silent, stopped_by_interrupt
from slth.network import BoolArray
from slth.pruning.trained.hidden import HiddenUnits
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
class Compression(Rebuilt):
    """A trained network with fewer hidden units.

    Attributes:
        network: the smaller network.
        kept: bool [width], one for each hidden layer: which units are left.
        error: enclosure of sup max_i |network_i - original_i| over the domain.
        status: "optimal" (no network of fewer units keeps the claim) or "feasible" (this one keeps
            it; removing nothing always does).
        least_units: proven: every network that keeps the claim has at least as many hidden units.
        original: the network that was compressed.
        stats: for reading.
    """

    network: DeepNetwork
    kept: tuple[BoolArray, ...]
    error: Enclosure
    status: Status
    least_units: int
    original: DeepNetwork
    stats: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = tuple(mask.view() for mask in self.kept)
        for mask in kept:
            mask.flags.writeable = False
        freeze(self, kept=kept)

    @property
    def units(self) -> int:
        """Hidden units that are left."""
        return int(sum(mask.sum() for mask in self.kept))

    def table(self) -> str:
        """Before and after: units, parameters, multiply-adds, certified and attained error."""
        before = int(sum(len(mask) for mask in self.kept))
        rows = [
            ("hidden units", f"{before:,}", f"{self.units:,}"),
            ("by layer", _sizes(len(m) for m in self.kept), _sizes(m.sum() for m in self.kept)),
            ("parameters", f"{self.original.weights:,}", f"{self.network.weights:,}"),
            (
                "multiply-adds",
                f"{multiplications(self.original):,}",
                f"{multiplications(self.network):,}",
            ),
            ("certified error", "0", f"{self.error.upper:.6g}"),
            ("attained error", "0", f"{self.error.lower:.6g}"),
            ("no fewer units than", "", f"{self.least_units:,}"),
            ("status", "", str(self.status)),
        ]
        widths = [max(len(row[k]) for row in [*rows, ("", "before", "after")]) for k in range(3)]
        lines = [("", "before", "after"), *rows]
        return "\n".join(
            f"{name:<{widths[0]}}  {old:>{widths[1]}}  {new:>{widths[2]}}"
            for name, old, new in lines
        )

    def __repr__(self) -> str:
        return f"Compression({self.status}: {self.units} hidden units, {self.error!r})"


def compress(
    model: object,
    domain: Domain,
    *,
    eps: float | None = None,
    units: int | Sequence[int] | None = None,
    ratio: float | None = None,
    agree_on: ArrayLike | None = None,
    radius: float | None = None,
    time_limit: float | None = 60.0,
    seed: int = 0,
    report: Report = silent,
) -> Compression:
    """Remove hidden units of a trained network (channels of a Conv), nothing retrained.

    Exactly one of `eps`, `units`, `ratio` and `agree_on` says what for:

    - eps: the fewest units with certified sup max_i |pruned_i - original_i| <= eps over the domain;
    - units: at most so many in all (a number) or in each hidden layer (a list), with a small error;
    - ratio: at most this share of the units, the same way;
    - agree_on, radius: the fewest units such that for each row of the data set the pruned network
      has, everywhere on the box of that radius around the row (cut with the domain if it is a
      Box), the label that the original has at the row. Rows for which that does not hold of the
      original itself are left out.

    A last softmax or sigmoid stays; errors are those of its argument.

    Args:
        model: anything that `slth.as_network` takes, layers in a row.
        domain: Ball, Box or Orthant.
        time_limit: seconds; None means no limit. Ctrl-C ends the search like a passed limit.
        seed: of the points at which removals are tried.
        report: called with the units left.

    Raises:
        InvalidInput: none or several of the four, values out of range, residual blocks.
    """
    network = DeepNetwork.of(as_network(model))
    hidden = HiddenUnits(network)
    Region.of(domain, network.d)
    given = {"eps": eps, "units": units, "ratio": ratio, "agree_on": agree_on}
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) != 1 or (radius is None) != (agree_on is None):
        raise InvalidInput(
            "one thing to compress for",
            got=", ".join(chosen) or "nothing",
            expected="one of eps, units, ratio, or agree_on with radius",
            fix="For example: slth.compress(model, slth.Box(0.0, 1.0), eps=0.1).",
        )
    seed, limit = require_seed(seed), require_time_limit(time_limit)
    started = Deadline()
    with stopped_by_interrupt(started):
        run = _Compressor(hidden, domain, started.within(limit), seed, report)
        if eps is not None:
            return run.within(require_positive("eps", eps))
        if agree_on is not None:
            rows = require_array("agree_on", agree_on, ndim=2)
            return run.labels(rows, require_positive("radius", radius))
        return run.budget(_budget(hidden, units, ratio))


def multiplications(network: DeepNetwork) -> int:
    """Multiply-adds of one evaluation."""
    return int(sum(getattr(m.matrix, "nnz", m.matrix.size) for m in network.affine_maps()))


def _sizes(counts: Iterator[int]) -> str:
    return "-".join(str(int(count)) for count in counts)


def _budget(
    hidden: HiddenUnits, units: int | Sequence[int] | None, ratio: float | None
) -> list[int] | int:
    if ratio is not None:
        share = require_number("ratio", ratio)
        if not 0.0 <= share <= 1.0:
            raise InvalidInput(
                "ratio out of range",
                got=repr(share),
                expected="a share of the units, 0 to 1",
                fix="Pass ratio=0.5.",
            )
        return int(share * hidden.total)
    if isinstance(units, Sequence):
        counts = [require_count("units", count, least=0) for count in units]
        if len(counts) != len(hidden.widths):
            raise InvalidInput(
                "units incompatible with the network",
                got=f"{len(counts)} numbers",
                expected=f"one for each of {len(hidden.widths)} hidden layers, or one in all",
                fix="Pass units=k for all layers together.",
            )
        return counts
    return require_count("units", units, least=0)


@dataclass
class _Compressor:
    """One call. The points at which removals are tried grow by what certificates attain."""

    hidden: HiddenUnits
    domain: Domain
    deadline: Deadline
    seed: int
    report: Report

    def __post_init__(self) -> None:
        generator = np.random.Generator(np.random.PCG64(self.seed))
        region = Region.of(self.domain, self.hidden.network.d)
        low, high = region.low[0], region.high[0]
        inside = generator.uniform(low, high, (_POINTS, len(low)))
        corners = np.where(generator.random((_POINTS // 4, len(low))) < 0.5, low, high)
        self.points = region.into(np.concatenate([inside, corners, region.center]))
        self.original = self.hidden.values(self.points, self.hidden.everything())

    def within(self, eps: float) -> Compression:
        """Fewest units with error <= eps."""
        if self.hidden.total <= _ENUMERATED:
            found = self._every_subset(eps)
            if found is not None:
                return found
        order = self._order(lambda error: error <= eps)
        kept, error = self._most_removed(order, lambda kept: self._proven(kept, eps))
        self.report(Progress("compress", 0.0, float(_count(kept)), "units"))
        for unit in self._left(kept):
            if self.deadline.expired:
                break
            fewer = kept.copy()
            fewer[unit] = False
            if self._sampled(fewer) <= eps:
                proven = self._proven(fewer, eps)
                if proven is not None:
                    kept, error = fewer, proven
        return self._result(kept, error, Status.FEASIBLE, 0)

    def budget(self, budget: int | list[int]) -> Compression:
        """A small error with at most so many units."""
        order = self._order(lambda error: True)
        kept = np.ones(self.hidden.total, np.bool_)
        for unit in order:
            if self._fits(kept, budget):
                break
            if self._wanted(kept, unit, budget):
                kept[unit] = False
        error = self._certified(kept, None, self.deadline.remaining)
        return self._result(kept, error, Status.FEASIBLE, 0)

    def labels(self, rows: FloatArray, radius: float) -> Compression:
        """Fewest units that keep the labels around rows."""
        network = self.hidden.network
        within = self.domain if isinstance(self.domain, Box) else None

        def holds(kept: BoolArray) -> Enclosure | None:
            values = self.hidden.values(good, self.hidden.split(kept))
            if (values.argmax(axis=1) != labels).any():
                return None
            pruned = self.hidden.pruned(self.hidden.split(kept))
            until = self.deadline.within(_SHARE * self.deadline.remaining)
            # The nearest to another label first: they fail first.
            ranked = np.sort(values, axis=1)
            for place, k in enumerate(np.argsort(ranked[:, -1] - ranked[:, -2], kind="stable")):
                limit = until.remaining / (len(good) - place)
                limit = None if math.isinf(limit) else max(limit, 1e-3)
                (verdict,) = agree_on(
                    network, pruned, good[[k]], radius=radius, within=within, time_limit=limit
                )
                if verdict.status != Agrees.AGREE:
                    return None
            return Enclosure(0.0, math.inf, None, Status.OPEN, "labels")

        limit = self._limit(_SHARE)
        own = agree_on(network, network, rows, radius=radius, within=within, time_limit=limit)
        good = rows[[verdict.status == Agrees.AGREE for verdict in own]]
        labels = network.logits(good).argmax(axis=1) if len(good) else np.zeros(0, np.int64)
        self.points = np.concatenate([good, self.points])
        self.original = self.hidden.values(self.points, self.hidden.everything())
        order = self._order(lambda error: True)
        kept, _ = self._most_removed(order, holds)
        error = self._certified(kept, None, self.deadline.remaining)
        result = self._result(kept, error, Status.FEASIBLE, 0)
        result.stats["rows"] = len(good)
        result.stats["rows left out"] = len(rows) - len(good)
        return result

    def _every_subset(self, eps: float) -> Compression | None:
        """The smallest subset within eps: each smaller one is refuted at a point."""
        total = self.hidden.total
        open_below = total
        for count in range(total + 1):
            for units in itertools.combinations(range(total), count):
                if self.deadline.expired:
                    return None
                kept = np.zeros(total, np.bool_)
                kept[list(units)] = True
                if self._refuted(kept, eps):
                    continue
                proven = self._proven(kept, eps)
                if proven is not None:
                    least = min(count, open_below)
                    status = Status.OPTIMAL if least == count else Status.FEASIBLE
                    return self._result(kept, proven, status, least)
                if not self._refuted(kept, eps):
                    open_below = min(open_below, count)
        return None

    def _refuted(self, kept: BoolArray, eps: float) -> bool:
        """Whether a point shows an error above eps for certain."""
        return self._sampled(kept) > eps + 2.0 * self.hidden.margin(self.points)

    def _sampled(self, kept: BoolArray) -> float:
        values = self.hidden.values(self.points, self.hidden.split(kept))
        return float(np.abs(values - self.original).max(initial=0.0))

    def _proven(self, kept: BoolArray, eps: float) -> Enclosure | None:
        """The certified error if it is at most eps; a point that shows more is remembered."""
        error = self._certified(kept, eps, self._limit(_SHARE))
        if error.upper <= eps:
            return error
        if error.witness is not None:
            point = error.witness.reshape(1, -1)
            self.points = np.concatenate([self.points, point])
            more = self.hidden.values(point, self.hidden.everything())
            self.original = np.concatenate([self.original, more])
        return None

    def _certified(self, kept: BoolArray, eps: float | None, limit: float | None) -> Enclosure:
        network = self.hidden.network
        pruned = self.hidden.pruned(self.hidden.split(kept))
        if limit is not None:
            limit = None if math.isinf(limit) else max(limit, 1e-3)
        return certify(pruned, network, domain=self.domain, eps=eps, time_limit=limit)

    def _limit(self, share: float) -> float | None:
        left = share * self.deadline.remaining
        return max(left, 1e-3) if math.isfinite(left) else None

    def _order(self, allowed: Callable[[float], bool]) -> list[int]:
        """Units in the order of removal: each time the one of the least sampled error among those
        that change least alone; as long as the error is allowed."""
        total = self.hidden.total
        kept = np.ones(total, np.bool_)
        alone = np.empty(total)
        for unit in range(total):
            kept[unit] = False
            alone[unit] = self._sampled(kept)
            kept[unit] = True
        order: list[int] = []
        left = list(np.argsort(alone, kind="stable"))
        while left and not self.deadline.expired:
            best, best_error = -1, math.inf
            for unit in left[:_CANDIDATES]:
                kept[unit] = False
                error = self._sampled(kept)
                kept[unit] = True
                if error < best_error:
                    best, best_error = unit, error
            if not allowed(best_error):
                break
            kept[best] = False
            left.remove(best)
            order.append(int(best))
        return order

    def _most_removed(
        self, order: list[int], proven: Callable[[BoolArray], Enclosure | None]
    ) -> tuple[BoolArray, Enclosure | None]:
        """The longest start of the order whose removal is proven, by halving; what is proven of
        removing nothing is that nothing changes."""
        best = np.ones(self.hidden.total, np.bool_)
        found: Enclosure | None = None
        low, high = 0, len(order)
        guess = high
        while low < high and not self.deadline.expired:
            kept = np.ones(self.hidden.total, np.bool_)
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
            return _count(kept) <= budget
        parts = self.hidden.split(kept)
        return all(int(part.sum()) <= most for part, most in zip(parts, budget, strict=True))

    def _wanted(self, kept: BoolArray, unit: int, budget: int | list[int]) -> bool:
        """Whether the unit's layer still has too many."""
        if isinstance(budget, int):
            return True
        ends = np.cumsum(self.hidden.widths)
        layer = int(np.searchsorted(ends, unit, side="right"))
        return int(self.hidden.split(kept)[layer].sum()) > budget[layer]

    def _result(
        self, kept: BoolArray, error: Enclosure | None, status: Status, least: int
    ) -> Compression:
        masks = self.hidden.split(kept)
        if error is None:
            error = Enclosure(0.0, 0.0, None, Status.CLOSED, "nothing removed")
        return Compression(
            self.hidden.pruned(masks), tuple(masks), error, status, least, self.hidden.network
        )


def _count(kept: BoolArray) -> int:
    return int(kept.sum())
