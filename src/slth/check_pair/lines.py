"""Lines above and below an activation s(z) = max(z, slope z), and its difference, on leaves.

A leaf says which lines: the slope below s(z) in fifteenths, and for s(z) - s(z') whether above, and
below, it is bounded by z - z' (JOINT), by a number (FLAT), or by the two networks' own lines
(APART). The constant that makes a line a bound is computed here, whatever the leaf says.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slth.check_pair.steps import Kink
from slth.check_pair.values import Span, Spans, bent_change
from slth.layers import FloatArray
from slth.rounding.outward import TINY as LEAST
from slth.rounding.outward import UNIT

Codes = NDArray[np.integer]
# The slope below is this many parts of 1 for the largest code.
PARTS = 15
JOINT, FLAT, APART = 0, 1, 2


class Line(NamedTuple):
    """slope * argument + constant, float64 [B, n] each; |slope| <= 1."""

    slope: FloatArray
    constant: FloatArray


class Band(NamedTuple):
    """A line below and one above."""

    below: Line
    above: Line


class Bands(NamedTuple):
    """Of s(z), of s(z'), and of s(z) - s(z'), with where the last is used, below and above: bool
    [B, n]. None: not there."""

    net: Band | None
    target: Band | None
    change: Band | None
    joint: tuple[np.ndarray, np.ndarray] | None


def bands(step: Kink, values: Spans, slopes: Codes, joins: Codes) -> Bands:
    """slopes: uint8 [B, n], of net in the low four bits, of target in the high four (of the only
    network in the low ones); joins: of the difference, above in the low four bits."""
    if not step.target:
        return Bands(band(values.net, step.slope, slopes & 15), None, None, None)
    if not step.net:
        return Bands(None, band(values.target, step.slope, slopes & 15), None, None)
    net = band(values.net, step.slope, slopes & 15)
    target = band(values.target, step.slope, slopes >> 4)
    return Bands(net, target, *_change_band(values, step.slope, joins))


def band(values: Span, slope: float, code: Codes) -> Band:
    """s is convex: a line is above if it is so at both ends; p z is below for p in [slope, 1]."""
    low, high = values
    fixed = (low >= 0.0) | (high <= 0.0)
    only = np.where(low >= 0.0, 1.0, slope)
    rise = np.where(fixed, only, np.clip((high - slope * low) / (high - low), slope, 1.0))
    ends = np.maximum(high - rise * high, slope * low - rise * low)
    # Three roundings of numbers up to the ends.
    room = 8.0 * UNIT * (np.abs(low) + np.abs(high)) + LEAST
    zero = np.zeros_like(low)
    under = np.where(fixed, only, np.clip(code / PARTS, slope, 1.0))
    return Band(Line(under, zero), Line(rise, np.where(fixed, 0.0, ends + room)))


def _change_band(
    values: Spans, slope: float, joins: Codes
) -> tuple[Band, tuple[np.ndarray, np.ndarray]]:
    """min(t, slope t) <= s(z) - s(z') <= max(t, slope t), t = z - z': a concave and a convex
    function of t; where both networks are on or both off, t and slope t."""
    net, target, change = values
    assert change is not None
    low, high = change
    on = (net.low >= 0.0) & (target.low >= 0.0)
    fixed = on | ((net.high <= 0.0) & (target.high <= 0.0))
    only = np.where(on, 1.0, slope)
    mixed = (low < 0.0) & (high > 0.0)
    room = 8.0 * UNIT * (np.abs(low) + np.abs(high)) + LEAST
    rise = np.clip((high - slope * low) / (high - low), slope, 1.0)
    rise = np.where(mixed, rise, np.where(low >= 0.0, 1.0, slope))
    top = np.maximum(high - rise * high, slope * low - rise * low) + room
    fall = np.clip((slope * high - low) / (high - low), slope, 1.0)
    fall = np.where(mixed, fall, np.where(low >= 0.0, slope, 1.0))
    bottom = np.minimum(slope * high - fall * high, low - fall * low) - room
    least, most = bent_change(values, slope)
    above, below = joins & 15, joins >> 4
    lines = []
    for code, rate, mixed_at, number in ((below, fall, bottom, least), (above, rise, top, most)):
        flat = code == FLAT
        rate = np.where(fixed, only, np.where(flat, 0.0, rate))
        constant = np.where(flat, number, np.where(mixed, mixed_at, 0.0))
        lines.append(Line(rate, np.where(fixed, 0.0, constant)))
    return Band(*lines), (fixed | (below != APART), fixed | (above != APART))
