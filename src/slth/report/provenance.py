"""Which trials a number comes from, as a table's cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slth.report.panel import Trials

# Keys that one table holds; a row shows its share of them.
_MOST_KEYS = 2000


def trials(keys: NDArray[np.object_], rows: int) -> Trials:
    """The keys of one row of a table of `rows` rows: all, or the first of very many."""
    share = max(2, _MOST_KEYS // max(1, rows))
    return Trials(tuple(keys[:share].tolist()), len(keys))
