"""What a theorem with numbers is: a value, what it rests on, where it comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from numbers import Real

from slth.errors import InvalidInput, require_count, require_positive

PAPER = "Ferré et al., Structured vs. Unstructured Pruning, arXiv 2603.02234 v2"


class Evidence(StrEnum):
    """PROVEN: a theorem under the assumptions listed. CONDITIONAL: the assumptions include a step
    that is not proven (or is false); the number is what the argument would give. SKETCHED: an
    argument not written out in full. MEASURED: an observation on random draws. CONJECTURED: stated
    by its authors without proof, or extrapolated."""

    PROVEN = "proven"
    CONDITIONAL = "conditional"
    SKETCHED = "sketched"
    MEASURED = "measured"
    CONJECTURED = "conjectured"


@dataclass(frozen=True)
class Statement:
    """One statement with its number.

    Attributes:
        name: which statement.
        value: the number, rounded to the safe side when `status` is "proven".
        meaning: what the number bounds.
        status: see Evidence.
        vacuous: the statement says nothing at these parameters (a width bound below 1, a
            probability bound of 1 or more).
        assumptions: everything the statement needs.
        source: paper, version, lemma or equation; "this package" where the proof is ours.
        constants: the free constants chosen and the intermediate values.
    """

    name: str
    value: float | int
    meaning: str
    status: Evidence
    vacuous: bool
    assumptions: tuple[str, ...]
    source: str
    constants: Mapping[str, float] = field(default_factory=dict)

    def as_row(self) -> dict[str, object]:
        """The fields as plain JSON values."""
        return {
            "name": self.name,
            "value": plain_number(self.value),
            "meaning": self.meaning,
            "status": str(self.status),
            "vacuous": self.vacuous,
            "assumptions": list(self.assumptions),
            "source": self.source,
            "constants": dict(self.constants),
        }


def plain_number(value: float | int) -> float | int | str:
    """A number JSON readers can hold; widths beyond 1e300 become "10^1234", rounded down."""
    if isinstance(value, int) and value >= 10**300:
        return f"10^{math.floor(math.log10(value))}"
    return value if math.isfinite(value) else str(value)


def require_dimension(d: object) -> int:
    """Return d >= 2; for d = 1 say what the theorem says about it."""
    if isinstance(d, int) and not isinstance(d, bool) and d == 1:
        raise InvalidInput(
            "Theorem 1 needs d >= 2",
            got="d = 1",
            expected="d >= 2",
            fix="For d = 1 removing a unit is removing its one weight: neuron pruning is weight "
            "pruning there, so use subset_sum_width instead.",
        )
    return require_count("d", d, least=2)


def require_radius(radius: object) -> float:
    """Return a radius >= 2, as Theorem 1 assumes."""
    value = require_positive("radius", radius)
    if value < 2.0:
        raise InvalidInput(
            "Theorem 1 needs radius >= 2",
            got=f"radius = {value!r}",
            expected="radius >= 2",
            fix="Errors are homogeneous: eps at radius r is 2 eps / r at radius 2.",
        )
    return value


def require_open_unit(name: str, value: object) -> float:
    """Return a number strictly between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < float(value) < 1.0:
        raise InvalidInput(
            f"{name} out of range",
            got=repr(value),
            expected=f"0 < {name} < 1",
            fix=f"Pass {name}=0.05.",
        )
    return float(value)
