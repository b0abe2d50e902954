"""Files with proofs, and what the checker says of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from slth.certify.prove.error import loosened, prove_error
from slth.certify.prove.pair import prove_pair
from slth.check import check
from slth.cli.check import verdict_as_json
from slth.cli.output import BoundsLine, stderr
from slth.deep import DeepNetwork
from slth.domain import Domain
from slth.errors import InvalidInput
from slth.limits import Deadline
from slth.network import ReLUNetwork
from slth.pair_proof import PairClaim
from slth.solution import Solution
from slth.ticket import Source, Ticket
from slth.verdict import Outcome, Verdict

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


def require_provable(path: Path | None, domains: list[Domain], claim: str | None) -> None:
    """Raise InvalidInput where --proof has nothing that it could prove; claim: the option that
    says what is claimed, None if it was given."""
    if path is not None and (claim is not None or len(domains) != 1):
        raise InvalidInput(
            "--proof without one claim on one domain",
            got=f"{len(domains)} boxes" if claim is None else f"no {claim}",
            expected="a claim on one domain",
            fix="Write one proof a box." if claim is None else f"Pass {claim}, too.",
        )


def written_pair_proof(
    path: Path,
    networks: tuple[ReLUNetwork | DeepNetwork, ReLUNetwork | DeepNetwork],
    domain: Domain,
    claim: PairClaim,
    time_limit: float,
) -> dict[str, object] | None:
    """Write a proof about two networks, checked at once: its facts as JSON; None if none was found
    within the time."""
    with BoundsLine() as report:
        proof = prove_pair(*networks, domain, claim, Deadline(time_limit), report)
    if proof is None:
        return None
    with stderr.status("checking the proof"):
        verdict = check(proof, *networks)
    proof.save(path)
    return proof_as_json(path, path.stat().st_size, verdict)


def pair_proof_in_words(facts: dict[str, object] | None) -> str:
    """The same for people."""
    if facts is None:
        return "no proof was written: there was none within the time and size"
    return f"proof {facts['outcome']}: {facts['bytes']:,} bytes in {facts['file']}"


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
