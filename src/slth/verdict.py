"""What a checker says: the outcome of every claim of a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from slth.exact import TooLarge
from slth.notebook import facts_html


class Outcome(StrEnum):
    """What the checker found out about one claim."""

    VERIFIED = "verified"
    REFUSED = "refused"
    NOT_COVERED = "not covered"


@dataclass(frozen=True)
class Claim:
    """One claim of a file and its outcome.

    Attributes:
        name: "mask", "upper", "lower", "bound" or "status" of a ticket; "networks" and "error" or
            "labels" of a proof about two networks.
        statement: the claim in words.
        outcome: see Outcome.
        reason: how it was verified; where and why it was refused; what is missing.
    """

    name: str
    statement: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of every claim. True iff the main one is verified and nothing is refused.

    Attributes:
        claims: all claims.
        main: the name of the main one.
    """

    claims: tuple[Claim, ...]
    main: str = "upper"

    def __bool__(self) -> bool:
        return self[self.main].outcome is Outcome.VERIFIED and self.outcome is not Outcome.REFUSED

    def __getitem__(self, name: str) -> Claim:
        return next(claim for claim in self.claims if claim.name == name)

    @property
    def outcome(self) -> Outcome:
        """REFUSED if a claim is; else NOT_COVERED if a claim is; else VERIFIED."""
        outcomes = {claim.outcome for claim in self.claims}
        for outcome in (Outcome.REFUSED, Outcome.NOT_COVERED):
            if outcome in outcomes:
                return outcome
        return Outcome.VERIFIED

    def __str__(self) -> str:
        return "\n".join(f"{c.outcome}: {c.statement} ({c.reason})" for c in self.claims)

    def _repr_html_(self) -> str:
        facts = [(str(c.outcome), f"{c.statement} ({c.reason})") for c in self.claims]
        return facts_html(f"Verdict: {self.outcome}", facts)


class Refused(Exception):
    """The claim is false, or the proof given for it is."""


class NotCovered(Exception):
    """Nothing in the file proves the claim."""


def judged(name: str, statement: str, rule: Callable[..., str], *arguments: object) -> Claim:
    """The outcome of a rule, which returns how the claim was verified or raises."""
    try:
        return Claim(name, statement, Outcome.VERIFIED, rule(*arguments))
    except Refused as why:
        return Claim(name, statement, Outcome.REFUSED, str(why))
    except (NotCovered, TooLarge) as why:
        return Claim(name, statement, Outcome.NOT_COVERED, str(why))
