"""Figures outside the page: coloured for light paper, with their own legend, as image files."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects as go
import plotly.io

from slth.errors import InvalidInput, MissingExtra
from slth.report.style import STYLE

# In centimetres this is the text width of common paper classes at 72 dots an inch.
_WIDTH = 700
_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"}
_BROWSERS = ("google-chrome", "chromium", "chromium-browser", "chrome")


def palette(scheme: str = "light") -> dict[str, str]:
    """The page's colours by variable name: {"--ink": "#1b1e23", ...}. scheme: "light" or "dark"."""
    light, _, rest = STYLE.partition("@media (prefers-color-scheme: dark)")
    block = light if scheme == "light" else rest[: rest.index("* {")]
    return {name: value.strip() for name, value in re.findall(r"(--[\w-]+):\s*([^;]+);", block)}


def standalone(figure: go.Figure) -> go.Figure:
    """The figure with the light scheme's colours in place of the page's variables, and a legend of
    its named traces above the plot."""
    colours = palette()
    text = re.sub(r"var\((--[\w-]+)\)", lambda m: colours[m[1]], str(figure.to_json()))
    plain = json.loads(text)
    for trace in plain["data"]:
        trace["showlegend"] = "name" in trace and trace.get("showlegend", True)
    plain["layout"]["legend"] = _LEGEND
    return go.Figure(plain)


def require_images() -> None:
    """Raise unless image files can be written: kaleido is installed and finds a browser."""
    if importlib.util.find_spec("kaleido") is None:
        raise MissingExtra("kaleido", "images", "writing SVG and PDF files")
    if "BROWSER_PATH" in os.environ:
        return
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is not None:
        os.environ["BROWSER_PATH"] = found


def write_images(figures: Mapping[Path, go.Figure]) -> None:
    """Write each figure to its file (.svg, .pdf, .png), all in one run of the browser.

    Raises:
        MissingExtra: kaleido is not installed.
        InvalidInput: no browser, or it failed.
    """
    require_images()
    pictures = [standalone(figure) for figure in figures.values()]
    try:
        plotly.io.write_images(
            fig=pictures,
            file=list(figures),
            width=_WIDTH,
            height=[picture.layout.height for picture in pictures],
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise InvalidInput(
            "image files cannot be written",
            got=str(error).strip().splitlines()[0],
            expected="Chrome or Chromium for kaleido to draw with",
            fix="Install one, run plotly_get_chrome, or name it in the variable BROWSER_PATH.",
        ) from error
