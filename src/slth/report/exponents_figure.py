"""Fitted exponents against the dimension: how steeply widths grow in 1/eps, above and below."""

from __future__ import annotations

from typing import get_args

import numpy as np
import plotly.graph_objects as go

from slth.lab.curves import Curve, Side, WidthCell, exponent, units_per_bit
from slth.lab.statistics import FittedLine
from slth.report.curve_marks import mark_of
from slth.report.marks import axis, layout, marker_swatch, swatch
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.provenance import trials
from slth.report.wording import number

_HEIGHT = 400
# Series of one dimension stand this far apart.
_STEP = 0.09


def exponents_panel(widths: dict[Curve, list[WidthCell]]) -> Panel | None:
    """None when no curve has two eps. Contenders are tabulated only."""
    fits: dict[tuple[Curve, Side], FittedLine] = {}
    for curve, cells in widths.items():
        for side in get_args(Side):
            fitted = exponent(cells, side)
            if fitted is not None:
                fits[curve, side] = fitted
    own = {key: fit for key, fit in fits.items() if key[0].contender is None}
    if not own:
        return None
    groups = sorted({(curve._replace(d=2), side) for curve, side in own})
    figure, legend = go.Figure(layout=_layout({curve.d for curve, _ in own})), []
    for place, (kind, side) in enumerate(groups):
        chosen = {
            curve.d: fit
            for (curve, at), fit in own.items()
            if (curve._replace(d=2), at) == (kind, side)
        }
        mark = mark_of(kind)
        symbol = mark.symbol if side == "found" else "triangle-down"
        shift = _STEP * (place - 0.5 * (len(groups) - 1))
        _add(figure, f"{kind.pruning}, {kind.readout}: {side}", chosen, shift, mark.colour, symbol)
        drawing = (
            swatch(mark.colour, "solid", 1.2, symbol)
            if side == "found"
            else marker_swatch(mark.colour, symbol)
        )
        legend.append(LegendEntry(drawing, f"<b>{kind.label}</b>: {side}"))
    figure.add_hline(y=1.0, line={"color": "var(--rule)", "width": 1, "dash": "dot"})
    said = "; ".join(
        f"{curve.label}, d = {curve.d}, {side}: {number(fit.slope.value)}"
        for (curve, side), fit in own.items()
    )
    return Panel(
        name="exponents",
        title="How steeply widths grow: <i>N</i> ~ (1/<i>ε</i>)<sup><i>a</i></sup>",
        label=f"The exponent a against the dimension d, with 95 % intervals. {said}.",
        caption=(
            "The exponent <i>a</i> of least squares on log <i>N</i> against log 1/<i>ε</i>, all "
            "draws, with 95 % bootstrap intervals over draws: of the certified widths (from "
            "above), and of the refuted ones (from below). Dotted: 1, the exponent of the paper’s "
            "lower bound. Draws without a ticket are left out of a fit, so where they are many the "
            "exponent is too small; the table counts points. No bar: a single draw."
        ),
        height=_HEIGHT,
        figure=figure,
        table=_table(widths, fits),
        legend=tuple(legend),
    )


def _add(
    figure: go.Figure,
    name: str,
    fits: dict[int, FittedLine],
    shift: float,
    colour: str,
    symbol: str,
) -> None:
    slopes = [fit.slope for fit in fits.values()]
    figure.add_scatter(
        uid=f"exponent-{name.replace(', ', '-').replace(': ', '-')}",
        name=name,
        x=[d + shift for d in fits],
        y=[slope.value for slope in slopes],
        customdata=list(fits),
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [slope.high - slope.value for slope in slopes],
            "arrayminus": [slope.value - slope.low for slope in slopes],
            "thickness": 1.2,
            "width": 3,
        },
        mode="markers",
        marker={"color": colour, "size": 9, "symbol": symbol},
        hovertemplate=f"{name}<br>d = %{{customdata}}<br>a = %{{y:.3f}}<extra></extra>",
    )


def _table(
    widths: dict[Curve, list[WidthCell]], fits: dict[tuple[Curve, Side], FittedLine]
) -> Table:
    rows = []
    for (curve, side), fit in fits.items():
        cells = widths[curve]
        bits = units_per_bit(cells, side)
        slope, units = fit.slope, None if bits is None else bits.slope
        rows.append(
            (
                curve.label,
                curve.d,
                side,
                slope.value,
                slope.low,
                slope.high,
                None if units is None else units.value,
                None if units is None else units.low,
                None if units is None else units.high,
                sum(_points(cell, side) for cell in cells),
                trials(np.concatenate([cell.keys for cell in cells]), len(fits)),
            )
        )
    return Table.of(
        (
            "curve",
            "d",
            "side",
            "exponent a",
            "a, 95 % from",
            "a, 95 % to",
            "hidden units a bit of 1/eps",
            "units a bit, 95 % from",
            "units a bit, 95 % to",
            "points (draws and eps)",
            "trials",
        ),
        rows,
    )


def _points(cell: WidthCell, side: Side) -> int:
    values = cell.found if side == "found" else cell.refuted
    return int(np.count_nonzero(np.isfinite(values) & (values > 0)))


def _layout(dimensions: set[int]) -> go.Layout:
    return layout(
        _HEIGHT,
        xaxis=axis(
            "input dimension <i>d</i>",
            tickvals=sorted(dimensions),
            range=[min(dimensions) - 0.6, max(dimensions) + 0.6],
        ),
        yaxis=axis("exponent <i>a</i>", rangemode="tozero"),
    )
