"""Medians and slopes with 95 % bootstrap intervals over draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_TAIL = 0.025
# Fewer draws have no interval: resamples of two numbers are the two numbers.
LEAST_DRAWS = 3
# Many draws need few resamples: their slopes hardly differ.
_RESAMPLES, _WORK = 2000, 1_000_000


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % bootstrap interval (equal to it for one draw)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class FittedLine:
    """The least-squares line y = intercept + slope x of all draws' points."""

    slope: Interval
    intercept: float


def median_interval(values: FloatArray) -> Interval:
    """The median of the draws and its bootstrap interval, without resampling. values: [n], n >= 1.

    The median of a resample is at most the k-th smallest value exactly when at least half of its n
    entries are, and that number is binomial (n, k/n): the percentiles of the bootstrap are sums of
    binomial tails. For even n the lower end is that of the lower median, the upper end that of the
    upper one. An infinite value (no ticket) counts as larger than all; a median between a finite
    value and an infinite one is infinite.
    """
    ranked = np.sort(values)
    n = len(ranked)
    shares = np.arange(1, n + 1) / n
    # Pr(at least m of n entries among the k smallest), for the lower and the upper median.
    lower, upper = (
        scipy.special.bdtrc(float(m - 1), n, shares) for m in ((n + 1) // 2, n // 2 + 1)
    )
    low = ranked[int(np.argmax(lower > _TAIL))]
    high = ranked[int(np.argmax(upper >= 1.0 - _TAIL))]
    middle = ranked[n // 2]
    value = middle if math.isinf(middle) else float(np.median(ranked))
    return Interval(float(value), float(low), float(high))


def line(sums: FloatArray, seed: int) -> FittedLine | None:
    """The line through all points, its slope bootstrapped over draws; None if all x are equal.

    Args:
        sums: float64 [draws, 5]: each draw's count of points and its sums of x, y, x x and x y.
        seed: of the resamples.
    """
    whole = sums.sum(axis=0)
    slope = _slopes(whole[None, :])[0]
    if not math.isfinite(slope):
        return None
    intercept = (whole[2] - slope * whole[1]) / whole[0]
    draws = len(sums)
    low = high = slope
    if draws > 1:
        generator = np.random.Generator(np.random.PCG64(seed))
        resamples = min(_RESAMPLES, max(200, _WORK // draws))
        chosen = generator.integers(draws, size=(resamples, draws))
        chosen += draws * np.arange(resamples)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=resamples * draws)
        slopes = _slopes(counts.reshape(resamples, draws) @ sums)
        slopes = slopes[np.isfinite(slopes)]
        low, high = np.quantile(slopes, [_TAIL, 1.0 - _TAIL]) if len(slopes) else (slope, slope)
    return FittedLine(Interval(float(slope), float(low), float(high)), float(intercept))


def sums_of(x: FloatArray, y: FloatArray, draw: NDArray[np.int64]) -> FloatArray:
    """The sums that `line` wants. x, y, draw: [points], draws numbered from 0."""
    columns = (np.ones_like(x), x, y, x * x, x * y)
    totals = [np.bincount(draw, weights=column) for column in columns]
    return np.stack(totals, axis=1).astype(np.float64)


def _slopes(sums: FloatArray) -> FloatArray:
    """Least-squares slopes; NaN where all x are equal. sums: [m, 5] -> [m]."""
    n, x, y, xx, xy = sums.T
    spread = n * xx - x * x
    flat = spread <= 1e-9 * np.maximum(1.0, n * xx)
    return np.where(flat, np.nan, (n * xy - x * y) / np.where(flat, 1.0, spread))
