"""The torch library, where it is installed, and its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.errors import MissingExtra
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
    return np.asarray(tensor.detach().cpu().double().numpy())
