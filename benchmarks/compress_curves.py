"""What whole units cost against single weights: `python -m benchmarks compress_curves`.

Trained networks at shares of their units, and of their weights, kept: the certified error over the
box of the data, against the weights that are left. `PAGE=FILE.html` writes the figure of both
curves, too. SECONDS=S a compression (default 4).
"""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import numpy as np

import slth
from benchmarks.compress import _data
from benchmarks.table import show
from slth.files import write_text
from slth.pruning.trained.compression import Granularity
from slth.report.kept_figure import Kept, kept_page

_SHARES = (0.9, 0.8, 0.7, 0.6, 0.5)
_NETWORKS = ("diabetes 24", "breast cancer 16-12", "digits 64-32")
_KINDS: tuple[Granularity, ...] = ("neurons", "weights")


def main() -> None:
    """Print the table."""
    seconds = float(os.environ.get("SECONDS", "4"))
    with warnings.catch_warnings():
        # The perceptrons are stopped early on purpose.
        warnings.simplefilter("ignore")
        sets = _data()
    points, rows = [], []
    for name in _NETWORKS:
        network, data, _ = sets[name]
        box = slth.Box(data.min(axis=0), data.max(axis=0))
        spread = float(np.ptp(network.logits(data), axis=0).max())
        before = sum(np.count_nonzero(layer.weight) for layer, _ in network.affine())
        for kind in _KINDS:
            for share in _SHARES:
                started = time.process_time()
                found = slth.compress(
                    network, box, ratio=share, granularity=kind, time_limit=seconds
                )
                took = time.process_time() - started
                bounds = found.error.upper / spread, found.error.lower / spread
                points.append(Kept(name, kind, found.weights / before, *bounds))
                rows.append([name, kind, share, found.units, found.weights, *bounds, took])
    headings = ("network", "granularity", "share asked", "units", "weights", "certified / range")
    show(
        "Certified error against what is kept",
        (*headings, "attained / range", "CPU s"),
        rows,
    )
    page = os.environ.get("PAGE")
    if page:
        write_text(Path(page), kept_page(points))


if __name__ == "__main__":
    main()
