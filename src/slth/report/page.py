"""The page of a gap run: what was run, the gap, the widths, the paper's figures, provenance."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import asdict
from html import escape
from importlib.metadata import version

from slth.lab.laws import Law, Summary, fit, summarize
from slth.lab.rows import GapRun, Series
from slth.report.alignment_figure import alignment_panel
from slth.report.bits_figure import bits_panel
from slth.report.gap_figure import gap_panel
from slth.report.panel import Table
from slth.report.pruning_figure import pruning_panel
from slth.report.shell import document
from slth.report.shown_ticket import choose_ticket
from slth.report.state_lines_figure import state_lines_panel
from slth.report.steps_figure import steps_panel
from slth.report.wording import (
    PAPER,
    eps_text,
    law_html,
    plural,
    range_text,
    statuses_html,
    width_text,
)

_BETWEEN = "unknown. The smallest width with a ticket lies there, or is the found one."


def render(run: GapRun) -> str:
    """The whole page as HTML."""
    bits = bits_panel(run)
    title = f"The gap between pruning neurons and pruning weights, d = {run.plan.d}"
    body = f"""
{_opening(run)}
<section>
<h2>The gap</h2>
{gap_panel(run).to_html()}
{bits.to_html() if bits is not None else ""}
</section>
<section>
<h2>The widths</h2>
{_widths(run)}
</section>
<section>
<h2>What happens inside</h2>
{_inside(run)}
</section>
<section>
<h2>Provenance</h2>
{_provenance(run)}
</section>"""
    return document(title, body)


def _opening(run: GapRun) -> str:
    plan = run.plan
    grid = [eps_text(eps) for eps in plan.eps]
    span = grid[0] if len(grid) == 1 else f"{grid[0]} to {grid[-1]} ({len(grid)} values)"
    cells = len(plan.series) * plan.draws * len(plan.eps)
    state = (
        f"complete, {plural(cells, 'cell')}"
        if run.complete
        else f"interrupted: {len(run.rows):,} of {cells:,} cells done"
    )
    notice = (
        ""
        if run.complete
        else '<p class="notice">This run was interrupted. Every number below stands; medians are '
        "over the draws that were done.</p>"
    )
    return f"""
<header>
<h1>The gap between pruning neurons and pruning weights</h1>
<p class="plan">One bias-free ReLU neuron in dimension <i>d</i> = {plan.d}, approximated by pruning
a random one-hidden-layer network, {plan.readout} readout; {plural(plan.draws, "draw")}, seeds
{_seeds(run)}; <i>ε</i> from {span}; {state}.</p>
{notice}
<p class="finding">{_finding(run)}</p>
</header>
{statuses_html(_BETWEEN)}
<p>{_readout(run)}</p>"""


def _seeds(run: GapRun) -> str:
    first, last = run.plan.seed, run.plan.seed + run.plan.draws - 1
    return str(first) if first == last else f"{first} to {last}"


def _finding(run: GapRun) -> str:
    """What the run shows, at the smallest eps that the neurons reached (else at the smallest)."""
    series = run.plan.series
    neurons = summarize(run, series[0])
    reached = [s for s in neurons if math.isfinite(s.found)] or neurons
    if not reached:
        return "No cell of neuron pruning is done yet."
    here = reached[-1]
    text = f"At <i>ε</i> = {eps_text(here.eps)}, pruning whole neurons "
    text += (
        f"succeeds at <b>{width_text(here.found)} hidden units</b>"
        if math.isfinite(here.found)
        else "was not seen to succeed within the limits"
    )
    if here.refuted > 0:
        text += f" and provably fails up to <b>{width_text(here.refuted)}</b>"
    weights = [s for s in summarize(run, Series("weights", "relu")) if s.eps == here.eps]
    if weights and math.isfinite(weights[0].found):
        text += (
            "; pruning single weights with the ReLU readout succeeds at "
            f"<b>{width_text(weights[0].found)}</b>"
        )
    return text + (" (medians over draws)." if run.plan.draws > 1 else " (one draw).")


def _readout(run: GapRun) -> str:
    if run.plan.d == 1:
        return (
            "<b>Dimension 1.</b> A hidden unit has one incoming weight, so removing the unit is "
            "removing that weight: neuron and weight pruning coincide, and <i>O</i>(log "
            f"1/<i>ε</i>) units suffice for both. The gap ({PAPER}) begins at <i>d</i> = 2."
        )
    if run.plan.readout == "linear":
        return (
            f"<b>What the readout does.</b> The paper’s lower bound ({PAPER}) is for the linear "
            "readout. There it binds weight pruning as well: along an input family a mask leaves a "
            "unit’s kink where it is, moves it to 0 or removes it, so some unit must already bend "
            "within <i>O</i>(<i>ε</i>) of the target, which takes Ω(1/<i>ε</i>) units. The "
            "<i>O</i>(<i>d</i> log 1/<i>ε</i>) constructions of weight pruning (Malach, Pensia, "
            "Orseau et al.) pass the output through a ReLU. Both are shown, each under its readout."
        )
    return (
        "<b>What the readout does.</b> Here the output passes through a ReLU on both sides, which "
        "is what the <i>O</i>(<i>d</i> log 1/<i>ε</i>) constructions of weight pruning assume "
        "(Malach, Pensia, Orseau et al.): this is the like-for-like comparison. The paper’s lower "
        f"bound for neuron pruning ({PAPER}) is stated for the linear readout; with that one, "
        "weight pruning needs Ω(1/<i>ε</i>) units too."
    )


def _widths(run: GapRun) -> str:
    body = "".join(
        _width_rows(run, series, summarize(run, series), fit(run, series))
        for series in run.plan.series
    )
    return f"""
