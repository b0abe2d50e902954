"""The paper's open question: how does the width that neuron pruning needs depend on d, at one eps?
Proven from below, certified from above."""

from __future__ import annotations

import math
from dataclasses import astuple
from typing import get_args

import plotly.graph_objects as go

from slth.lab.curves import Curve, WidthCell
from slth.network import Readout
from slth.report.curve_marks import mark_of
from slth.report.marks import Mark, axis, layout, marker_swatch, swatch, width_axis
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.provenance import trials
from slth.report.wording import eps_text, width_text
from slth.theory import single_unit_refuted_width
from slth.theory.refuted import best_refuted_width

_HEIGHT = 440
_DELTA = 0.05
_MOST_PANELS = 2
_LEAST_DIMENSIONS = 3


def dimension_panels(widths: dict[Curve, list[WidthCell]]) -> list[Panel]:
    """One panel for each of the smallest eps that neuron pruning with the linear readout (else the
    relu one) was tried at in most dimensions, at least three."""
    for readout in get_args(Readout):
        curves = [
            curve
            for curve in widths
            if (curve.pruning, curve.readout, curve.contender) == ("neurons", readout, None)
            and curve.d >= 2
        ]
        tried: dict[float, int] = {}
        for curve in curves:
            for cell in widths[curve]:
                tried[cell.eps] = tried.get(cell.eps, 0) + 1
        most = max(tried.values(), default=0)
        if most >= _LEAST_DIMENSIONS:
            levels = sorted(eps for eps, count in tried.items() if count == most)
            return [_panel(widths, eps, k) for k, eps in enumerate(levels[:_MOST_PANELS])]
    return []


def _panel(widths: dict[Curve, list[WidthCell]], eps: float, place: int) -> Panel:
    series = _series(widths, eps)
    dimensions = sorted({curve.d for curve, _ in series if curve.pruning == "neurons"})
    theory = [(d, int(best_refuted_width(d, eps, 1.0, _DELTA).value)) for d in dimensions]
    alone = [(d, float(single_unit_refuted_width(d, eps, 1.0, _DELTA).value)) for d in dimensions]
    linear = [entry for entry in series if entry[0].readout == "linear"]
    figure = go.Figure()
    legend: list[LegendEntry] = []
    heights = [width for _, width in theory if width > 0]
    for readout in get_args(Readout):
        chosen = [e for e in series if e[0].readout == readout and e[0].pruning == "neurons"]
        if chosen:
            heights += _add_neurons(figure, readout, chosen)
            legend += _legend(mark_of(chosen[0][0]), readout)
    weights = [e for e in series if (e[0].readout, e[0].pruning) == ("relu", "weights")]
    if weights:
        heights += _add_weights(figure, weights, legend)
    if linear:
        _add_theory(figure, theory, alone, legend)
    low, high = 0.7 * min(heights, default=1.0), 2.0 * max(heights, default=10.0)
    figure.layout = _layout(dimensions, low, high)
    said = "; ".join(
        f"d = {curve.d}, {curve.readout} readout: above {width_text(cell.refuted_width.value)}, "
        f"found at {width_text(cell.found_width.value)}"
        for curve, cell in series
        if curve.pruning == "neurons"
    )
    return Panel(
        name=f"dimension-{place + 1}",
        title=f"Width against dimension at <i>ε</i> = {eps_text(eps)}",
        label=f"Width N in hidden units, logarithmic, against d at eps = {eps:.4g}. {said}.",
        caption=(
            "How does the width that neuron pruning needs depend on <i>d</i>? With the linear "
            "readout it is proven to grow at least like (c/(<i>d</i> "
            "<i>ε</i>))<sup><i>d</i>-1</sup> for <i>ε</i> &lt; c/<i>d</i>; with the ReLU "
            "readout O(<i>d</i><sup>2</sup> <i>ε</i><sup>-4</sup>) units suffice, with a "
            "constant far above this figure. Up to the triangles every ticket of the draw is "
            "refuted, at the curve one is certified (medians over draws, 95 % bootstrap "
            "intervals); open triangles: no ticket found up to there. The pale line is proven "
            "for all draws but a share of 5 % (the best of the covering, zonal and spectral "
            "bounds, linear readout, radius 1; absent where vacuous). Dotted: what keeping one "
            "unit needs, even refitted (Lemma 10)."
        ),
        height=_HEIGHT,
        figure=figure,
        table=_table(series, dict(theory), dict(alone)),
        legend=tuple(legend),
    )


def _series(widths: dict[Curve, list[WidthCell]], eps: float) -> list[tuple[Curve, WidthCell]]:
    return [
        (curve, cell)
        for curve, cells in widths.items()
        for cell in cells
        if cell.eps == eps and curve.contender is None and curve.d >= 2
    ]


