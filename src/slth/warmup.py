"""Compiling ahead: small problems that make each room's kernels be compiled, or loaded.

Kernels are compiled once a machine, when they are first called, and kept beside the installation
(or where NUMBA_CACHE_DIR says).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from slth import compiling
from slth.certify import agree, certify, certify_many
from slth.deep import DeepNetwork
from slth.domain import Box
from slth.embed import embed
from slth.errors import InvalidInput
from slth.layers import Dense
from slth.network import neuron, random_network
from slth.pruning.neurons import prune_neurons
from slth.pruning.trained import compress
from slth.pruning.weights import prune_weights
from slth.pruning.weights.subset_sum import subset_sum

# Enough for every searcher to be asked, far from enough for a hard problem.
_SECONDS = 2.0
_ROUGH = 1e-3
_SEED = 0


@dataclass(frozen=True)
class Warmed:
    """What one part took.

    Attributes:
        part: its name in `PARTS`.
        compiled: CPU-seconds spent on compiling; 0.0 if all its kernels were there.
    """

    part: str
    compiled: float


def warm_up(*parts: str) -> Iterator[Warmed]:
    """Compile, or load, the kernels of these parts, by default of all, and tell of each.

    Raises:
        InvalidInput: a name that is not in `PARTS`.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise InvalidInput(
            "unknown part",
            got=", ".join(map(repr, unknown)),
            expected=", ".join(PARTS),
            fix="Name none to warm up all of them.",
        )
    return (_warmed(part) for part in parts or PARTS)


def _warmed(part: str) -> Warmed:
    before = compiling.cpu_seconds
    PARTS[part]()
    return Warmed(part, compiling.cpu_seconds - before)


def _dense(*widths: int, seed: int) -> DeepNetwork:
    """Dense layers of these widths, the inputs first, with biases."""
    generator = np.random.Generator(np.random.PCG64(seed))
    layers = tuple(
        Dense(generator.standard_normal((rows, columns)), generator.standard_normal(rows))
        for columns, rows in pairwise(widths)
    )
    return DeepNetwork(layers)


def _certifier() -> None:
    # Each number of inputs and units has another engine: closed forms, the small search, the
    # arrangement, cones, signs.
    for d, width in ((1, 8), (2, 8), (3, 30), (3, 80), (4, 80), (8, 30)):
        pair = random_network(d, width, _SEED), random_network(d, width, _SEED + 1)
        certify(*pair, rtol=_ROUGH, time_limit=_SECONDS)
    pair = _dense(2, 6, 1, seed=_SEED), _dense(2, 6, 1, seed=_SEED + 1)
    certify(*pair, domain=Box(-1.0, 1.0), rtol=_ROUGH, time_limit=_SECONDS)
    net = random_network(3, 8, _SEED)
    certify_many(net, neuron([1.0, 0.0, 0.0]), np.ones((2, 8), np.bool_))


def _networks() -> None:
    pair = _dense(3, 6, 6, 2, seed=_SEED), _dense(3, 6, 6, 2, seed=_SEED + 1)
    certify(*pair, domain=Box(0.0, 1.0), rtol=_ROUGH, time_limit=_SECONDS)
    agree(*pair, Box(0.0, 1.0), time_limit=_SECONDS)
    compress(pair[0], Box(0.0, 1.0), eps=1.0, time_limit=_SECONDS)


def _neurons() -> None:
    # Wider than what is enumerated.
    for d, width in ((1, 24), (2, 30), (3, 24), (8, 24)):
        target = neuron(np.eye(d)[0])
        for readout in ("linear", "relu"):
            net = random_network(d, width, _SEED, readout)
            prune_neurons(net, target, time_limit=_SECONDS)
            prune_neurons(net, target, eps=0.3, time_limit=_SECONDS)


def _weights() -> None:
    for d, width in ((1, 8), (3, 30)):
        net, target = random_network(d, width, _SEED, "relu"), neuron(np.eye(d)[0])
        prune_weights(net, target, time_limit=_SECONDS)
        prune_weights(net, target, eps=0.3, sparsest=True, time_limit=_SECONDS)
    generator = np.random.Generator(np.random.PCG64(_SEED))
    for n in (12, 24, 52, 100):
        samples = generator.standard_normal((1, n))
        subset_sum(samples, [0.5], time_limit=_SECONDS)
        subset_sum(samples, [0.5], eps=1e-2, sparsest=True, time_limit=_SECONDS)


def _embeddings() -> None:
    embed(_dense(3, 4, 2, seed=_SEED), eps=0.1, time_limit=_SECONDS)


PARTS: dict[str, Callable[[], None]] = {
    "certifier": _certifier,
    "networks": _networks,
    "neurons": _neurons,
    "weights": _weights,
    "embeddings": _embeddings,
}
