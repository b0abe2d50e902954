"""The page of a gap run: one self-contained HTML file, drawn from the run's rows only."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from slth.errors import InvalidInput, MissingExtra
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

    write_text(Path(path), render(run))


def write_text(target: Path, text: str) -> None:
    """Write a file, replacing one of that name in one step.

    Raises:
        InvalidInput: it cannot be written.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InvalidInput(
            "the file cannot be written",
            got=f"{target}: {error.strerror or error}",
            expected="a file name in an existing, writable folder with 6 MB to spare",
            fix="Create the folder or choose another file.",
        ) from error
