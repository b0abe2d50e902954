"""Line charts in the style of the report page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from numpy.typing import ArrayLike

from slth.report.marks import axis, layout

LOG = {"type": "log", "dtick": 1, "exponentformat": "power"}


@dataclass(frozen=True)
class Curve:
    """One curve; `colour` names one of the page's colours. No `symbol`: no markers; no `name`: not
    in the legend."""

    name: str
    x: ArrayLike
    y: ArrayLike
    colour: str
    dash: str = "solid"
    symbol: str = ""
    line: bool = True
    width: float = 2.2


def chart(
    x_title: str,
    y_title: str,
    curves: Sequence[Curve],
    *,
    x: dict[str, object] | None = None,
    y: dict[str, object] | None = None,
    height: int = 380,
) -> go.Figure:
    """The curves on one pair of axes; `x` and `y` go to Plotly's axes."""
    figure = go.Figure(layout=layout(height, xaxis=axis(x_title, **(x or {}))))
    figure.update_layout(yaxis=axis(y_title, **(y or {})))
    for curve in curves:
        figure.add_scatter(
            name=curve.name or None,
            x=curve.x,
            y=curve.y,
            mode="+".join(["lines"] * curve.line + ["markers"] * bool(curve.symbol)),
            line={"color": f"var(--{curve.colour})", "width": curve.width, "dash": curve.dash},
            marker={
                "color": f"var(--{curve.colour})",
                "size": 7,
                "symbol": curve.symbol or "circle",
            },
        )
    return figure
