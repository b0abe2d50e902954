"""Has one network a given label on each of many boxes? One relaxation bounds them all at once; what
it leaves open is cut in halves, box by box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth.certify.deep.backward import Functional
from slth.certify.deep.bounds import Difference, relax
from slth.certify.deep.labels import Halving, SameLabel
from slth.certify.deep.points import gradients, values_at
from slth.certify.deep.program import program_alone
from slth.certify.deep.region import Region
from slth.deep import DeepNetwork
from slth.layers import FloatArray
from slth.limits import Deadline, silent
from slth.network import BoolArray

# Boxes that are bounded at once: some ten MB for a hundred units and inputs.
_AT_ONCE = 512
# Steps of the search for a point of another label, each shorter by this factor.
_STEPS, _SHORTER = 8, 0.75


@dataclass(frozen=True, eq=False)
class LabelledBoxes:
    """Boxes [B], and the label that is to hold everywhere on each: int64 [B]."""

    boxes: Region
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def chosen(self, which: np.ndarray) -> LabelledBoxes:
        """Some of them."""
        return LabelledBoxes(self.boxes.chosen(which), self.labels[which])

    def excess(self, network: DeepNetwork) -> FloatArray:
        """At least by how much another output exceeds the label's anywhere on each box, float64
        [B]: where it is <= 0 the label holds."""
        if not len(self):
            return np.zeros(0)
        low, high = self.boxes.low.min(axis=0), self.boxes.high.max(axis=0)
        program = program_alone(network)
        difference = Difference.of(program, Region(low[None], high[None], None))
        end, found = len(program.operations), []
        for start in range(0, len(self), _AT_ONCE):
            part = self.chosen(np.arange(start, min(len(self), start + _AT_ONCE)))
            relaxation = relax(difference, part.boxes)
            functional = Functional(None, part._rivals(network.outputs), None)
            pulled = difference.pulled(end, functional, relaxation.bounds)
            found.append(pulled.highest(part.boxes).max(axis=1))
        return np.concatenate(found)

    def open(self, network: DeepNetwork, most: int, deadline: Deadline) -> BoolArray:
        """bool [B]: where the label is not proven with at most that many boxes each."""
        excess = self.excess(network)
        left = ~(excess <= 0.0)
        for k in np.flatnonzero(left).tolist():
            left[k] = not self._by_halving(network, k, most, deadline)
        return left

    def all_hold(self, network: DeepNetwork, most: int, deadline: Deadline) -> bool:
        """Whether every label is proven; the likeliest to fail is looked at first."""
        excess = self.excess(network)
        order = np.argsort(-excess, kind="stable")
        return all(
            excess[k] <= 0.0 or self._by_halving(network, k, most, deadline) for k in order.tolist()
        )

    def attacked(self, network: DeepNetwork) -> FloatArray:
        """Points of each box that climb towards another label: float64 [B, d]."""
        program = program_alone(network)
        best, points = self.boxes.center, self.boxes.center
        least = np.full(len(self), np.inf)
        rows = np.arange(len(self))
        reach = self.boxes.reach()
        for step in range(_STEPS):
            _, values = values_at(program, points)
            rivals = values.copy()
            rivals[rows, self.labels] = -np.inf
            second = rivals.argmax(axis=1)
            margin = values[rows, self.labels] - values[rows, second]
            best = np.where((margin < least)[:, None], points, best)
            least = np.minimum(margin, least)
            toward = np.zeros_like(values)
            toward[rows, second] += 1.0
            toward[rows, self.labels] -= 1.0
            slope = gradients(program, points, np.zeros_like(points), toward)
            move = 2.0 * reach * _SHORTER**step * np.sign(slope)
            points = np.clip(points + move, self.boxes.low, self.boxes.high)
        return best

    def _rivals(self, outputs: int) -> FloatArray:
        """float64 [B, outputs - 1, outputs]: another output less the label's."""
        others = np.array([np.delete(np.arange(outputs), label) for label in self.labels])
        rows = np.eye(outputs)[others]
        rows[np.arange(len(self)), :, self.labels] = -1.0
        return rows

    def _by_halving(self, network: DeepNetwork, k: int, most: int, deadline: Deadline) -> bool:
        box = self.boxes.chosen(np.array([k]))
        difference = Difference.of(program_alone(network), box)
        halving = Halving(SameLabel(difference, box, int(self.labels[k])))
        halving.run(box, deadline, silent, most)
        return halving.holds
