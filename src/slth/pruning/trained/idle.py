"""Weights that can go for nothing: those into and out of units that are dead on the domain or that
nothing reads, all of them together; each with the exact proof of `slth.pruning.trained.free`."""

from __future__ import annotations

import numpy as np

from slth.domain import Domain
from slth.layers import Residual
from slth.network import BoolArray
from slth.pruning.trained.connections import Connections
from slth.pruning.trained.free import Free, free_units, unread_units
from slth.pruning.trained.hidden import HiddenUnits


def idle_weights(parts: Connections, domain: Domain) -> Free:
    """What goes for nothing. In networks with residual blocks: weights that are 0 already.

    Always can go, whatever else does, what is into units that nothing reads. (A dead unit may come
    to life, and be of use, without some of its weights.)
    """
    network = parts.network
    if any(isinstance(item, Residual) for item in network.items):
        return Free(network, parts.present, ~parts.present, 0, 0, 0)
    hidden = HiddenUnits(network)
    free = free_units(network, domain)
    unread = unread_units(hidden)
    return Free(
        network,
        parts.present & _between(parts, hidden.split(free.needed)),
        ~(parts.present & _between(parts, hidden.split(~unread))),
        free.dead,
        free.unread,
        0,
    )


def _between(parts: Connections, units: list[BoolArray]) -> BoolArray:
    """bool [weights]: those from a chosen unit (or an input) to a chosen one (or an output)."""
    chosen = []
    for place, layer in enumerate(parts.layers):
        mask = np.ones(layer.weight.shape, np.bool_)
        if place < len(units):
            mask[~units[place]] = False
        if place:
            into = units[place - 1]
            mask.reshape(len(mask), len(into), -1)[:, ~into] = False
        chosen.append(mask.ravel())
    return np.concatenate(chosen)
