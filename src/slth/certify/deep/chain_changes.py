"""Ranges of the difference of two chains before every bend, one box at a time: compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from slth.certify.deep.chain_kernels import (
    Part,
    Place,
    _above,
    _at_inputs,
    _below,
    _bend,
    _bent_high,
    _bent_low,
    _image,
    _lines,
    _move,
    _through,
    own_ranges,
)
from slth.copying import copy_vector
from slth.layers import FloatArray
from slth.rounding.outward import UNIT


class Pair(NamedTuple):
    """Both networks of one shape, and the layers of their difference."""

    net: Part
    target: Part
    change: Part


class _Work(NamedTuple):
    """Lines of all units so far, and scratch of one row. lines: float64 [3, 4, units] of net,
    target and change: slope and constant above, slope and constant below; joint: bool [2, units],
    below and above;
    rows, out: float64 [3, widest]; some: int64 [widest]; totals: float64 [2]."""

    lines: FloatArray
    joint: np.ndarray
    rows: FloatArray
    out: FloatArray
    some: np.ndarray
    totals: FloatArray


@njit(cache=True, nogil=True)
def _highest_change(net_low, net_high, target_low, target_high, most, slope):
    """An upper bound of s(z) - s(z'), z - z' <= most, as `forward._highest_change`."""
    rising = most >= 0.0
    z = net_high if rising else net_low
    best = _bent_high(z, slope) - _bent_low(_below(z - most), slope)
    z = target_high if rising else target_low
    best = min(best, _bent_high(_above(z + most), slope) - _bent_low(z, slope))
    best = min(best, _bent_high(net_high, slope) - _bent_low(target_low, slope))
    return min(_above(best), most if rising else _bent_high(most, slope))


@njit(cache=True, nogil=True)
def _change_lines(net, target, change, bent_low, bent_high, slope, first, k, work):
    """Lines of s(z) - s(z') of unit k of the layer that begins at `first`, and where they are
    used, as `backward._change_lines`."""
    lines, unit = work.lines, first + k
    work.joint[:, unit] = True
    if net[0][k] >= 0.0 and target[0][k] >= 0.0:
        rise, top, fall, bottom = 1.0, 0.0, 1.0, 0.0
    elif net[1][k] <= 0.0 and target[1][k] <= 0.0:
        rise, top, fall, bottom = slope, 0.0, slope, 0.0
    else:
        low, high = change[0][k], change[1][k]
        top = bottom = 0.0
        if low >= 0.0:
            rise, fall = 1.0, slope
        elif high <= 0.0:
            rise, fall = slope, 1.0
        else:
            width = high - low
            room = 8.0 * UNIT * (abs(low) + abs(high))
            rise = (high - slope * low) / width
            top = max(high - rise * high, slope * low - rise * low) + room
            fall = (slope * high - low) / width
            bottom = min(slope * high - fall * high, low - fall * low) - room
        middle = 0.5 * low + 0.5 * high
        if bent_high < rise * middle + top:
            rise, top = 0.0, bent_high
        if bent_low > fall * middle + bottom:
            fall, bottom = 0.0, bent_low
        z, other = 0.5 * net[0][k] + 0.5 * net[1][k], 0.5 * target[0][k] + 0.5 * target[1][k]
        above = lines[0, 0, unit] * z + lines[0, 1, unit] - lines[1, 2, unit] * other
        below = lines[0, 2, unit] * z - (lines[1, 0, unit] * other + lines[1, 1, unit])
        work.joint[0, unit] = fall * middle + bottom >= below
        work.joint[1, unit] = rise * middle + top <= above
    lines[2, 0, unit], lines[2, 1, unit] = rise, top
    lines[2, 2, unit], lines[2, 3, unit] = fall, bottom


@njit(cache=True, nogil=True)
def change_ranges(shape, pair, place, net, target, low, high):
    """Ranges of z - z' before every bend, where those of z and z' are known: low, high [units] are
    written. net, target: (low, high)."""
    layers, widest = len(shape.rows), max(shape.rows.max(), shape.columns.max())
    units = shape.unit_at[layers]
    work = _Work(
        np.zeros((3, 4, units)),
        np.empty((2, units), np.bool_),
        np.empty((3, widest)),
        np.empty((3, widest)),
        np.empty(widest, np.int64),
        np.empty(2),
    )
    lines = work.lines
    bent_low, bent_high = np.zeros(widest), np.zeros(widest)
    value_low, value_high = np.empty(widest), np.empty(widest)
    copy_vector(value_low, place.low)
    copy_vector(value_high, place.high)
    more_low, more_high = np.empty(widest), np.empty(widest)
    for layer in range(layers):
        at, end = shape.unit_at[layer], shape.unit_at[layer + 1]
        own_low, own_high, other_low, other_high = (
            net[0][at:end], net[1][at:end], target[0][at:end], target[1][at:end],
        )  # fmt: skip
        here_low, here_high = low[at:end], high[at:end]
        _image(shape, pair.change, layer, True, value_low, value_high, here_low, here_high)
        _image(shape, pair.target, layer, False, bent_low, bent_high, more_low, more_high)
        for k in range(end - at):
            if layer > 0:
                here_low[k] = _below(here_low[k] + more_low[k])
                here_high[k] = _above(here_high[k] + more_high[k])
            # Both networks' own ranges.
            here_low[k] = max(here_low[k], _below(own_low[k] - other_high[k]))
            here_high[k] = min(here_high[k], _above(own_high[k] - other_low[k]))
        slope = shape.slopes[layer]
        for unit in range(end - at):
            # Where both are on or both off the difference is bent exactly.
            if own_low[unit] >= 0.0 and other_low[unit] >= 0.0:
                continue
            if own_high[unit] <= 0.0 and other_high[unit] <= 0.0:
                continue
            if layer == 0 and place.radius < 0.0:
                continue
            # Of equal layers nothing is left but what underflows.
            if here_high[unit] - here_low[unit] <= 1e-290:
                continue
            for sign in (1.0, -1.0):
                top = _pull_change(shape, pair, place, layer, unit, sign, work)
                if sign > 0.0 and top < here_high[unit]:
                    here_high[unit] = top
                if sign < 0.0 and -top > here_low[unit]:
                    here_low[unit] = -top
        _lines(
            own_low, own_high, slope,
            lines[0, 0, at:end], lines[0, 1, at:end], lines[0, 2, at:end],
        )  # fmt: skip
        _lines(
            other_low, other_high, slope,
            lines[1, 0, at:end], lines[1, 1, at:end], lines[1, 2, at:end],
        )  # fmt: skip
        own, other, here = (own_low, own_high), (other_low, other_high), (here_low, here_high)
        for k in range(end - at):
            bent_high[k] = _highest_change(
                own_low[k], own_high[k], other_low[k], other_high[k], here_high[k], slope
            )
            bent_low[k] = -_highest_change(
                other_low[k], other_high[k], own_low[k], own_high[k], -here_low[k], slope
            )
            _change_lines(own, other, here, bent_low[k], bent_high[k], slope, at, k, work)
            value_low[k] = _bent_low(own_low[k], slope)
            value_high[k] = _bent_high(own_high[k], slope)


@njit(cache=True, nogil=True)
def _pull_change(shape, pair, place, layer, unit, sign, work):
    """At least sign (z - z') of one unit: a row of each network and of the difference."""
    columns = shape.columns[layer]
    start, first = shape.weight_at[layer] + unit * columns, shape.unit_at[layer] + unit
    rows, out, totals, lines = work.rows, work.out, work.totals, work.lines
    for j in range(columns):
        rows[0, j] = sign * pair.change.matrix[start + j]
        rows[1, j] = 0.0
        rows[2, j] = sign * pair.target.matrix[start + j]
    totals[0] = sign * pair.change.bias[first]
    totals[1] = pair.change.move[first]
    for back in range(layer - 1, -1, -1):
        at, end = shape.unit_at[back], shape.unit_at[back + 1]
        width, columns = end - at, shape.columns[back]
        for k in range(width):
            if not work.joint[1 if rows[2, k] > 0.0 else 0, at + k]:
                rows[0, k] += rows[2, k]
                rows[1, k] -= rows[2, k]
                rows[2, k] = 0.0
        parts = (pair.net, pair.target, pair.change)
        for kind in range(3):
            _bend(
                rows[kind, :width],
                lines[kind, 0, at:end], lines[kind, 1, at:end],
                lines[kind, 2, at:end], lines[kind, 3, at:end],
                parts[kind].bend[at:end], totals,
            )  # fmt: skip
        out[:, :columns] = 0.0
        for kind in range(2):
            part = parts[kind]
            _move(rows[kind, :width], part, back, shape, work.some, out[kind, :columns], totals)
        # W' (h - h') + (W - W') h: the second into the row of net, both errors in change.move.
        _move(rows[2, :width], pair.change, back, shape, work.some, out[0, :columns], totals)
        if back > 0:
            _through(
                rows[2, :width], pair.target.matrix, shape.weight_at[back], width, columns,
                work.some, out[2, :columns],
            )  # fmt: skip
        for kind in range(3):
            copy_vector(rows[kind], out[kind, :columns])
    for j in range(columns):
        rows[0, j] += rows[1, j]
    return _at_inputs(rows[0, :columns], totals[0], totals[1], place)


@njit(cache=True, nogil=True)
def pair_ranges(shape, pair, low, high, center, radius, largest, out):
    """Ranges on each box. low, high: float64 [B, d]; out: float64 [B, 6, units], lowest and highest
    values of net, of target, of their difference, met with what it holds of the first two."""
    for box in range(len(low)):
        place = Place(low[box], high[box], center, radius, largest)
        own_ranges(shape, pair.net, place, out[box, 0], out[box, 1])
        own_ranges(shape, pair.target, place, out[box, 2], out[box, 3])
        net, target = (out[box, 0], out[box, 1]), (out[box, 2], out[box, 3])
        change_ranges(shape, pair, place, net, target, out[box, 4], out[box, 5])


@njit(cache=True, nogil=True)
def single_ranges(shape, part, low, high, center, radius, largest, out):
    """The same of one network; out: float64 [B, 2, units]."""
    for box in range(len(low)):
        place = Place(low[box], high[box], center, radius, largest)
        own_ranges(shape, part, place, out[box, 0], out[box, 1])
