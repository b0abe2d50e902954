"""The HTML around a report: one file, offline, nothing fetched."""

from __future__ import annotations

from html import escape

from plotly.offline import get_plotlyjs

import slth
from slth.report.style import SCRIPT, STYLE

# Nothing may be fetched: the browser itself refuses every request of this page.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
)


def document(title: str, body: str) -> str:
    """The whole page: `title` is text, `body` HTML."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="slth {slth.__version__}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
<noscript><p>The figures need JavaScript; the table below each holds its numbers.</p></noscript>
</main>
<script>{get_plotlyjs()}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""
