"""One line of the audit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """HOLDS: the statement, and its proof as far as it was computed. TRUE, OPEN: the paper's proof
    does not give it; it holds all the same, or whether it does is not known here. FALSE: the
    statement is refuted."""

    HOLDS = "holds"
    TRUE = "proof fails, statement true"
    OPEN = "proof fails, statement open"
    FALSE = "false"


@dataclass(frozen=True)
class AuditLine:
    """What was checked and what came out.

    Attributes:
        statement: which step of the paper's proof.
        compared: what was set against what, with its parameters.
        verdict: see Finding.
        amount: by how much, in numbers.
        repair: what holds instead, "" where nothing needs repair.
        sound: the statement, or its repair, passed its check in this run.
    """

    statement: str
    compared: str
    verdict: Finding
    amount: str
    repair: str
    sound: bool

    def as_row(self) -> dict[str, object]:
        """The fields as plain JSON values."""
        return {
            "statement": self.statement,
            "compared": self.compared,
            "verdict": str(self.verdict),
            "amount": self.amount,
            "repair": self.repair,
            "sound": bool(self.sound),
        }
