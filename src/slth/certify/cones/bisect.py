"""Bisecting cones: the edge to cut, the children, and which units they leave undecided.

Compiled kernels of `cones`. A unit whose sign is the same at all generators of a cone is linear
there: it goes into the linear part and costs nothing further down.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from slth.certify.cones.bound import FAST


@njit(cache=True, nogil=True, error_model="numpy")
def start(rising, rising_weights, falling, falling_weights, linear, cone, basis, floats, integers):
    """Level 0: the cone itself; units whose sign is constant on it go into the linear parts."""
    V, B, PV, linP, linN, TP, TN, _midP, _midN, _scalars, _points, _scratch = floats
    indexP, indexN, counts, _kept = integers
    d = cone.shape[0]
    pieces = linear.shape[0]
    for a in range(d):
        for l in range(d):
            V[0, a, l] = cone[a, l]
            B[0, a, l] = basis[a, l]
    for k in range(pieces):
        for l in range(d):
            linP[0, k, l] = linear[k, l]
            linN[0, k, l] = 0.0
    open_units = 0
    for i in range(rising.shape[0]):
        low = np.inf
        high = -np.inf
        for a in range(d):
            t = 0.0
            for l in range(d):
                t += rising[i, l] * cone[a, l]
            TP[0, a, open_units] = t
            low = min(low, t)
            high = max(high, t)
        if low >= 0.0:
            for k in range(pieces):
                for l in range(d):
                    linP[0, k, l] += rising_weights[k, i] * rising[i, l]
        elif high > 0.0:
            indexP[0, open_units] = i
            open_units += 1
    counts[0, 0] = open_units
    open_units = 0
    for i in range(falling.shape[0]):
        low = np.inf
        high = -np.inf
        for a in range(d):
            t = 0.0
            for l in range(d):
                t += falling[i, l] * cone[a, l]
            TN[0, a, open_units] = t
            low = min(low, t)
            high = max(high, t)
        if low >= 0.0:
            for k in range(pieces):
                for l in range(d):
                    linN[0, k, l] += falling_weights[k, i] * falling[i, l]
        elif high > 0.0:
            indexN[0, open_units] = i
            open_units += 1
    counts[0, 1] = open_units
    counts[0, 2] = -1
    for k in range(pieces):
        for a in range(d):
            s = 0.0
            for l in range(d):
                s += linP[0, k, l] * cone[a, l]
            for i in range(counts[0, 0]):
                s += rising_weights[k, indexP[0, i]] * max(TP[0, a, i], 0.0)
            PV[0, k, a] = s


@njit(cache=True, nogil=True, error_model="numpy")
def split_edge(rising_weights, level, depth, flat, floats, integers):
    """Choose the edge to bisect; put the new generator, its inner products and values in place.

    The new generator is the edge's midpoint, normalised unless `flat`.
    """
    allV, _allB, _PV, linP, _linN, allTP, allTN, midP, midN, scalars, _points, _scratch = floats
    indexP, _indexN, counts, _kept = integers
    V = allV[level]
    TP = allTP[level]
    TN = allTN[level]
    pieces, d = linP.shape[1], linP.shape[2]
    mP = counts[level, 0]
    mN = counts[level, 1]
    share = scalars[level, 0]
    longest = -1.0
    first = 0
    second = 1
    for a in range(d):
        for b in range(a + 1, d):
            s = _distance_squared(V, a, b)
            if s > longest:
                longest = s
                first = a
                second = b
    if (depth + level) % 9 != 8:
        first, second = _most_bent(
            rising_weights, share, level, longest, first, second, floats, integers
        )
    counts[level, 3] = first
    counts[level, 4] = second
    size = 0.0
    for l in range(d):
        t = V[first, l] + V[second, l]
        scalars[level, 3 + l] = t
        size += t * t
    scale = 0.5 if flat else 1.0 / math.sqrt(size)
    scalars[level, 2] = scale
    for l in range(d):
        scalars[level, 3 + l] *= scale
    for i in range(mP):
        midP[level, i] = (TP[first, i] + TP[second, i]) * scale
    for j in range(mN):
        midN[level, j] = (TN[first, j] + TN[second, j]) * scale
    for k in range(pieces):
        s = 0.0
        for l in range(d):
            s += linP[level, k, l] * scalars[level, 3 + l]
        for i in range(mP):
            s += rising_weights[k, indexP[level, i]] * max(midP[level, i], 0.0)
        scalars[level, 3 + d + k] = s


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _most_bent(rising_weights, share, level, longest, first, second, floats, integers):
    """The edge, not too short, at which cutting lowers P's interpolation most where the
    relaxation stands (its coordinates on the edge, plus a little)."""
    allV, _B, _PV, _linP, _linN, allTP, _TN, _midP, _midN, _scalars, points, scratch = floats
    indexP, _indexN, counts, _kept = integers
    V, TP, t = allV[level], allTP[level], points[level]
    pieces, d = rising_weights.shape[0], V.shape[0]
    mP = counts[level, 0]
    weights = scratch[1]
    for i in range(mP):
        weights[i] = share * rising_weights[0, indexP[level, i]]
        if pieces == 2:
            weights[i] += (1.0 - share) * rising_weights[1, indexP[level, i]]
    mean = 0.0
    for a in range(d):
        mean += t[a]
    most = 0.0
    for a in range(d):
        for b in range(a + 1, d):
            if _distance_squared(V, a, b) < 0.16 * longest:
                continue
            bend = 0.0
            for i in range(mP):
                higher = max(TP[a, i], TP[b, i])
                lower = min(TP[a, i], TP[b, i])
                bend += weights[i] * max(0.0, min(higher, -lower))
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
def child_generators(V, scalars, counts, level, cone):
    """The generators of the next child of `level`: the new one replaces an end of the edge."""
    d = V.shape[1]
    replaced = counts[level, 3 + counts[level, 2]]
    for a in range(d):
        for l in range(d):
            cone[a, l] = V[level, a, l]
    for l in range(d):
        cone[replaced, l] = scalars[level, 3 + l]


@njit(cache=True, nogil=True, error_model="numpy")
def descend(rising, rising_weights, falling, falling_weights, level, floats, integers):
    """Build the next child of `level` at level + 1; units whose sign is now constant are folded."""
    V, B, PV, linP, linN, TP, TN, midP, midN, scalars, _points, scratch = floats
    indexP, indexN, counts, kept = integers
    pieces, d = linP.shape[1], linP.shape[2]
    below = level + 1
    which = counts[level, 2]
    replaced = counts[level, 3 + which]
    partner = counts[level, 4 - which]
    child_generators(V, scalars, counts, level, V[below])
    scale = scalars[level, 2]
    for a in range(d):
        for l in range(d):
            B[below, a, l] = B[level, a, l]
    for l in range(d):
        B[below, replaced, l] = B[level, replaced, l] / scale
        B[below, partner, l] = B[level, partner, l] - B[level, replaced, l]
    for k in range(pieces):
        for l in range(d):
            linP[below, k, l] = linP[level, k, l]
            linN[below, k, l] = linN[level, k, l]
            PV[below, k, l] = PV[level, k, l]
        PV[below, k, replaced] = scalars[level, 3 + d + k]
    counts[below, 0] = _fold(
        rising,
        rising_weights,
        counts[level, 0],
        replaced,
        TP[level],
        midP[level],
        indexP[level],
        TP[below],
        indexP[below],
        linP[below],
        scratch[2],
        scratch[3],
        kept,
    )
    counts[below, 1] = _fold(
        falling,
        falling_weights,
        counts[level, 1],
        replaced,
        TN[level],
        midN[level],
        indexN[level],
        TN[below],
        indexN[below],
        linN[below],
        scratch[2],
        scratch[3],
        kept,
    )
    counts[below, 2] = -1
    scalars[below, 0] = scalars[level, 0]
    scalars[below, 1] = scalars[level, 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _fold(
    hidden, weights, count, replaced, T, mid, index, below_T, below_index, linear, low, high, kept
):
    """Copy the open units to the child; those of constant sign there go into `linear`."""
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
                    linear[k, l] += c * hidden[index[i], l]
        elif high[i] > 0.0:
            kept[left] = i
            below_index[left] = index[i]
            left += 1
    for a in range(d):
        source = mid if a == replaced else T[a]
        for i in range(left):
            below_T[a, i] = source[kept[i]]
    return left
