"""The paper's Figure 2 from a found ticket: broken bins after each selected unit, by family."""

from __future__ import annotations

import itertools

import numpy as np
import plotly.graph_objects as go

from slth.network import ReLUNetwork
from slth.report.along import PiecewiseLinear, interval, restricted
from slth.report.marks import axis, layout, swatch
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.shown_ticket import RADIUS, ShownTicket
from slth.report.wording import eps_text, number, plural
from slth.theory.broken import affine_fit

# Lemma 6's constant with its own proof's value: a kink of slope jump J at least a quarter of a
# bin's length l away from its ends forces an affine error of 3/32 J l or more (the paper: 1/16).
_KINK = 3.0 / 32.0
# More families than this are tabulated but not drawn.
_MOST_LINES = 6
_LINE_HEIGHT = 120


def broken_bins_panel(ticket: ShownTicket) -> Panel:
    """One state line for each input family, from B_0 (the target's kink alone) to B_k."""
    families = ticket.target.d // 2
    counts = [broken_by_step(ticket, family) for family in range(families)]
    bins = [len(bin_edges(ticket, family)) - 1 for family in range(families)]
    shown = min(families, _MOST_LINES)
    steps = list(range(ticket.pruned.width + 1))
    height = 70 + _LINE_HEIGHT * shown
    figure = go.Figure(layout=_layout(height, counts[:shown], len(steps)))
    for family in range(shown):
        states = counts[family]
        axes = {"yaxis": f"y{family + 1}" if family else "y"}
        figure.add_scatter(
            uid=f"state-line-{family + 1}",
            name=f"family {family + 1}",
            x=steps,
            y=states,
            mode="lines+markers" if len(steps) <= 80 else "lines",
            line={"color": "var(--neurons)", "width": 2, "shape": "hv"},
            marker={"color": "var(--neurons)", "size": 5},
            hovertemplate="after %{x} units: %{y} broken<extra></extra>",
            **axes,
        )
        figure.add_scatter(
            uid=f"state-end-{family + 1}",
            name=f"end of family {family + 1}",
            x=[steps[-1]],
            y=[states[-1]],
            mode="markers",
            marker={
                "color": "var(--paper)",
                "size": 11,
                "line": {"color": "var(--ink)", "width": 2},
            },
            hovertemplate="B = %{y} at the end<extra></extra>",
            **axes,
        )
    ends = "every line ends at 0" if not any(c[-1] for c in counts) else "a line does not end at 0"
    bin_texts = [
        f"family {i + 1}, {plural(bins[i], 'bin')} of length {number(_length(ticket, i))}"
        for i in range(shown)
    ]
    hidden = f" The first {shown} of {families} families are drawn." if shown < families else ""
    return Panel(
        name="broken-bins",
        title="Broken bins, unit by unit <small>(the paper’s Fig. 2)</small>",
        label=(
            f"{plural(shown, 'state line')}: the number of broken bins against the number of "
            f"selected units, 0 to {steps[-1]}; peaks at {', '.join(str(max(c)) for c in counts)}; "
            f"{ends}."
        ),
        caption=(
            f"The same ticket (draw {ticket.row.draw}, <i>ε</i> = {eps_text(ticket.row.eps)}), its "
            "units selected one by one in index order. A bin is broken when no affine function "
            "comes within <i>Rε</i> of <i>g<sub>S</sub></i> − <i>f</i> on it (Definition 2), "
            "tested by the best uniform affine fit. Bins have length <i>Rε</i>/<i>c</i> with "
            "<i>c</i> = (3/32)|<i>w</i>*<sub>2<i>i</i>−1</sub>| and are laid so that the target’s "
            "kink is in the middle of one: that one starts broken, <i>B</i><sub>0</sub> = 1, "
            f"wherever the kink lies well inside the interval. Here: {'; '.join(bin_texts)}. A "
            f"ticket certified at <i>ε</i> must end at 0 on every family; {ends}.{hidden}"
        ),
        height=height,
        figure=figure,
        table=Table.of(
            (
                "units selected",
                "last unit",
                *(f"broken bins, family {i + 1} (of {bins[i]})" for i in range(families)),
            ),
            (
                (step, "none" if step == 0 else ticket.row.kept_units[step - 1], *states)
                for step, states in zip(steps, zip(*counts, strict=True), strict=True)
            ),
        ),
        legend=(
            LegendEntry(swatch("var(--neurons)"), "number of broken bins <i>B<sub>s</sub></i>"),
        ),
    )


def broken_by_step(ticket: ShownTicket, family: int) -> list[int]:
    """B_0, ..., B_k: broken bins of g_S - f along the family after the first s kept units."""
    edges = bin_edges(ticket, family)
    half = interval(RADIUS)
    wanted = restricted(ticket.target, family, half)
    counts = []
    for selected in range(ticket.pruned.width + 1):
        residual = restricted(ticket.pruned.prefix(selected), family, half).minus(wanted)
        counts.append(_broken(residual, edges, RADIUS * ticket.row.eps))
    return counts


def _broken(residual: PiecewiseLinear, edges: np.ndarray, tolerance: float) -> int:
    count = 0
    for low, high in itertools.pairwise(edges):
        piece = residual.within(low, high)
        count += affine_fit(piece.t, piece.values).error > tolerance
    return count


def bin_edges(ticket: ShownTicket, family: int) -> np.ndarray:
    """Ends of the bins of I_R: the target's breakpoint, if inside, is in the middle of one (else
    0 is); the first and the last bin may be shorter. float64 [bins + 1], rising."""
    half = interval(RADIUS)
    length = _length(ticket, family)
    kink = _breakpoint(ticket.target, family)
    first = (kink if abs(kink) < half else 0.0) - 0.5 * length
    before = int(np.ceil((first + half) / length))
    inner = first + length * np.arange(-max(before, 0), np.ceil(2 * half / length) + 2)
    inner = inner[(inner > -half * (1 - 1e-9)) & (inner < half * (1 - 1e-9))]
    return np.concatenate([[-half], inner, [half]])


def _length(ticket: ShownTicket, family: int) -> float:
    """R eps / c, at most the whole interval."""
    constant = _KINK * abs(float(ticket.target.hidden[0, 2 * family]))
    whole = 2 * interval(RADIUS)
    return whole if constant == 0.0 else min(whole, RADIUS * ticket.row.eps / constant)


def _breakpoint(target: ReLUNetwork, family: int) -> float:
    slope, offset = target.hidden[0, 2 * family : 2 * family + 2]
    return float("inf") if slope == 0.0 else float(-offset / slope)


def _layout(height: int, counts: list[list[int]], steps: int) -> go.Layout:
    shown = len(counts)
    gap = 0.06 if shown > 1 else 0.0
    share = (1.0 - gap * (shown - 1)) / shown
    axes = {}
    for family, states in enumerate(counts):
        top = 1.0 - family * (share + gap)
        peak = max(1, *states)
        axes["yaxis" + (str(family + 1) if family else "")] = axis(
            f"broken bins<br>family {family + 1}" if shown > 1 else "broken bins (count)",
            domain=[max(0.0, top - share), top],
            range=[-0.12 * peak, 1.12 * peak],
            tickformat="d",
            dtick=max(1, round(peak / 4)),
        )
    return layout(
        height,
        xaxis=axis(
            "units selected <i>s</i> (count)",
            range=[-0.02 * steps, 1.02 * steps - 0.5],
            anchor=f"y{shown}" if shown > 1 else "y",
        ),
        **axes,
    )
