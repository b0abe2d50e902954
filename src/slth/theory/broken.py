"""Broken bins (Definition 2): best uniform affine approximation by hulls.

The best affine approximation of a function on an interval errs by half the largest vertical gap
between the upper (concave) and the lower (convex) hull of its graph (Chebyshev); the gap is
attained at a vertex of one hull above or below an edge of the other: three points.
A bin is broken for h = g_S - f when that error exceeds the tolerance. Then sup |h| exceeds it too,
whether or not the bin holds the target's breakpoint: this one statement contains Lemmas 1 and 2.

These are float64 computations for exploring (relative error about 1e-13 of the sum of jumps times
the bin length); `lemmas` turns three points into an exact statement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from slth.errors import InvalidInput, require_array
from slth.theory.breakpoints import (
    Bins,
    FloatArray,
    require_families,
    require_target,
    require_units,
)

# Families copied at once: 8 coordinate columns, one cache line of a row of `hidden`.
_FAMILY_BLOCK = 4


@dataclass(frozen=True)
class AffineFit:
    """Best uniform affine approximation of a piecewise-linear function.

    Attributes:
        error: its uniform error.
        points: three vertices t1 <= t2 <= t3 at which no affine function does better (all equal
            when the function is affine).
    """

    error: float
    points: tuple[float, float, float]


def affine_fit(t: ArrayLike, values: ArrayLike) -> AffineFit:
    """Best uniform affine approximation of the function with these vertices.

    Args:
        t: float64 [n], strictly increasing, n >= 2.
        values: float64 [n].
    """
    times = require_array("t", t, ndim=1)
    heights = require_array("values", values, ndim=1)
    if times.shape != heights.shape or times.shape[0] < 2 or not (np.diff(times) > 0.0).all():
        raise InvalidInput(
            "not the vertices of a piecewise-linear function",
            got=f"t of shape {times.shape}, values of shape {heights.shape}",
            expected="equal lengths n >= 2, t strictly increasing",
            fix="Sort the vertices and merge equal ones.",
        )
    n = times.shape[0]
    work = np.empty(2 * n, dtype=np.int64)
    error, i, j, k = _hull_gap(times, heights, n, work)
    return AffineFit(error, (float(times[i]), float(times[j]), float(times[k])))


def bin_errors(
    hidden: ArrayLike, output: ArrayLike, target: ArrayLike, family: int, bins: Bins
) -> FloatArray:
    """Best affine error of h = g - f on every bin of one family. float64 [bins]."""
    weights, scales = require_units(hidden, output)
    wanted = require_target(target, weights.shape[1])
    require_families([family], weights.shape[1])
    pair = np.ascontiguousarray(weights[:, 2 * family : 2 * family + 2].T)
    return _family_errors(
        pair,
        scales,
        wanted[2 * family],
        wanted[2 * family + 1],
        bins.left,
        bins.length,
        bins.count,
    )


def broken_bins(
    hidden: ArrayLike,
    output: ArrayLike,
    target: ArrayLike,
    bins: Bins,
    tolerance: float,
    families: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """Number of broken bins of h = g - f in each family. int64 [families].

    Time O(families * width), working memory O(width + bins) whatever the number of families.

    Args:
        hidden: float64 [width, d]; pass the rows of a subset S for g_S.
        output: float64 [width].
        target: float64 [d], the target relu(<target, x>).
        bins: where to look.
        tolerance: a bin is broken when its best affine error exceeds this.
        families: int [families], default all.
    """
    weights, scales = require_units(hidden, output)
    wanted = require_target(target, weights.shape[1])
    chosen = require_families(families, weights.shape[1])
    counts = np.empty(chosen.shape[0], dtype=np.int64)
    for start in range(0, chosen.shape[0], _FAMILY_BLOCK):
        block = chosen[start : start + _FAMILY_BLOCK]
        columns = np.stack([2 * block, 2 * block + 1], axis=1).ravel()
        pairs = np.ascontiguousarray(weights[:, columns].T)
        for offset, family in enumerate(block):
            errors = _family_errors(
                pairs[2 * offset : 2 * offset + 2],
                scales,
                wanted[2 * family],
                wanted[2 * family + 1],
                bins.left,
                bins.length,
                bins.count,
            )
            counts[start + offset] = int(np.count_nonzero(errors > tolerance))
    return counts


@njit(cache=True, nogil=True)
def _hull_gap(t, y, n, work):
    """Half the largest vertical gap between both hulls of n points and the three indices."""
    upper = work[:n]
    lower = work[n : 2 * n]
    nu = 0
    nl = 0
    for i in range(n):
        while nu >= 2 and (y[upper[nu - 1]] - y[upper[nu - 2]]) * (t[i] - t[upper[nu - 2]]) <= (
            y[i] - y[upper[nu - 2]]
        ) * (t[upper[nu - 1]] - t[upper[nu - 2]]):
            nu -= 1
        upper[nu] = i
        nu += 1
        while nl >= 2 and (y[lower[nl - 1]] - y[lower[nl - 2]]) * (t[i] - t[lower[nl - 2]]) >= (
            y[i] - y[lower[nl - 2]]
        ) * (t[lower[nl - 1]] - t[lower[nl - 2]]):
            nl -= 1
        lower[nl] = i
        nl += 1
    best = 0.0
    b0 = 0
    b1 = 0
    b2 = 0
    seg = 0
    for m in range(nu):
        v = upper[m]
        while seg < nl - 2 and t[lower[seg + 1]] < t[v]:
            seg += 1
        i = lower[seg]
        k = lower[seg + 1]
        if not i < v < k:
            continue
        gap = y[v] - (y[i] * (t[k] - t[v]) + y[k] * (t[v] - t[i])) / (t[k] - t[i])
        if gap > best:
            best = gap
            b0 = i
            b1 = v
            b2 = k
    seg = 0
    for m in range(nl):
        v = lower[m]
        while seg < nu - 2 and t[upper[seg + 1]] < t[v]:
            seg += 1
        i = upper[seg]
        k = upper[seg + 1]
        if not i < v < k:
            continue
        gap = (y[i] * (t[k] - t[v]) + y[k] * (t[v] - t[i])) / (t[k] - t[i]) - y[v]
        if gap > best:
            best = gap
            b0 = i
            b1 = v
            b2 = k
    return 0.5 * best, b0, b1, b2


@njit(cache=True, nogil=True)
def _sort_kinks(kink, jump):
    """Sort kinks by place, in place."""
    n = kink.shape[0]
    if n > 32:
        order = np.argsort(kink)
        kink[:] = kink[order]
        jump[:] = jump[order]
        return
    for i in range(1, n):
        place = kink[i]
        size = jump[i]
        at = i
        while at > 0 and kink[at - 1] > place:
            kink[at] = kink[at - 1]
            jump[at] = jump[at - 1]
            at -= 1
        kink[at] = place
        jump[at] = size


@njit(cache=True, nogil=True)
def _kinks_error(kink, jump, n, left, right, t, y, work):
    """Best affine error on [left, right] of sum_i jump[i] (s - kink[i])_+, kinks sorted.

    Slopes are measured from the left end, values relative to a chord: no large affine part enters.
    """
    if n == 0:
        return 0.0
    if n == 1:
        return 0.5 * abs(jump[0]) * (kink[0] - left) * (right - kink[0]) / (right - left)
    t[0] = left
    y[0] = 0.0
    slope = 0.0
    count = 1
    for i in range(n):
        if kink[i] > t[count - 1]:
            t[count] = kink[i]
            y[count] = y[count - 1] + slope * (kink[i] - t[count - 1])
            count += 1
        slope += jump[i]
    if right > t[count - 1]:
        t[count] = right
        y[count] = y[count - 1] + slope * (right - t[count - 1])
        count += 1
    if count < 3:
        return 0.0
    return _hull_gap(t, y, count, work)[0]


@njit(cache=True, nogil=True)
def _family_errors(pair, scales, target_slope, target_offset, left, length, count):
    """Best affine error of g - f on every bin of one family: counting sort, then hulls."""
    width = scales.shape[0]
    where = np.empty(width + 1, dtype=np.int32)
    time = np.empty(width + 1)
    start = np.zeros(count + 1, dtype=np.int64)
    for j in range(width + 1):
        slope = pair[0, j] if j < width else target_slope
        offset = pair[1, j] if j < width else target_offset
        where[j] = -1
        if slope != 0.0:
            s = -offset / slope
            time[j] = s
            position = (s - left) / length
            if position >= 0.0 and position < count:
                b = int(position)
                where[j] = b
                start[b + 1] += 1
    most = 0
    for b in range(count):
        most = max(most, start[b + 1])
        start[b + 1] += start[b]
    total = start[count]
    kink = np.empty(total)
    jump = np.empty(total)
    fill = start[:count].copy()
    for j in range(width + 1):
        b = where[j]
        if b >= 0:
            size = scales[j] * abs(pair[0, j]) if j < width else -abs(target_slope)
            kink[fill[b]] = time[j]
            jump[fill[b]] = size
            fill[b] += 1
    errors = np.empty(count)
    t = np.empty(most + 2)
    y = np.empty(most + 2)
    work = np.empty(2 * most + 4, dtype=np.int64)
    for b in range(count):
        lo = start[b]
        n = start[b + 1] - lo
        u = left + b * length
        _sort_kinks(kink[lo : lo + n], jump[lo : lo + n])
        # A breakpoint is sorted into its bin by a rounded quotient; it may lie an ulp outside.
        errors[b] = max(
            0.0, _kinks_error(kink[lo : lo + n], jump[lo : lo + n], n, u, u + length, t, y, work)
        )
    return errors
