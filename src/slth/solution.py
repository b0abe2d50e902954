"""What an answer is: a status that says only what was proven, enclosures, solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import overload

import numpy as np

from slth.frozen import Rebuilt
from slth.network import BoolArray, FloatArray, Mask, ReLUNetwork
from slth.notebook import facts_html
from slth.proof import Refutation


class Status(StrEnum):
    """What was proven. A time limit or an interrupt never upgrades a status.

    Of an enclosure: CLOSED (upper - lower within the tolerance asked for) or OPEN.
    Of a search without eps: OPTIMAL (no mask of that kind has a smaller error than
    `error.upper`, within the tolerance) or FEASIBLE (the best ticket found).
    Of a search with eps: REACHED (this ticket's certified error is <= eps), REFUTED (every mask
    of that kind has an error > eps) or UNKNOWN.
    Of a search for the fewest units within eps: OPTIMAL (this ticket's certified error is <= eps
    and every mask of fewer units has an error > eps), FEASIBLE (its error is <= eps), REFUTED (no
    mask has an error <= eps) or UNKNOWN (none was found).
    """

    CLOSED = "closed"
    OPEN = "open"
    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    REACHED = "reached"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


class Stop(StrEnum):
    """Why a search stopped; it never decides a status.

    CLOSED: the question is answered. LIMIT: the time was up. INTERRUPTED: by Ctrl-C. SPENT: every
    searcher and prover had its turn.
    """

    CLOSED = "closed"
    LIMIT = "limit"
    INTERRUPTED = "interrupted"
    SPENT = "spent"


_MEANING = {
    Status.OPTIMAL: "no mask of that kind has a smaller error, within the tolerance",
    Status.FEASIBLE: "the best ticket found",
    Status.REACHED: "this ticket is within the eps asked for",
    Status.REFUTED: "every mask of that kind errs by more than the eps asked for",
    Status.UNKNOWN: "neither reached nor refuted within the limits",
}


@dataclass(frozen=True)
class Enclosure(Rebuilt):
    """Rigorous bounds lower <= sup_{||x|| <= R} |g(x) - f(x)| <= upper over the reals.

    Attributes:
        lower, upper: the bounds.
        witness: float64 [d], a point of the ball at which |g - f| >= lower; None where no point
            attains a positive lower bound.
        status: "closed" or "open".
        method: which algorithm produced it.
    """

    lower: float
    upper: float
    witness: FloatArray | None
    status: Status
    method: str

    @property
    def gap(self) -> float:
        """upper - lower."""
        return self.upper - self.lower

    def __repr__(self) -> str:
        return f"Enclosure({self.lower:.9g} <= error <= {self.upper:.9g}, {self.status})"

    def _repr_html_(self) -> str:
        facts = [
            ("proven", f"{self.lower:.9g} <= error <= {self.upper:.9g} ({self.status})"),
            ("method", self.method),
            ("lower bound attained at x =", _point(self.witness)),
        ]
        return facts_html("Enclosure of the uniform error", facts)


@dataclass(frozen=True, eq=False)
class Enclosures(Rebuilt, Sequence[Enclosure]):
    """A sequence of enclosures, as arrays over them.

    Attributes:
        lower, upper: float64 [B], rigorous bounds as in `Enclosure`.
        witness: float64 [B, d]; rows of NaN where no point attains a positive lower bound.
        closed: bool [B].
        method: which algorithm produced each, a tuple of B names.
    """

    lower: FloatArray
    upper: FloatArray
    witness: FloatArray
    closed: BoolArray
    method: tuple[str, ...]

    @property
    def gap(self) -> FloatArray:
        """upper - lower, float64 [B]."""
        return self.upper - self.lower

    def __len__(self) -> int:
        return len(self.method)

    @overload
    def __getitem__(self, index: int) -> Enclosure: ...

    @overload
    def __getitem__(self, index: slice) -> Enclosures: ...

    def __getitem__(self, index: int | slice) -> Enclosure | Enclosures:
        lower, upper, witness = self.lower[index], self.upper[index], self.witness[index]
        if isinstance(index, slice):
            return Enclosures(lower, upper, witness, self.closed[index], self.method[index])
        return Enclosure(
            float(lower),
            float(upper),
            None if np.isnan(witness[0]) else witness,
            Status.CLOSED if self.closed[index] else Status.OPEN,
            self.method[index],
        )

    def __repr__(self) -> str:
        if not len(self):
            return "Enclosures(none)"
        return (
            f"Enclosures({len(self):,}: {self.lower.min():.9g} <= errors <= "
            f"{self.upper.max():.9g}, {int(self.closed.sum()):,} closed)"
        )


@dataclass(frozen=True)
class Solution:
    """A ticket: a mask on a network, what its error is, and what no other mask can do.

    Attributes:
        mask: the ticket.
        error: enclosure of this ticket's uniform error, recomputed by the certifier.
        bound: proven lower bound on the error of EVERY ticket of that kind (0.0: nothing proven).
        status: see Status.
        pruned: the network without its dead units.
        stats: what was tried: times in seconds, nodes, the names of the winning searcher and
            prover; for reading, not for programs.
        refutation: written proof of `bound`, which `slth.check` verifies once it is in a ticket;
            None where none was asked for: the bound then rests on its prover.
        least_units: of a search for the fewest units: proven, every mask of error <= eps keeps at
            least that many (width + 1 if there is none). None of other searches.
        stopped: why the search stopped; None where the solution was read from a file.
    """

    mask: Mask
    error: Enclosure
    bound: float
    status: Status
    pruned: ReLUNetwork
    stats: Mapping[str, object] = field(default_factory=dict)
    refutation: Refutation | None = None
    least_units: int | None = None
    stopped: Stop | None = None

    def __repr__(self) -> str:
        return (
            f"Solution({self.status}: {self.mask!r}, error in [{self.error.lower:.6g}, "
            f"{self.error.upper:.6g}], every mask >= {self.bound:.6g})"
        )

    def _repr_html_(self) -> str:
        said = _MEANING.get(self.status, "")
        if self.least_units is not None:
            said = f"every mask within eps keeps at least {self.least_units:,} units"
        kept = f"{self.mask.kept_units:,} of {len(self.mask.output):,} units, "
        facts = [
            ("status", f"{self.status}: {said}" if said else self.status),
            ("this ticket", f"{self.error.lower:.9g} <= error <= {self.error.upper:.9g}"),
            ("every mask", f"error >= {self.bound:.9g}" if self.bound > 0 else "nothing proven"),
            ("kept", f"{kept}{self.mask.kept_weights:,} weights, {self.pruned.readout} readout"),
            *((name, _short(value)) for name, value in self.stats.items()),
        ]
        return facts_html("Ticket", facts)


def _short(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value


def _point(x: FloatArray | None) -> str:
    if x is None:
        return "no point"
    return np.array2string(x, precision=4, threshold=8, edgeitems=3, max_line_width=200)
