"""The single weights of a deep network, and the network with some of them 0.

Weights are numbered layer by layer, bodies of residual blocks included, each layer in C order;
zeros have numbers, too, but are not there. Biases stay. Nothing is retrained, and the network keeps
its shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from slth.deep import DeepNetwork
from slth.layers import Affine, Conv, Dense, FloatArray, Inner, Residual
from slth.network import BoolArray
from slth.pruning.trained.evaluated import margin_of


@dataclass(frozen=True, eq=False)
class Connections:
    """A network whose weights may go."""

    network: DeepNetwork

    @cached_property
    def layers(self) -> tuple[Affine, ...]:
        """The layers with weights."""
        return tuple(layer for layer, _ in self.network.affine())

    @cached_property
    def present(self) -> BoolArray:
        """bool [total]: which weights are not 0."""
        return np.concatenate([_present(layer).ravel() for layer in self.layers])

    @property
    def total(self) -> int:
        """Weights in all, zeros included."""
        return sum(layer.weight.size for layer in self.layers)

    @cached_property
    def ends(self) -> np.ndarray:
        """Behind the last weight of each layer: int64 [layers]."""
        return np.cumsum([layer.weight.size for layer in self.layers])

    def split(self, kept: BoolArray) -> list[BoolArray]:
        """One mask a layer, of its weight's shape."""
        parts = np.split(kept, self.ends[:-1])
        return [
            part.reshape(layer.weight.shape) for part, layer in zip(parts, self.layers, strict=True)
        ]

    def possible(self, kept: BoolArray) -> bool:
        """Any weight may be 0."""
        return len(kept) == self.total

    def without(self, kept: BoolArray) -> DeepNetwork:
        """The network whose other weights are exactly 0."""
        masks = iter(self.split(kept))
        items = tuple(
            Residual(tuple(_masked(part, masks) for part in item.body))
            if isinstance(item, Residual)
            else _masked(item, masks)
            for item in self.network.items
        )
        return replace(self.network, items=items)

    def compared(self, kept: BoolArray) -> DeepNetwork:
        """The same network, for certificates."""
        return self.without(kept)

    def outputs(self, points: FloatArray, kept: BoolArray) -> FloatArray:
        """The values without the other weights, in floats: [points, outputs]."""
        return self.without(kept).logits(points)

    def margin(self, points: FloatArray) -> float:
        """What `outputs` can be off by at these points, at most."""
        return margin_of(self.network, points)


def _present(layer: Affine) -> BoolArray:
    there = layer.weight != 0.0
    return there if layer.weight_rounding is None else there | (layer.weight_rounding != 0.0)


def _masked(item: Inner, masks: Iterator[BoolArray]) -> Inner:
    if not isinstance(item, Dense | Conv):
        return item
    mask = next(masks)
    off = item.weight_rounding
    return replace(
        item,
        weight=np.where(mask, item.weight, 0.0),
        weight_rounding=None if off is None else np.where(mask, off, 0.0),
    )
