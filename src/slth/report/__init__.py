"""The page of a gap run: one self-contained HTML file, drawn from the run alone: its rows, and the
networks and targets that its plan determines; the paper's bounds are computed for its d and eps."""

from __future__ import annotations

import importlib.util
import os

from slth.errors import MissingExtra
from slth.files import write_text
from slth.lab.rows import GapRun


def require_plotting() -> None:
    """Raise MissingExtra unless the plotting library is installed. Imports nothing."""
    if importlib.util.find_spec("plotly") is None:
        raise MissingExtra("plotly", "report", "writing the page")


def write_page(run: GapRun, path: str | os.PathLike[str]) -> None:
    """Write the page of a run to `path`, replacing a file of that name in one step.

    The page holds the plotting script, so it works offline and asks no server for anything. The
    same run gives the same bytes (with the same versions of slth and plotly).

    Raises:
        MissingExtra: plotly is not installed.
        InvalidInput: the file cannot be written.
    """
    require_plotting()
    # Imported late: slth loads no plotting library until a page is asked for.
    from slth.report.page import render

    write_text(path, render(run))
