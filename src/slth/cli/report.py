"""`slth report`: the page of a sweep's store, and its figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from slth.cli.output import print_json, stdout
from slth.cli.outputs import require_writable
from slth.report.store_report import write_report


def report(
    store: Path,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("report"),
    images: bool = True,
    force: bool = False,
    json: bool = False,
) -> int:
    """Write the report of a store: OUT/index.html and OUT/figures.

    The page works offline and holds everything it shows, with the data behind each figure and the
    keys of the trials behind each number. The figures are written as CSV, SVG and PDF as well;
    those need the images extra and Chrome or Chromium. A running sweep's store can be reported.

    Parameters
    ----------
    store
        The file that `slth sweep` writes.
    out
        Folder to write to; it is made if its parent exists.
    images
        Pass --no-images to leave out SVG and PDF.
    force
        Replace an existing page that slth did not write.
    json
        Print one JSON object instead of text.
    """
    require_writable(force, out=out / "index.html" if out.is_dir() else out)
    written = write_report(store, out, images=images)
    if json:
        print_json(
            {
                "page": str(written.page),
                "figures": list(written.figures),
                "files": [str(file) for file in written.files],
            }
        )
    else:
        stdout.print(f"{len(written.figures)} figures: {written.page}", highlight=False)
    return 0
