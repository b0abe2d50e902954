"""Which number type holds a network exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.errors import InvalidInput
from slth.layers import Item, LeakyRelu, Residual, bias_of


def exact_dtype(network: DeepNetwork) -> Any:
    """float32 if it holds every weight of the network, else float64.

    Raises:
        InvalidInput: weights that are known up to rounding only, which no file can hold.
    """
    slopes = [item.slope for item in activations_of(network.items)]
    narrow = all(float(np.float32(slope)) == slope for slope in slopes)
    for layer, _ in network.affine():
        if layer.weight_rounding is not None or layer.bias_rounding is not None:
            raise InvalidInput(
                "network with weights that are known up to rounding",
                got="a folded normalisation or scaler",
                expected="weights that are float64 numbers",
                fix="Write the network before it was folded, or round it: its certificate is then "
                "about the rounded one.",
            )
        for array in (layer.weight, bias_of(layer)):
            with np.errstate(over="ignore"):
                narrow = narrow and bool((array.astype(np.float32) == array).all())
    return np.float32 if narrow else np.float64


def precision_of(network: DeepNetwork) -> str:
    """The narrowest type that holds the weights and biases: "float16", "float32", "float64", or
    "float64 up to rounding" where a fold was rounded."""
    layers = [layer for layer, _ in network.affine()]
    if any(x.weight_rounding is not None or x.bias_rounding is not None for x in layers):
        return "float64 up to rounding"
    arrays = [array for layer in layers for array in (layer.weight, bias_of(layer))]
    with np.errstate(over="ignore", under="ignore"):
        for dtype in (np.float16, np.float32):
            if all((array.astype(dtype) == array).all() for array in arrays):
                return dtype.__name__
    return "float64"


def activations_of(items: Iterable[Item]) -> Iterator[LeakyRelu]:
    """The leaky ReLUs among the items and in residual blocks."""
    for item in items:
        if isinstance(item, LeakyRelu):
            yield item
        elif isinstance(item, Residual):
            yield from activations_of(item.body)
