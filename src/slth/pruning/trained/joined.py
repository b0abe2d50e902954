"""The hidden units of a network with residual blocks: those that a skip joins go together.

A *space* is what layers write and read in common: behind a block stands the value before it plus
the body's, so the body's last layer writes the units that the block reads. A unit of a space goes
with its rows in all layers that write it and its columns in all that read it. Spaces that hold
inputs or outputs stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from slth.deep import DeepNetwork
from slth.errors import InvalidInput
from slth.layers import Affine, Conv, Dense, FloatArray, Residual, spelled_out
from slth.network import BoolArray
from slth.pruning.trained.hidden import as_they_stand, reading, rows, zeroed
from slth.pruning.trained.units import Units


@dataclass(frozen=True, eq=False)
class JoinedUnits(Units):
    """A network whose hidden units may go, one mask for each space of them.

    Raises InvalidInput for a block whose body writes other units than it reads: a dense layer
    that writes an image.
    """

    def __post_init__(self) -> None:
        for (reads, writes), layer in zip(self._places, self.layers, strict=True):
            width = self._sizes[writes]
            if layer.weight.shape[0] != width or layer.weight.shape[1] % self._sizes[reads]:
                raise InvalidInput(
                    "residual block whose units cannot be told apart",
                    got=f"a layer of {layer.weight.shape[0]} units added to {width}",
                    expected="bodies that end in as many units or channels as they read",
                    fix="Remove single weights instead: granularity='weights'.",
                )

    @cached_property
    def layers(self) -> tuple[Affine, ...]:
        """The layers with weights, those of bodies among them."""
        return tuple(layer for layer, _ in self.network.affine())

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """The spaces that each layer reads and writes; 0 is that of the inputs."""
        found: list[tuple[int, int]] = []
        space = count = 0
        for item in self.items:
            if not isinstance(item, Residual):
                if isinstance(item, Dense | Conv):
                    count += 1
                    found.append((space, count))
                    space = count
                continue
            body = [part for part in spelled_out(item.body) if isinstance(part, Dense | Conv)]
            inner = space
            for place in range(len(body)):
                last = place + 1 == len(body)
                count += not last
                found.append((inner, space if last else count))
                inner = space if last else count
        return found

    @cached_property
    def _sizes(self) -> dict[int, int]:
        """Units of each space, by the first layer that writes it."""
        sizes = {0: self.network.shape[0]}
        for (_, writes), layer in zip(self._places, self.layers, strict=True):
            sizes.setdefault(writes, layer.weight.shape[0])
        return sizes

    @cached_property
    def _images(self) -> set[int]:
        """The spaces of channels."""
        places = zip(self._places, self.layers, strict=True)
        return {writes for (_, writes), layer in places if isinstance(layer, Conv)}

    @cached_property
    def spaces(self) -> list[int]:
        """Those whose units may go."""
        # The last layer writes the outputs, alone or onto a skip.
        fixed = {0, self._places[-1][1]}
        return [space for space in self._sizes if space not in fixed]

    @property
    def widths(self) -> list[int]:
        """Units of every space that may go."""
        return [self._sizes[space] for space in self.spaces]

    def possible(self, kept: BoolArray) -> bool:
        """Whether every image keeps a channel."""
        masks = zip(self.spaces, self.split(kept), strict=True)
        return all(mask.any() for space, mask in masks if space in self._images)

    def pruned(self, kept: Sequence[BoolArray]) -> DeepNetwork:
        """The network without the units that are not kept; really smaller."""
        masks = dict(zip(self.spaces, kept, strict=True))

        def smaller(layer: Affine, reads: int, writes: int) -> Affine:
            if reads in masks:
                layer = reading(layer, masks[reads])
            return rows(layer, masks[writes]) if writes in masks else layer

        return self._changed(smaller)

    def compared(self, kept: BoolArray) -> DeepNetwork:
        """The same function in the shape of the network, for certificates: what is gone is 0, in
        front of the skip and on it."""
        masks = dict(zip(self.spaces, self.split(kept), strict=True))
        return self._changed(
            lambda layer, _, writes: zeroed(layer, masks[writes]) if writes in masks else layer
        )

    def _changed(self, change: Callable[[Affine, int, int], Affine]) -> DeepNetwork:
        """The network with each layer changed; `change` is told what it reads and writes."""
        places = iter(self._places)

        def new(item: Any) -> Any:
            return change(item, *next(places)) if isinstance(item, Dense | Conv) else item

        items = [
            Residual(tuple(new(part) for part in spelled_out(item.body)))
            if isinstance(item, Residual)
            else new(item)
            for item in self.items
        ]
        return replace(self.network, items=as_they_stand(items))

    def values(self, points: FloatArray, kept: Sequence[BoolArray]) -> FloatArray:
        """The pruned network in floats: [points, outputs]."""
        return self.pruned(kept).logits(points)
