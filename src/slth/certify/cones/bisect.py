"""Bisecting cones: the edge to cut, the children, and which units they leave undecided.

Compiled kernels of `cones`. A unit whose sign is the same at all generators of a cone is linear
there: it goes into the linear part and costs nothing further down.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.cones.bound import FAST
from slth.certify.cones.records import (
    BOUND,
    DONE,
    EDGE,
    MIDDLE,
    OPEN_N,
    OPEN_P,
    SCALE,
    SHARE,
)
from slth.copying import copy_matrix


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def start(parts, begin, memory):
    """Level 0: the cone itself; units whose sign is constant on it go into the linear parts."""
    PV, linP, TP, index = memory.PV, memory.linP, memory.TP, memory.indexP
    cone, weights = begin.cone, parts.rising_weights
    pieces, d = parts.linear.shape
    copy_matrix(memory.V[0], cone)
    copy_matrix(memory.B[0], begin.basis)
    copy_matrix(linP[0], parts.linear)
    memory.linN[0] = 0.0
    mP = _gather(parts.rising, weights, cone, TP[0], index[0], linP[0])
    counts, numbers = memory.counts, memory.numbers
    counts[0, OPEN_P] = mP
    counts[0, OPEN_N] = _gather(
        parts.falling,
        parts.falling_weights,
        cone,
        memory.TN[0],
        memory.indexN[0],
        memory.linN[0],
    )
    counts[0, DONE] = -1
    numbers[0, SHARE] = begin.share
    numbers[0, BOUND] = begin.bound
    for k in range(pieces):
        for a in range(d):
            s = 0.0
            for l in range(d):
                s += linP[0, k, l] * cone[a, l]
            for i in range(mP):
                s += weights[k, index[0, i]] * max(TP[0, a, i], 0.0)
            PV[0, k, a] = s


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(rows, weights, cone, T, index, linear):
    """Level 0 of one sign: the open units, how many they are, and what the others sum up to."""
    pieces, d = linear.shape
    count = 0
    for i in range(rows.shape[0]):
        low = np.inf
        high = -np.inf
        for a in range(d):
            t = 0.0
            for l in range(d):
                t += rows[i, l] * cone[a, l]
            T[a, count] = t
            low = min(low, t)
            high = max(high, t)
        if low >= 0.0:
            for k in range(pieces):
                for l in range(d):
                    linear[k, l] += weights[k, i] * rows[i, l]
        elif high > 0.0:
            index[count] = i
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def split_edge(weights, level, depth, flat, memory):
    """Choose the edge to bisect; put the new generator, its inner products and values in place.

    The new generator is the edge's midpoint, normalised unless `flat`. weights: of the convex
    units.
    """
    V, TP, TN = memory.V[level], memory.TP[level], memory.TN[level]
    midP, midN = memory.midP[level], memory.midN[level]
    linP, index = memory.linP[level], memory.indexP[level]
    numbers, counts = memory.numbers, memory.counts
    pieces, d = linP.shape
    mP = counts[level, OPEN_P]
    mN = counts[level, OPEN_N]
    longest = -1.0
    first, second = np.int64(0), np.int64(1)
    for a in range(d):
        for b in range(a + 1, d):
            s = _distance_squared(V, a, b)
            if s > longest:
                longest = s
                first = a
                second = b
    # The longest edge now and then: cones that stay thin would not shrink to a point.
    if (depth + level) % 9 != 8:
        first, second = _most_bent(weights, level, longest, first, second, memory)
    counts[level, EDGE] = first
    counts[level, EDGE + 1] = second
    size = 0.0
    for l in range(d):
        t = V[first, l] + V[second, l]
        numbers[level, MIDDLE + l] = t
        size += t * t
    scale = 0.5 if flat else 1.0 / math.sqrt(size)
    numbers[level, SCALE] = scale
    for l in range(d):
        numbers[level, MIDDLE + l] *= scale
    for i in range(mP):
        midP[i] = (TP[first, i] + TP[second, i]) * scale
    for j in range(mN):
        midN[j] = (TN[first, j] + TN[second, j]) * scale
    for k in range(pieces):
        s = 0.0
        for l in range(d):
            s += linP[k, l] * numbers[level, MIDDLE + l]
        for i in range(mP):
            s += weights[k, index[i]] * max(midP[i], 0.0)
        numbers[level, MIDDLE + d + k] = s


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy", inline="always")
def _most_bent(weights_of, level, longest, first, second, memory):
    """The edge, not too short, at which cutting lowers P's interpolation most where the
    relaxation stands (its coordinates on the edge, plus a little)."""
    V, TP, t = memory.V[level], memory.TP[level], memory.points[level]
    index, mP = memory.indexP[level], memory.counts[level, OPEN_P]
    pieces, d = weights_of.shape[0], V.shape[0]
    share = memory.numbers[level, SHARE]
    weights = memory.scratch[1]
    for i in range(mP):
        weights[i] = share * weights_of[0, index[i]]
        if pieces == 2:
            weights[i] += (1.0 - share) * weights_of[1, index[i]]
    mean = 0.0
    for a in range(d):
        mean += t[a]
    most = 0.0
    for a in range(d):
        for b in range(a + 1, d):
            # Edges shorter than two fifths of the longest would leave slivers.
            if _distance_squared(V, a, b) < 0.16 * longest:
                continue
            bend = 0.0
            for i in range(mP):
                higher = max(TP[a, i], TP[b, i])
                lower = min(TP[a, i], TP[b, i])
                bend += weights[i] * max(0.0, min(higher, -lower))
            # A point at a vertex is on no edge: without a little more all would count as 0.
            bend *= min(t[a], t[b]) + 0.02 * mean
            if bend > most:
                most = bend
                first = a
                second = b
    return first, second


@njit(cache=True, nogil=True, error_model="numpy")
def _distance_squared(V, a, b):
    s = 0.0
    for l in range(V.shape[1]):
        s += (V[a, l] - V[b, l]) ** 2
    return s


@njit(cache=True, nogil=True, error_model="numpy")
def child_generators(level, memory, cone):
    """The generators of the next child of `level`: the new one replaces an end of the edge."""
    V, numbers, counts = memory.V, memory.numbers, memory.counts
    replaced = counts[level, EDGE + counts[level, DONE]]
    for a in range(V.shape[1]):
        for l in range(V.shape[1]):
            cone[a, l] = V[level, a, l]
    for l in range(V.shape[1]):
        cone[replaced, l] = numbers[level, MIDDLE + l]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def descend(rising, rising_weights, falling, falling_weights, level, memory):
    """Build the next child of `level` at level + 1; units whose sign is now constant are folded."""
    B, PV = memory.B, memory.PV
    below = level + 1
    counts, numbers = memory.counts, memory.numbers
    which = counts[level, DONE]
    replaced = counts[level, EDGE + which]
    partner = counts[level, EDGE + 1 - which]
    child_generators(level, memory, memory.V[below])
    scale = numbers[level, SCALE]
    d = B.shape[1]
    # Loops, not slices: these copies are a good part of a node's cost.
    for a in range(d):
        for l in range(d):
            B[below, a, l] = B[level, a, l]
    for l in range(d):
        B[below, replaced, l] = B[level, replaced, l] / scale
        B[below, partner, l] = B[level, partner, l] - B[level, replaced, l]
    linP, linN = memory.linP, memory.linN
    for k in range(PV.shape[1]):
        for a in range(d):
            linP[below, k, a] = linP[level, k, a]
            linN[below, k, a] = linN[level, k, a]
            PV[below, k, a] = PV[level, k, a]
        PV[below, k, replaced] = numbers[level, MIDDLE + d + k]
    TP, TN, midP, midN = memory.TP, memory.TN, memory.midP, memory.midN
    indexP, indexN, scratch, kept = memory.indexP, memory.indexN, memory.scratch, memory.kept
    counts[below, OPEN_P] = _fold(
        rising,
        rising_weights,
        counts[level, OPEN_P],
        replaced,
        TP[level],
        midP[level],
        indexP[level],
        TP[below],
        indexP[below],
        linP[below],
        scratch,
        kept,
    )
    counts[below, OPEN_N] = _fold(
        falling,
        falling_weights,
        counts[level, OPEN_N],
        replaced,
        TN[level],
        midN[level],
        indexN[level],
        TN[below],
        indexN[below],
        linN[below],
        scratch,
        kept,
    )
    counts[below, DONE] = -1
    numbers[below, SHARE] = numbers[level, SHARE]
    numbers[below, BOUND] = numbers[level, BOUND]


@njit(cache=True, nogil=True, error_model="numpy")
def _fold(
    rows, weights, count, replaced, T, mid, index, T_below, index_below, linear, scratch, kept
):
    """Copy the open units of one sign to the child, and return how many they are; those of constant
    sign there go into its linear part.

    Twelve arrays and not a record of them: making one costs a tenth of a small cone's time.
    """
    low, high = scratch[2], scratch[3]
    pieces, d = linear.shape
    for i in range(count):
        low[i] = mid[i]
        high[i] = mid[i]
    for a in range(d):
        if a != replaced:
            for i in range(count):
                low[i] = min(low[i], T[a, i])
                high[i] = max(high[i], T[a, i])
    left = 0
    for i in range(count):
        if low[i] >= 0.0:
            for k in range(pieces):
                c = weights[k, index[i]]
                for l in range(d):
                    linear[k, l] += c * rows[index[i], l]
        elif high[i] > 0.0:
            kept[left] = i
            index_below[left] = index[i]
            left += 1
    for a in range(d):
        source = mid if a == replaced else T[a]
        for i in range(left):
            T_below[a, i] = source[kept[i]]
    return left
