"""Factors and shifts folded into a layer, with a bound of what that rounds.

A product or sum of floats is off by at most u = 2^-53 of itself, unless it is subnormal: `up` adds
more than such a number can lose, and covers the few operations that a bound itself takes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slth.layers import Conv, Dense, FloatArray, bias_of
from slth.rounding.outward import UNIT, up

# The smallest number with all 53 bits.
_LEAST_NORMAL = 2.0**-1022


def scaled_rows(item: Dense | Conv, factors: FloatArray, off: FloatArray) -> Dense | Conv:
    """The layer with output k multiplied by factors[k], known up to off[k]."""
    rows = (-1,) + (1,) * (item.weight.ndim - 1)
    bias, bias_off = bias_of(item), _of(item.bias_rounding, item.weight.shape[:1])
    weight_off = _of(item.weight_rounding, item.weight.shape)
    weight, weight_off = product(item.weight, weight_off, factors.reshape(rows), off.reshape(rows))
    bias, bias_off = product(bias, bias_off, factors, off)
    return replace(
        item, weight=weight, bias=bias, weight_rounding=weight_off, bias_rounding=bias_off
    )


def shifted_rows(item: Dense | Conv, shift: FloatArray, off: FloatArray) -> Dense | Conv:
    """The layer with shift[k], known up to off[k], added to output k."""
    bias_off = _of(item.bias_rounding, item.weight.shape[:1])
    bias, bias_off = total(bias_of(item), bias_off, shift, off)
    return replace(item, bias=bias, bias_rounding=bias_off)


def product(
    one: FloatArray, one_off: FloatArray, other: FloatArray, other_off: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """one * other, each known up to its off, and how far the float may be from the real product:
    |one other - fl| + |one| other_off + one_off (|other| + other_off)."""
    with np.errstate(over="ignore", invalid="ignore"):
        value = one * other
        powers = is_power_of_two(one) | is_power_of_two(other)
        exact = (powers & (np.abs(value) >= _LEAST_NORMAL)) | (one == 0.0) | (other == 0.0)
        rounding = np.where(exact, 0.0, UNIT * np.abs(value))
        moved = np.abs(one) * other_off + one_off * (np.abs(other) + other_off)
        none = exact & ((one == 0.0) | (other_off == 0.0)) & (one_off == 0.0)
        return value, np.where(none, 0.0, up(rounding + moved))


def total(
    one: FloatArray, one_off: FloatArray, other: FloatArray, other_off: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """one + other, each known up to its off, and how far the float may be from the real sum. The
    sum's own error is known exactly (Knuth's two-sum)."""
    with np.errstate(over="ignore", invalid="ignore"):
        value = one + other
        back = value - one
        error = np.abs((one - (value - back)) + (other - back))
        off = error + one_off + other_off
        return value, np.where(off == 0.0, 0.0, up(off))


def reciprocal_off(inverse: FloatArray, values: FloatArray) -> FloatArray:
    """How far the floats 1 / values may be from the real numbers."""
    exact = is_power_of_two(values) & (np.abs(inverse) >= _LEAST_NORMAL)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(exact, 0.0, up(UNIT * np.abs(inverse)))


def is_power_of_two(values: FloatArray) -> np.ndarray:
    """Whether a number is plus or minus a power of two."""
    return np.abs(np.frexp(values)[0]) == 0.5


def _of(off: FloatArray | None, shape: tuple[int, ...]) -> FloatArray:
    return np.zeros(shape) if off is None else off
