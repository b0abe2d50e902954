"""The report of a store as a folder: one page, and each figure as CSV, SVG and PDF."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from slth.errors import InvalidInput
from slth.files import write_text
from slth.lab.store import Store
from slth.report import require_plotting


@dataclass(frozen=True)
class Written:
    """What a report consists of: its page, its figures' names, and all files."""

    page: Path
    figures: tuple[str, ...]
    files: tuple[Path, ...]


def write_report(
    store: str | os.PathLike[str], folder: str | os.PathLike[str], *, images: bool = True
) -> Written:
    """Write `index.html` (self-contained, offline) and `figures/NAME.csv`, `.svg` and `.pdf`.

    Args:
        store: file of a sweep's store; it may still be written to.
        folder: created if missing (its parent must exist); files of the same names are replaced.
        images: SVG and PDF, drawn by kaleido in Chrome or Chromium.

    Raises:
        MissingExtra: plotly, or with images kaleido, is not installed.
        StoreError: the store cannot be read.
        InvalidInput: the folder cannot be written, or no browser is found for the images.
    """
    require_plotting()
    # Imported late: slth loads no plotting library until a report is asked for.
    from slth.report.image import require_images, write_images
    from slth.report.store_page import report_of

    if images:
        require_images()
    with Store.open(store) as opened:
        report = report_of(opened)
    page, figures = Path(folder) / "index.html", Path(folder) / "figures"
    try:
        Path(folder).mkdir(exist_ok=True)
        figures.mkdir(exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            "the report's folder cannot be made",
            got=f"{folder}: {error.strerror or error}",
            expected="a folder name in an existing, writable folder",
            fix="Choose another one.",
        ) from error
    files = [page]
    for panel in report.panels:
        files.append(figures / f"{panel.name}.csv")
        write_text(files[-1], panel.table.to_csv())
    if images:
        drawn = {
            figures / f"{panel.name}.{kind}": panel.figure
            for panel in report.panels
            for kind in ("svg", "pdf")
        }
        write_images(drawn)
        files += drawn
    write_text(page, report.html)
    return Written(page, tuple(panel.name for panel in report.panels), tuple(files))
