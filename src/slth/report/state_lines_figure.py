"""The paper's Figure 2 from an actual draw: one birth-death state line for each input family,
0, 1, 2, ... broken bins. A found ticket comes back to 0; the draw's units taken as they come, with
the proof's capped process and chain on the same draws, do not."""

from __future__ import annotations

import itertools

import plotly.graph_objects as go

from slth.report.bin_history import BinHistory, bin_history
from slth.report.marks import axis, layout, swatch
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.shown_ticket import ShownTicket
from slth.report.wording import eps_text, number, plural

# More families than this are tabulated but not drawn.
_MOST_LINES = 6
_LINE_HEIGHT = 170
# Units of the draw taken as they come: as many as the ticket keeps, but at least this many.
_LEAST_BY_CHANCE = 40


def state_lines_panel(ticket: ShownTicket) -> Panel:
    """Where each family's process stands after every unit, from B_0 to B_k."""
    families = ticket.target.d // 2
    by_chance = ticket.net.prefix(min(ticket.net.width, max(_LEAST_BY_CHANCE, ticket.pruned.width)))
    chosen, drawn = (
        [bin_history(units, ticket.target, family, ticket.eps) for family in range(families)]
        for units in (ticket.pruned, by_chance)
    )
    shown = min(families, _MOST_LINES)
    height = 70 + _LINE_HEIGHT * shown
    figure = go.Figure(layout=_layout(height, chosen[:shown], drawn[:shown]))
    for family in range(shown):
        _add_draw(figure, family, drawn[family])
        _add_ticket(figure, family, chosen[family])
    met = all(run.counts[-1] == 0 for run in chosen)
    ends = "every line of the ticket ends at 0" if met else "a line of the ticket does not end at 0"
    peaks = ", ".join(str(int(run.counts.max())) for run in chosen)
    lasts = ", ".join(str(int(run.counts[-1])) for run in drawn)
    return Panel(
        name="broken-bins",
        title="Broken bins, unit by unit <small>(the paper’s Fig. 2)</small>",
        label=(
            f"{plural(shown, 'state line')}: the number of broken bins against the number of "
            f"selected units, 0 to {ticket.pruned.width}; the ticket peaks at {peaks}; {ends}. "
            f"The draw's first {by_chance.width} units as they come end at {lasts}."
        ),
        caption=_caption(ticket, drawn, shown, ends),
        height=height,
        figure=figure,
        table=_table(ticket, chosen, drawn),
        legend=_legend(drawn),
    )


def _add_draw(figure: go.Figure, family: int, run: BinHistory) -> None:
    """B of the units as they come, the capped process and the chain on the same draws."""
    axes = {"yaxis": f"y{family + 1}" if family else "y"}
    lines = [("drawn", "as drawn", run.counts, {"color": "var(--broken)", "width": 1.6})]
    if run.processes is not None:
        cap = {"color": "var(--broken-faint)", "width": 6}
        chain = {"color": "var(--ink)", "width": 1.4, "dash": "dot"}
        lines.insert(0, ("capped", "capped process", run.processes.capped, cap))
        lines.append(("chain", "chain", run.processes.chain, chain))
    for uid, name, states, line in lines:
        figure.add_scatter(
            uid=f"state-{uid}-{family + 1}",
            name=name,
            showlegend=family == 0,
            x=list(range(len(states))),
            y=states.tolist(),
            mode="lines",
            line={"shape": "hv", **line},
            hovertemplate=f"{name}, after %{{x}} units: %{{y}}<extra></extra>",
            **axes,
        )


def _add_ticket(figure: go.Figure, family: int, run: BinHistory) -> None:
    axes = {"yaxis": f"y{family + 1}" if family else "y"}
    states = run.counts.tolist()
    figure.add_scatter(
        uid=f"state-line-{family + 1}",
        name="ticket",
        showlegend=family == 0,
        x=list(range(len(states))),
        y=states,
        mode="lines+markers" if len(states) <= 80 else "lines",
        line={"color": "var(--neurons)", "width": 2, "shape": "hv"},
        marker={"color": "var(--neurons)", "size": 5},
        hovertemplate="ticket, after %{x} units: %{y} broken<extra></extra>",
        **axes,
    )
    figure.add_scatter(
        uid=f"state-end-{family + 1}",
        x=[len(states) - 1],
        y=[states[-1]],
        mode="markers",
        marker={"color": "var(--paper)", "size": 11, "line": {"color": "var(--ink)", "width": 2}},
        hovertemplate="ticket: B = %{y} at the end<extra></extra>",
        **axes,
    )


