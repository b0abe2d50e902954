"""The product: a random network given by its seed, a mask, and the error that was certified."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from slth.deep import DeepNetwork
from slth.doors.torch import to_torch
from slth.embed import file
from slth.embed.assemble import (
    Construction,
    error_of,
    kept_weights,
    layers_of,
    pruned_network,
    random_weights,
    widths,
)
from slth.embed.certificate import stated
from slth.embed.reach import Even
from slth.embed.samples import Layer, LayerPlan
from slth.embed.shape import Shape, as_target, network_of, target_of
from slth.embed.solve import Solved
from slth.errors import InvalidInput
from slth.layers import FloatArray
from slth.solution import Status


@dataclass(frozen=True, eq=False)
class Embedding:
    """A random network pruned to a target; callable, in float64.

    Attributes:
        shapes, plans: of the target's affine layers.
        seed: of the random weights (slth.embed.random).
        construction: "double": two random layers for each of the target's (Pensia et al. 2020);
            "plus-one": one layer more than the target has (Burkholz 2022).
        domain: where the error is bounded.
        eps: the error that was asked for.
        error: certified bound of the supremum over domain and outputs of |embedded - target|.
        target_digest: DeepNetwork.digest of the target.
        input_shape: of the target and the random network.
        solved: the masks and what they make.
    """

    shapes: tuple[Shape, ...]
    plans: tuple[LayerPlan, ...]
    seed: int
    construction: Construction
    domain: Even
    eps: float
    error: float
    target_digest: str
    input_shape: tuple[int, ...]
    solved: tuple[Solved, ...]

    def __repr__(self) -> str:
        return (
            f"Embedding({self.status}: error <= {self.error:.4g} over {self.domain}, "
            f"{len(self.shapes)} layers, {self.mask_bits} mask bits, seed={self.seed}, "
            f"{self.construction!r})"
        )

    @property
    def status(self) -> Status:
        """REACHED if the certified error is at most eps, else UNKNOWN."""
        return Status.REACHED if self.error <= self.eps else Status.UNKNOWN

    @cached_property
    def layers(self) -> list[Layer]:
        """Where in the random network each layer of the target lies."""
        return layers_of(self.shapes, self.plans, self.seed, self.construction, self.domain)

    @property
    def widths(self) -> list[int]:
        """Units (channels) of every layer of the random network, its outputs included."""
        return widths(self.layers)

    @property
    def mask_bits(self) -> int:
        """Bits of the mask, before they are packed into the bytes of rows and compressed."""
        return sum(
            layer.rows * (layer.channels * layer.shape.taps * plan.samples + plan.bias_samples)
            for layer, plan in zip(self.layers, self.plans, strict=True)
        )

    @property
    def kept_weights(self) -> int:
        """Random weights and biases that are kept."""
        return kept_weights(self.layers, self.solved)

    @property
    def random_weights(self) -> int:
        """Weights and biases of the whole random network, kept or not."""
        return random_weights(self.layers)

    @cached_property
    def effective(self) -> DeepNetwork:
        """The small network of the sums of kept products, exact in float64.

        With "double" it is equal to the pruned network as a function of the sides
        (max(x, 0), max(-x, 0)) of the input (of x itself on a box without negative numbers). With
        "plus-one" the copies of a unit differ slightly, and there is none.

        Raises:
            InvalidInput: construction "plus-one".
        """
        if self.construction != "double":
            raise InvalidInput(
                "no effective network",
                got=f"construction {self.construction!r}",
                expected="'double'",
                fix="Use pruned, the network itself.",
            )
        first, shape = self.layers[0], self.input_shape
        return network_of(
            self.shapes,
            [part.kernel for part in self.solved],
            [part.bias for part in self.solved],
            (first.sides * shape[0], *shape[1:]),
        )

    @cached_property
    def pruned(self) -> DeepNetwork:
        """The pruned random network itself: dense arrays of random weights and zeros, about
        64 times the mask's size in memory."""
        return pruned_network(self.layers, self.solved, self.input_shape)

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Evaluate in float64 (not rigorous). x: [..., *input_shape] -> [..., outputs]."""
        if self.construction != "double":
            return self.pruned(x)
        points = np.asarray(x, dtype=np.float64)
        axes = len(self.input_shape)
        if points.shape[-axes:] != self.input_shape:
            raise InvalidInput(
                "x incompatible with the network",
                got=f"shape {points.shape}",
                expected=f"last axes {self.input_shape}",
                fix="Put the inputs on the last axes.",
            )
        if self.layers[0].sides == 2:
            sides = [np.maximum(points, 0.0), np.maximum(-points, 0.0)]
            points = np.concatenate(sides, axis=-axes)
        return self.effective(points)

    def torch(self) -> Any:
        """The pruned random network as a torch module in float64 (needs the torch extra)."""
        return to_torch(self.pruned)

    def certify(self, target: object) -> float:
        """The certified error, computed again from the mask and the target: `error` where that is
        confirmed.

        Raises:
            InvalidInput: the target is not the one that was embedded.
        """
        network = as_target(target)
        if network.digest() != self.target_digest:
            raise InvalidInput(
                "not the target of this embedding",
                got=f"a network with SHA-256 {network.digest()[:16]}...",
                expected=f"the one with {self.target_digest[:16]}...",
                fix="Pass the network that was embedded.",
            )
        bound = error_of(target_of(network), self.layers, self.solved, self.domain)
        # The last digits of the bound depend on the machine, a statement of it does not.
        confirmed = bound <= self.error <= 2.0 * stated(bound) - bound
        return self.error if confirmed else stated(bound)

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the file under a temporary name, then move it into place. Returns its bytes.

        Raises:
            TicketError: the file cannot be written.
        """
        return file.write(
            path,
            file.Contents(
                shapes=self.shapes,
                plans=self.plans,
                seed=self.seed,
                construction=self.construction,
                domain=self.domain,
                eps=self.eps,
                error=self.error,
                target_digest=self.target_digest,
                input_shape=self.input_shape,
                weights_digest=file.weights_digest(self.solved),
                masks=tuple((part.mask, part.bias_mask) for part in self.solved),
            ),
        )
