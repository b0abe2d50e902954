"""Trees that share one branch-and-bound: each thread searches one, and idle ones are handed work.

All search in rounds of a fixed number of pivots. Between rounds one thread judges candidates and
adds points in a fixed order, and a tree that has come to its end takes over the largest open
subtree of another. So the answer may depend on how many trees there are, but not on how their
threads are scheduled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slth.network import BoolArray
from slth.pruning.neurons.recording import Recording
from slth.pruning.neurons.simplex import Pool, start
from slth.pruning.neurons.tree import (
    CUTOFF,
    DEPTH,
    FRESH,
    GIVE_UP,
    NODES,
    OPEN,
    PIVOTS,
    SLIP,
    TILTED,
    advance,
    close,
    descend,
    empty_tree,
    level,
)
from slth.pruning.neurons.tree_log import empty_log

# Memory of one branch and of all of them, at most.
_TREE_BYTES, _ALL_BYTES = 300_000_000, 2_000_000_000
# Table entries rewritten in one round, some hundredths of a second.
_ROUND_ENTRIES = 60_000_000


@dataclass(frozen=True)
class Closing:
    """A node is closed when its bound, less the rounding allowance `slip`, reaches `cutoff`;
    `tilted` is the most by which tilts raise a relaxation's value."""

    cutoff: float
    slip: float
    tilted: float


class Branch:
    """One tree, which works on a subtree of the search or is idle."""

    def __init__(self, width: int, most_bytes: int, closing: Closing) -> None:
        # Few rows make quick pivots; what is dropped comes back where it is violated.
        capacity = width + 40
        deepest = most_bytes // (8 * capacity * (width + 1))
        self._tree = empty_tree(width, capacity, max(2, min(width + 2, deepest)))
        self._tree.counts[DEPTH] = -1
        levels = self._tree.levels
        levels[CUTOFF], levels[OPEN] = closing.cutoff, math.inf
        levels[SLIP], levels[TILTED] = closing.slip, closing.tilted + 2.0 * closing.slip
        self._log = empty_log(width)
        self._z = np.zeros(width)
        self._last = b""
        self._budget = max(20, _ROUND_ENTRIES // (capacity * (width + 1)))

    @property
    def idle(self) -> bool:
        """Whether it has nothing left to search."""
        return bool(self._tree.counts[DEPTH] < 0)

    @property
    def mask(self) -> BoolArray:
        """The candidate that the last round ended with: bool [N]."""
        return self._z > 0.5

    @property
    def bound(self) -> float:
        """Proven for every mask of the subtrees it has worked on and still holds."""
        tree = self._tree
        proven = [float(tree.levels[CUTOFF]), float(tree.levels[OPEN])]
        return min(proven + [float(tree.bound[depth]) for depth in self._unfinished()])

    @property
    def nodes(self) -> int:
        """Nodes visited."""
        return int(self._tree.counts[NODES])

    @property
    def pivots(self) -> int:
        """Pivots done."""
        return int(self._tree.counts[PIVOTS])

    def _unfinished(self) -> list[int]:
        """Depths, falling: of the node being worked on, and of those whose other child is still
        to come."""
        deepest = int(self._tree.counts[DEPTH])
        stage = self._tree.stage
        return [i for i in range(deepest, -1, -1) if i == deepest or stage[i] < 2]

    def plant(self, pool: Pool, rows: np.ndarray) -> None:
        """Work on all masks, from the dictionary of some rows (int64 [m], 2p + s)."""
        root = level(self._tree, 0)
        start(root, pool, rows[: root.basic.shape[0] // 2])
        self._tree.counts[DEPTH], self._tree.counts[FRESH] = 0, 1

    @property
    def spare(self) -> int | None:
        """Depth of the largest open subtree that it has not begun; None if there is none."""
        tree = self._tree
        waiting = reversed(self._unfinished()[1:])
        return next((i for i in waiting if tree.bound[i] < tree.levels[CUTOFF]), None)

    def take_over(self, donor: Branch, depth: int) -> None:
        """Work on an open subtree of another branch, its `spare` one."""
        source = donor._tree
        source.stage[depth] = 2
        descend(source, depth, self._tree, 0, 1 - source.side[depth])

    def advance(self, pool: Pool) -> int:
        """Search for one round: `tree.advance`."""
        return advance(self._tree, pool, self._z, self._log, self._budget)

    def lower_cutoff(self, cutoff: float) -> None:
        """Speak only of masks of error below `cutoff`."""
        self._tree.levels[CUTOFF] = cutoff

    def judged(self) -> None:
        """Go on from the candidate, now that the pool holds points where it errs."""
        found = self.mask.tobytes()
        # The same mask again: its points are known and do not settle it.
        self._tree.counts[GIVE_UP] = int(found == self._last)
        self._last = found

    def record(self, recording: Recording | None, units: np.ndarray) -> None:
        """Write down what was decided since the last time, or forget it."""
        if recording is not None:
            recording.read(self._log, units)
        self._log.used[:] = 0

    def close_path(self) -> None:
        """Decide the open nodes: leaves, each with the bound of its parent or its own."""
        for depth in self._unfinished():
            close(self._tree, depth, self._log)


def grow(count: int, width: int, closing: Closing) -> list[Branch]:
    """Idle trees over `width` units."""
    most_bytes = min(_TREE_BYTES, _ALL_BYTES // count)
    return [Branch(width, most_bytes, closing) for _ in range(count)]


def hand_out(branches: Sequence[Branch]) -> None:
    """Let every idle tree take over the largest open subtree there is."""
    for idle in branches:
        if not idle.idle:
            continue
        spares = [(branch.spare, k) for k, branch in enumerate(branches)]
        known = [(depth, k) for depth, k in spares if depth is not None]
        if known:
            depth, k = min(known)
            idle.take_over(branches[k], depth)
