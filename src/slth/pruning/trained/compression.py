"""What `slth.compress` returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from slth.deep import DeepNetwork
from slth.frozen import Rebuilt, freeze
from slth.network import BoolArray
from slth.solution import Enclosure, Status

Granularity = Literal["neurons", "weights"]


@dataclass(frozen=True)
class Compression(Rebuilt):
    """A trained network with fewer hidden units, or fewer weights.

    Attributes:
        network: the smaller network; with single weights removed, one of the same shape whose
            other weights are exactly 0.
        kept: which are left: bool [width], one for each hidden layer (layers whose units a skip
            joins have one in common); of single weights, bool of
            the weight's shape, one for each layer that has weights.
        error: enclosure of sup max_i |network_i - original_i| over the domain.
        status: "optimal" (no network of fewer units, or weights, keeps the claim) or "feasible"
            (this one keeps it; removing nothing always does).
        least_units: proven: every network that keeps the claim has at least as many hidden units.
            With `merge` or `fold` both are about removals from the network that those left. 0
            where single weights go.
        original: the network that was compressed.
        stats: for reading.
        granularity: "neurons" or "weights".
        least_weights: proven, where single weights go: every network that keeps the claim has at
            least as many of the original's weights; else 0.
    """

    network: DeepNetwork
    kept: tuple[BoolArray, ...]
    error: Enclosure
    status: Status
    least_units: int
    original: DeepNetwork
    stats: dict[str, object] = field(default_factory=dict)
    granularity: Granularity = "neurons"
    least_weights: int = 0

    def __post_init__(self) -> None:
        kept = tuple(mask.view() for mask in self.kept)
        for mask in kept:
            mask.flags.writeable = False
        freeze(self, kept=kept)

    @property
    def units(self) -> int:
        """Hidden units that are left: where single weights go, those that still read something."""
        if self.granularity == "neurons":
            return int(sum(mask.sum() for mask in self.kept))
        return sum(int(_reading(mask).sum()) for mask in self.kept[:-1])

    @property
    def weights(self) -> int:
        """Weights of the network that are not 0, biases apart."""
        return _nonzero(self.network)

    def table(self) -> str:
        """Before and after: units, weights, parameters, multiply-adds, certified and
        attained error."""
        before, after = self.original, self.network
        single = self.granularity == "weights"
        old = [len(mask) for mask in (self.kept[:-1] if single else self.kept)]
        new = [
            int((_reading(mask) if single else mask).sum())
            for mask in (self.kept[:-1] if single else self.kept)
        ]
        least = self.least_weights if single else self.least_units
        rows = [
            ("hidden units", f"{sum(old):,}", f"{self.units:,}"),
            ("by layer", _sizes(old), _sizes(new)),
            ("weights not 0", f"{_nonzero(before):,}", f"{self.weights:,}"),
            *([("by layer", _layers(before), _layers(after))] if single else []),
            ("parameters", f"{before.weights:,}", f"{after.weights:,}"),
            ("multiply-adds", f"{multiplications(before):,}", f"{multiplications(after):,}"),
            ("certified error", "0", f"{self.error.upper:.6g}"),
            ("attained error", "0", f"{self.error.lower:.6g}"),
            ("no fewer " + ("weights" if single else "units") + " than", "", f"{least:,}"),
            ("status", "", str(self.status)),
        ]
        widths = [max(len(row[k]) for row in [*rows, ("", "before", "after")]) for k in range(3)]
        lines = [("", "before", "after"), *rows]
        return "\n".join(
            f"{name:<{widths[0]}}  {old:>{widths[1]}}  {new:>{widths[2]}}"
            for name, old, new in lines
        )

    def __repr__(self) -> str:
        left = f"{self.units} hidden units"
        if self.granularity == "weights":
            left = f"{self.weights} weights"
        return f"Compression({self.status}: {left}, {self.error!r})"


def multiplications(network: DeepNetwork) -> int:
    """Multiply-adds of one evaluation, zeros left out."""
    maps = (step.matrix for step in network.affine_maps())
    return int(sum(np.count_nonzero(m if isinstance(m, np.ndarray) else m.data) for m in maps))


def _nonzero(network: DeepNetwork) -> int:
    return int(sum(np.count_nonzero(layer.weight) for layer, _ in network.affine()))


def _layers(network: DeepNetwork) -> str:
    return _sizes(np.count_nonzero(layer.weight) for layer, _ in network.affine())


def _reading(mask: BoolArray) -> BoolArray:
    """bool [units]: those that read something."""
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1))


def _sizes(counts: Iterable[object]) -> str:
    return "-".join(str(count) for count in counts)
