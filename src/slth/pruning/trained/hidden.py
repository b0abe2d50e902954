"""The hidden units of a deep network, and the network without some of them.

A hidden unit of a Dense layer is a row, of a Conv layer a channel; it goes with all its incoming
weights, and the next layer loses what reads it. Nothing is retrained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from slth.deep import Activate, DeepNetwork
from slth.errors import InvalidInput
from slth.layers import (
    Activation,
    Affine,
    AffineMap,
    Conv,
    Dense,
    FloatArray,
    Identity,
    Item,
    Residual,
)
from slth.network import BoolArray
from slth.pruning.trained.units import Units


@dataclass(frozen=True, eq=False)
class HiddenUnits(Units):
    """A network without residual blocks (for those: `slth.pruning.trained.joined`) whose hidden
    units may go, one mask for each hidden layer."""

    def __post_init__(self) -> None:
        if any(isinstance(item, Residual) for item in self.network.items):
            raise InvalidInput(
                "network with residual blocks",
                got=repr(self.network),
                expected="layers in a row: units joined by a skip can only go together",
                fix="Pass the network to slth.compress, which knows which go together.",
            )

    @cached_property
    def layers(self) -> tuple[Affine, ...]:
        """The layers with weights."""
        return tuple(item for item in self.items if isinstance(item, Dense | Conv))

    @property
    def widths(self) -> list[int]:
        """Hidden units of every hidden layer."""
        return [layer.weight.shape[0] for layer in self.layers[:-1]]

    def possible(self, kept: BoolArray) -> bool:
        """Whether there is a network of these units: a convolution needs a channel."""
        parts = zip(self.layers[:-1], self.split(kept), strict=True)
        return all(mask.any() or isinstance(layer, Dense) for layer, mask in parts)

    def pruned(self, kept: Sequence[BoolArray]) -> DeepNetwork:
        """The network without the units that are not kept; really smaller."""
        items: list[Item] = []
        alive, masks = None, iter(kept)
        for item in self.items:
            if not isinstance(item, Dense | Conv):
                items.append(item)
                continue
            layer = item if alive is None else reading(item, alive)
            alive = next(masks, None)
            items.append(layer if alive is None else rows(layer, alive))
        return self.with_items(items)

    def compared(self, kept: BoolArray) -> DeepNetwork:
        """The same function in the shape that certificates know best: units of dense layers are
        matched, images are compared place by place, so channels that are gone are zeros."""
        if all(isinstance(layer, Dense) for layer in self.layers):
            return self.without(kept)
        masks = iter(self.split(kept))
        items = list(self.items)
        for place, item in enumerate(items):
            if isinstance(item, Dense | Conv):
                mask = next(masks, None)
                items[place] = item if mask is None else zeroed(item, mask)
        return self.with_items(items)

    def with_items(self, items: Sequence[Item]) -> DeepNetwork:
        """The network with other items, every activation among them."""
        return replace(self.network, items=as_they_stand(items))

    def values(
        self, points: FloatArray, kept: Sequence[BoolArray], means: Sequence[FloatArray] = ()
    ) -> FloatArray:
        """The pruned network in floats: [points, outputs]; units that are gone are zeros here, or
        what `means` says of them, float64 [width] for each hidden layer."""
        values, masks, levels = points.T, iter(kept), iter(means)
        for step, own in self._maps:
            if isinstance(step, Activate):
                values = np.maximum(values, step.slope * values)
                continue
            values = step.matrix @ values + step.bias[:, None]
            mask = next(masks, None) if own else None
            if mask is not None:
                spread = len(step.bias) // len(mask)
                values *= np.repeat(mask, spread)[:, None]
                level = next(levels, None)
                if level is not None:
                    values += np.repeat(np.where(mask, 0.0, level), spread)[:, None]
        return values.T

    @cached_property
    def _maps(self) -> list[tuple[AffineMap | Activate, bool]]:
        """The steps, and whether their outputs are units of a layer with weights."""
        own = [isinstance(item, Dense | Conv) for item in self.items]
        steps = self.network.steps
        return list(zip(steps, [*own, False][: len(steps)], strict=True))  # type: ignore[arg-type]


def reading(layer: Affine, alive: BoolArray) -> Affine:
    """The layer without the inputs that come from units that are gone."""
    inputs = alive
    if isinstance(layer, Dense):
        inputs = np.repeat(alive, layer.weight.shape[1] // len(alive))
    off = None if layer.weight_rounding is None else layer.weight_rounding[:, inputs]
    return replace(layer, weight=layer.weight[:, inputs], weight_rounding=off)


def rows(layer: Affine, kept: BoolArray) -> Affine:
    """The layer without the units that are gone."""
    return _each_part(layer, lambda part: part[kept])


def zeroed(layer: Affine, kept: BoolArray) -> Affine:
    """The layer whose units that are gone are 0."""
    return _each_part(
        layer, lambda part: np.where(kept.reshape(-1, *[1] * (part.ndim - 1)), part, 0.0)
    )


def _each_part(layer: Affine, change: Callable[[FloatArray], FloatArray]) -> Affine:
    """The layer with every array changed whose first axis is its units."""
    parts = {
        name: None if (part := getattr(layer, name)) is None else change(part)
        for name in ("weight", "bias", "weight_rounding", "bias_rounding")
    }
    return replace(layer, **parts)


def as_they_stand(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items as they stand: a list without activations says so."""
    if len(items) > 1 and not any(isinstance(item, Activation) for item in items):
        return (items[0], Identity(), *items[1:])
    return tuple(items)
