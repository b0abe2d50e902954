"""Normalisations as layers: batch normalisation after a layer, scalers before one.

Their factors are no floats; what is rounded is stated in the layer and added by every certificate.
"""

from __future__ import annotations

import numpy as np

from slth.doors.chain import Chain, unlike
from slth.layers import Dense, FloatArray, bias_of
from slth.rounding.outward import UNIT


def batch_normalised(
    value: Chain,
    gain: FloatArray,
    shift: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    epsilon: float,
    where: str,
) -> Chain:
    """gain (h - mean) / sqrt(variance + epsilon) + shift, with float64 [channels] of each."""
    spread = variance + epsilon
    if not (spread > 0.0).all():
        raise unlike(where, "a variance + epsilon that is not positive", "running statistics")
    per_channel = (slice(None),) + (None,) * (len(value.shape) - 1)
    factor = gain / np.sqrt(spread)
    # A sum, a root and a quotient: each within u, the root halves what the sum did.
    off = 4.0 * UNIT * np.abs(factor)
    centred = value.shifted(-mean[per_channel], where)
    return centred.scaled(factor[per_channel], where, off[per_channel]).shifted(
        shift[per_channel], where
    )


def behind_scaler(
    layer: Dense,
    factor: FloatArray,
    factor_off: FloatArray,
    shift: FloatArray,
    shift_off: FloatArray,
) -> Dense:
    """W (factor x + shift) + b as one layer of x; factor and shift are known up to their offs."""
    size = np.abs(layer.weight)
    weight = layer.weight * factor
    off = (2.0 * UNIT * np.abs(weight) + size * factor_off) * (1.0 + 8.0 * UNIT)
    moved, bias = layer.weight @ shift, bias_of(layer)
    terms = layer.weight.shape[1] + 8
    rounding = 2.0 * terms * UNIT * (size @ np.abs(shift) + np.abs(bias))
    bias_off = (rounding + size @ shift_off) * (1.0 + 2.0 * terms * UNIT)
    return Dense(weight, bias + moved, off, bias_off)
