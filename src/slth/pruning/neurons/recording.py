"""Writing down why no mask errs less: what the provers found, as a tree that the checker reads.

Units that screening drops are branches whose kept side closes at once, by the multipliers that
dropped them. On their dropped side the survivors follow: one leaf, or the tree of the search.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from slth.network import FloatArray
from slth.proof import RefutationProof, RefutationRecorder, ZonalProof
from slth.pruning.neurons.dual import Certificate
from slth.pruning.neurons.tree_log import Log
from slth.pruning.neurons.zonal.screening import ZonalBound

# Multiplications that a proof may cost its checker, which goes over all units at every multiplier.
_MOST_WORK = 150_000_000

# Share of a zonal bound that is claimed in writing: the checker's own enclosures are coarser by
# a few thousandths of the bound.
_WRITTEN = 0.99

Drops = Iterable[tuple[int, Certificate]]


class Recording:
    """One proof being written, over the masks of `width` units."""

    def __init__(self, width: int, drops: Drops = ()) -> None:
        """drops: units in the order in which they were screened out, each with its reason."""
        self._width = width
        self._recorder = RefutationRecorder()
        self._points: list[FloatArray] = []
        self._count = 0
        for unit, certificate in drops:
            self._recorder.branch(unit)
            self.leaf(certificate)

    @property
    def full(self) -> bool:
        """Whether more would be more than the checker takes."""
        return (self._recorder.nodes + self._recorder.entries) * self._width > _MOST_WORK

    def leaf(self, certificate: Certificate) -> None:
        """Close a node."""
        certificate = certificate.support()
        count = len(certificate.points)
        weights = certificate.multipliers * certificate.signs
        self._recorder.leaf(range(self._count, self._count + count), weights)
        self._points.append(certificate.points)
        self._count += count

    def read(self, log: Log, units: np.ndarray) -> None:
        """Take over what a tree search over `units` (int64 [n]) logged, and empty the log.

        Its rows speak of points that `proof` is given; no `leaf` may follow.
        """
        nodes, entries = log.used
        code, size = log.code[:nodes], log.size[:nodes]
        branch = code != -1
        drop_first = code < 0
        unit = np.where(drop_first, -2 - code, code)[branch]
        named = np.full(nodes, -1, np.int64)
        named[branch] = np.where(drop_first[branch], -2 - units[unit], units[unit])
        row = log.row[:entries]
        weights = np.where(row & 1, -log.weight[:entries], log.weight[:entries])
        self._recorder.extend(named, size[~branch], self._count + (row >> 1), weights)
        log.used[:] = 0

    def proof(self, points: FloatArray | None = None) -> RefutationProof:
        """The finished proof. points: float64 [P, d], of the rows that were read."""
        parts = self._points if points is None else [*self._points, points]
        return self._recorder.proof(np.concatenate(parts))


def one_leaf(width: int, certificate: Certificate, drops: Drops = ()) -> RefutationProof:
    """The proof whose tree has no branches but those of `drops`."""
    recording = Recording(width, drops)
    recording.leaf(certificate)
    return recording.proof()


def zonal_proof(found: ZonalBound) -> tuple[float, ZonalProof | None]:
    """What is written down of a zonal bound, a little less than it, and the proof."""
    if found.last is None:
        return 0.0, None
    steps = [*found.drops, found.last]
    guesses = list(dict.fromkeys(step.guess for step in steps))
    sizes = [len(guess.places) for guess in guesses]
    proof = ZonalProof(
        unit=np.array([step.unit for step in steps], np.int32),
        measure=np.array([guesses.index(step.guess) for step in steps], np.int32),
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        latitude=np.concatenate([guess.places for guess in guesses]),
        weight=np.concatenate([guess.multipliers for guess in guesses]),
    )
    return _WRITTEN * found.value, proof
