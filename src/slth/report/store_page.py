"""The page of a store: widths, exponents, the open question, contenders, errors, provenance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from itertools import groupby

import numpy as np

from slth.errors import SlthError
from slth.lab.curves import Curve, ErrorCell, Survey, WidthCell, survey
from slth.lab.store import Store
from slth.report.alignment_figure import alignment_panel
from slth.report.curve_marks import mark_in_turn, mark_of
from slth.report.dimension_figure import dimension_panels
from slth.report.errors_figure import errors_panel
from slth.report.exponents_figure import exponents_panel
from slth.report.panel import Panel
from slth.report.shell import document
from slth.report.shown_ticket import ShownTicket, bends
from slth.report.state_lines_figure import state_lines_panel
from slth.report.steps_figure import steps_panel
from slth.report.widths_figure import Drawn, widths_panel
from slth.report.wording import PAPER, eps_text, plural, statuses_html, width_text


@dataclass(frozen=True)
class StoreReport:
    """The page and the figures on it, by name."""

    html: str
    panels: tuple[Panel, ...]


def report_of(store: Store) -> StoreReport:
    """Read the store and draw its page."""
    known = survey(store)
    sections = [
        ("The gap", _READOUT, _width_panels(known.widths)),
        ("Exponents", "", [p for p in [exponents_panel(known.widths)] if p is not None]),
        ("The open question: dimension", "", dimension_panels(known.widths)),
        ("Contenders", _CONTENDERS, _contender_panels(known)),
        ("Errors at fixed widths", "", _error_panels(known.errors)),
        ("What happens inside", *_inside(store, known.widths)),
    ]
    body = "".join(
        f"<section>\n<h2>{heading}</h2>\n{text}"
        f"{''.join(panel.to_html() for panel in panels)}</section>\n"
        for heading, text, panels in sections
        if panels
    )
    title = "; ".join(plan.name for plan in known.plans) or store.path.name
    html = document(
        title,
        f"{_opening(store, known, title)}{body}<section>{_provenance(store, known)}</section>",
    )
    return StoreReport(html, tuple(panel for *_, panels in sections for panel in panels))


_READOUT = (
    "<p><b>What the readout does.</b> The paper’s lower bound is for the linear readout, where it "
    "binds weight pruning as well: some unit must already bend within <i>O</i>(<i>ε</i>) of the "
    "target. The <i>O</i>(<i>d</i> log 1/<i>ε</i>) constructions of weight pruning pass the output "
    "through a ReLU. So every curve names its readout.</p>"
)
# Trials looked at to find a ticket whose target bends in sight.
_MOST_TRIED = 20
_CONTENDERS = (
    "<p>Rules of thumb that choose which units to keep, their masks certified like any other. "
    "They prove nothing of other masks. Two, least-squares and minimax, are no tickets but a "
    "comparison: they keep every unit and train its output weight.</p>"
)


def _opening(store: Store, known: Survey, title: str) -> str:
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(known.states.items()))
    unfinished = known.states["interrupted"] + known.states["failed"]
    notice = (
        f'<p class="notice">{plural(unfinished, "trial")} failed or did not finish. Every number '
        "below stands: bounds that were reached are kept, failed trials are left out.</p>"
        if unfinished
        else ""
    )
    return f"""
<header>
<h1>{escape(title)}</h1>
<p class="plan">{plural(known.trials, "trial")} ({states or "none yet"}) in
{escape(store.path.name)}: random one-hidden-layer ReLU networks pruned to one bias-free
neuron.</p>
{notice}
<p class="finding">{_finding(known.widths)}</p>
</header>
{statuses_html("unknown.")}"""


def _finding(widths: dict[Curve, list[WidthCell]]) -> str:
    """Neuron pruning, linear readout, in the smallest and the largest dimension, at one eps."""
    for readout in ("linear", "relu"):
        chosen = {
            curve.d: {cell.eps: cell for cell in cells}
            for curve, cells in widths.items()
            if (curve.pruning, curve.readout, curve.contender) == ("neurons", readout, None)
        }
        shared = set.intersection(*map(set, chosen.values())) if chosen else set()
        if not shared:
            continue
        eps = min(shared)
        parts = []
        for d in sorted({min(chosen), max(chosen)}):
            cell = chosen[d][eps]
            found = cell.found_width.value
            text = f"in <i>d</i> = {d} "
            text += (
                f"succeeds at <b>{width_text(found)} units</b>"
                if math.isfinite(found)
                else f"was not seen to succeed up to {width_text(cell.tried)} units"
            )
            if cell.refuted_width.value > 0:
                text += f" and provably fails up to <b>{width_text(cell.refuted_width.value)}</b>"
            parts.append(text)
        return (
            f"At <i>ε</i> = {eps_text(eps)}, pruning whole neurons ({readout} readout) "
            f"{'; '.join(parts)} (medians over draws)."
        )
    return "No width of neuron pruning is bracketed in this store."


def _width_panels(widths: dict[Curve, list[WidthCell]]) -> list[Panel]:
    own = [curve for curve in widths if curve.contender is None]
    return [
        widths_panel(
            f"widths-d{d}",
            f"Width against error, <i>d</i> = {d}",
            [Drawn(curve, widths[curve], mark_of(curve)) for curve in curves],
            "",
        )
        for d, curves in _by_dimension(own)
    ]


def _contender_panels(known: Survey) -> list[Panel]:
    """Where a contender met a question that slth's own search met too."""
    return [
        widths_panel(
            f"contenders-{readout}-d{d}",
            f"Who needs which width, {readout} readout, <i>d</i> = {d}",
            [
                Drawn(curve, known.widths[curve], mark_in_turn(place))
                for place, curve in enumerate(curves)
            ],
            "Curves without a name are slth’s own search.",
        )
        for d, readout, curves in _contested(known.widths)
    ] + [
        errors_panel(
            f"contender-errors-{readout}-d{d}",
            f"Who errs by how much, {readout} readout, <i>d</i> = {d}",
            {curve: known.errors[curve] for curve in curves},
            {curve: curve.contender or "slth’s own search" for curve in curves},
        )
        for d, readout, curves in _contested(known.errors)
    ]


