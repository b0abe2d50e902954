"""Biases that stand for the units that are gone: more than pruning.

A unit in [l, u] that goes changes what reads it by up to its weight times u; with (l + u) / 2 in
the bias, by (u - l) / 2. The network that results is certified as it is: nothing here is trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from slth.deep import DeepNetwork
from slth.domain import Domain
from slth.layers import Activation, Conv, Dense, FloatArray, bias_of
from slth.network import BoolArray
from slth.pruning.trained.fold import values_on
from slth.pruning.trained.hidden import HiddenUnits


def means_of(hidden: HiddenUnits, domain: Domain) -> list[FloatArray]:
    """The middle of the range that each unit has on the domain, float64 [width] for each hidden
    layer; 0 where the next layer is not dense or does not read it at once: a bias cannot stand for
    a channel whose borders are padded.
    """
    trace = values_on(hidden.network, domain)
    own = [place for place, item in enumerate(hidden.items) if not isinstance(item, Activation)]
    means = []
    for here, after in pairwise(own):
        layer, reader = hidden.items[here], hidden.items[after]
        values = trace.before[after].net
        assert values is not None
        middle = 0.5 * values.low[0] + 0.5 * values.high[0]
        # Only what is >= 0 passes an activation as it is.
        level = np.where(values.low[0] >= 0.0, middle, 0.0)
        if isinstance(layer, Dense):
            means.append(level if isinstance(reader, Dense) else np.zeros_like(level))
        elif isinstance(layer, Conv):
            means.append(np.zeros(layer.weight.shape[0]))
    return means[: len(hidden.widths)]


def compensated(
    hidden: HiddenUnits, kept: Sequence[BoolArray], means: Sequence[FloatArray]
) -> DeepNetwork:
    """The pruned network, its next layers' biases raised by what they read of units at their means
    that are gone."""
    full = list(hidden.items)
    small = list(HiddenUnits(hidden.pruned(kept)).items)
    own = [place for place, item in enumerate(full) if isinstance(item, Dense | Conv)]
    for depth, place in enumerate(own[1:]):
        reader, new = full[place], small[place]
        gone = np.where(kept[depth], 0.0, means[depth])
        if gone.any():
            assert isinstance(reader, Dense)
            assert isinstance(new, Dense)
            shift = reader.weight @ gone
            if depth + 1 < len(kept):
                shift = shift[kept[depth + 1]]
            small[place] = replace(new, bias=bias_of(new) + shift)
    return hidden.with_items(small)


@dataclass(frozen=True, eq=False)
class Compensated:
    """Hidden units that the next layers' biases take over as they go.

    Attributes:
        hidden: the network.
        means: what they take over of each unit, float64 [width] for each hidden layer.
    """

    hidden: HiddenUnits
    means: Sequence[FloatArray]

    @property
    def network(self) -> DeepNetwork:
        """The network of all units."""
        return self.hidden.network

    @property
    def total(self) -> int:
        """Hidden units in all."""
        return self.hidden.total

    def possible(self, kept: BoolArray) -> bool:
        """Whether there is a network of these units."""
        return self.hidden.possible(kept)

    def compared(self, kept: BoolArray) -> DeepNetwork:
        """The same network, for certificates."""
        return self.without(kept)

    def outputs(self, points: FloatArray, kept: BoolArray) -> FloatArray:
        """The values in floats, [points, outputs]."""
        return self.hidden.values(points, self.hidden.split(kept), self.means)

    def without(self, kept: BoolArray) -> DeepNetwork:
        """The network of these units, with the raised biases."""
        return compensated(self.hidden, self.hidden.split(kept), self.means)

    def margin(self, points: FloatArray) -> float:
        """As of the hidden units; not asked for: nothing is refuted with raised biases."""
        return self.hidden.margin(points)
