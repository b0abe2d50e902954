"""The search for hidden units that can go: greedy by sampled effect, every answer certified."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slth.certify.deep.rows import LabelledBoxes
from slth.errors import InvalidInput
from slth.layers import FloatArray
from slth.limits import Progress, Report
from slth.network import BoolArray
from slth.pruning.trained.judge import ENUMERATED, Found, Judge
from slth.pruning.trained.labels import KeptLabels, keep_labels
from slth.pruning.trained.least import least_units
from slth.pruning.trained.means import Compensated
from slth.pruning.trained.units import Units
from slth.solution import Status

# Candidates for the next removal: those that change least alone.
_CANDIDATES = 24


@dataclass
class Removal:
    """One call of `slth.compress` for units.

    Attributes:
        hidden: the network.
        judge: of removals; its parts are the hidden units, or they with biases that take them over
            (then nothing is asked of fewer units).
        report: as for `slth.compress`.
    """

    hidden: Units
    judge: Judge
    report: Report

    @property
    def compensated(self) -> bool:
        """Whether biases take over units that go."""
        return isinstance(self.judge.parts, Compensated)

    def within(self, eps: float) -> Found:
        """Fewest units with error <= eps. Raises InvalidInput if folding alone rounds by more."""
        judge = self.judge
        rounding = judge.as_given(judge.free.needed).upper
        if rounding > eps:
            raise InvalidInput(
                "eps below what folding rounds",
                got=f"eps = {eps!r}",
                expected=f"at least {rounding:.3g}",
                fix="Leave out fold, or allow a larger error.",
            )
        if not self.compensated and int((~judge.free.always).sum()) <= ENUMERATED:
            found = judge.every_subset(eps)
            if found is not None:
                return found
        order = self._order(lambda error: error <= eps)
        kept, error = judge.most_removed(order, eps)
        self.report(Progress("compress", 0.0, float(kept.sum()), "units"))
        for unit in self._left(kept):
            if judge.deadline.expired:
                break
            fewer = kept.copy()
            fewer[unit] = False
            if self.hidden.possible(fewer) and judge.sampled(fewer) <= eps:
                proven = judge.proven(fewer, eps)
                if proven is not None:
                    kept, error = fewer, proven
        asked = not (self.compensated or judge.deadline.expired)
        least = least_units(self.hidden, judge.points, eps) if asked else 0
        status = Status.OPTIMAL if least == kept.sum() else Status.FEASIBLE
        return Found(kept, error, status, least)

    def budget(self, budget: int | list[int]) -> Found:
        """A small error with at most so many units."""
        order = self._order(lambda error: True)
        kept = self.judge.free.needed.copy()
        # What a passed limit left out of the order goes last.
        for unit in [*order, *np.setdiff1d(np.flatnonzero(kept), order).tolist()]:
            if self._fits(kept, budget):
                break
            if self._wanted(kept, unit, budget):
                kept[unit] = False
        error = self.judge.certified(kept, None, self.judge.deadline.remaining)
        return Found(kept, error, Status.FEASIBLE, 0)

    def labels(self, rows: FloatArray, radius: float) -> Found:
        """Fewest units that keep the labels around rows."""

        def report(count: int) -> None:
            self.report(Progress("compress", 0.0, float(count), "units"))

        def fewer(start: BoolArray, good: LabelledBoxes) -> BoolArray:
            return KeptLabels(self.hidden, good, self.judge.deadline, report).run(start)

        everything = np.ones(self.hidden.total, np.bool_)
        return keep_labels(self.judge, everything, rows, radius, fewer)

    def _order(self, allowed: Callable[[float], bool]) -> list[int]:
        """Units in the order of removal: each time the one of the least sampled error among those
        that change least alone; as long as the error is allowed."""
        kept = self.judge.free.needed.copy()
        left = self._left(kept)
        order: list[int] = []
        while left and not self.judge.deadline.expired:
            best, best_error = -1, math.inf
            for unit in left[:_CANDIDATES]:
                if self.judge.deadline.expired:
                    return order
                kept[unit] = False
                error = self.judge.sampled(kept) if self.hidden.possible(kept) else math.inf
                kept[unit] = True
                if error < best_error:
                    best, best_error = unit, error
            if best < 0 or not allowed(best_error):
                break
            kept[best] = False
            left.remove(best)
            order.append(best)
        return order

    def _left(self, kept: BoolArray) -> list[int]:
        """Units still there, those that change least first; those that a passed limit left
        untried last."""
        errors: list[tuple[float, int]] = []
        for unit in np.flatnonzero(kept):
            if self.judge.deadline.expired:
                errors.append((math.inf, int(unit)))
                continue
            fewer = kept.copy()
            fewer[unit] = False
            errors.append((self.judge.sampled(fewer), int(unit)))
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
