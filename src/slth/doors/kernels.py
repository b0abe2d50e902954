"""Convolution kernels without groups and dilations."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.doors.graph_value import unlike
from slth.layers import FloatArray

# Entries of a kernel written out (256 MiB).
_MOST_ENTRIES = 1 << 25


def whole_kernel(weight: FloatArray, groups: int, dilations: Any, where: str) -> FloatArray:
    """The kernel [out, in, height, width] without groups and dilations: zeros where they skip."""
    if weight.ndim != 4 or 0 in weight.shape:
        raise unlike(where, f"weights of shape {weight.shape}", "[out, in, height, width]")
    outs, ins, height, width = weight.shape
    rows, columns = dilations
    if groups < 1 or outs % groups or rows < 1 or columns < 1:
        raise unlike(where, f"{groups} groups, dilations {dilations}", "whole groups of outputs")
    sides = ((height - 1) * rows + 1, (width - 1) * columns + 1)
    if outs * ins * groups * sides[0] * sides[1] > _MOST_ENTRIES:
        raise unlike(where, f"a kernel of {sides[0]} x {sides[1]}", "a smaller one")
    full = np.zeros((outs, ins * groups, *sides))
    share = outs // groups
    for group in range(groups):
        own = slice(group * share, (group + 1) * share)
        full[own, group * ins : (group + 1) * ins, ::rows, ::columns] = weight[own]
    return full
