"""Width against 1/eps in one dimension, for curves of a store: found above, refuted below."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go

from slth.lab.curves import Curve, WidthCell, exponent, units_per_bit
from slth.report.marks import Mark, axis, layout, marker_swatch, swatch, width_axis
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.provenance import trials
from slth.report.wording import interval_text, number

_HEIGHT = 440
# Single draws are drawn while they can still be told apart.
_MOST_DRAWS = 40


@dataclass(frozen=True)
class Drawn:
    """A curve with the way it is drawn."""

    curve: Curve
    cells: list[WidthCell]
    mark: Mark

    @property
    def name(self) -> str:
        """Of its traces in the page."""
        pruning, readout, _, contender = self.curve
        return "-".join(part for part in (pruning, readout, contender) if part)


def widths_panel(name: str, title: str, drawn: list[Drawn], note: str) -> Panel:
    """The panel; `title` and `note` are HTML, all curves have the same d."""
    cells = [cell for entry in drawn for cell in entry.cells]
    low, high = _span(cells)
    figure = go.Figure(layout=_layout(cells, low, high))
    for entry in drawn:
        _add_refuted(figure, entry)
    for entry in drawn:
        _add_draws(figure, entry)
        _add_found(figure, entry, high)
    levels = sorted({cell.eps for cell in cells}, reverse=True)
    said = "; ".join(_sentence(entry) for entry in drawn)
    return Panel(
        name=name,
        title=title,
        label=(
            f"Log-log plot of width N in hidden units against 1/eps from {1 / levels[0]:.4g} to "
            f"{1 / levels[-1]:.4g}, medians over draws. {said}."
        ),
        caption=(
            "Both axes are logarithmic. Curves: the smallest width with a certified ticket, median "
            "over draws with its 95 % bootstrap interval; small marks are single draws. Triangles "
            "pointing down: at and below them <em>every</em> ticket of that kind is refuted "
            "(median). Open triangles: no ticket found up to this width in half of the draws or "
            f"more. {note}"
        ),
        height=_HEIGHT,
        figure=figure,
        table=_table(drawn),
        legend=tuple(legend for entry in drawn for legend in _legend(entry)),
    )


def _sentence(entry: Drawn) -> str:
    last = entry.cells[-1]
    found, refuted = last.found_width.value, last.refuted_width.value
    text = f"{entry.curve.label}: at 1/eps = {1 / last.eps:.4g} "
    text += f"found at {found:,.4g}" if math.isfinite(found) else "not found"
    return text + (f", refuted up to {refuted:,.4g}" if refuted > 0 else "")


def _span(cells: list[WidthCell]) -> tuple[float, float]:
    """Widths the plot shows."""
    known = [float(w) for cell in cells for w in (*cell.found, *cell.refuted, cell.tried)]
    known = [w for w in known if 0 < w < math.inf] or [1.0, 10.0]
    return 0.7 * min(known), 1.5 * max(known)


def _add_refuted(figure: go.Figure, entry: Drawn) -> None:
    cells = [cell for cell in entry.cells if cell.refuted_width.value > 0]
    if not cells:
        return
    figure.add_scatter(
        uid=f"refuted-{entry.name}",
        name=f"{entry.curve.label}: refuted",
        x=[1 / cell.eps for cell in cells],
        y=[cell.refuted_width.value for cell in cells],
        mode="lines+markers",
        line={"color": entry.mark.colour, "width": 1, "dash": entry.mark.dash, "simplify": False},
        marker={"color": entry.mark.colour, "size": 8, "symbol": "triangle-down"},
        hovertemplate="%{fullData.name}<br>1/ε = %{x:.4g}<br>N = %{y:,.4g}<extra></extra>",
    )


def _add_draws(figure: go.Figure, entry: Drawn) -> None:
    points = [
        (1 / cell.eps, width)
        for cell in entry.cells
        if 1 < len(cell.found) <= _MOST_DRAWS
        for width in cell.found
        if math.isfinite(width)
    ]
    figure.add_scatter(
        uid=f"draws-{entry.name}",
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="markers",
        opacity=0.5,
        marker={"color": entry.mark.colour, "size": 4, "symbol": entry.mark.symbol},
        hovertemplate="one draw<br>1/ε = %{x:.4g}<br>N = %{y:,}<extra></extra>",
    )
    lost = [cell for cell in entry.cells if math.isinf(cell.found_width.value) and cell.tried > 0]
    if lost:
        figure.add_scatter(
            uid=f"missing-{entry.name}",
            x=[1 / cell.eps for cell in lost],
            y=[cell.tried for cell in lost],
            mode="markers",
            marker={"color": entry.mark.colour, "size": 9, "symbol": "triangle-up-open"},
            hovertemplate="no ticket found up to N = %{y:,}<br>1/ε = %{x:.4g}<extra></extra>",
        )


def _add_found(figure: go.Figure, entry: Drawn, ceiling: float) -> None:
    medians = [cell.found_width for cell in entry.cells]
    known = [m.value if math.isfinite(m.value) else None for m in medians]
    figure.add_scatter(
        uid=f"found-{entry.name}",
        name=f"{entry.curve.label}: found",
        x=[1 / cell.eps for cell in entry.cells],
        y=known,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [
                min(m.high, ceiling) - m.value if math.isfinite(m.value) else 0 for m in medians
            ],
            "arrayminus": [m.value - m.low if math.isfinite(m.value) else 0 for m in medians],
            "thickness": 1.2,
            "width": 4,
        },
        mode="lines+markers",
        line={"color": entry.mark.colour, "width": 2.4, "dash": entry.mark.dash, "simplify": False},
        marker={"color": entry.mark.colour, "size": 8, "symbol": entry.mark.symbol},
        hovertemplate="%{fullData.name}<br>1/ε = %{x:.4g}<br>N = %{y:,.4g}<extra></extra>",
    )


def _legend(entry: Drawn) -> list[LegendEntry]:
    mark = entry.mark
    entries = [
        LegendEntry(
            swatch(mark.colour, mark.dash, 2.4, mark.symbol),
            f"<b>{escape(entry.curve.label)}</b>: found{law_note(entry.curve, entry.cells)}",
        )
    ]
    if any(cell.refuted_width.value > 0 for cell in entry.cells):
        name = f"<b>{escape(entry.curve.label)}</b>: refuted"
        entries.append(LegendEntry(marker_swatch(mark.colour, "triangle-down"), name))
    return entries


def law_note(curve: Curve, cells: list[WidthCell]) -> str:
    """The fitted law of the found widths, in small print; "" if there is none."""
    logarithmic = curve.d == 1 or (curve.pruning, curve.readout) == ("weights", "relu")
    fitted = (units_per_bit if logarithmic else exponent)(cells, "found")
    if fitted is None:
        return ""
    slope = fitted.slope
    text = interval_text(slope)
    return (
        f"<br><small>{text} units a bit of 1/<i>ε</i></small>"
        if logarithmic
        else f"<br><small><i>N</i> ~ (1/<i>ε</i>)<sup><i>a</i></sup>, <i>a</i> = {text}</small>"
    )


def _table(drawn: list[Drawn]) -> Table:
    whole = sum(len(entry.cells) for entry in drawn)
    return Table.of(
        (
            "curve",
            "eps (per unit of radius)",
            "1/eps",
            "refuted width N, median (hidden units)",
            "found width N, median (hidden units)",
            "found, 95 % from",
            "found, 95 % to",
            "draws",
            "draws without a ticket",
            "trials",
        ),
        (
            (
                entry.curve.label,
                cell.eps,
                1 / cell.eps,
                cell.refuted_width.value,
                *astuple(cell.found_width),
                len(cell.seeds),
                int(np.isinf(cell.found).sum()),
                trials(cell.keys, whole),
            )
            for entry in drawn
            for cell in entry.cells
        ),
    )


def _layout(cells: list[WidthCell], low: float, high: float) -> go.Layout:
    inverse = sorted({1 / cell.eps for cell in cells})
    margin = 0.06 * max(1.0, math.log10(inverse[-1] / inverse[0]))
    shown = inverse if len(inverse) <= 9 else inverse[:: math.ceil(len(inverse) / 9)]
    return layout(
        _HEIGHT,
        xaxis=axis(
            "inverse error 1/<i>ε</i>",
            type="log",
            tickvals=shown,
            ticktext=[number(x, 4) for x in shown],
            range=[math.log10(inverse[0]) - margin, math.log10(inverse[-1]) + margin],
        ),
        yaxis=width_axis(low, high),
    )
