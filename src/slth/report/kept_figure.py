"""Trained networks: the certified error against the share of the weights that is kept, by whole
hidden units and by single weights, in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go

from slth.report.curve_marks import mark_in_turn
from slth.report.marks import axis, layout, swatch
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.shell import document

_HEIGHT = 460
_SYMBOLS = {"neurons": "circle", "weights": "square"}
_DASHES = {"neurons": "solid", "weights": "dash"}


@dataclass(frozen=True)
class Kept:
    """One compression of one network.

    Attributes:
        network: its name.
        granularity: "neurons" or "weights".
        share: weights that are left and not 0, of those before.
        certified, attained: the error's bounds, as shares of the range of the outputs.
    """

    network: str
    granularity: str
    share: float
    certified: float
    attained: float


def kept_page(points: Sequence[Kept]) -> str:
    """The page of one figure, as HTML: one file, nothing fetched."""
    title = "What pruning of trained networks costs"
    opening = (
        f"<h1>{title}</h1><p>Nothing is retrained; every error is certified over the whole box of "
        "the data by <code>slth.compress</code>.</p>"
    )
    return document(title, opening + kept_panel(points).to_html())


def kept_panel(points: Sequence[Kept]) -> Panel:
    """Both curves of every network."""
    figure = go.Figure(layout=_layout())
    legend, said = [], []
    for place, network in enumerate(dict.fromkeys(point.network for point in points)):
        colour = mark_in_turn(place).colour
        for granularity, symbol in _SYMBOLS.items():
            curve = sorted(
                (p for p in points if (p.network, p.granularity) == (network, granularity)),
                key=lambda point: point.share,
            )
            if not curve:
                continue
            name = f"{network}, {granularity}"
            figure.add_scatter(
                uid=f"{network}-{granularity}",
                name=name,
                x=[point.share for point in curve],
                y=[point.certified for point in curve],
                mode="lines+markers",
                line={"color": colour, "width": 2.0, "dash": _DASHES[granularity]},
                marker={"color": colour, "size": 7, "symbol": symbol},
                hovertemplate=f"{name}: %{{y:.3g}} of the range at %{{x:.0%}} kept<extra></extra>",
            )
            mark = swatch(colour, _DASHES[granularity], 2.0, symbol)
            legend.append(LegendEntry(mark, escape(name)))
            least = curve[0]
            said.append(f"{name}: {least.certified:.3g} at {least.share:.0%} kept")
    return Panel(
        name="kept",
        title="Certified error against what is kept",
        label=f"Plot of certified errors against the share of weights kept. {'; '.join(said)}.",
        caption=(
            "Solid: whole hidden units go. Dashed: single weights go. The certified error is a "
            "share of the range of the outputs on the data."
        ),
        height=_HEIGHT,
        figure=figure,
        table=Table.of(
            ("network", "granularity", "share of weights kept", "certified", "attained"),
            ((p.network, p.granularity, p.share, p.certified, p.attained) for p in points),
        ),
        legend=tuple(legend),
    )


def _layout() -> go.Layout:
    return layout(
        _HEIGHT,
        xaxis=axis("share of the weights kept") | {"tickformat": ".0%"},
        yaxis=axis("certified error / range of the outputs") | {"type": "log"},
    )
