"""One figure of the page with everything that belongs to it: alt text, legend, table, CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Trials:
    """Which trials of a store a number comes from: their keys, or the first of them."""

    keys: tuple[str, ...]
    total: int

    def __str__(self) -> str:
        more = self.total - len(self.keys)
        return " ".join(self.keys) + (f" and {more} more" if more else "")

    def to_html(self) -> str:
        """The beginning of the first key, and how many there are."""
        if not self.keys:
            return "–"
        all_keys = escape(str(self), quote=True) if self.total <= _MOST_KEYS_SHOWN else ""
        more = f" and {self.total - 1:,} more" if self.total > 1 else ""
        return f'<code title="{all_keys}">{self.keys[0][:10]}</code>{more}'


Cell = str | int | float | Trials | None

# Rows in a page's table, all of them are in the CSV; keys that a pointer may be shown.
_MOST_ROWS = 400
_MOST_KEYS_SHOWN = 12


@dataclass(frozen=True)
class Table:
    """The numbers behind a figure. Columns name their units; None is an empty cell."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(cls, columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> Table:
        """From any iterables; numbers that are infinite or unknown become empty cells."""
        return cls(tuple(columns), tuple(tuple(map(_finite, row)) for row in rows))

    def to_csv(self) -> str:
        """The table as CSV, every float in full."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return buffer.getvalue()

    def csv_link(self, name: str, text: str) -> str:
        """A link that holds the table itself as CSV."""
        address = "data:text/csv;charset=utf-8," + quote(self.to_csv(), safe="")
        return f'<a class="data" download="{name}.csv" href="{address}">{escape(text)}</a>'

    def to_html(self, label: str) -> str:
        """An HTML table of the first rows; floats rounded to four digits."""
        head = "".join(f'<th scope="col">{escape(column)}</th>' for column in self.columns)
        body = "".join(
            "<tr>" + "".join(_cell(value) for value in row) + "</tr>"
            for row in self.rows[:_MOST_ROWS]
        )
        rest = len(self.rows) - _MOST_ROWS
        note = f'<p class="note">{rest:,} more rows in the CSV.</p>' if rest > 0 else ""
        return (
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}</div>"
        )


def _finite(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return f"<td class=text>{escape(value)}</td>"
    if isinstance(value, Trials):
        return f"<td class=text>{value.to_html()}</td>"
    if value is None:
        return "<td>–</td>"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
    return f"<td>{text.replace('-', '−')}</td>"


@dataclass(frozen=True)
class LegendEntry:
    """What one mark of a figure means.

    Attributes:
        swatch: inline SVG, see `slth.report.marks`.
        html: the meaning.
    """

    swatch: str
    html: str


@dataclass(frozen=True)
class Panel:
    """A figure.

    Attributes:
        name: identifier, also the CSV's file name.
        title: HTML heading.
        label: what is to be seen, for a reader who cannot see it.
        caption: HTML below the figure.
        height: of the plot, in pixels.
        figure: the Plotly figure; its colours are CSS variables, `var(--name)`.
        table: the numbers drawn.
        legend: what the marks mean.
        diagram: HTML above the plot, already labelled.
    """

    name: str
    title: str
    label: str
    caption: str
    height: int
    figure: Figure
    table: Table
    legend: tuple[LegendEntry, ...]
    diagram: str = ""

    def to_html(self) -> str:
        """The figure element."""
        label = escape(self.label, quote=True)
        items = "".join(f"<li>{item.swatch}<span>{item.html}</span></li>" for item in self.legend)
        return f"""
<figure id="{self.name}">
<h3>{self.title}</h3>
{self.diagram}
<div class="plot" role="img" aria-label="{label}" data-name="{self.name}"
 style="height:{self.height}px"></div>
{_stepper(self.name, self.figure)}
<script type="application/json" id="{self.name}-spec">{_spec(self.figure)}</script>
<ul class="legend">{items}</ul>
<figcaption>{self.caption}</figcaption>
<div class="tools">{self.table.csv_link(self.name, "data (CSV)")}
<details><summary>table of the numbers drawn</summary>
{self.table.to_html(f"Numbers of {self.name}")}</details></div>
</figure>"""


def _stepper(name: str, figure: Figure) -> str:
    """A native slider in place of the figure's own, which keyboards and screen readers cannot
    use; the page's script wires it. Empty for a figure without a slider."""
    sliders = figure.to_plotly_json()["layout"].get("sliders")
    if not sliders:
        return ""
    now, last = sliders[0]["active"], len(sliders[0]["steps"]) - 1
    text = escape(sliders[0]["steps"][now]["value"], quote=True)
    return f"""<div class="stepper"><label for="{name}-slider">units selected <i>s</i></label>
<input type="range" id="{name}-slider" min="0" max="{last}" step="1" value="{now}"
 aria-valuetext="{now} of {last}. {text}">
<output for="{name}-slider"><b>{now} of {last}.</b> {text}</output></div>"""


def _spec(figure: Figure) -> str:
    """The figure as JSON that can stand inside a script element."""
    # Trace identifiers are kept: they name the drawn curves in the page.
    plain = json.loads(str(figure.to_json(remove_uids=False)))
    # The list below the plot is the legend: it wraps, prints and is read aloud.
    plain["layout"]["showlegend"] = False
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
