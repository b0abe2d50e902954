"""One line of the audit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """HOLDS as written; CAVEAT: holds under a condition the paper does not state, or with another
    constant; FAILS as written."""

    HOLDS = "holds"
    CAVEAT = "holds with a caveat"
    FAILS = "fails"


@dataclass(frozen=True)
class AuditLine:
    """What was checked and what came out.

    Attributes:
        statement: which step of the paper's proof.
        computed: what was computed, with its parameters.
        verdict: see Finding.
        amount: by how much, in numbers.
        repair: what holds instead, "" where nothing needs repair.
        sound: the statement, or its repair, passed its check in this run.
    """

    statement: str
    computed: str
    verdict: Finding
    amount: str
    repair: str
    sound: bool

    def as_row(self) -> dict[str, object]:
        """The fields as plain JSON values."""
        return {
            "statement": self.statement,
            "computed": self.computed,
            "verdict": str(self.verdict),
            "amount": self.amount,
            "repair": self.repair,
            "sound": bool(self.sound),
        }
