"""The constructions of the literature, by name, on the same network and target.

All of them are for the relu readout and give coordinate j the units of block j, d blocks of N/d
units; what differs is how a side of a coordinate picks units of its block. Burkholz (2022), L + 1
layers for a target of L, is for one target neuron the construction of Pensia et al.: its gain is
that several neurons share the same hidden units, which `slth.pruning.weights.layer` does.

Your own: `slth.strategies.register(name, function, summary=...)`, or an entry point of the group
`slth.strategies`. function(values, wanted, tolerance) gives the indices of the values to keep.
"""

from __future__ import annotations

from slth.pruning.weights.strategies import malach, orseau, pensia  # noqa: F401  they register
from slth.pruning.weights.strategies.blocks import block_mask
from slth.pruning.weights.strategies.strategy import FREE, STRATEGIES, Serve, register

__all__ = ["FREE", "STRATEGIES", "Serve", "block_mask", "register"]
