"""Written proofs: the data that lets a stranger re-verify a bound without trusting its prover.

They are plain arrays with no logic of their own; docs/check.md states what each rule proves and
why. Nothing here is trusted: the checker re-evaluates every number exactly.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slth.errors import InvalidInput
from slth.network import FloatArray

# Fixed-point one of `ErrorProof.tau` and `ErrorProof.mix`: an entry t stands for t / ONE.
ONE = 1 << 30


@dataclass(frozen=True, eq=False)
class ErrorProof:
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
class RefutationProof:
    """Proof that every mask of one kind errs by at least `bound`: a tree of unit fixings.

    The tree is in preorder. A branching node names a hidden unit that one child keeps and the other
    child drops. A leaf carries signed multipliers on points of R^d: leaf l owns the
    entries start[l] .. start[l + 1] of `point` and `weight`. A proof without branching is the
    dual solution of one linear program over all masks.

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


class RefutationRecorder:
    """Collects a refutation tree while a search walks it in preorder, in a few bytes an entry."""

    def __init__(self) -> None:
        self._unit = array("i")
        self._start = array("q", [0])
        self._point = array("i")
        self._weight = array("d")

    def branch(self, unit: int, *, keep_first: bool = True) -> None:
        """Branch on `unit`; next comes the child that keeps it (or drops it), then the other."""
        self._unit.append(unit if keep_first else -2 - unit)

    def leaf(self, points: Iterable[int], weights: Iterable[float]) -> None:
        """Close the node with signed multipliers `weights` on the rows `points`."""
        self._unit.append(-1)
        self._point.extend(int(p) for p in points)
        self._weight.extend(float(w) for w in weights)
        self._start.append(len(self._point))

    def proof(self, points: FloatArray) -> RefutationProof:
        """The finished proof. points: float64 [points, d]."""
        return RefutationProof(
            points,
            np.array(self._unit, dtype=np.int32),
            np.array(self._start, dtype=np.int64),
            np.array(self._point, dtype=np.int32),
            np.array(self._weight, dtype=np.float64),
        )


def _freeze(proof: object, **fields: tuple[type[np.generic], int]) -> None:
    for name, (dtype, ndim) in fields.items():
        given = np.asarray(getattr(proof, name))
        _require(
            given.ndim == ndim and given.dtype == dtype,
            f"{name} of a proof is {given.dtype} with {given.ndim} axes",
            expected=f"{np.dtype(dtype).name} with {ndim} axes",
        )
        _require(bool(np.isfinite(given).all()), f"{name} of a proof is not finite")
        values = np.array(given, order="C")
        values.flags.writeable = False
        object.__setattr__(proof, name, values)


def _require(holds: bool, what: str, expected: str = "a well-formed proof") -> None:
    if not holds:
        raise InvalidInput(what, got="it", expected=expected, fix="Build it with its producer.")
