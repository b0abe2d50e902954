"""The smallest error at fixed widths: certified tickets above, bounds for every ticket below."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import plotly.graph_objects as go

from slth.lab.curves import Curve, ErrorCell
from slth.lab.statistics import median_interval
from slth.report.curve_marks import mark_in_turn
from slth.report.marks import Mark, axis, layout, swatch
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.provenance import trials
from slth.report.wording import number

_HEIGHT = 420


def errors_panel(
    name: str, title: str, curves: dict[Curve, list[ErrorCell]], names: dict[Curve, str]
) -> Panel:
    """Curves of one kind; `names` tells them apart (a dimension, a contender), `title` is HTML."""
    widths = sorted({cell.width for cells in curves.values() for cell in cells})
    figure = go.Figure(layout=_layout(widths))
    legend = []
    for place, (curve, cells) in enumerate(curves.items()):
        mark = mark_in_turn(place)
        _add(figure, names[curve], cells, mark)
        legend.append(LegendEntry(swatch(mark.colour, mark.dash, 2.2, mark.symbol), names[curve]))
    said = "; ".join(
        f"{names[curve]}: {number(_upper(cells[-1]))} at {cells[-1].width} units"
        for curve, cells in curves.items()
    )
    return Panel(
        name=name,
        title=title,
        label=f"Log-log plot of the smallest error against width N, medians over draws. {said}.",
        caption=(
            "Curves: the certified error of the best ticket found, median over draws with its 95 % "
            "bootstrap interval. Pale lines: the proven bound for every ticket (median); where it "
            "meets the curve the ticket is optimal."
        ),
        height=_HEIGHT,
        figure=figure,
        table=_table(curves),
        legend=tuple(legend),
    )


def _upper(cell: ErrorCell) -> float:
    return median_interval(cell.upper).value


def _add(figure: go.Figure, name: str, cells: list[ErrorCell], mark: Mark) -> None:
    known = [cell for cell in cells if math.isfinite(_upper(cell))]
    medians = [median_interval(cell.upper) for cell in known]
    proven = [(c.width, b) for c in cells if (b := median_interval(c.bound).value) > 0]
    figure.add_scatter(
        uid=f"bound-{name}",
        x=[width for width, _ in proven],
        y=[bound for _, bound in proven],
        mode="lines",
        opacity=0.45,
        line={"color": mark.colour, "width": 3},
        hovertemplate=f"{name}: every ticket errs by<br>%{{y:.4g}} at N = %{{x}}<extra></extra>",
    )
    figure.add_scatter(
        uid=f"error-{name}",
        name=name,
        x=[cell.width for cell in known],
        y=[median.value for median in medians],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [m.high - m.value if math.isfinite(m.high) else 0.0 for m in medians],
            "arrayminus": [m.value - m.low for m in medians],
            "thickness": 1.2,
            "width": 4,
        },
        mode="lines+markers",
        line={"color": mark.colour, "width": 2.2, "dash": mark.dash, "simplify": False},
        marker={"color": mark.colour, "size": 8, "symbol": mark.symbol},
        hovertemplate=f"{name}: error ≤ %{{y:.4g}}<br>N = %{{x}}<extra></extra>",
    )


def _table(curves: dict[Curve, list[ErrorCell]]) -> Table:
    rows = sum(map(len, curves.values()))
    return Table.of(
        (
            "curve",
            "d",
            "width N (hidden units)",
            "error of the best ticket, median (per unit of radius)",
            "error, 95 % from",
            "error, 95 % to",
            "bound for every ticket, median",
            "draws",
            "trials",
        ),
        (
            (
                curve.label,
                curve.d,
                cell.width,
                *astuple(median_interval(cell.upper)),
                float(np.median(cell.bound)),
                len(cell.upper),
                trials(cell.keys, rows),
            )
            for curve, cells in curves.items()
            for cell in cells
        ),
    )


def _layout(widths: list[int]) -> go.Layout:
    low, high = 0.8 * widths[0], 1.25 * widths[-1]
    return layout(
        _HEIGHT,
        xaxis=axis(
            "width <i>N</i> (hidden units)",
            type="log",
            range=[math.log10(low), math.log10(high)],
            tickvals=widths,
            ticktext=[f"{width:,}" for width in widths],
        ),
        yaxis=axis("error (per unit of radius)", type="log", dtick="D2"),
    )
