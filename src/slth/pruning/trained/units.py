"""Hidden units that may go, numbered group by group: what layers in a row and layers that a skip
joins have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slth.deep import DeepNetwork
from slth.layers import FloatArray, Item, spelled_out
from slth.network import BoolArray
from slth.pruning.trained.evaluated import margin_of


@dataclass(frozen=True, eq=False)
class Units(ABC):
    """A network whose hidden units may go, one mask for each group of them."""

    network: DeepNetwork

    @property
    @abstractmethod
    def widths(self) -> list[int]:
        """Units of every group."""

    @abstractmethod
    def possible(self, kept: BoolArray) -> bool:
        """Whether there is a network of these units."""

    @abstractmethod
    def pruned(self, kept: Sequence[BoolArray]) -> DeepNetwork:
        """The network without the units that are not kept; really smaller."""

    @abstractmethod
    def compared(self, kept: BoolArray) -> DeepNetwork:
        """The same function in the shape that certificates know best."""

    @abstractmethod
    def values(self, points: FloatArray, kept: Sequence[BoolArray]) -> FloatArray:
        """The pruned network in floats: [points, outputs]."""

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The items with every activation between them."""
        return tuple(spelled_out(self.network.items))

    @property
    def total(self) -> int:
        """Units in all."""
        return sum(self.widths)

    def everything(self) -> list[BoolArray]:
        """Masks that keep every unit."""
        return [np.ones(width, np.bool_) for width in self.widths]

    def split(self, flat: BoolArray) -> list[BoolArray]:
        """One mask a group from one for all units."""
        return list(np.split(flat, np.cumsum(self.widths)[:-1])) if self.widths else []

    def without(self, kept: BoolArray) -> DeepNetwork:
        """`pruned`, of one mask for all units."""
        return self.pruned(self.split(kept))

    def outputs(self, points: FloatArray, kept: BoolArray) -> FloatArray:
        """`values`, of one mask for all units."""
        return self.values(points, self.split(kept))

    def margin(self, points: FloatArray) -> float:
        """What `values` of this network or any pruned one can be off by at the points, at most."""
        return margin_of(self.network, points)
