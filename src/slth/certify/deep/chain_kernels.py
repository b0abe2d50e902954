"""Ranges before every bend of a chain of dense layers, one box at a time: compiled.

What `bounds.relax` does for many boxes at once with matrix products, here for one box and for the
units alone that may change sign on it; zeros of coefficients are skipped. The error terms are those
of `forward` and `backward`, which explain them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.layers import FloatArray
from slth.rounding.outward import TINY, UNIT

# More than products that underflow lose, for each of them; see `forward`.
_LEAST = 2.0**-1070


class Shape(NamedTuple):
    """Layers of a chain. rows, columns: int64 [L]; weight_at, unit_at: int64 [L + 1], where each
    layer's matrix and units begin; slopes: float64 [L], of the bend behind it."""

    rows: np.ndarray
    columns: np.ndarray
    weight_at: np.ndarray
    unit_at: np.ndarray
    slopes: FloatArray


class Part(NamedTuple):
    """One network of a chain, or the difference of two. All layers' numbers one after another.

    Attributes:
        matrix, off: float64 [weights], the entries and how far each may be off.
        bias, bias_off: float64 [units].
        move, bend: float64 [units], rounding of a coefficient 1; see `backward.Sizes`.
        inexact: whether any of `off` is not 0.
    """

    matrix: FloatArray
    off: FloatArray
    bias: FloatArray
    bias_off: FloatArray
    move: FloatArray
    bend: FloatArray
    inexact: bool


class Place(NamedTuple):
    """One box, cut with a ball. low, high, center: float64 [d]; radius < 0: no ball. largest:
    float64 [d], the largest inputs of the whole domain."""

    low: FloatArray
    high: FloatArray
    center: FloatArray
    radius: float
    largest: FloatArray


@njit(cache=True, nogil=True)
def _above(value):
    # A unit in the last place or more, and more than nothing near 0.
    return value + (abs(value) * 2.0**-52 + 1e-300)


@njit(cache=True, nogil=True)
def _below(value):
    return value - (abs(value) * 2.0**-52 + 1e-300)


@njit(cache=True, nogil=True)
def _bent_high(z, slope):
    if z >= 0.0:
        return z
    return _above(slope * z) if slope != 0.0 else 0.0


@njit(cache=True, nogil=True)
def _bent_low(z, slope):
    if z >= 0.0:
        return z
    return _below(slope * z) if slope != 0.0 else 0.0


@njit(cache=True, nogil=True)
def _image(shape, part, layer, with_bias, low, high, out_low, out_high):
    """The range of W h (+ b), as `forward.image`."""
    rows, columns = shape.rows[layer], shape.columns[layer]
    at, first = shape.weight_at[layer], shape.unit_at[layer]
    terms = columns + 2
    center = np.empty(columns)
    reach = np.empty(columns)
    for j in range(columns):
        middle = 0.5 * low[j] + 0.5 * high[j]
        center[j] = min(max(middle, low[j]), high[j])
        reach[j] = max(high[j] - center[j], center[j] - low[j]) * (1.0 + 2.0**-52)
    for i in range(rows):
        middle, spread, size, off = 0.0, 0.0, 0.0, 0.0
        start = at + i * columns
        for j in range(columns):
            weight = part.matrix[start + j]
            middle += weight * center[j]
            spread += abs(weight) * reach[j]
            size += abs(weight) * abs(center[j])
        size += spread
        if part.inexact:
            for j in range(columns):
                off += (abs(center[j]) + reach[j]) * part.off[start + j]
        if with_bias:
            middle += part.bias[first + i]
            size += abs(part.bias[first + i])
            off += part.bias_off[first + i]
        off += 2.0 * (terms + 8) * UNIT * size + terms * _LEAST
        spread = (spread + off) * (1.0 + 2.0 * (terms + 8) * UNIT)
        out_low[i] = _below(middle - spread)
        out_high[i] = _above(middle + spread)


