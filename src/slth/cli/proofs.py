"""Ticket files with proofs, and what the checker says of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from slth.certify.prove.error import loosened, prove_error
from slth.check import Outcome, Verdict
from slth.cli.check import verdict_as_json
from slth.cli.output import stderr
from slth.network import ReLUNetwork
from slth.solution import Solution
from slth.ticket import Source, Ticket

# How long the proof of the error may take; without it the checker says so.
_PROOF_SECONDS = 30.0


def proven_ticket(
    solution: Solution,
    net: ReLUNetwork,
    target: ReLUNetwork,
    radius: float,
    eps: float | None,
    drawn: Source | None,
) -> Ticket:
    """The ticket of a solution, with the proof of its error that the checker needs for d >= 3.

    The stated upper bound may be raised by a millionth: a proof in floats cannot follow closer.
    """
    proof = None
    if target.d > 2:
        error = loosened(solution.error, at_most=math.inf if eps is None else eps)
        if error.upper > 0.0:
            with stderr.status("proving the error for the checker"):
                proof = prove_error(
                    solution.pruned, target, error.upper, radius=radius, time_limit=_PROOF_SECONDS
                )
        if proof is not None:
            solution = replace(solution, error=error)
    return Ticket.from_solution(
        solution, net, target, radius=radius, eps=eps, source=drawn, error_proof=proof
    )


def proof_as_json(path: Path, size: int, verdict: Verdict) -> dict[str, object]:
    """The file, its bytes, and the outcome of every claim."""
    return {"file": str(path), "bytes": size, **verdict_as_json(verdict)}


def proof_in_words(size: int, verdict: Verdict) -> str:
    """ "verified", or the claims that are not, and why."""
    if verdict.outcome is Outcome.VERIFIED:
        return f"verified: {verdict['bound'].reason}, {size:,} bytes"
    rest = [claim for claim in verdict.claims if claim.outcome is not Outcome.VERIFIED]
    return f"{size:,} bytes\n" + "\n".join(
        f"{claim.outcome}: {claim.statement} ({claim.reason})" for claim in rest
    )
