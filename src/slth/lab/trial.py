"""A trial: one question to one random draw, its key, its seeds, its network and target."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

import numpy as np

import slth
from slth.network import Readout, ReLUNetwork, neuron, random_network

Pruning = Literal["neurons", "weights"]


@dataclass(frozen=True)
class Asked:
    """What is asked, of which draw, within which limits; each field is a column of the store.

    Attributes:
        pruning, readout, d: what is pruned and how.
        eps: uniform error asked for, per unit of radius; None asks for the smallest error.
        width: hidden units; None asks for the smallest width with a ticket, and the largest
            without, by bisection over nested networks (needs eps).
        draw: index of the draw in its plan; seed: of that draw's `random_network` and target.
        contender: a named searcher instead of slth's own; None is slth's own.
        max_width: widest network that bisection tries; None for a fixed width.
        search_seconds: effort of one search at one width, a budget in work of about so many
            seconds (`slth.lab.work`); trial_seconds: CPU-seconds of the whole trial; None is no
            limit.
    """

    pruning: Pruning
    readout: Readout
    d: int
    eps: float | None
    width: int | None
    draw: int
    seed: int
    contender: str | None = None
    max_width: int | None = None
    search_seconds: float | None = None
    trial_seconds: float | None = None


@dataclass(frozen=True)
class Trial(Asked):
    """A question and what its answer starts from. Equal trials have equal keys.

    Attributes:
        after: keys of the trials whose proofs and tickets this one starts from, so that equal
            keys mean equal questions with equal beginnings.
    """

    after: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """SHA-256 (hex) of slth's version and all fields, as canonical JSON."""
        return _sha256({"slth": slth.__version__, **self._fields()})

    @property
    def search_seed(self) -> int:
        """Seed of the searchers: 31 bits of the SHA-256 of all fields but `after`."""
        asked = {name: value for name, value in self._fields().items() if name != "after"}
        return int(_sha256(asked)[:8], 16) >> 1

    def _fields(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def label(self) -> str:
        """The curve that the trial belongs to, for progress and tables."""
        name = "" if self.contender is None else f", {self.contender}"
        return f"{self.pruning}, {self.readout} readout, d = {self.d}{name}"

    def network(self, width: int) -> ReLUNetwork:
        """The first `width` units of the draw."""
        return random_network(self.d, width, self.seed, self.readout)

    @property
    def target(self) -> ReLUNetwork:
        """The draw's target neuron."""
        return target_of_seed(self.d, self.seed)


def target_of_seed(d: int, seed: int) -> ReLUNetwork:
    """A neuron uniform on the sphere: PCG64 seeded by `SeedSequence(seed, spawn_key=(d, 1))`."""
    entropy = np.random.SeedSequence(seed, spawn_key=(d, 1))
    direction = np.random.Generator(np.random.PCG64(entropy)).standard_normal(d)
    return neuron(direction, normalize=True)


def draw_seed(seed: int, draw: int) -> int:
    """Seed of draw `draw` of a plan with seed `seed`: 48 bits of a SHA-256 of both.

    All trials of a draw share it, whatever their eps, width or pruning: networks are nested and
    comparisons are paired.
    """
    return int(_sha256({"draw": draw, "seed": seed})[:12], 16)


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