@njit(cache=True, nogil=True)
def _through(row, matrix, at, rows, columns, some, out):
    """out += row @ matrix, zeros of the row skipped. some: int64 [rows], scratch."""
    count = 0
    for k in range(rows):
        if row[k] != 0.0:
            some[count] = k
            count += 1
    k = 0
    # Four at once: `out` is read and written a quarter as often.
    while k + 4 <= count:
        a, b, c, d = row[some[k]], row[some[k + 1]], row[some[k + 2]], row[some[k + 3]]
        at_a, at_b = at + some[k] * columns, at + some[k + 1] * columns
        at_c, at_d = at + some[k + 2] * columns, at + some[k + 3] * columns
        first, second = matrix[at_a : at_a + columns], matrix[at_b : at_b + columns]
        third, fourth = matrix[at_c : at_c + columns], matrix[at_d : at_d + columns]
        for j in range(columns):
            out[j] += (a * first[j] + b * second[j]) + (c * third[j] + d * fourth[j])
        k += 4
    while k < count:
        a, at_a = row[some[k]], at + some[k] * columns
        first = matrix[at_a : at_a + columns]
        for j in range(columns):
            out[j] += a * first[j]
        k += 1


@njit(cache=True, nogil=True)
def _highest(row, place):
    """At least <row, x> on the box and in the ball, as `Region.highest`."""
    terms = len(row) + 8
    middle, spread, size, largest = 0.0, 0.0, 0.0, 0.0
    for j in range(len(row)):
        center = min(max(0.5 * place.low[j] + 0.5 * place.high[j], place.low[j]), place.high[j])
        reach = max(place.high[j] - center, center - place.low[j]) * (1.0 + 2.0**-52)
        middle += row[j] * center
        spread += abs(row[j]) * reach
        size += abs(row[j]) * abs(center)
        largest = max(largest, abs(row[j]))
    best = middle + spread + 2.0 * terms * UNIT * (size + spread)
    if place.radius >= 0.0:
        largest = max(largest, TINY)
        square, around, size = 0.0, 0.0, 0.0
        for j in range(len(row)):
            square += (row[j] / largest) * (row[j] / largest)
            around += row[j] * place.center[j]
            size += abs(row[j]) * abs(place.center[j])
        length = largest * np.sqrt(square) * place.radius
        around += length + 2.0 * terms * UNIT * (size + length) + TINY
        best = min(best, around)
    return best + 2.0**-51 * abs(best) + TINY


@njit(cache=True, nogil=True)
def _at_inputs(row, constant, off, place):
    """At least <row, x> + constant + off, rounded up."""
    rounded = 0.0
    for j in range(len(row)):
        rounded += abs(row[j]) * place.largest[j]
    off = (off + 4.0 * UNIT * rounded) * (1.0 + 2.0**-40)
    top = _highest(row, place)
    return (top + constant + off) + 4.0 * UNIT * (abs(top) + abs(constant) + off)


@njit(cache=True, nogil=True)
def _lines(low, high, slope, rise, above, below):
    """Chords above s (rise, above) and slopes of lines below it, as `backward._lines`."""
    for k in range(len(low)):
        above[k] = 0.0
        if low[k] >= 0.0:
            rise[k] = below[k] = 1.0
        elif high[k] <= 0.0:
            rise[k] = below[k] = slope
        else:
            rise[k] = (high[k] - slope * low[k]) / (high[k] - low[k])
            ends = max(high[k] - rise[k] * high[k], slope * low[k] - rise[k] * low[k])
            above[k] = ends + 8.0 * UNIT * (abs(low[k]) + abs(high[k]))
            below[k] = 1.0 if high[k] > -low[k] else slope


@njit(cache=True, nogil=True)
def _bend(row, rise, above, fall, under, size, totals):
    """A row through lines above and below, in place; totals: constant and off, [2]."""
    more, rounded = 0.0, 0.0
    for k in range(len(row)):
        value = row[k]
        rounded += abs(value) * size[k]
        if value > 0.0:
            more += value * above[k]
            row[k] = value * rise[k]
        elif value < 0.0:
            more += value * under[k]
            row[k] = value * fall[k]
    totals[0] += more
    totals[1] += rounded + 4.0 * UNIT * (abs(totals[0]) + abs(more))


