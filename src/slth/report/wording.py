"""How numbers and series are written on the page."""

from __future__ import annotations

import math

import numpy as np

from slth.lab.laws import Law, Summary
from slth.lab.rows import Series
from slth.lab.statistics import Interval

PAPER = (
    "Ferré et al., <cite>Structured vs. Unstructured Pruning: An Exponential Gap</cite>, "
    "arXiv 2603.02234 v2"
)

# Characters that an axis has room for at each of its errors.
_LONGEST_LABEL = 8


def key(series: Series) -> str:
    """The series' name in identifiers: "neurons-linear"."""
    return f"{series.pruning}-{series.readout}"


def role(series: Series) -> str:
    """Which colour, dash and marker the series has: neurons look alike in both readouts."""
    return "neurons" if series.pruning == "neurons" else key(series)


def eps_text(eps: float) -> str:
    """ "1/64" where 1/eps is a whole number, else three digits."""
    inverse = 1.0 / eps
    if abs(inverse - round(inverse)) < 1e-9 * inverse:
        return f"1/{round(inverse):,}"
    return f"{eps:.3g}"


def eps_label(eps: float) -> str:
    """For an axis: the error itself where it is short, else "1/512", else three digits marked as
    rounded."""
    exact = np.format_float_positional(eps, trim="-")
    if len(exact) <= _LONGEST_LABEL:
        return exact
    text = eps_text(eps)
    return text if text.startswith("1/") else f"≈ {text}"


def width_text(width: float) -> str:
    """A width or a median of widths; "none" for one that was not found."""
    if math.isinf(width):
        return "none"
    return f"{width:,.0f}" if width == int(width) else f"{width:,.1f}"


def range_text(summary: Summary) -> str:
    """Smallest to largest found width over draws."""
    if math.isinf(summary.found_low):
        return "none"
    if summary.found_low == summary.found_high:
        return width_text(summary.found_low)
    high = "none" if math.isinf(summary.found_high) else width_text(summary.found_high)
    return f"{width_text(summary.found_low)} to {high}"


def number(value: float, digits: int = 3) -> str:
    """A float with that many significant digits, with a true minus sign."""
    return f"{value:.{digits}g}".replace("-", "−")


def interval_text(interval: Interval) -> str:
    """ "0.98 (95 %: 0.91 to 1.1)"; the number alone for one draw."""
    if interval.low == interval.high:
        return number(interval.value)
    return f"{number(interval.value)} (95 %: {number(interval.low)} to {number(interval.high)})"


def plural(count: int, noun: str) -> str:
    """ "1 draw", "5 draws"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def law_html(law: Law, d: int) -> str:
    """The fitted law as one phrase of HTML."""
    interval = ""
    if law.low is not None and law.high is not None:
        interval = f" (95 %: {law.low:.2f} to {law.high:.2f})"
    high, low = law.eps
    basis = f", decided for <i>ε</i> from {eps_text(high)} to {eps_text(low)}"
    if law.kind == "power":
        return (
            f"<i>N</i> ≈ {number(2.0**law.intercept)} · (1/<i>ε</i>)<sup>{law.slope:.2f}</sup>, "
            f"slope {law.slope:.2f}{interval}{basis}"
        )
    side = law.slope / (2 * d)
    return (
        f"<i>N</i> ≈ {number(law.intercept)} + {law.slope:.2f} · log<sub>2</sub>(1/<i>ε</i>): "
        f"{law.slope:.2f} units a bit{interval}, {side:.2f} a bit and coordinate side"
        f"{basis}"
    )


def statuses_html(between: str) -> str:
    """What "found", "refuted" and `between` mean, above every page's numbers."""
    return f"""<dl class="status">
<dt>found</dt><dd>a ticket of this width exists; its uniform error is certified to be at most
<i>ε</i> on the unit ball. Networks are nested, so every wider one has it too.</dd>
<dt>refuted</dt><dd>a proof: at this width and below, <em>every</em> ticket of that kind errs by
more than <i>ε</i>.</dd>
<dt>in between</dt><dd>{between}</dd>
</dl>"""
