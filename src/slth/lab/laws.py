"""Fitted laws of the gap: a power of 1/eps for neurons, a multiple of log2(1/eps) for weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from slth.lab.rows import GapRun, Series

# Of log2 width, or of width, against log2(1/eps).
LawKind = Literal["power", "logarithm"]

_RESAMPLES = 2000


@dataclass(frozen=True)
class Summary:
    """Medians over draws at one eps. A width that was not found counts as infinite.

    Attributes:
        eps: the error asked for, per unit of radius.
        refuted, found: medians over draws (found is inf when at most half the draws found one).
        found_low, found_high: smallest and largest found width over draws.
        draws: how many draws are done; missing: how many of them found no ticket.
    """

    eps: float
    refuted: float
    found: float
    found_low: float
    found_high: float
    draws: int
    missing: int


@dataclass(frozen=True)
class Law:
    """width = intercept + slope * log2(1/eps), or log2 width = the same, by least squares.

    Attributes:
        slope: of log2 width ("power") or of width ("logarithm") against log2(1/eps).
        low, high: 95 % bootstrap interval of the slope over draws (equal to it for one draw).
        intercept: at eps = 1.
        points: number of (draw, eps) pairs used: found tickets only.
    """

    kind: LawKind
    slope: float
    low: float
    high: float
    intercept: float
    points: int


def summarize(run: GapRun, series: Series) -> list[Summary]:
    """One Summary for each eps at which at least one draw is done, from large to small eps."""
    summaries = []
    for eps in run.plan.eps:
        rows = run.cell(series, eps)
        if not rows:
            continue
        widths = np.array([math.inf if row.found is None else row.found for row in rows])
        # The median of an even number with infinities is taken from above.
        median = float(np.sort(widths)[len(widths) // 2])
        summaries.append(
            Summary(
                eps,
                float(np.median([row.refuted for row in rows])),
                median if math.isinf(median) else float(np.median(widths)),
                float(widths.min()),
                float(widths.max()),
                len(rows),
                int(np.isinf(widths).sum()),
            )
        )
    return summaries


def law_kind(series: Series, d: int) -> LawKind:
    """The law the theory predicts: logarithmic for weights with the ReLU readout, and for d = 1,
    where removing a unit is removing its one weight."""
    return "logarithm" if d == 1 or series == Series("weights", "relu") else "power"


def fit(run: GapRun, series: Series) -> Law | None:
    """Fit the predicted law to the found widths of all draws; None with fewer than two eps."""
    kind = law_kind(series, run.plan.d)
    by_draw: dict[int, list[tuple[float, float]]] = {}
    for row in run.rows:
        if row.series == series and row.found is not None:
            height = math.log2(row.found) if kind == "power" else float(row.found)
            by_draw.setdefault(row.draw, []).append((-math.log2(row.eps), height))
    draws = [np.array(by_draw[draw]) for draw in sorted(by_draw)]
    if not draws or len({x for points in draws for x in points[:, 0]}) < 2:
        return None
    everything = np.concatenate(draws)
    slope, intercept = _line(everything)
    generator = np.random.Generator(np.random.PCG64(run.plan.seed))
    slopes = []
    for _ in range(_RESAMPLES if len(draws) > 1 else 0):
        chosen = np.concatenate([draws[k] for k in generator.integers(len(draws), size=len(draws))])
        if np.ptp(chosen[:, 0]) > 0:
            slopes.append(_line(chosen)[0])
    low, high = np.quantile(slopes, [0.025, 0.975]) if slopes else (slope, slope)
    return Law(kind, slope, float(low), float(high), intercept, len(everything))


def _line(points: np.ndarray) -> tuple[float, float]:
    """Least-squares (slope, intercept) of points [n, 2]."""
    x, y = points[:, 0], points[:, 1]
    centred = x - x.mean()
    slope = float(centred @ (y - y.mean()) / (centred @ centred))
    return slope, float(y.mean() - slope * x.mean())
