"""The paper's Figure 3 from a found ticket: breakpoints along the first input family."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from slth.network import ReLUNetwork
from slth.report.along import interval, restricted
from slth.report.marks import axis, layout, marker_swatch, swatch
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.shown_ticket import RADIUS, ShownTicket
from slth.report.wording import eps_text, number, plural

_HEIGHT = 660
_FAMILY = "<i>x</i><sub>1</sub>(<i>t</i>) = <i>t e</i><sub>1</sub> + <i>e</i><sub>2</sub>"


def alignment_panel(ticket: ShownTicket) -> Panel:
    """Functions, slope jumps and residual of the ticket along x_1(t) = t e_1 + e_2."""
    half = interval(RADIUS)
    eps, pruned, target = ticket.eps, ticket.pruned, ticket.target
    wanted, got = restricted(target, 0, half), restricted(pruned, 0, half)
    residual = got.minus(wanted)
    kinks, jumps = _kinks(pruned)
    inside = np.abs(kinks) < half
    (aim,), (aim_jump,) = _kinks(target)
    tube = np.linspace(-half, half, 201)
    bound = np.sqrt(1.0 + tube * tube)
    figure = go.Figure(layout=_layout(half))
    if abs(aim) < half:
        figure.add_vline(x=aim, line={"color": "var(--ink)", "width": 1, "dash": "2px,3px"})
    figure.add_scatter(
        uid="family-target",
        name="f",
        x=wanted.t,
        y=wanted.values,
        mode="lines",
        line={"color": "var(--ink)", "width": 2},
        hovertemplate="t = %{x:.4g}, f = %{y:.4g}<extra></extra>",
    )
    figure.add_scatter(
        uid="family-pruned",
        name="g_S",
        x=got.t,
        y=got.values,
        mode="lines",
        line={"color": "var(--neurons)", "width": 2.5, "dash": "dash"},
        hovertemplate="t = %{x:.4g}, g_S = %{y:.4g}<extra></extra>",
    )
    stems_x, stems_y = _stems(kinks[inside], jumps[inside])
    figure.add_scatter(
        uid="jump-stems",
        x=stems_x,
        y=stems_y,
        mode="lines",
        line={"color": "var(--neurons)", "width": 1.2},
        hoverinfo="skip",
        yaxis="y2",
    )
    figure.add_scatter(
        uid="jump-units",
        name="kept units",
        x=kinks[inside],
        y=jumps[inside],
        customdata=np.array(ticket.units)[inside],
        mode="markers",
        marker={"color": "var(--neurons)", "size": 7, "symbol": "circle"},
        hovertemplate="unit %{customdata}: t = %{x:.4g}, jump %{y:.4g}<extra></extra>",
        yaxis="y2",
    )
    if abs(aim) < half:
        figure.add_scatter(
            uid="jump-target",
            name="target",
            x=[aim],
            y=[aim_jump],
            mode="markers",
            marker={
                "color": "var(--paper)",
                "size": 11,
                "symbol": "diamond",
                "line": {"color": "var(--ink)", "width": 2},
            },
            hovertemplate="target: t* = %{x:.4g}, jump %{y:.4g}<extra></extra>",
            yaxis="y2",
        )
    figure.add_scatter(
        uid="residual-tube",
        name="certified tube",
        x=[*tube, *tube[::-1]],
        y=[*bound, *-bound[::-1]],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor="var(--neurons-soft)",
        hoverinfo="skip",
        yaxis="y3",
    )
    figure.add_scatter(
        uid="residual",
        name="residual",
        x=residual.t,
        y=residual.values / eps,
        mode="lines",
        line={"color": "var(--neurons)", "width": 1.8},
        hovertemplate="t = %{x:.4g}, residual %{y:.3f} ε<extra></extra>",
        yaxis="y3",
    )
    outside = int(np.count_nonzero(~inside))
    beyond = f" ({outside} more outside)" if outside else ""
    where = (
        f"The target bends at <i>t</i>* = {number(aim)} (dotted line)"
        if abs(aim) < half
        else f"The target bends at <i>t</i>* = {number(aim)}, outside the interval"
    )
    nearest = float(np.abs(kinks - aim).min())
    return Panel(
        name="alignment",
        title="Breakpoints line up with the target’s <small>(the paper’s Fig. 3)</small>",
        label=(
            f"Three plots over t from {-half:.2f} to {half:.2f} along t e1 + e2: the target and "
            "the pruned network; the slope jumps of "
            f"{plural(int(inside.sum()), 'kept unit')} at their breakpoints, the nearest "
            f"{number(nearest)} from the target's at {number(aim)}; "
            f"the residual, at most {number(float(np.abs(residual.values).max()))}, with the tube "
            "that the certificate promises."
        ),
        caption=(
            f"Draw {ticket.draw}, <i>ε</i> = {eps_text(eps)}: the neuron ticket found in "
            f"{ticket.net.width:,} units, {pruned.width} kept, along {_FAMILY} in the ball of "
            f"radius <i>R</i> = {RADIUS:g}. {where}; the nearest kept unit bends {number(nearest)} "
            "from it. "
            f"{int(inside.sum())} kept units bend inside{beyond}: their slope jumps "
            "<i>a<sub>j</sub></i>|<i>w<sub>j</sub></i><sub>,1</sub>| must cancel everywhere but "
            "there. The tube ±<i>ε</i>‖<i>x</i><sub>1</sub>(<i>t</i>)‖ is what the certificate "
            "promises; the curves are exact up to float64 rounding."
        ),
        height=_HEIGHT,
        figure=figure,
        table=Table.of(
            ("unit", "breakpoint t", "slope jump a|w_1|", "residual there (g_S - f)", "inside I_R"),
            [
                ("target f", aim, aim_jump, _value(residual, aim, half), _yes(abs(aim) < half)),
                *(
                    (unit, t, jump, _value(residual, t, half), _yes(abs(t) < half))
                    for unit, t, jump in sorted(
                        zip(ticket.units, kinks.tolist(), jumps.tolist(), strict=True),
                        key=lambda item: item[1],
                    )
                ),
            ],
        ),
        legend=(
            LegendEntry(swatch("var(--ink)"), "target <i>f</i>"),
            LegendEntry(swatch("var(--neurons)", "dash", 2.5), "pruned <i>g<sub>S</sub></i>"),
            LegendEntry(marker_swatch("var(--neurons)", "circle"), "breakpoint of a kept unit"),
            LegendEntry(
                marker_swatch("var(--ink)", "diamond", hollow=True), "breakpoint of the target"
            ),
            LegendEntry(swatch("var(--neurons-soft)", width=12), "certified tube"),
        ),
    )


def _kinks(net: ReLUNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Breakpoints and slope jumps on the first family, by unit. float64 [width] each."""
    with np.errstate(divide="ignore"):
        places = -net.hidden[:, 1] / net.hidden[:, 0]
    return places, net.output * np.abs(net.hidden[:, 0])


def _stems(kinks: np.ndarray, jumps: np.ndarray) -> tuple[list[float | None], list[float | None]]:
    """One line from 0 to each jump, separated by gaps."""
    x: list[float | None] = []
    y: list[float | None] = []
    for t, jump in zip(kinks.tolist(), jumps.tolist(), strict=True):
        x += [t, t, None]
        y += [0.0, jump, None]
    return x, y


def _value(residual, t: float, half: float) -> float | None:
    return float(residual(np.array([t]))[0]) if abs(t) < half else None


def _yes(inside: bool) -> str:
    return "yes" if inside else "no"


def _layout(half: float) -> go.Layout:
    zero = {"zeroline": True, "zerolinecolor": "var(--rule)"}
    return layout(
        _HEIGHT,
        xaxis=axis(
            f"<i>t</i> along {_FAMILY}",
            range=[-half, half],
            anchor="y3",
        ),
        yaxis=axis("output", domain=[0.66, 1.0]),
        yaxis2=axis("slope jump", domain=[0.33, 0.61], **zero),
        yaxis3=axis("residual / <i>ε</i>", domain=[0.0, 0.28], **zero),
    )
