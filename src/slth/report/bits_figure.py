"""Weight pruning with the ReLU readout: width against log2(1/eps), a straight line."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from slth.lab.laws import fit, summarize
from slth.lab.rows import GapRun, Series
from slth.report.marks import MARKS, axis, layout, swatch
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.wording import law_html

_HEIGHT = 340
_SERIES = Series("weights", "relu")


def bits_panel(run: GapRun) -> Panel | None:
    """None when such tickets were found at fewer than two values of eps."""
    found = [row for row in run.rows if row.series == _SERIES and row.found is not None]
    if len({row.eps for row in found}) < 2:
        return None
    mark = MARKS["weights-relu"]
    law = fit(run, _SERIES)
    medians = [s for s in summarize(run, _SERIES) if math.isfinite(s.found)]
    figure = go.Figure(layout=_layout(run, max(float(row.found or 0) for row in found)))
    legend = [LegendEntry(swatch(mark.colour, mark.dash, 2.5, mark.symbol), "median found width")]
    if law is not None:
        bits = [-math.log2(eps) for eps in law.eps]
        figure.add_scatter(
            uid="bits-law",
            name="fitted law",
            x=bits,
            y=[law.intercept + law.slope * x for x in bits],
            mode="lines",
            line={"color": "var(--ink)", "width": 1.2},
            hoverinfo="skip",
        )
        legend.append(LegendEntry(swatch("var(--ink)", width=1.2), law_html(law, run.plan.d)))
    figure.add_scatter(
        uid="bits-draws",
        name="single draws",
        x=[-math.log2(row.eps) for row in found],
        y=[row.found for row in found],
        customdata=[[row.draw] for row in found],
        mode="markers",
        marker={"color": mark.faint, "size": 5, "symbol": mark.symbol},
        hovertemplate="draw %{customdata[0]}<br>%{x:.3g} bits, N = %{y:,}<extra></extra>",
    )
    figure.add_scatter(
        uid="bits-found",
        name="median",
        x=[-math.log2(s.eps) for s in medians],
        y=[s.found for s in medians],
        mode="lines+markers",
        line={"color": mark.colour, "width": 2.5, "dash": mark.dash, "simplify": False},
        marker={"color": mark.colour, "size": 9, "symbol": mark.symbol},
        hovertemplate="%{x:.3g} bits<br>median N = %{y:,.4g}<extra></extra>",
    )
    rate = "" if law is None else f" The fit rises by {law.slope:.2f} hidden units a bit."
    return Panel(
        name="bits",
        title="Weight pruning with the ReLU readout, against the bits of 1/<i>ε</i>",
        label=(
            "Plot of the found width N in hidden units against log2(1/eps) in bits, both linear, "
            f"for weight pruning with the ReLU readout: {len(found)} certified tickets.{rate}"
        ),
        caption=(
            "Linear axes. The construction solves two random subset sums for each coordinate of "
            f"<i>w</i>* (its positive and its negative side), 2<i>d</i> = {2 * run.plan.d} in all, "
            "so the slope divided by 2<i>d</i> is the number of hidden units that one more bit "
            "costs one side."
        ),
        height=_HEIGHT,
        figure=figure,
        table=Table.of(
            (
                "draw",
                "eps (per unit of radius)",
                "log2(1/eps) (bits)",
                "found width N (hidden units)",
                "certified error (per unit of radius)",
                "weights kept",
            ),
            (
                (r.draw, r.eps, -math.log2(r.eps), r.found, r.found_error, r.kept)
                for r in sorted(found, key=lambda row: (-row.eps, row.draw))
            ),
        ),
        legend=tuple(legend),
    )


def _layout(run: GapRun, top: float) -> go.Layout:
    bits = [-math.log2(eps) for eps in run.plan.eps]
    margin = max(0.03 * (max(bits) - min(bits)), 0.15)
    return layout(
        _HEIGHT,
        xaxis=axis(
            "log<sub>2</sub>(1/<i>ε</i>) (bits)",
            range=[min(bits) - margin, max(bits) + margin],
            dtick=1,
        ),
        yaxis=axis("width <i>N</i> (hidden units)", range=[0, 1.1 * top], tickformat=",d"),
    )