@njit(cache=True, nogil=True)
def _move(row, part, layer, shape, some, out, totals):
    """out += a row through a layer; its constant and what rounds."""
    rows, first = shape.rows[layer], shape.unit_at[layer]
    more, rounded = 0.0, 0.0
    for k in range(rows):
        more += row[k] * part.bias[first + k]
        rounded += abs(row[k]) * part.move[first + k]
    _through(row, part.matrix, shape.weight_at[layer], rows, shape.columns[layer], some, out)
    totals[0] += more
    totals[1] += rounded + 4.0 * UNIT * (abs(totals[0]) + abs(more))


@njit(cache=True, nogil=True)
def own_ranges(shape, part, place, low, high):
    """Ranges before every bend of one network: low, high [units], met with what they hold."""
    layers, widest = len(shape.rows), max(shape.rows.max(), shape.columns.max())
    units = shape.unit_at[layers]
    rise, above, below = np.empty(units), np.empty(units), np.empty(units)
    zero = np.zeros(widest)
    row, out = np.empty(widest), np.empty(widest)
    bent_low, bent_high = np.empty(widest), np.empty(widest)
    more_low, more_high = np.empty(widest), np.empty(widest)
    some, totals = np.empty(widest, np.int64), np.empty(2)
    for layer in range(layers):
        first, last = shape.unit_at[layer], shape.unit_at[layer + 1]
        here_low, here_high = low[first:last], high[first:last]
        if layer == 0:
            _image(shape, part, layer, True, place.low, place.high, more_low, more_high)
        else:
            _image(shape, part, layer, True, bent_low, bent_high, more_low, more_high)
        for k in range(last - first):
            here_low[k] = max(here_low[k], more_low[k])
            here_high[k] = min(here_high[k], more_high[k])
        # Before the first bend intervals are exact on a box, but not in a ball.
        if layer > 0 or place.radius >= 0.0:
            for unit in range(last - first):
                if here_low[unit] >= 0.0 or here_high[unit] <= 0.0:
                    continue
                for sign in (1.0, -1.0):
                    top = _pull_own(
                        shape, part, place, layer, unit, sign, rise, above, below, zero,
                        row, out, some, totals,
                    )  # fmt: skip
                    if sign > 0.0 and top < here_high[unit]:
                        here_high[unit] = top
                    if sign < 0.0 and -top > here_low[unit]:
                        here_low[unit] = -top
        slope = shape.slopes[layer]
        _lines(here_low, here_high, slope, rise[first:last], above[first:last], below[first:last])
        for k in range(last - first):
            bent_low[k] = _bent_low(here_low[k], slope)
            bent_high[k] = _bent_high(here_high[k], slope)


@njit(cache=True, nogil=True)
def _pull_own(
    shape, part, place, layer, unit, sign, rise, above, below, zero, row, out, some, totals
):
    columns = shape.columns[layer]
    start, first = shape.weight_at[layer] + unit * columns, shape.unit_at[layer]
    for j in range(columns):
        row[j] = sign * part.matrix[start + j]
    totals[0] = sign * part.bias[first + unit]
    totals[1] = part.move[first + unit]
    for back in range(layer - 1, -1, -1):
        at, end = shape.unit_at[back], shape.unit_at[back + 1]
        width, columns = end - at, shape.columns[back]
        _bend(
            row[:width], rise[at:end], above[at:end], below[at:end], zero[:width],
            part.bend[at:end], totals,
        )  # fmt: skip
        out[:columns] = 0.0
        _move(row[:width], part, back, shape, some, out[:columns], totals)
        copy_vector(row, out[:columns])
    return _at_inputs(row[:columns], totals[0], totals[1], place)