def _contested(cells: Iterable[Curve]) -> Iterator[tuple[int, str, list[Curve]]]:
    """Dimension, readout and curves of neuron pruning, slth's own first, where a contender ran."""
    for d, curves in _by_dimension([c for c in cells if c.pruning == "neurons"]):
        for readout in sorted({c.readout for c in curves if c.contender is not None}):
            same = [c for c in curves if c.readout == readout]
            yield d, readout, sorted(same, key=lambda c: c.contender or "")


def _error_panels(errors: dict[Curve, list[ErrorCell]]) -> list[Panel]:
    own = sorted((c for c in errors if c.contender is None), key=lambda c: (c[0], c[1], c.d))
    return [
        errors_panel(
            f"errors-{pruning}-{readout}",
            f"Smallest error: {pruning}, {readout} readout",
            {curve: errors[curve] for curve in curves},
            {curve: f"d = {curve.d}" for curve in curves},
        )
        for (pruning, readout), group in groupby(own, key=lambda c: (c.pruning, c.readout))
        for curves in [list(group)]
    ]


def _by_dimension(curves: list[Curve]) -> list[tuple[int, list[Curve]]]:
    return [(d, [curve for curve in curves if curve.d == d]) for d in sorted({c.d for c in curves})]


def _inside(store: Store, widths: dict[Curve, list[WidthCell]]) -> tuple[str, list[Panel]]:
    """The paper's figures from a stored ticket of neuron pruning: at the smallest eps, of a draw
    whose target bends in sight on the first family if there is one."""
    cells = [
        (cell.eps, curve.d, cell)
        for curve, cells in widths.items()
        for cell in cells
        if (curve.pruning, curve.readout, curve.contender) == ("neurons", "linear", None)
        and curve.d >= 2
        and np.isfinite(cell.found).any()
    ]
    if not cells:
        return "", []
    *_, cell = min(cells, key=lambda entry: entry[:2])
    shown = [
        ticket
        for key in cell.keys[:_MOST_TRIED]
        if (ticket := _stored(store, str(key))) is not None
    ]
    if not shown:
        return "", []
    key, ticket = next((entry for entry in shown if bends(entry[1].target)), shown[0])
    text = f"<p>One ticket of the store, of trial <code>{key}</code>.</p>"
    return text, [alignment_panel(ticket), state_lines_panel(ticket), steps_panel(ticket)]


def _stored(store: Store, key: str) -> tuple[str, ShownTicket] | None:
    """The ticket of a trial; None if it keeps nothing or its file is lost."""
    row = store.row(key)
    try:
        ticket = None if row is None else store.load_ticket(row)
    except SlthError:
        return None
    if row is None or row.eps is None or ticket is None or not ticket.mask.kept_units:
        return None
    units = tuple(int(unit) for unit in np.flatnonzero(ticket.mask.output))
    return key, ShownTicket(row.draw, row.eps, ticket.net, units, ticket.target)


def _provenance(store: Store, known: Survey) -> str:
    versions = ", ".join(f"{name} ({count:,})" for name, count in sorted(known.versions.items()))
    plans = "".join(
        f"<details><summary>{escape(plan.name)}, first run with slth {escape(plan.slth)}</summary>"
        f"<pre>{escape(plan.toml)}</pre></details>"
        for plan in known.plans
    )
    return f"""
<h2>Provenance</h2>
<p>Written by slth {escape(version("slth"))}; trials by version of slth:
{escape(versions or "none")}.
Every table ends with the keys of the trials that its numbers come from (all of them in the CSV, the
first ones where there are thousands). A trial’s key is the SHA-256 of its question, its limits and
the version of slth; with the store at hand it gives everything that is known of it:</p>
<pre>from slth.lab.store import Store

with Store.open({escape(repr(store.path.name))}) as store:
    row = store.row(key)           # the question, the answer, how it ended
    ticket = store.load_ticket(row)  # what was found, if anything was</pre>
<p>Widths that a time limit cut differ between machines; what was certified or refuted is true on
all.</p>
{plans}
<footer>The problem and its lower bound: {PAPER}.</footer>"""
