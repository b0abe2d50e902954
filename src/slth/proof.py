"""Written proofs: the data that lets a stranger re-verify a bound without trusting its prover.

They are plain arrays with no logic of their own; docs/check.md states what each rule proves and
why. Nothing here is trusted: the checker re-evaluates every number exactly.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slth.errors import InvalidInput
from slth.frozen import Rebuilt
from slth.network import FloatArray

# Fixed-point one of `ErrorProof.tau` and `ErrorProof.mix`: an entry t stands for t / ONE.
ONE = 1 << 30
# A ticket is optimal when the proven bound reaches its proven error up to this fraction of it.
OPTIMAL_WITHIN = 1e-5
# Bytes of a column that a recorder holds in memory before it writes them to a temporary file.
_HELD_BYTES = 1 << 22


@dataclass(frozen=True, eq=False)
class ErrorProof(Rebuilt):
    """Cone proof that sup_{||x|| <= R} |g(x) - f(x)| <= upper: trees of simplicial cones.

    For each proof obligation (docs/check.md lists them in order) and each of the 2^d orthants,
    one binary tree in preorder. A split replaces generators v_i, v_j of a cone by the new
    generator p v_i + q v_j: first child without v_i, second child without v_j. A leaf carries the
    multipliers that bound the difference on its cone.

    Attributes:
        split: uint16 [nodes, 4], rows (i, j, p, q) with i != j and p, q >= 1, or (0, 0, 0, 0)
            at a leaf.
        tau: uint32 [leaves, units of net + units of target], in [0, ONE].
        mix: uint32 [leaves], in [0, ONE].
        slope: float64 [leaves, d].
    """

    split: NDArray[np.uint16]
    tau: NDArray[np.uint32]
    mix: NDArray[np.uint32]
    slope: FloatArray

    def __post_init__(self) -> None:
        _freeze(self, split=(np.uint16, 2), tau=(np.uint32, 2), mix=(np.uint32, 1))
        _freeze(self, slope=(np.float64, 2))
        leaves = self.mix.shape[0]
        _require(
            self.split.shape[1] == 4
            and self.tau.shape[0] == leaves == self.slope.shape[0]
            and leaves == int((self.split[:, 2] == 0).sum()),
            "cone proof with shapes that do not fit each other",
        )


@dataclass(frozen=True, eq=False)
class RefutationProof(Rebuilt):
    """Proof that every mask of one kind errs by at least `bound`: a tree of unit fixings.

    The tree is in preorder. A branching node names a hidden unit that one child keeps and the other
    child drops. A leaf carries signed multipliers on points of R^d: leaf l owns the
    entries start[l] .. start[l + 1] of `point` and `weight`; a leaf without entries has the
    multipliers of the leaf before it. A proof without branching is the dual solution of one
    linear program over all masks.

    Attributes:
        points: float64 [points, d], of any norm (the checker scales them to the sphere).
        unit: int32 [nodes]: -1 at a leaf; i >= 0 where the first child keeps unit i and the second
            drops it; -2 - i where the first child drops unit i and the second keeps it.
        start: int64 [leaves + 1].
        point: int32 [entries], rows of `points`.
        weight: float64 [entries]; the sign says which side of the error the point bounds:
            weight > 0 uses g(x) - f(x), weight < 0 uses f(x) - g(x).
    """

    points: FloatArray
    unit: NDArray[np.int32]
    start: NDArray[np.int64]
    point: NDArray[np.int32]
    weight: FloatArray

    def __post_init__(self) -> None:
        _freeze(self, points=(np.float64, 2), unit=(np.int32, 1), start=(np.int64, 1))
        _freeze(self, point=(np.int32, 1), weight=(np.float64, 1))
        entries, start = self.point.shape[0], self.start
        _require(
            start.shape[0] == int((self.unit == -1).sum()) + 1
            and self.weight.shape[0] == entries
            and start[0] == 0
            and start[-1] == entries
            and bool((np.diff(start) >= 0).all()),
            "refutation with shapes that do not fit each other",
        )
        _require(
            entries == 0 or 0 <= self.point.min() <= self.point.max() < self.points.shape[0],
            "refutation that names a point it does not hold",
        )

    @property
    def leaves(self) -> int:
        """Number of leaves of the tree."""
        return self.start.shape[0] - 1


@dataclass(frozen=True, eq=False)
class ZonalProof(Rebuilt):
    """Proof that every neuron mask errs by at least `bound`, by measures that are spread evenly
    over spheres of latitude about an axis: for wide networks, d >= 3, the linear readout.

    Every step but the last says of one unit that no mask of a smaller error keeps it, by a measure
    about its own direction; the last speaks of the masks without those, by one about the target.

    Attributes:
        unit: int32 [steps]: the unit about which a step's measure lies, -1 for the target.
        measure: int32 [steps]: which measure.
        start: int64 [measures + 1]: measure m owns the entries start[m] .. start[m + 1].
        latitude: float64 [entries] in [0, 1).
        weight: float64 [entries], signed.
    """

    unit: NDArray[np.int32]
    measure: NDArray[np.int32]
    start: NDArray[np.int64]
    latitude: FloatArray
    weight: FloatArray

    def __post_init__(self) -> None:
        _freeze(self, unit=(np.int32, 1), measure=(np.int32, 1), start=(np.int64, 1))
        _freeze(self, latitude=(np.float64, 1), weight=(np.float64, 1))
        start, entries = self.start, self.latitude.shape[0]
        _require(
            self.weight.shape[0] == entries
            and self.measure.shape == self.unit.shape
            and start.shape[0] > 1
            and start[0] == 0
            and start[-1] == entries
            and bool((np.diff(start) > 0).all()),
            "zonal proof with shapes that do not fit each other",
        )
        _require(
            self.unit.shape[0] > 0
            and self.unit[-1] == -1
            and bool((self.unit[:-1] >= 0).all())
            and 0 <= self.measure.min() <= self.measure.max() < start.shape[0] - 1
            and 0.0 <= self.latitude.min() <= self.latitude.max() < 1.0,
            "zonal proof that names what it does not hold",
        )

    @property
    def leaves(self) -> int:
        """Number of steps."""
        return self.unit.shape[0]


Refutation = RefutationProof | ZonalProof


class RefutationRecorder:
    """Collects a refutation tree while a search walks it in preorder.

    Memory is bounded: long columns lie in temporary files, which the finished proof maps.
    """

    def __init__(self) -> None:
        self._unit = Spool(np.dtype(np.int32))
        self._start = Spool(np.dtype(np.int64))
        self._point = Spool(np.dtype(np.int32))
        self._weight = Spool(np.dtype(np.float64))
        self._start.extend([0])

    @property
    def nodes(self) -> int:
        """Nodes so far."""
        return self._unit.count

    @property
    def entries(self) -> int:
        """Multipliers so far."""
        return self._weight.count

    def branch(self, unit: int, *, keep_first: bool = True) -> None:
        """Branch on `unit`; next comes the child that keeps it (or drops it), then the other."""
        self._unit.extend([unit if keep_first else -2 - unit])

    def leaf(self, points: Iterable[int], weights: Iterable[float]) -> None:
        """Close the node with signed multipliers `weights` on the rows `points`.

        Without any the multipliers of the leaf before hold here too.
        """
        points = list(points)
        self.extend([-1], [len(points)], points, list(weights))

    def extend(
        self, unit: ArrayLike, sizes: ArrayLike, points: ArrayLike, weights: ArrayLike
    ) -> None:
        """Many nodes at once: `unit` as in RefutationProof, and for its leaves in order the
        numbers of their multipliers, and these."""
        self._unit.extend(unit)
        self._start.extend(self.entries + np.cumsum(sizes, dtype=np.int64))
        self._point.extend(points)
        self._weight.extend(weights)

    def proof(self, points: FloatArray) -> RefutationProof:
        """The finished proof. points: float64 [points, d]; those that no leaf names are left out.

        The recorder is not to be used any more.
        """
        unit, start, point, weight = (
            column.finished() for column in (self._unit, self._start, self._point, self._weight)
        )
        used = np.zeros(len(points), dtype=bool)
        used[point] = True
        renumbered = (np.cumsum(used, dtype=np.int32) - 1)[point]
        return RefutationProof(points[used], unit, start, renumbered, weight)


class Spool:
    """Numbers of one type, appended; all but the last lie in a temporary file."""

    def __init__(self, dtype: np.dtype) -> None:
        self.count = 0
        self._dtype = dtype
        self._held = bytearray()
        self._file: IO[bytes] | None = None

    def extend(self, values: ArrayLike) -> None:
        numbers = np.asarray(values, dtype=self._dtype)
        self.count += numbers.size
        self._held += numbers.tobytes()
        if len(self._held) > _HELD_BYTES:
            self._spill()

    def finished(self) -> np.ndarray:
        """All of them, read-only."""
        if self._file is None:
            return np.frombuffer(bytes(self._held), self._dtype)
        self._spill()
        return np.memmap(self._file, self._dtype, mode="r")

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the column)
            weakref.finalize(self, self._file.close)
        self._file.write(self._held)
        self._file.flush()
        self._held.clear()


def _freeze(proof: object, **fields: tuple[type[np.generic], int]) -> None:
    for name, (dtype, ndim) in fields.items():
        given = np.asarray(getattr(proof, name))
        _require(
            given.ndim == ndim and given.dtype == dtype,
            f"{name} of a proof is {given.dtype} with {given.ndim} axes",
            expected=f"{np.dtype(dtype).name} with {ndim} axes",
        )
        _require(bool(np.isfinite(given).all()), f"{name} of a proof is not finite")
        values = np.ascontiguousarray(given)
        if values.flags.writeable:
            values = values.copy()
            values.flags.writeable = False
        object.__setattr__(proof, name, values)


def _require(holds: bool, what: str, expected: str = "a well-formed proof") -> None:
    if not holds:
        raise InvalidInput(what, got="it", expected=expected, fix="Build it with its producer.")
