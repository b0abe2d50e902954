"""torch: any module that can be traced into the layers that slth knows, in; modules out."""

from slth.doors.torch.library import array_of
from slth.doors.torch.masks import apply_masks
from slth.doors.torch.out import to_torch
from slth.doors.torch.state import load_tensors, read_state, tensors_of
from slth.doors.torch.trace import from_torch

__all__ = [
    "apply_masks",
    "array_of",
    "from_torch",
    "load_tensors",
    "read_state",
    "tensors_of",
    "to_torch",
]