def _add_neurons(
    figure: go.Figure, readout: str, chosen: list[tuple[Curve, WidthCell]]
) -> list[float]:
    """Found and refuted medians with their intervals; the heights drawn."""
    mark = mark_of(chosen[0][0])
    lost = [(c.d, cell.tried) for c, cell in chosen if math.isinf(cell.found_width.value)]
    found = [(c.d, cell.found_width) for c, cell in chosen if cell.found_width.value < math.inf]
    refuted = [(c.d, cell.refuted_width) for c, cell in chosen if cell.refuted_width.value > 0]
    tallest = max((cell.tried for _, cell in chosen), default=1.0)
    for name, points, symbol, width in (
        ("refuted up to", refuted, "triangle-down", 1.0),
        ("certified at", found, mark.symbol, 2.4),
    ):
        figure.add_scatter(
            uid=f"{name.split()[0]}-{readout}",
            name=f"neurons, {readout}: {name}",
            x=[d for d, _ in points],
            y=[interval.value for _, interval in points],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [min(i.high, max(tallest, i.value)) - i.value for _, i in points],
                "arrayminus": [i.value - i.low for _, i in points],
                "thickness": 1.2,
                "width": 4,
            },
            mode="lines+markers",
            line={"color": mark.colour, "width": width, "dash": mark.dash, "simplify": False},
            marker={"color": mark.colour, "size": 9, "symbol": symbol},
            hovertemplate="%{fullData.name}<br>d = %{x}<br>N = %{y:,.4g}<extra></extra>",
        )
    if lost:
        figure.add_scatter(
            uid=f"missing-{readout}",
            x=[d for d, _ in lost],
            y=[tried for _, tried in lost],
            mode="markers",
            marker={"color": mark.colour, "size": 10, "symbol": "triangle-up-open"},
            hovertemplate="no ticket found up to N = %{y:,}<br>d = %{x}<extra></extra>",
        )
    heights = [interval.value for _, interval in (*found, *refuted)]
    return [h for h in (*heights, *(tried for _, tried in lost)) if h > 0]


def _add_weights(
    figure: go.Figure, chosen: list[tuple[Curve, WidthCell]], legend: list[LegendEntry]
) -> list[float]:
    mark = mark_of(chosen[0][0])
    found = [
        (c.d, cell.found_width.value) for c, cell in chosen if cell.found_width.value < math.inf
    ]
    figure.add_scatter(
        uid="weights-relu",
        name="weights, relu: certified at",
        x=[d for d, _ in found],
        y=[width for _, width in found],
        mode="lines+markers",
        line={"color": mark.colour, "width": 1.8, "dash": mark.dash, "simplify": False},
        marker={"color": mark.colour, "size": 7, "symbol": mark.symbol},
        hovertemplate="%{fullData.name}<br>d = %{x}<br>N = %{y:,.4g}<extra></extra>",
    )
    legend.append(
        LegendEntry(
            swatch(mark.colour, mark.dash, 1.8, mark.symbol),
            "<b>weights, relu readout</b>: certified at",
        )
    )
    return [width for _, width in found]


def _add_theory(
    figure: go.Figure,
    theory: list[tuple[int, int]],
    alone: list[tuple[int, float]],
    legend: list[LegendEntry],
) -> None:
    proven = [(d, width) for d, width in theory if width > 0]
    for uid, name, points, line, text in (
        (
            "theorem",
            "theorem (95 % of draws)",
            proven,
            {"color": "var(--neurons-faint)", "width": 5, "dash": "solid"},
            "<b>theorem</b>: refuted for 95 % of draws",
        ),
        (
            "single",
            "one unit needs more than",
            alone,
            {"color": "var(--ink)", "width": 1.4, "dash": "dot"},
            "<b>one unit</b> needs more than (Lemma 10)",
        ),
    ):
        if not points:
            continue
        figure.add_scatter(
            uid=uid,
            name=name,
            x=[d for d, _ in points],
            y=[width for _, width in points],
            mode="lines",
            line=line,
            hovertemplate=f"{name}<br>d = %{{x}}<br>N = %{{y:,.4g}}<extra></extra>",
        )
        drawing = swatch(str(line["color"]), str(line["dash"]), float(line["width"]))
        legend.append(LegendEntry(drawing, text))


def _legend(mark: Mark, readout: Readout) -> list[LegendEntry]:
    name = f"<b>neurons, {readout} readout</b>"
    return [
        LegendEntry(swatch(mark.colour, mark.dash, 2.4, mark.symbol), f"{name}: certified at"),
        LegendEntry(marker_swatch(mark.colour, "triangle-down"), f"{name}: refuted up to"),
    ]


def _table(
    series: list[tuple[Curve, WidthCell]], theory: dict[int, int], alone: dict[int, float]
) -> Table:
    return Table.of(
        (
            "curve",
            "d",
            "refuted width N, median (hidden units)",
            "found width N, median (hidden units)",
            "found, 95 % from",
            "found, 95 % to",
            "draws",
            "theorem: refuted for 95 % of draws (linear readout)",
            "one unit needs more than (95 %)",
            "trials",
        ),
        (
            (
                curve.label,
                curve.d,
                cell.refuted_width.value,
                *astuple(cell.found_width),
                len(cell.seeds),
                theory.get(curve.d) if curve[:2] == ("neurons", "linear") else None,
                alone.get(curve.d) if curve.pruning == "neurons" else None,
                trials(cell.keys, len(series)),
            )
            for curve, cell in series
        ),
    )


def _layout(dimensions: list[int], low: float, high: float) -> go.Layout:
    return layout(
        _HEIGHT,
        xaxis=axis(
            "input dimension <i>d</i>",
            tickvals=dimensions,
            range=[dimensions[0] - 0.3, dimensions[-1] + 0.3],
        ),
        yaxis=width_axis(low, high),
    )
