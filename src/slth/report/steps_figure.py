"""The pruning process on one family, unit by unit: bins broken and unbroken, with a slider over the
order of selection. Drawn as it stands after the last unit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from slth.report.along import interval
from slth.report.bin_history import BinHistory, bin_history, residual
from slth.report.marks import axis, bin_swatch, layout, marker_swatch, swatch
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.shown_ticket import RADIUS, ShownTicket
from slth.report.wording import eps_text, plural

_HEIGHT = 520
# Ratios of error to tolerance below this are drawn at the foot of the logarithmic axis.
_FOOT = 0.02
# Traces that a step changes, in their order in the figure.
_CHANGING = [0, 1, 2, 3, 4, 5]


def steps_panel(ticket: ShownTicket, family: int = 0) -> Panel:
    """Step through the units of a ticket along x_i(t), i = family + 1."""
    run = bin_history(ticket.pruned, ticket.target, family, ticket.eps)
    last = ticket.pruned.width
    states = [_state(ticket, family, run, step) for step in range(last + 1)]
    ratios = np.maximum(run.errors / run.tolerance, _FOOT)
    reach = 1.08 * max(abs(y) for state in states for y in state["y"][0] if y is not None)
    figure = go.Figure(layout=_layout(family, float(ratios.max()), reach))
    _add_traces(figure, run, states[last])
    figure.update_layout(
        title=_heading(run, ticket, last),
        sliders=[
            {
                "active": last,
                "currentvalue": {"prefix": "units selected: "},
                "pad": {"t": 46},
                "steps": [
                    {
                        "label": str(step),
                        "value": sentence(run, ticket, step),
                        "method": "update",
                        "args": [state, {"title": _heading(run, ticket, step)}, _CHANGING],
                    }
                    for step, state in enumerate(states)
                ],
            }
        ],
    )
    return Panel(
        name="steps",
        title="One family, step by step",
        label=(
            f"Residual along family {family + 1} and the best affine error of each of its "
            f"{plural(run.bins.count, 'bin')}, after a number of selected units that the slider "
            f"sets, 0 to {last}. {sentence(run, ticket, last)}"
        ),
        caption=(
            f"The same ticket (draw {ticket.draw}, <i>ε</i> = {eps_text(ticket.eps)}) along family "
            f"{family + 1}. Above: <i>g<sub>S</sub></i> − <i>f</i> after the first <i>s</i> units, "
            "broken bins hatched; the triangle marks where the last unit bends. Below: how far the "
            "best affine function is from it in each bin, in units of the tolerance <i>Rε</i> "
            "(logarithmic); above the line a bin is broken. A unit can change only the bin it "
            "bends in"
            + (
                "."
                if ticket.net.readout == "linear"
                else " as long as the readout is linear; here a ReLU follows."
            )
            + " Move the slider to see each step; printed, the figure shows the last one."
        ),
        height=_HEIGHT,
        figure=figure,
        table=Table.of(
            (
                "units selected",
                "last unit",
                "bends in bin",
                "that bin before",
                "that bin after",
                "broken bins",
                "broken",
            ),
            (_row(run, ticket, step) for step in range(last + 1)),
        ),
        legend=(
            LegendEntry(swatch("var(--neurons)"), "residual <i>g<sub>S</sub></i> − <i>f</i>"),
            LegendEntry(bin_swatch(broken=True), "broken bin"),
            LegendEntry(bin_swatch(broken=False), "unbroken bin: its affine error"),
            LegendEntry(marker_swatch("var(--ink)", "triangle-up"), "where the last unit bends"),
        ),
    )


def sentence(run: BinHistory, ticket: ShownTicket, step: int) -> str:
    """What happened at that step, in plain text."""
    count = f"{int(run.counts[step])} of {plural(run.bins.count, 'bin')} broken"
    if step == 0:
        return f"No unit yet, the target alone: {count}."
    unit, where = ticket.units[step - 1], int(run.hit[step - 1])
    if where < 0:
        return f"Unit {unit} bends outside the bins: {count}."
    return f"Unit {unit} bends in bin {where + 1}, {_change(run, step, where)}: {count}."


def _change(run: BinHistory, step: int, where: int) -> str:
    before, after = run.broken[step - 1, where], run.broken[step, where]
    if before == after:
        return "which stays broken" if after else "which stays unbroken"
    return "and breaks it" if after else "and mends it"


def _heading(run: BinHistory, ticket: ShownTicket, step: int) -> dict[str, object]:
    text = f"<b>s = {step}</b>  {sentence(run, ticket, step)}"
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 0.985, "yanchor": "top"}
    return {"text": text, "font": {"size": 13}, **place}


def _row(run: BinHistory, ticket: ShownTicket, step: int) -> tuple[str | int | None, ...]:
    numbers = " ".join(str(b + 1) for b in np.flatnonzero(run.broken[step])) or "none"
    if step == 0:
        return (0, "none", None, None, None, int(run.counts[0]), numbers)
    where = int(run.hit[step - 1])
    words = [
        ("broken" if run.broken[s, where] else "unbroken") if where >= 0 else None
        for s in (step - 1, step)
    ]
    place = where + 1 if where >= 0 else "outside"
    return (step, ticket.units[step - 1], place, *words, int(run.counts[step]), numbers)


def _state(
    ticket: ShownTicket, family: int, run: BinHistory, step: int
) -> dict[str, list[list[float | None]]]:
    """x and y of the traces: residual, breakpoint of the last unit, background of the broken bins,
    errors of the broken bins, errors of the unbroken ones, and a mark on the bin just hit."""
    function = residual(ticket.pruned.prefix(step), ticket.target, family)
    edges = run.bins.edges
    middle = (0.5 * (edges[:-1] + edges[1:])).tolist()
    broken = run.broken[step]
    ratios = np.maximum(run.errors[step] / run.tolerance, _FOOT).tolist()
    kink: list[float | None] = []
    hit: list[float | None] = []
    if step > 0:
        slope, offset = ticket.pruned.hidden[step - 1, 2 * family : 2 * family + 2].tolist()
        if abs(offset) < interval(RADIUS) * abs(slope):
            kink = [-offset / slope]
        where = int(run.hit[step - 1])
        hit = [middle[where]] if where >= 0 else []
    x = [function.t.tolist(), kink, middle, middle, middle, hit]
    y = [
        function.values.tolist(),
        [float(function(np.array([t]))[0]) for t in kink if t is not None],
        [1.0 if b else 0.0 for b in broken],
        [r if b else None for r, b in zip(ratios, broken, strict=True)],
        [None if b else r for r, b in zip(ratios, broken, strict=True)],
        [_FOOT for _ in hit],
    ]
    return {"x": x, "y": y}


def _add_traces(
    figure: go.Figure, run: BinHistory, state: dict[str, list[list[float | None]]]
) -> None:
    hatch = {"shape": "/", "fgcolor": "var(--broken)", "size": 7, "solidity": 0.25}
    line = {"color": "var(--broken)", "width": 1}
    bar = {"width": run.bins.length, "hovertemplate": "error %{y:.3g} Rε<extra></extra>"}
    styles: list[tuple[str, dict[str, object]]] = [
        (
            "scatter",
            {
                "uid": "steps-residual",
                "mode": "lines",
                "line": {"color": "var(--neurons)", "width": 2},
                "hovertemplate": "t = %{x:.4g}, residual %{y:.4g}<extra></extra>",
            },
        ),
        (
            "scatter",
            {
                "uid": "steps-kink",
                "mode": "markers",
                "marker": {"color": "var(--ink)", "size": 10, "symbol": "triangle-up"},
                "hovertemplate": "bends at t = %{x:.4g}<extra></extra>",
            },
        ),
        (
            "bar",
            {
                "uid": "steps-background",
                "width": run.bins.length,
                "yaxis": "y3",
                "marker": {
                    "color": "var(--broken-soft)",
                    "line": {"width": 0},
                    "pattern": hatch | {"solidity": 0.12},
                },
                "hoverinfo": "skip",
            },
        ),
        (
            "bar",
            bar
            | {
                "uid": "steps-broken",
                "yaxis": "y2",
                "marker": {"color": "var(--broken-soft)", "line": line, "pattern": hatch},
            },
        ),
        (
            "bar",
            bar
            | {
                "uid": "steps-unbroken",
                "yaxis": "y2",
                "marker": {
                    "color": "var(--neurons-soft)",
                    "line": {"color": "var(--neurons)", "width": 1},
                },
            },
        ),
        (
            "scatter",
            {
                "uid": "steps-hit",
                "mode": "markers",
                "yaxis": "y2",
                "marker": {"color": "var(--ink)", "size": 10, "symbol": "triangle-up"},
                "hoverinfo": "skip",
            },
        ),
    ]
    for k, (kind, style) in enumerate(styles):
        figure.add_trace({"type": kind, "x": state["x"][k], "y": state["y"][k], **style})
    figure.add_hrect(
        y0=-run.tolerance, y1=run.tolerance, yref="y", fillcolor="var(--neurons-soft)", line_width=0
    )
    figure.add_hline(y=1.0, yref="y2", line={"color": "var(--ink)", "width": 1.2, "dash": "dot"})
    for edge in run.bins.edges:
        figure.add_vline(x=float(edge), line={"color": "var(--grid)", "width": 1}, layer="below")


def _layout(family: int, highest: float, reach: float) -> go.Layout:
    half = interval(RADIUS)
    top = np.log10(max(2.0, 1.5 * highest))
    first, second = f"<sub>{2 * family + 1}</sub>", f"<sub>{2 * family + 2}</sub>"
    along = f"<i>t</i> along <i>x</i><sub>{family + 1}</sub>(<i>t</i>) = <i>t e</i>{first} + "
    return layout(
        _HEIGHT,
        margin={"l": 66, "r": 14, "t": 40, "b": 54},
        bargap=0,
        barmode="overlay",
        xaxis=axis(f"{along}<i>e</i>{second}", range=[-half, half], anchor="y2"),
        yaxis=axis(
            "residual",
            overlaying="y3",
            tickmode="auto",
            domain=[0.46, 1.0],
            range=[-reach, reach],
            zeroline=True,
            zerolinecolor="var(--rule)",
        ),
        yaxis2=axis(
            "affine error / <i>Rε</i>",
            domain=[0.0, 0.38],
            type="log",
            range=[np.log10(_FOOT), top],
            dtick=1,
        ),
        yaxis3={
            "domain": [0.46, 1.0],
            "range": [0, 1],
            "visible": False,
            "fixedrange": True,
        },
    )
