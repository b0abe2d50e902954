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
    if tensor.is_complex():
        raise InvalidInput(
            "tensor is complex",
            got=str(tensor.dtype),
            expected="real weights",
            fix="Pass the real part, tensor.real.",
        )
    return np.asarray(tensor.detach().cpu().double().numpy())
