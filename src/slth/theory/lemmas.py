"""Lemmas 1, 2 and 6 as statements about actual numbers: a guaranteed error and its three points.

Everything rests on one identity. For t1 < t2 < t3 and any affine l,

    max_j |h(t_j) - l(t_j)| >= |h(t2) - ((t3 - t2) h(t1) + (t2 - t1) h(t3)) / (t3 - t1)| / 2,

with equality for the best l. It is evaluated in exact rationals (float64 numbers are rationals)
and rounded down, so the guaranteed errors are theorems about the weights given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from slth.errors import InvalidInput, require_positive
from slth.theory.breakpoints import (
    FloatArray,
    kinks,
    require_families,
    require_target,
    require_units,
)
from slth.theory.broken import affine_fit


@dataclass(frozen=True)
class GuaranteedError:
    """sup |h - l| >= error for every affine l, proven by the values of h at three points.

    Attributes:
        error: float64, rounded down from the exact rational value.
        points: t1 < t2 < t3.
        statement: which lemma, in words.
    """

    error: float
    points: tuple[float, float, float]
    statement: str


def three_point_error(
    points: tuple[Fraction, Fraction, Fraction], values: tuple[Fraction, Fraction, Fraction]
) -> Fraction:
    """The error of the best affine fit to three points, exactly (Chebyshev)."""
    t1, t2, t3 = points
    h1, h2, h3 = values
    return abs(h2 - ((t3 - t2) * h1 + (t2 - t1) * h3) / (t3 - t1)) / 2


def round_down(value: Fraction) -> float:
    """The largest float64 <= value."""
    nearest = float(value)
    return math.nextafter(nearest, -math.inf) if Fraction(nearest) > value else nearest


def residual(
    hidden: ArrayLike, output: ArrayLike, target: ArrayLike, family: int, t: float
) -> Fraction:
    """g(x_i(t)) - f(x_i(t)) as an exact rational, all float64 inputs taken as exact numbers."""
    weights, scales = require_units(hidden, output)
    wanted = require_target(target, weights.shape[1])
    require_families([family], weights.shape[1])
    time = Fraction(t)
    total = Fraction(0)
    for (slope, offset), scale in zip(
        weights[:, 2 * family : 2 * family + 2].tolist(), scales.tolist(), strict=True
    ):
        active = Fraction(slope) * time + Fraction(offset)
        if active > 0:
            total += Fraction(scale) * active
    f = Fraction(float(wanted[2 * family])) * time + Fraction(float(wanted[2 * family + 1]))
    return total - max(f, Fraction(0))


def broken_bin_error(
    hidden: ArrayLike,
    output: ArrayLike,
    target: ArrayLike,
    family: int,
    interval: tuple[float, float],
) -> GuaranteedError:
    """Lemma 1, with the target folded in: sup over the interval of |g - f| >= error.

    Lemma 1 asks that the interval not hold the target's breakpoint, because it compares g with
    affine functions. Comparing g - f with them (f = 0 is affine) needs no such condition.
    """
    weights, scales = require_units(hidden, output)
    wanted = require_target(target, weights.shape[1])
    left, right = _require_interval(interval)
    everything = kinks(
        np.vstack([weights, wanted[None, :]]), np.append(scales, -1.0), families=[family]
    )
    inside = everything.breakpoints[0]
    inside = inside[(inside > left) & (inside < right)]
    times = np.unique(np.concatenate([[left, right], inside]))
    pair = weights[:, 2 * family : 2 * family + 2]
    heights = _residual_floats(pair, scales, wanted[2 * family : 2 * family + 2], times)
    points = affine_fit(times, heights).points
    if points[0] == points[2]:
        points = (left, 0.5 * (left + right), right)
    return _guarantee(
        weights, scales, wanted, family, points, "Lemma 1: the bin is broken for g - f"
    )


def missing_breakpoint_error(
    hidden: ArrayLike, output: ArrayLike, target: ArrayLike, family: int, radius: float
) -> GuaranteedError:
    """Lemma 2 on a network: no unit bends near t*, so |g - f| >= |w*_{2i}| delta / 4 nearby.

    delta is the distance from t* to the nearest breakpoint of a unit or end of I_R. Since it
    holds for the whole network's breakpoints, it holds for every subset S.

    Raises:
        InvalidInput: the target has no breakpoint in I_R on this family.
    """
    weights, _ = require_units(hidden, output)
    wanted = require_target(target, weights.shape[1])
    chosen = require_families([family], weights.shape[1])
    half = math.sqrt(max(0.0, require_positive("radius", radius) ** 2 - 1.0)) * (1.0 - 1e-12)
    star = float(kinks(wanted[None, :], np.ones(1), chosen).breakpoints[0, 0])
    if not abs(star) < half:
        raise InvalidInput(
            "the target does not bend in I_R on this family",
            got=f"t* = {star!r}",
            expected=f"|t*| < {half!r}",
            fix="Choose another family, a larger radius, or rotate the coordinates.",
        )
    reach = half - abs(star)
    if weights.shape[0]:
        own = kinks(weights, np.ones(weights.shape[0]), chosen).breakpoints[0]
        reach = min(reach, float(np.min(np.abs(own - star))))
    # Breakpoints are rounded quotients; stay clear of them by more than their rounding error.
    reach = reach * (1.0 - 1e-9) - 1e-13 * (1.0 + abs(star))
    if reach <= 0.0:
        return GuaranteedError(0.0, (star, star, star), "Lemma 2: a unit bends at t*")
    return _guarantee(
        np.empty((0, weights.shape[1])),
        np.empty(0),
        wanted,
        family,
        (star - reach, star, star + reach),
        "Lemma 2: no unit bends within delta of t*; holds for every subset",
    )


def kink_error(jump: float, left: float, right: float, *, tolerance: float = 0.0) -> float:
    """Lemma 6 with its best constant, rounded down.

    A slope jump J at distances a = `left` and b = `right` from the ends of a bin that was fitted
    by an affine function within `tolerance` before makes its best affine error at least
    |J| a b / (2 (a + b)) - tolerance. The paper's Lemma 6 takes tolerance 0 (the bin is linear
    but for this one breakpoint) and the points t0 - eps/4, t0, t0 + eps/4: |J| eps / 16. With
    the breakpoint eps/4 inside the bin, the ends give (3/32) |J| eps.
    """
    a, b = require_positive("left", left), require_positive("right", right)
    fa, fb = Fraction(a), Fraction(b)
    exact = abs(Fraction(jump)) * fa * fb / (2 * (fa + fb)) - Fraction(tolerance)
    return round_down(max(exact, Fraction(0)))


def _require_interval(interval: tuple[float, float]) -> tuple[float, float]:
    left, right = float(interval[0]), float(interval[1])
    if not (math.isfinite(left) and math.isfinite(right) and left < right):
        raise InvalidInput(
            "not an interval",
            got=repr(interval),
            expected="two finite numbers left < right",
            fix="Swap the ends?",
        )
    return left, right


def _residual_floats(
    pair: FloatArray, scales: FloatArray, wanted: FloatArray, times: FloatArray
) -> FloatArray:
    heights = -np.maximum(wanted[0] * times + wanted[1], 0.0)
    step = max(1, 4_000_000 // max(1, pair.shape[0]))
    for start in range(0, times.shape[0], step):
        part = times[start : start + step]
        active = np.maximum(pair[:, 0] * part[:, None] + pair[:, 1], 0.0)
        heights[start : start + step] += active @ scales
    return heights


def _guarantee(
    weights: FloatArray,
    scales: FloatArray,
    wanted: FloatArray,
    family: int,
    points: tuple[float, float, float],
    statement: str,
) -> GuaranteedError:
    times = tuple(Fraction(t) for t in points)
    values = tuple(residual(weights, scales, wanted, family, t) for t in points)
    exact = three_point_error((times[0], times[1], times[2]), (values[0], values[1], values[2]))
    return GuaranteedError(round_down(exact), points, statement)
