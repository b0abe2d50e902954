"""Fitted laws of the gap: a power of 1/eps for neurons, a multiple of log2(1/eps) for weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from slth.lab.rows import GapRun, Series
from slth.lab.statistics import LEAST_DRAWS, line, sums_of

# Of log2 width, or of width, against log2(1/eps).
LawKind = Literal["power", "logarithm"]


@dataclass(frozen=True)
class Summary:
    """Medians over draws at one eps. A width that was not found counts as infinite.

    Attributes:
        eps: the error asked for, per unit of radius.
        refuted, found: medians over draws (found is inf when at most half the draws found one).
        found_low, found_high: smallest and largest found width over draws.
        draws: how many draws are done; missing: how many of them found no ticket; cut: how many a
            limit in CPU-seconds cut, so that another machine may get further.
    """

    eps: float
    refuted: float
    found: float
    found_low: float
    found_high: float
    draws: int
    missing: int
    cut: int = 0

    @property
    def remarks(self) -> str:
        """What stands behind the number of draws: " (1 without) (2 cut)" or nothing."""
        without = f" ({self.missing} without)" if self.missing else ""
        return without + (f" ({self.cut} cut)" if self.cut else "")


@dataclass(frozen=True)
class Law:
    """width = intercept + slope * log2(1/eps), or log2 width = the same, by least squares.

    Attributes:
        slope: of log2 width ("power") or of width ("logarithm") against log2(1/eps).
        low, high: 95 % bootstrap interval of the slope over draws; None below three draws, which
            say nothing of others.
        intercept: at eps = 1.
        points: number of (draw, eps) pairs used: decided cells only, since a width that a search
            left open measures the search; and only where every draw is decided, since those that
            are decided among others are the narrow ones.
        eps: the largest and the smallest used.
    """

    kind: LawKind
    slope: float
    low: float | None
    high: float | None
    intercept: float
    points: int
    eps: tuple[float, float]


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
                sum(row.cut for row in rows),
            )
        )
    return summaries


def law_kind(series: Series, d: int) -> LawKind:
    """The law the theory predicts: logarithmic for weights with the ReLU readout, and for d = 1,
    where removing a unit is removing its one weight."""
    return "logarithm" if d == 1 or series == Series("weights", "relu") else "power"


def fit(run: GapRun, series: Series) -> Law | None:
    """Fit the predicted law to the found widths at every eps where all cells are decided; None with
    fewer than two eps."""
    kind = law_kind(series, run.plan.d)
    cells = (run.cell(series, eps) for eps in run.plan.eps)
    rows = [row for cell in cells if all(row.decided for row in cell) for row in cell]
    if not rows:
        return None
    widths = np.array([float(row.found or 0) for row in rows])
    fitted = line(
        sums_of(
            -np.log2([row.eps for row in rows]),
            np.log2(widths) if kind == "power" else widths,
            np.unique([row.draw for row in rows], return_inverse=True)[1],
        ),
        run.plan.seed,
    )
    if fitted is None:
        return None
    slope = fitted.slope
    several = len({row.draw for row in rows}) >= LEAST_DRAWS
    low, high = (slope.low, slope.high) if several else (None, None)
    levels = [row.eps for row in rows]
    eps = max(levels), min(levels)
    return Law(kind, slope.value, low, high, fitted.intercept, len(rows), eps)
