"""Networks of other libraries at the border, as slth's own; none of them is imported by this."""

from __future__ import annotations

from typing import Any

from slth.errors import InvalidInput
from slth.interop.sklearn import from_sklearn
from slth.interop.torch import from_torch
from slth.layers import DeepNetwork, Dense, mlp
from slth.network import ReLUNetwork

__all__ = ["as_network"]


def as_network(target: Any) -> DeepNetwork:
    """A deep network from a DeepNetwork, [(W, b), ...], a torch module, a scikit-learn MLP or a
    ReLUNetwork with linear readout.

    Raises:
        InvalidInput: anything else, or layers that have no counterpart.
    """
    if isinstance(target, DeepNetwork):
        return target
    if isinstance(target, ReLUNetwork):
        if target.readout != "linear" or target.width == 0:
            raise InvalidInput(
                "network with a ReLU on its output, or without units",
                got=repr(target),
                expected="a linear readout, the last layer of a deep network, and width >= 1",
                fix="Use slth.prune_weights for the relu readout.",
            )
        return DeepNetwork((Dense(target.hidden), Dense(target.output[None, :])))
    library = type(target).__module__.split(".")[0]
    if library == "torch":
        return from_torch(target)
    if library == "sklearn":
        return from_sklearn(target)
    if isinstance(target, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in target
    ):
        return mlp(target)
    raise InvalidInput(
        "target is not a network",
        got=type(target).__name__,
        expected="a DeepNetwork, a list of (W, b), a torch.nn.Sequential or a scikit-learn MLP",
        fix="Pass [(W1, b1), (W2, b2)] with W float64 [out, in] and b [out] or None.",
    )
