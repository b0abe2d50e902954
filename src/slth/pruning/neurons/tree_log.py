"""What a tree search has decided, in preorder, for whoever writes it down.

The compiled search fills the log and returns when it is nearly full; Python empties it. A node
that fixes units by its multipliers is a chain of branches: the other value of each closes at once,
by the same multipliers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from slth.network import FloatArray

# Visits of one node, each with new multipliers, that the log has room for.
_VISITS = 64
# Nodes logged between two readings.
_NODES = 4096


class Log(NamedTuple):
    """Nodes since the log was last emptied.

    code: int64 [C], as `RefutationProof.unit`; size: int64 [C], multipliers of a leaf, 0 for those
    of the leaf before; row: int64 [E], rows 2p + s of the pool; weight: float64 [E], >= 0;
    used: int64 [2], how many nodes and multipliers there are.
    """

    code: np.ndarray
    size: np.ndarray
    row: np.ndarray
    weight: FloatArray
    used: np.ndarray


def empty_log(width: int) -> Log:
    """An empty log for a search over `width` units."""
    nodes, entries = _NODES + 4 * width, _VISITS * 2 * (width + 1)
    return Log(
        np.zeros(nodes, np.int64),
        np.zeros(nodes, np.int64),
        np.zeros(entries, np.int64),
        np.zeros(entries),
        np.zeros(2, np.int64),
    )


@njit(cache=True, nogil=True)
def has_room(log, width):
    """Whether one more visit of a node surely fits."""
    nodes, entries = log.used
    return nodes + 2 * width + 4 <= len(log.code) and entries + _VISITS * (width + 1) <= len(
        log.row
    )


@njit(cache=True, nogil=True)
def log_branch(log, unit, keep_first):
    """Branch on a unit."""
    log.code[log.used[0]] = unit if keep_first else -2 - unit
    log.used[0] += 1


@njit(cache=True, nogil=True)
def log_leaf(log, row, weight, count):
    """Close the node by the first `count` multipliers, or with 0 by those of the leaf before."""
    node, entry = log.used
    log.code[node] = -1
    log.size[node] = count
    log.row[entry : entry + count] = row[:count]
    log.weight[entry : entry + count] = weight[:count]
    log.used[0] += 1
    log.used[1] += count
