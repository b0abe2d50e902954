"""`python -m docs.example_report STORE`: write docs/example-report, a report as Markdown and SVG
for readers of the repository; `slth report` writes the page itself."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from docs.theory.draw.scheme import following_the_scheme
from slth.lab.store import Store
from slth.report.image import write_images
from slth.report.store_page import report_of

_FOLDER = Path(__file__).parent / "example-report"
_OPENING = """# An example report

What `slth sweep docs/examples/dimensions.toml` and `slth report` give, as far as Markdown can show
it: {trials} trials, three draws each, about ten minutes on a busy core. Limits are short (0.6 s a
search, 5 s a trial), so intervals are wide and much stays undecided from d = 4 on: an example of
the report, not a measurement of record. The page that `slth report` writes adds hover, zoom, the
step-through of a ticket and tables; the CSV files here hold the same numbers and trial keys.

"""


def main(path: str) -> None:
    """Draw every figure of the store but the one with a slider."""
    with Store.open(path) as store:
        trials = store.count()
        panels = [panel for panel in report_of(store).panels if panel.name != "steps"]
    _FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        files = {panel.name: Path(folder, f"{panel.name}.svg") for panel in panels}
        write_images({files[panel.name]: panel.figure for panel in panels})
        for name, file in files.items():
            svg = following_the_scheme(file.read_text(), name)
            (_FOLDER / f"{name}.svg").write_text(svg)
    parts = [_OPENING.format(trials=trials)]
    for panel in panels:
        (_FOLDER / f"{panel.name}.csv").write_text(panel.table.to_csv())
        label = panel.label.replace("[", "(").replace("]", ")")
        parts.append(
            f"## {panel.title}\n\n![{label}]({panel.name}.svg)\n\n{panel.caption}\n"
            f"[Data]({panel.name}.csv).\n\n"
        )
    (_FOLDER / "README.md").write_text("".join(parts).rstrip() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
