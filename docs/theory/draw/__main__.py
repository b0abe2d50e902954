"""`python -m docs.theory.draw [NAME ...]`: write docs/theory/pictures/NAME.svg, all by default."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from docs.theory.draw import bounds, laws, networks, widths
from docs.theory.draw.scheme import following_the_scheme
from slth.report.image import write_images

PICTURES = {
    "network": networks.diagrams,
    "families": networks.families,
    "broken-bins": networks.broken_bin,
    "processes": networks.processes,
    "chain": laws.chain,
    "lemma-3": laws.lemma_3,
    "lemma-8": laws.lemma_8,
    "lemma-10": laws.lemma_10,
    "subset-sum": laws.subset_sum,
    "covering": bounds.covering,
    "cluster": bounds.cluster,
    "readout": bounds.readout,
    "zonal": widths.zonal,
    "spectral": widths.spectral,
    "masks": widths.masks,
    "small-units": widths.small_units,
    "weighted-units": widths.weighted_units,
    "known": widths.known,
}
FOLDER = Path(__file__).parent.parent / "pictures"


def main(names: list[str]) -> None:
    """Draw the pictures named."""
    drawn = {name: PICTURES[name]() for name in names or PICTURES}
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        figures = {name: figure for name, figure in drawn.items() if not isinstance(figure, str)}
        if figures:
            write_images({Path(folder, f"{name}.svg"): figure for name, figure in figures.items()})
        texts = {name: Path(folder, f"{name}.svg").read_text() for name in figures}
    for name, text in {**drawn, **texts}.items():
        (FOLDER / f"{name}.svg").write_text(following_the_scheme(str(text), name))


if __name__ == "__main__":
    main(sys.argv[1:])
