"""Convolution kernels without groups and dilations."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.layers import FloatArray


def whole_kernel(weight: FloatArray, groups: int, dilations: Any) -> FloatArray:
    """The kernel [out, in, height, width] without groups and dilations: zeros where they skip."""
    outs, ins, height, width = weight.shape
    rows, columns = dilations
    wide = np.zeros((outs, ins, (height - 1) * rows + 1, (width - 1) * columns + 1))
    wide[:, :, ::rows, ::columns] = weight
    if groups == 1:
        return wide
    full = np.zeros((outs, ins * groups, *wide.shape[2:]))
    share = outs // groups
    for group in range(groups):
        own = slice(group * share, (group + 1) * share)
        full[own, group * ins : (group + 1) * ins] = wide[own]
    return full