<div class="scroll" tabindex="0" role="region" aria-label="Medians and ranges of the widths">
<table class="widths">
<thead><tr><th scope="col"><i>ε</i> (per unit of radius)</th>
<th scope="col" class="inverse">1/<i>ε</i></th>
<th scope="col">refuted up to <i>N</i></th><th scope="col">found at <i>N</i></th>
<th scope="col">range over draws</th><th scope="col">draws</th></tr></thead>
<tbody>{body}</tbody></table></div>
<p class="note">Widths in hidden units; medians over draws. “None” counts as infinite in a
median.</p>"""


def _width_rows(run: GapRun, series: Series, summaries: list[Summary], law: Law | None) -> str:
    fitted = "" if law is None else f'<span class="law">{law_html(law, run.plan.d)}</span>'
    rows = [f'<tr class="series"><th colspan="6" scope="rowgroup">{series.label}{fitted}</th></tr>']
    if not summaries:
        rows.append('<tr><td class="text" colspan="6">no cell done</td></tr>')
    for s in summaries:
        rows.append(
            f'<tr><td>{eps_text(s.eps)}</td><td class="inverse">{1 / s.eps:,.4g}</td>'
            f"<td>{width_text(s.refuted) if s.refuted > 0 else '–'}</td>"
            f"<td>{width_text(s.found)}</td><td>{range_text(s)}</td><td>{s.draws}{s.remarks}</td></tr>"
        )
    return "".join(rows)


def _inside(run: GapRun) -> str:
    ticket = choose_ticket(run)
    parts = [pruning_panel(run).to_html()]
    if ticket is not None:
        panels = (alignment_panel(ticket), state_lines_panel(ticket), steps_panel(ticket))
        parts += [panel.to_html() for panel in panels]
    elif run.plan.d == 1:
        parts.append(
            "<p>In <i>d</i> = 1 there is no input family: removing a unit is removing its weight, "
            "and neuron and weight pruning coincide.</p>"
        )
    else:
        parts.append("<p>No neuron ticket was found, so there are no breakpoints to show.</p>")
    return "".join(parts)


def _provenance(run: GapRun) -> str:
    plan = run.plan
    link = rows_table(run).csv_link("slth-gap-rows", f"all {plural(len(run.rows), 'row')} (CSV)")
    return f"""
<p>slth {escape(version("slth"))}, {run.seconds:,.1f} s of wall time. Draw <i>k</i> has the network
<code>random_network({plan.d}, N, seed={plan.seed} + k)</code> and a target uniform on the sphere
from the same seed. Each search has an effort of {plan.search_seconds:g}, a budget in work of about
so many seconds: a busy machine gives the same widths, unless a cell is marked as cut; what was
certified or refuted is true on all. To run it again:</p>
<pre>{escape(command(run))}</pre>
<p>Data: {link}</p>
<details><summary>the plan as JSON</summary>
<pre id="plan">{escape(json.dumps(asdict(plan), indent=1))}</pre></details>
<footer>The problem and its lower bound: {PAPER}. The abstract of version 3 (June 2026) claims
Ω(1/<i>ε</i>) and <i>O</i>(log 1/<i>ε</i>) in place of Ω(<i>d</i>/<i>ε</i>) and
<i>O</i>(<i>d</i> log 1/<i>ε</i>).</footer>"""


def command(run: GapRun) -> str:
    """The command line that runs the plan again."""
    plan = run.plan
    words = ["slth", "gap", "--d", str(plan.d), "--readout", plan.readout]
    words += [
        "--eps-min",
        repr(min(plan.eps)),
        "--draws",
        str(plan.draws),
        "--seed",
        str(plan.seed),
    ]
    words += ["--max-width", str(plan.max_width), "--search-seconds", repr(plan.search_seconds)]
    return shlex.join(words)


def rows_table(run: GapRun) -> Table:
    """Every row of the run, every field."""
    return Table.of(
        (
            "pruning",
            "readout",
            "draw",
            "seed",
            "eps",
            "refuted",
            "refuted_bound",
            "found",
            "found_error",
            "kept",
            "kept_units",
            "tried",
            "seconds",
        ),
        (
            (
                row.series.pruning,
                row.series.readout,
                row.draw,
                run.plan.seed + row.draw,
                row.eps,
                row.refuted,
                row.refuted_bound,
                row.found,
                row.found_error,
                row.kept,
                " ".join(str(unit) for unit in row.kept_units),
                row.tried,
                row.seconds,
            )
            for row in run.rows
        ),
    )
