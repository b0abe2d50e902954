"""`slth check`: verify a ticket file again with the independent exact checker."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from slth.check import check as verify
from slth.cli.models import read_model
from slth.cli.output import print_json, stdout
from slth.verdict import Outcome, Verdict

_STYLES = {
    Outcome.VERIFIED: "green",
    Outcome.REFUSED: "red",
    Outcome.NOT_COVERED: "yellow",
}


def check(
    file: Path,
    net: Path | None = None,
    target: Path | None = None,
    /,
    *,
    layers: str | None = None,
    target_layers: str | None = None,
    json: bool = False,
) -> int:
    """Re-verify everything a ticket file claims, in exact arithmetic.

    With two networks: a proof about them, written by slth certify or slth agree with --proof, in
    floats rounded outward.

    Each claim is "verified", "refused" (with where and why) or "not covered" (the file carries no
    proof of it, so it rests on the solver's word). Exit code 0: the ticket's error claim, or the
    proof's, is verified; 1: it is refused or not covered; 2: a file is missing or damaged.

    Parameters
    ----------
    file
        A ticket file, or a proof about two networks.
    net
        The first network that the proof is about.
    target
        The second one.
    layers
        The architecture of NET if it is a state of dense layers: 4,8,relu,3 or 4,relu,8,3.
    target_layers
        The same for TARGET.
    json
        Print one JSON object.
    """
    if net is None:
        verdict = verify(file)
    else:
        second = None if target is None else read_model(target, target_layers)
        verdict = verify(file, read_model(net, layers), second)
    if json:
        print_json(verdict_as_json(verdict))
    else:
        table = Table(title=str(file))
        for heading in ("claim", "outcome", "how, or why not"):
            table.add_column(heading)
        for claim in verdict.claims:
            outcome = f"[{_STYLES[claim.outcome]}]{claim.outcome}[/]"
            table.add_row(claim.statement, outcome, claim.reason)
        stdout.print(table)
    return 0 if verdict else 1


def verdict_as_json(verdict: Verdict) -> dict[str, object]:
    """The outcome, of every claim and in all."""
    claims = [
        {
            "name": claim.name,
            "statement": claim.statement,
            "outcome": str(claim.outcome),
            "reason": claim.reason,
        }
        for claim in verdict.claims
    ]
    return {"verified": bool(verdict), "outcome": str(verdict.outcome), "claims": claims}
