"""The most hidden units that can go while every row of a data set keeps its label on its box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slth.certify.deep.region import Region
from slth.certify.deep.rows import LabelledBoxes
from slth.deep import DeepNetwork
from slth.domain import Box
from slth.layers import FloatArray
from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.trained.judge import Found, Judge
from slth.pruning.trained.units import Units
from slth.solution import Status

# Boxes that one row may be cut into: a second or less for a hundred units.
MOST_BOXES = 256
# Of the time that is left, for what the network itself keeps.
_SHARE = 0.2
# Candidates for the next removal: those that do least alone.
_CANDIDATES = 24
# Units that are removed between two certificates, at first.
_TOGETHER = 8


@dataclass
class KeptLabels:
    """Units are removed in the order of what that does to margins at attacked points, as long as
    every label stays certified; a unit whose removal is not certified stays.

    Attributes:
        hidden: the network.
        rows: boxes with labels that the network itself is proven to keep.
        deadline: when to stop.
        report: called with the units left.
    """

    hidden: Units
    rows: LabelledBoxes
    deadline: Deadline
    report: Callable[[int], None]

    def run(self, kept: BoolArray) -> BoolArray:
        """bool [units], from a mask that keeps every label; without rows, that mask."""
        blocked = np.zeros_like(kept)
        together = _TOGETHER
        while len(self.rows) and not self.deadline.expired:
            trial, removed = self._fewer(kept, blocked, together)
            if not removed:
                break
            if self._certified(trial):
                kept = trial
                self.report(int(kept.sum()))
            elif together > 1:
                together = max(1, together // 2)
            else:
                blocked[removed] = True
        return kept

    def _fewer(
        self, kept: BoolArray, blocked: BoolArray, together: int
    ) -> tuple[BoolArray, list[int]]:
        """The mask without the next units, and which they are: each time the one of least harm
        among those that do least alone."""
        pruned = self.hidden.pruned(self.hidden.split(kept))
        points = np.concatenate([self.rows.boxes.center, self.rows.attacked(pruned)])
        trial, removed = kept.copy(), []
        candidates = np.flatnonzero(kept & ~blocked).tolist()
        while candidates and len(removed) < together and not self.deadline.expired:
            harms = [self._harm(trial, unit, points) for unit in candidates]
            order = np.argsort(harms, kind="stable")
            if harms[order[0]] == np.inf:
                break
            unit = candidates[order[0]]
            trial[unit] = False
            removed.append(unit)
            candidates = [candidates[place] for place in order[1 : 1 + _CANDIDATES]]
        return trial, removed

    def _harm(self, kept: BoolArray, unit: int, points: FloatArray) -> float:
        """How near labels come to changing at the points (two a row) without the unit; infinite
        where one does, and once the time is up."""
        fewer = kept.copy()
        fewer[unit] = False
        if self.deadline.expired or not self.hidden.possible(fewer):
            return np.inf
        values = self.hidden.values(points, self.hidden.split(fewer))
        rows = np.arange(len(values))
        labels = np.tile(self.rows.labels, 2)
        own = values[rows, labels]
        values[rows, labels] = -np.inf
        margin = own - values.max(axis=1)
        if (margin <= 0.0).any():
            return np.inf
        # Small margins count most; the scale takes the part of a temperature.
        scale = max(float(np.median(margin)), 1e-300) / 8.0
        return float(np.exp(-margin / scale).sum())

    def _certified(self, kept: BoolArray) -> bool:
        pruned = self.hidden.pruned(self.hidden.split(kept))
        return self.rows.all_hold(pruned, MOST_BOXES, self.deadline)


def kept_rows(
    network: DeepNetwork, rows: FloatArray, radius: float, within: Box | None, deadline: Deadline
) -> LabelledBoxes:
    """The boxes around rows on which the network is proven to keep the row's label."""
    boxes = [Box.around(row, radius, within) for row in rows]
    low, high = (
        np.array([getattr(box, end) for box in boxes]).reshape(rows.shape)
        for end in ("low", "high")
    )
    labels = network.logits(rows).argmax(axis=1) if len(rows) else np.zeros(0, int)
    given = LabelledBoxes(Region(low, high, None), labels)
    until = deadline.within(_SHARE * deadline.remaining)
    return given.chosen(np.flatnonzero(~given.open(network, MOST_BOXES, until)))


def keep_labels(
    judge: Judge,
    everything: BoolArray,
    rows: FloatArray,
    radius: float,
    fewer: Callable[[BoolArray, LabelledBoxes], BoolArray],
) -> Found:
    """Few parts that keep the labels around rows.

    Args:
        judge: of removals.
        everything: bool [total], what there is.
        rows, radius: as for `slth.compress`.
        fewer: from a mask that keeps the labels of the boxes to one of fewer parts that does.
    """
    within = judge.domain if isinstance(judge.domain, Box) else None
    good = kept_rows(judge.parts.network, rows, radius, within, judge.deadline)
    # Units that are dead on the domain may live on boxes that leave it.
    kept = fewer(everything if within is None else judge.free.needed, good)
    error = judge.certified(kept, None, judge.deadline.remaining)
    stats: dict[str, object] = {"rows": len(good), "rows left out": len(rows) - len(good)}
    return Found(kept, error, Status.FEASIBLE, 0, stats)