def _caption(ticket: ShownTicket, runs: list[BinHistory], shown: int, ends: str) -> str:
    texts = []
    for family, run in enumerate(runs[:shown]):
        text = f"family {family + 1}, {plural(run.bins.count, 'bin')} of length "
        text += number(run.bins.length)
        if run.processes is not None:
            law = run.processes.chain_law
            text += f", <i>q</i> = {number(float(law.down), 2)}, <i>p</i> = "
            text += f"{number(float(law.up), 2)}, <i>T</i> = {law.cap}"
        texts.append(text)
    hidden = f" The first {shown} of {len(runs)} families are drawn." if shown < len(runs) else ""
    processes = (
        "On the same draws run the capped process of the proof (the same moves, never above "
        "<i>T</i>) and the (<i>q</i>,<i>p</i>,<i>T</i>)-chain, coupled to them step by step: "
        "never above min(<i>B</i>, <i>T</i>). The chain says something only where <i>p</i> is "
        "well above <i>q</i>, which takes far smaller <i>ε</i> than can be drawn. "
        if any(run.processes is not None for run in runs)
        else ""
    )
    return (
        f"The same ticket (draw {ticket.draw}, <i>ε</i> = {eps_text(ticket.eps)}), its "
        "units selected one by one in index order. A bin is broken when no affine function "
        "comes within <i>Rε</i> of <i>g<sub>S</sub></i> − <i>f</i> on it (Definition 2), "
        "tested by the best uniform affine fit. Bins have length <i>Rε</i>/<i>c</i> with "
        "<i>c</i> = (3/32)|<i>w</i>*<sub>2<i>i</i>−1</sub>| and are laid so that the target’s "
        "kink is in the middle of one: that one starts broken, <i>B</i><sub>0</sub> = 1, "
        "wherever the kink lies well inside the interval. Beside it the draw’s first "
        f"{plural(len(runs[0].counts) - 1, 'unit')} as they come. {processes}Here: "
        f"{'; '.join(texts)}. "
        f"A ticket certified at <i>ε</i> must end at 0 on every family; {ends}.{hidden}"
    )


def _table(ticket: ShownTicket, chosen: list[BinHistory], drawn: list[BinHistory]) -> Table:
    columns = ["units selected", "last unit of the ticket"]
    series: list[list[int]] = []
    for family, (ticket_run, run) in enumerate(zip(chosen, drawn, strict=True), start=1):
        columns.append(f"broken bins, family {family} (of {run.bins.count})")
        columns.append(f"the same, units as drawn, family {family}")
        series += [ticket_run.counts.tolist(), run.counts.tolist()]
        if run.processes is not None:
            cap = run.processes.chain_law.cap
            columns += [f"capped at {cap}, family {family}", f"chain, family {family}"]
            series += [run.processes.capped.tolist(), run.processes.chain.tolist()]
    return Table.of(
        columns,
        (
            (step, "none" if step == 0 else _unit(ticket, step), *states)
            for step, states in enumerate(itertools.zip_longest(*series))
        ),
    )


def _unit(ticket: ShownTicket, step: int) -> int | None:
    return ticket.units[step - 1] if step <= len(ticket.units) else None


def _legend(drawn: list[BinHistory]) -> tuple[LegendEntry, ...]:
    entries = [
        LegendEntry(swatch("var(--neurons)"), "broken bins <i>B<sub>s</sub></i> of the ticket"),
        LegendEntry(swatch("var(--broken)", width=1.6), "of the draw’s units as they come"),
    ]
    if any(run.processes is not None for run in drawn):
        cap, chain = swatch("var(--broken-faint)", width=6), swatch("var(--ink)", "dot", 1.4)
        entries += [
            LegendEntry(cap, "capped process (at most <i>T</i>)"),
            LegendEntry(chain, "(<i>q</i>,<i>p</i>,<i>T</i>)-chain, coupled"),
        ]
    return tuple(entries)


def _layout(height: int, chosen: list[BinHistory], drawn: list[BinHistory]) -> go.Layout:
    shown = len(drawn)
    steps = max(len(run.counts) for run in (*chosen, *drawn))
    gap = 0.06 if shown > 1 else 0.0
    share = (1.0 - gap * (shown - 1)) / shown
    axes = {}
    for family in range(shown):
        top = 1.0 - family * (share + gap)
        peak = max(1, *(int(run[family].counts.max()) for run in (chosen, drawn)))
        axes["yaxis" + (str(family + 1) if family else "")] = axis(
            f"broken bins<br>family {family + 1}" if shown > 1 else "broken bins (count)",
            domain=[max(0.0, top - share), top],
            range=[-0.12 * peak, 1.12 * peak],
            tickformat="d",
            dtick=max(1, round(peak / 6)),
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
