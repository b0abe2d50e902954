"""The torch library, where it is installed, and its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.errors import InvalidInput, MissingExtra, require_array
from slth.layers import FloatArray


def torch_for(purpose: str) -> Any:
    """The library.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import torch
        import torch.fx
        import torch.nn.utils.parametrize
        import torch.nn.utils.prune
    except ImportError as error:
        raise MissingExtra("torch", "torch", purpose) from error
    return torch


def oddity(torch: Any, tensor: Any) -> str:
    """What makes a tensor no plain array of real numbers; "" if nothing."""
    if tensor.is_meta:
        return "a meta"
    if tensor.is_quantized:
        return "a quantised"
    if tensor.is_complex():
        return "a complex"
    return "" if tensor.layout == torch.strided and not tensor.is_nested else "a sparse or nested"


def array_of(tensor: Any) -> FloatArray:
    """A tensor's numbers as float64, exactly.

    Raises:
        InvalidInput: complex, meta, quantised or sparse tensors, integers beyond 2^53.
    """
    odd = oddity(torch_for("Reading a tensor"), tensor)
    if odd:
        raise InvalidInput(
            "tensor that is complex, meta, quantised or sparse",
            got=f"{odd} tensor",
            expected="real weights",
            fix="Load the weights, or pass tensor.real, tensor.dequantize() or tensor.to_dense().",
        )
    own = tensor.detach().cpu()
    if own.is_floating_point():
        return np.asarray(own.double().numpy())
    return require_array("tensor", own.numpy(), ndim=own.ndim)
