"""The torch library, where it is installed, and its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.errors import InvalidInput, MissingExtra
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


def array_of(tensor: Any) -> FloatArray:
    """A tensor's numbers as float64; half, bfloat16 and single precision exactly."""
    if tensor.is_complex() or tensor.is_meta or tensor.is_quantized or tensor.is_sparse:
        kind = "a meta tensor" if tensor.is_meta else f"{tensor.dtype}, {tensor.layout}"
        raise InvalidInput(
            "tensor that is complex, meta, quantised or sparse",
            got=kind,
            expected="real weights",
            fix="Load the weights, or pass tensor.real, tensor.dequantize() or tensor.to_dense().",
        )
    return np.asarray(tensor.detach().cpu().double().numpy())
