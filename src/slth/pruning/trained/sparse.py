"""The search for single weights that can go.

Three orders are tried, the longest certified start of each: magnitude; the certified effect; and
greedy by the sampled effect, which is looked at again as weights go. From the best, more weights go
in the same greedy way as long as the certificate holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slth.certify.deep.rows import LabelledBoxes
from slth.layers import FloatArray
from slth.limits import Progress, Report
from slth.network import BoolArray
from slth.pruning.trained.connections import Connections
from slth.pruning.trained.effects import certified_effects, sampled_effects
from slth.pruning.trained.judge import ENUMERATED, Found, Judge
from slth.pruning.trained.labels import MOST_BOXES, keep_labels
from slth.pruning.trained.least import least_weights
from slth.solution import Enclosure, Status

# Points of the sampled effect, of all that the judge has: the newest say most.
_LOOKED_AT = 64
# Of the weights that are left, those that go before effects are looked at again, at first.
_TOGETHER = 16
# Weights that may not go alone, one after the other: those behind them do more yet.
_PATIENCE = 32
# Of the weights, those that go at once at last where removals are only tried.
_COARSE = 512


@dataclass
class WeightRemoval:
    """One call of `slth.compress` for weights.

    Attributes:
        parts: the network.
        judge: of removals.
        report: as for `slth.compress`.
    """

    parts: Connections
    judge: Judge
    report: Report

    def within(self, eps: float) -> Found:
        """Fewest weights with error <= eps."""
        judge = self.judge
        if int((~judge.free.always).sum()) <= ENUMERATED:
            found = judge.every_subset(eps)
            if found is not None:
                return found
        best = judge.free.needed, judge.as_given(judge.free.needed)
        for order in self._orders(lambda kept: judge.sampled(kept) <= eps):
            order = order[: self._start(order, lambda kept: judge.sampled(kept) <= eps)]
            known = self._start(order, lambda kept: judge.bounded(kept) <= eps)
            reached = judge.most_removed(order, eps, known)
            best = min(best, reached, key=lambda pair: int(pair[0].sum()))
            self._say(best[0])
        kept, error = best
        fewer = self._fewer(
            kept,
            self._effects,
            lambda trial: judge.sampled(trial) <= eps and judge.bounded(trial) <= eps,
            coarse=True,
        )
        found = judge.proven(fewer, eps)
        if found is not None:
            kept, error = fewer, found

        def proven(trial: BoolArray) -> bool:
            nonlocal error
            found = judge.proven(trial, eps) if judge.sampled(trial) <= eps else None
            if found is not None:
                error = found
            return found is not None

        kept = self._fewer(kept, self._effects, proven)
        asked = not judge.deadline.expired
        least = least_weights(self.parts, judge.points, judge.domain, eps) if asked else 0
        status = Status.OPTIMAL if least == kept.sum() else Status.FEASIBLE
        return Found(kept, error, status, least)

    def budget(self, budget: int | list[int]) -> Found:
        """A small error with at most so many weights in all, or in each layer."""
        judge = self.judge
        orders = self._orders(lambda kept: True)
        best: tuple[BoolArray, Enclosure] | None = None
        for place, order in enumerate(orders):
            kept = self._cut(order, budget)
            seconds = judge.deadline.remaining / (len(orders) - place)
            error = judge.certified(kept, None, seconds)
            if best is None or error.upper < best[1].upper:
                best = kept, error
        assert best is not None
        return Found(*best, Status.FEASIBLE, 0)

    def labels(self, rows: FloatArray, radius: float) -> Found:
        """Fewest weights that keep the labels around rows."""

        def fewer(start: BoolArray, good: LabelledBoxes) -> BoolArray:
            def holds(trial: BoolArray) -> bool:
                pruned = self.parts.without(trial)
                labels = pruned.logits(good.boxes.center).argmax(axis=1)
                if (labels != good.labels).any():
                    return False
                return good.all_hold(pruned, MOST_BOXES, self.judge.deadline)

            if not len(good):
                return start
            return self._fewer(start, lambda kept: self._harms(kept, good), holds)

        return keep_labels(self.judge, self.parts.present, rows, radius, fewer)

    def _orders(self, allowed: Callable[[BoolArray], bool]) -> list[list[int]]:
        """Magnitude, certified effect, and greedy by sampled effect as long as it is allowed; of
        the weights that are needed."""
        needed = self.judge.free.needed
        units = np.flatnonzero(needed)
        magnitude = np.concatenate([np.abs(part.weight).ravel() for part in self.parts.layers])
        scores = (magnitude, certified_effects(self.parts.network, self.judge.domain))
        orders = [units[np.argsort(score[units], kind="stable")].tolist() for score in scores]
        greedy: list[int] = []

        def taken(trial: BoolArray) -> bool:
            if not allowed(trial):
                return False
            gone = np.flatnonzero(needed & ~trial)
            new = np.setdiff1d(gone, greedy)
            greedy.extend(new[np.argsort(self._last[new], kind="stable")].tolist())
            return True

        self._fewer(needed, self._effects, taken, coarse=True)
        gone = set(greedy)
        return [*orders, [*greedy, *(weight for weight in orders[-1] if weight not in gone)]]

    def _effects(self, kept: BoolArray) -> FloatArray:
        """The sampled effect of each weight of the network that is left, float64 [total]."""
        points = self.judge.points[-_LOOKED_AT:]
        outputs = self.parts.network.outputs
        rows = np.broadcast_to(np.eye(outputs), (len(points), outputs, outputs))
        self._last = sampled_effects(self.parts.without(kept), points, rows)
        return self._last

    def _harms(self, kept: BoolArray, good: LabelledBoxes) -> FloatArray:
        """How much of a label's margin each weight moves at attacked points, at most."""
        pruned = self.parts.without(kept)
        points = good.attacked(pruned)
        values = pruned.logits(points)
        others = np.arange(values.shape[1])
        margins = np.take_along_axis(values, good.labels[:, None], axis=1) - values
        rows = np.where(others == good.labels[:, None], 1.0, 0.0)[:, None, :] - np.eye(len(others))
        # A margin that is all but gone weighs as much as can be told apart.
        scale = np.maximum(margins, 1e-9 * np.abs(values).max(axis=1, keepdims=True) + 1e-300)
        return sampled_effects(pruned, points, rows / scale[:, :, None])

    def _fewer(
        self,
        kept: BoolArray,
        effects: Callable[[BoolArray], FloatArray],
        allowed: Callable[[BoolArray], bool],
        *,
        coarse: bool = False,
    ) -> BoolArray:
        """More weights go, those of least effect first and many at once, as long as that is
        allowed; one that may not go alone stays, and after some of those in a row all do.

        coarse: to try is all: few go at once only where few are there, and some time is left over.
        """
        blocked = ~kept
        count, deadline = int(kept.sum()), self.judge.deadline
        together, least = max(1, count // _TOGETHER), 1
        if coarse:
            least, deadline = max(1, count // _COARSE), deadline.within(0.3 * deadline.remaining)
        order: list[int] = []
        refused = 0
        while refused < _PATIENCE and not deadline.expired:
            if not order:
                left = np.flatnonzero(~blocked)
                if not len(left):
                    break
                scores = effects(kept)[left]
                order = left[np.argsort(scores, kind="stable")].tolist()
            chosen = order[:together]
            trial = kept.copy()
            trial[chosen] = False
            if allowed(trial):
                kept, order, refused = trial, [], 0
                blocked[chosen] = True
                self._say(kept)
            elif len(chosen) > least:
                together = max(least, len(chosen) // 2)
            else:
                blocked[chosen] = True
                order, refused = order[len(chosen) :], refused + 1
        return kept

    def _start(self, order: list[int], allowed: Callable[[BoolArray], bool]) -> int:
        """How many of the order may go, by halving; what is allowed again behind what is not is
        passed over."""
        low, high = 0, len(order)
        while low < high and not self.judge.deadline.expired:
            guess = (low + high + 1) // 2
            kept = self.judge.free.needed.copy()
            kept[order[:guess]] = False
            low, high = (guess, high) if allowed(kept) else (low, guess - 1)
        return low

    def _cut(self, order: list[int], budget: int | list[int]) -> BoolArray:
        """What is needed without the first of the order, until no layer has too many."""
        kept = self.judge.free.needed.copy()
        if isinstance(budget, int):
            more = max(0, int(kept.sum()) - budget)
            kept[order[:more]] = False
            return kept
        chosen = np.array(order, dtype=np.int64)
        layer_of = np.searchsorted(self.parts.ends, chosen, side="right")
        for layer, (mask, most) in enumerate(zip(self.parts.split(kept), budget, strict=True)):
            more = max(0, int(mask.sum()) - most)
            kept[chosen[layer_of == layer][:more]] = False
        return kept

    def _say(self, kept: BoolArray) -> None:
        self.report(Progress("compress", 0.0, float(kept.sum()), "weights"))
