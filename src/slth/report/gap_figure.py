"""The gap plot: width against 1/eps, both logarithmic; proven impossible, found, and between."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import plotly.graph_objects as go

from slth.lab.laws import Law, Summary, fit, summarize
from slth.lab.rows import GapRun, Series
from slth.report.marks import (
    MARKS,
    Mark,
    area_swatch,
    axis,
    layout,
    marker_swatch,
    swatch,
    width_axis,
)
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.wording import (
    eps_label,
    eps_text,
    key,
    law_html,
    number,
    plural,
    range_text,
    role,
    width_text,
)

_HEIGHT = 520
# An area over a single eps is drawn this much wider than a point, as a factor on either side.
_LONE = 1.06
# Single draws of different series stand beside each other, apart by this factor.
_APART = 1.045


def gap_panel(run: GapRun) -> Panel:
    """For each series: the refuted band, the found medians, their range, draws and law."""
    done = [(series, MARKS[role(series)], summarize(run, series)) for series in run.plan.series]
    done = [entry for entry in done if entry[2]]
    figure = go.Figure()
    legend: list[LegendEntry] = []
    # All areas first: none may lie over another series' curve.
    for series, mark, summaries in done:
        _add_refuted(figure, series, mark, summaries, _floor(run))
        _add_range(figure, series, mark, summaries)
    for place, (series, mark, summaries) in enumerate(done):
        law = fit(run, series)
        if law is not None:
            _add_law(figure, series, mark, law)
        _add_draws(figure, run, series, mark, _APART ** (place - (len(done) - 1) / 2))
        _add_found(figure, series, mark, summaries)
        legend += _legend(run, series, mark, summaries, law)
    figure.layout = layout(
        _HEIGHT,
        margin={"l": 66, "r": 14, "t": 58, "b": 54},
        xaxis=axis(
            "inverse error 1/<i>ε</i>",
            type="log",
            tickvals=[1 / eps for eps in run.plan.eps],
            ticktext=[f"{number(1 / eps, 4)}" for eps in run.plan.eps],
            range=_x_range(run),
        ),
        xaxis2=axis(
            "error <i>ε</i> (per unit of radius)",
            type="log",
            overlaying="x",
            side="top",
            matches="x",
            tickvals=[1 / eps for eps in run.plan.eps],
            ticktext=[eps_label(eps) for eps in run.plan.eps],
            showgrid=False,
        ),
        yaxis=width_axis(_floor(run), _ceiling(run)),
    )
    if any(row.refuted > _floor(run) for row in run.rows):
        figure.add_annotation(
            text="▼ no ticket at or below: refuted",
            x=0.985,
            y=0.025,
            xref="paper",
            yref="paper",
            xanchor="right",
            yanchor="bottom",
            showarrow=False,
            bgcolor="var(--paper)",
            borderpad=3,
        )
    # Plotly draws an axis only if a trace refers to it.
    figure.add_scatter(x=[None], y=[None], xaxis="x2", hoverinfo="skip", showlegend=False)
    return Panel(
        name="gap",
        title="Width against error",
        label=_label(run),
        caption=(
            "Both axes are logarithmic. Thick curves: the smallest width at which a ticket was "
            "found and certified, median over draws; small marks are single draws (beside their "
            "1/ε, so that no series hides another’s), the pale band runs from the smallest to the "
            "largest. Triangles pointing down: at and below them "
            "<em>every</em> ticket of that kind is refuted (median over draws of the largest "
            "refuted width; shaded, hatched for neurons). Between a series’ triangles and its "
            "found curve nothing is known. Thin lines are least-squares fits to the found widths "
            "of all draws; intervals are bootstrapped over draws."
        ),
        height=_HEIGHT,
        figure=figure,
        table=_table(run),
        legend=tuple(legend),
    )


def _add_refuted(
    figure: go.Figure, series: Series, mark: Mark, summaries: list[Summary], floor: float
) -> None:
    for part in _runs(summaries, lambda s: s.refuted > floor):
        x, y = _steps(part, [s.refuted for s in part])
        figure.add_scatter(
            uid=f"refuted-{key(series)}",
            name=f"{series.label}: refuted",
            x=[*x, x[-1], x[0]],
            y=[*y, floor, floor],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=mark.soft,
            # One hatching only: several on top of each other would hide the curves.
            fillpattern={
                "shape": mark.hatch,
                "fgcolor": mark.faint,
                "bgcolor": mark.soft,
                "size": 9,
                "solidity": 0.12,
            }
            if mark.hatch
            else None,
            hoverinfo="skip",
        )
        figure.add_scatter(
            uid=f"refuted-edge-{key(series)}",
            name=f"{series.label}: largest refuted width (median)",
            x=x,
            y=y,
            mode="lines+markers",
            line={"color": mark.colour, "width": 1.3, "dash": mark.dash, "simplify": False},
            marker={"color": mark.colour, "size": 8, "symbol": "triangle-down"},
            hovertemplate="%{fullData.name}<br>1/ε = %{x:.4g}<br>N = %{y:,.4g}<extra></extra>",
        )


def _add_range(figure: go.Figure, series: Series, mark: Mark, summaries: list[Summary]) -> None:
    for part in _runs(summaries, lambda s: s.draws > 1 and math.isfinite(s.found_high)):
        x, low = _steps(part, [s.found_low for s in part])
        _, high = _steps(part, [s.found_high for s in part])
        figure.add_scatter(
            uid=f"range-{key(series)}",
            name=f"{series.label}: range over draws",
            x=[*x, *x[::-1]],
            y=[*low, *high[::-1]],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=mark.soft,
            hoverinfo="skip",
        )


def _add_law(figure: go.Figure, series: Series, mark: Mark, law: Law) -> None:
    high, low = law.eps
    bits = np.linspace(-math.log2(high), -math.log2(low), 2 if law.kind == "power" else 60)
    height = law.intercept + law.slope * bits
    width = 2.0**height if law.kind == "power" else height
    drawn = width > 0
    figure.add_scatter(
        uid=f"law-{key(series)}",
        name=f"{series.label}: fitted law",
        x=(2.0**bits)[drawn],
        y=width[drawn],
        mode="lines",
        line={"color": mark.faint, "width": 1},
        hoverinfo="skip",
    )


def _add_draws(figure: go.Figure, run: GapRun, series: Series, mark: Mark, beside: float) -> None:
    """Single draws, at `beside` times their 1/eps."""
    rows = [row for row in run.rows if row.series == series]
    found = [row for row in rows if row.found is not None]
    figure.add_scatter(
        uid=f"draws-{key(series)}",
        name=f"{series.label}: single draws",
        x=[beside / row.eps for row in found],
        y=[row.found for row in found],
        customdata=[[row.draw, row.found_error, 1 / row.eps] for row in found],
        mode="markers",
        marker={"color": mark.faint, "size": 4.5, "symbol": mark.symbol},
        hovertemplate=(
            f"{series.label}<br>draw %{{customdata[0]}}, 1/ε = %{{customdata[2]:.4g}}<br>"
            "found at N = %{{y:,}}<br>certified error ≤ %{customdata[1]:.4g}<extra></extra>"
        ),
    )
    missing = [row for row in rows if row.found is None and row.tried > 0]
    if missing:
        figure.add_scatter(
            uid=f"missing-{key(series)}",
            name=f"{series.label}: nothing found up to here",
            x=[beside / row.eps for row in missing],
            y=[row.tried for row in missing],
            customdata=[[row.draw, 1 / row.eps] for row in missing],
            mode="markers",
            marker={"color": mark.colour, "size": 8, "symbol": "triangle-up-open"},
            hovertemplate=(
                f"{series.label}<br>draw %{{customdata[0]}}, 1/ε = %{{customdata[1]:.4g}}<br>"
                "no ticket found up to N = %{y:,}<extra></extra>"
            ),
        )


def _add_found(figure: go.Figure, series: Series, mark: Mark, summaries: list[Summary]) -> None:
    figure.add_scatter(
        uid=f"found-{key(series)}",
        name=f"{series.label}: found (median)",
        x=[1 / s.eps for s in summaries],
        y=[s.found if math.isfinite(s.found) else None for s in summaries],
        mode="lines+markers",
        line={"color": mark.colour, "width": 2.5, "dash": mark.dash, "simplify": False},
        marker={"color": mark.colour, "size": 9, "symbol": mark.symbol},
        connectgaps=False,
        hovertemplate="%{fullData.name}<br>1/ε = %{x:.4g}<br>N = %{y:,.4g}<extra></extra>",
    )


def _legend(
    run: GapRun, series: Series, mark: Mark, summaries: list[Summary], law: Law | None
) -> list[LegendEntry]:
    fitted = f"<br><small>{law_html(law, run.plan.d)}</small>" if law is not None else ""
    entries = [
        LegendEntry(
            swatch(mark.colour, mark.dash, 2.5, mark.symbol),
            f"<b>{series.label}</b>: found{fitted}",
        )
    ]
    if any(s.refuted > 0 for s in summaries):
        entries.append(LegendEntry(area_swatch(mark), f"<b>{series.label}</b>: refuted"))
    if any(s.missing for s in summaries):
        entries.append(
            LegendEntry(
                marker_swatch(mark.colour, "triangle-up", hollow=True),
                f"{series.label}: a draw with no ticket found up to this width",
            )
        )
    return entries


def _table(run: GapRun) -> Table:
    return Table.of(
        (
            "series",
            "eps (per unit of radius)",
            "1/eps",
            "refuted width N, median (hidden units)",
            "found width N, median (hidden units)",
            "found, smallest",
            "found, largest",
            "draws done",
            "draws without a ticket",
        ),
        (
            (
                series.label,
                s.eps,
                1 / s.eps,
                s.refuted,
                s.found,
                s.found_low,
                s.found_high,
                s.draws,
                s.missing,
            )
            for series in run.plan.series
            for s in summarize(run, series)
        ),
    )


def _label(run: GapRun) -> str:
    parts = ["Log-log plot of width N in hidden units against 1/eps."]
    for series in run.plan.series:
        summaries = summarize(run, series)
        if not summaries:
            parts.append(f"{series.label}: no cell done.")
            continue
        first, last = summaries[0], summaries[-1]
        text = f"{series.label}, {plural(last.draws, 'draw')}: found at a median width of"
        ends = [first] if first is last else [first, last]
        text += " and ".join(f" {width_text(s.found)} at eps {eps_text(s.eps)}" for s in ends)
        if last.refuted > 0:
            text += f"; refuted up to width {width_text(last.refuted)} at eps {eps_text(last.eps)}"
        parts.append(f"{text} (range there {range_text(last)}).")
    return " ".join(parts)


def _runs(summaries: list[Summary], keep) -> Iterator[list[Summary]]:
    """Maximal stretches of neighbouring eps whose summaries are kept."""
    part: list[Summary] = []
    for summary in summaries:
        if keep(summary):
            part.append(summary)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _steps(part: list[Summary], heights: list[float]) -> tuple[list[float], list[float]]:
    """Abscissae and heights of a stretch; a lone point gets a little breadth."""
    x = [1 / summary.eps for summary in part]
    if len(x) == 1:
        return [x[0] / _LONE, x[0] * _LONE], [heights[0], heights[0]]
    return x, heights


def _widths(run: GapRun) -> list[float]:
    return [
        float(width)
        for row in run.rows
        for width in (row.refuted, row.found, row.tried if row.found is None else None)
        if width
    ]


def _floor(run: GapRun) -> float:
    """Lower end of the width axis: below everything drawn, never below one unit."""
    return max(1.0, 0.6 * min(_widths(run), default=1.0))


def _ceiling(run: GapRun) -> float:
    return 1.5 * max(_widths(run), default=10.0)


def _x_range(run: GapRun) -> list[float]:
    places = [-math.log10(eps) for eps in run.plan.eps]
    margin = max(0.03 * (max(places) - min(places)), 0.05)
    return [min(places) - margin, max(places) + margin]
