"""Normalisations as layers: batch normalisation after a layer, scalers before one.

Their factors are no floats; what is rounded is stated in the layer and added by every certificate.
"""

from __future__ import annotations

import numpy as np

from slth.doors.folding import product, total
from slth.doors.graph_value import GraphValue, reciprocal, unlike
from slth.layers import Dense, FloatArray, bias_of
from slth.rounding.outward import TINY, UNIT, up


def batch_normalised(
    value: GraphValue,
    gain: FloatArray,
    shift: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    epsilon: float,
    where: str,
) -> GraphValue:
    """gain (h - mean) / sqrt(variance + epsilon) + shift, with float64 [channels] of each, over
    axis 1 of the value."""
    channels = value.shape[1:2]
    if any(array.shape != channels for array in (gain, shift, mean, variance)):
        raise unlike(where, f"statistics for a value of shape {value.shape}", "one a channel")
    spread = variance + epsilon
    if not (spread > 0.0).all():
        raise unlike(where, "a variance + epsilon that is not positive", "running statistics")
    axes = (-1,) + (1,) * (len(value.shape) - 2)
    with np.errstate(over="ignore"):
        factor = gain / np.sqrt(spread)
        # A sum, a root and a quotient: each within u, the root halves what the sum did; the few
        # units more cover products of these errors.
        off = up(4.0 * UNIT * np.abs(factor))
    centred = value.shifted(-mean.reshape(axes), where)
    scaled = centred.scaled(factor.reshape(axes), where, off.reshape(axes))
    return scaled.shifted(shift.reshape(axes), where)


def behind_scaler(
    layer: Dense,
    factor: FloatArray,
    factor_off: FloatArray,
    shift: FloatArray,
    shift_off: FloatArray,
) -> Dense:
    """W (factor x + shift) + b as one layer of x; factor and shift are known up to their offs."""
    size, bias = np.abs(layer.weight), bias_of(layer)
    none = np.zeros_like(layer.weight)
    old = none if layer.weight_rounding is None else layer.weight_rounding
    weight, off = product(layer.weight, old, factor[None, :], factor_off[None, :])
    bias_off = np.zeros_like(bias) if layer.bias_rounding is None else layer.bias_rounding
    if not shift.any() and not shift_off.any():
        return Dense(weight, bias, off, bias_off)
    with np.errstate(over="ignore", invalid="ignore"):
        moved = layer.weight @ shift
        # n products and sums in any order: n u of the sum of sizes (Higham, section 3.1), twice
        # that for the rounding of the bound itself; a product may lose TINY by underflow.
        terms = layer.weight.shape[1] + 8
        rounding = 2.0 * terms * UNIT * (size @ np.abs(shift)) + terms * TINY
        reached = size @ shift_off + old @ (np.abs(shift) + shift_off)
        moved_off = (rounding + reached) * (1.0 + 2.0 * terms * UNIT)
    bias, bias_off = total(bias, bias_off, moved, moved_off)
    return Dense(weight, bias, off, bias_off)


def standardised(mean: FloatArray, scale: FloatArray, where: str) -> tuple[FloatArray, ...]:
    """(x - mean) / scale as factor x + shift: factor, its off, shift, its off."""
    factor, off = reciprocal(scale, where)
    shift, shift_off = product(-mean, np.zeros_like(mean), factor, off)
    return factor, off, shift, shift_off
