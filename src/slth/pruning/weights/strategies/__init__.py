"""The constructions of the literature, by name, on the same network and target.

All of them are for the relu readout and give coordinate j the units of block j, d blocks of N/d
units; what differs is how a side of a coordinate picks units of its block. Burkholz (2022), L + 1
layers for a target of L, is for one target neuron the construction of Pensia et al.: its gain is
that several neurons share the same hidden units, which `slth.pruning.weights.layer` does.
"""

from __future__ import annotations

from slth.errors import InvalidInput
from slth.pruning.weights.strategies.blocks import Serve, block_mask
from slth.pruning.weights.strategies.malach import best_product
from slth.pruning.weights.strategies.orseau import shrinking_residual
from slth.pruning.weights.strategies.pensia import best_subset

__all__ = ["FREE", "STRATEGIES", "block_mask", "require_strategy"]

# slth's own: any unit serves any coordinate, and a local search over general masks.
FREE = "free"
STRATEGIES: dict[str, Serve] = {
    "malach": best_product,
    "orseau": shrinking_residual,
    "pensia": best_subset,
}


def require_strategy(name: str) -> str:
    """Return the name if there is such a strategy, else raise InvalidInput."""
    if name != FREE and name not in STRATEGIES:
        raise InvalidInput(
            "unknown strategy",
            got=repr(name),
            expected=f"one of {', '.join([FREE, *STRATEGIES])}",
            fix=f"Leave it out for slth's own, {FREE!r}.",
        )
    return name
