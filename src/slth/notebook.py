"""How results show themselves in a notebook: a titled table of facts, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_TITLE = "text-align:left;font-weight:600;padding:.2em 0"
_NAME = "text-align:left;padding:.1em 1.2em .1em 0;opacity:.7;font-weight:400"
_VALUE = "text-align:left;padding:.1em 0;font-variant-numeric:tabular-nums"


def facts_html(title: str, facts: Iterable[tuple[str, object]]) -> str:
    """An HTML table with a caption; colours are the notebook's own."""
    rows = "".join(
        f'<tr style="background:none"><th scope="row" style="{_NAME}">{escape(name)}</th>'
        f'<td style="{_VALUE}">{escape(str(value))}</td></tr>'
        for name, value in facts
    )
    return (
        f'<table style="border:0"><caption style="{_TITLE};caption-side:top;color:inherit">'
        f"{escape(title)}</caption><tbody>{rows}</tbody></table>"
    )
