"""Made-up gap runs: the page is tested on rows whose numbers the tests chose themselves.

Nothing in them is certified. The one ticket that figures are drawn from is real: the best subset,
by brute force on a fine grid, of a small random network in the plane.
"""

from __future__ import annotations

import math

import numpy as np

from slth.lab.cell import target_of
from slth.lab.rows import GapPlan, GapRun, Readout, Series, WidthRow
from slth.network import random_network

EPS = (1 / 4, 1 / 8, 1 / 16, 1 / 32)
TICKET_WIDTH = 14


def synthetic_run(
    *,
    d: int = 2,
    readout: Readout = "linear",
    eps: tuple[float, ...] = EPS,
    draws: int = 3,
    complete: bool = True,
    keep=lambda row: True,
) -> GapRun:
    """Neurons: found near 5/eps, refuted near 1/eps; weights, linear: 4/eps and 1/(2 eps);
    weights, relu: 6 a bit, nothing refuted. Draws differ by a few units."""
    plan = GapPlan(d, readout, eps, draws, 7, 20_000, 2.0)
    rows = tuple(
        _row(series, draw, value)
        for series in plan.series
        for draw in range(draws)
        for value in eps
    )
    return GapRun(plan, tuple(row for row in rows if keep(row)), complete, 12.5)


def _row(series: Series, draw: int, eps: float) -> WidthRow:
    if series.pruning == "neurons":
        found, refuted = math.ceil(5 / eps) + draw, round(1 / eps) + draw
    elif series.readout == "linear":
        found, refuted = math.ceil(4 / eps) + draw, round(0.5 / eps)
    else:
        found, refuted = 10 + round(6 * math.log2(1 / eps)) + draw, 0
    bound = eps * 1.01 if refuted else 0.0
    return WidthRow(series, draw, eps, refuted, bound, found, eps * 0.9, 3, (0, 2, 5), found, 0.25)


def best_ticket(run: GapRun, draw: int) -> tuple[tuple[int, ...], float]:
    """The best kept units among the first TICKET_WIDTH in d = 2, and an upper bound on its error:
    the largest error on a grid plus what it can gain in between (Lipschitz)."""
    net = random_network(2, TICKET_WIDTH, run.plan.seed + draw, run.plan.readout)
    target = target_of(run.plan, draw)
    angles = np.linspace(0.0, 2.0 * math.pi, 360, endpoint=False)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    parts = np.maximum(points @ net.hidden.T, 0.0) * net.output
    masks = (np.arange(1 << TICKET_WIDTH)[:, None] >> np.arange(TICKET_WIDTH)) & 1
    sums = masks @ parts.T
    values = np.maximum(sums, 0.0) if run.plan.readout == "relu" else sums
    errors = np.abs(values - target(points)).max(axis=1)
    best = int(np.argmin(errors))
    kept = np.flatnonzero(masks[best])
    speed = float(np.abs(net.output[kept]) @ np.linalg.norm(net.hidden[kept], axis=1)) + 1.0
    return tuple(int(unit) for unit in kept), float(errors[best]) + speed * math.pi / 360


def run_with_ticket(readout: Readout = "linear", draw: int = 0) -> GapRun:
    """A run of one draw-and-eps neuron cell that holds a real ticket at an eps it reaches."""
    empty = synthetic_run(readout=readout, draws=draw + 1)
    kept, error = best_ticket(empty, draw)
    plan = GapPlan(2, readout, (0.5, error * 1.001), draw + 1, 7, 20_000, 2.0)
    row = WidthRow(
        Series("neurons", readout),
        draw,
        plan.eps[1],
        2,
        error * 1.01,
        TICKET_WIDTH,
        error,
        len(kept),
        kept,
        TICKET_WIDTH,
        0.1,
    )
    return GapRun(plan, (row,), True, 1.0)
