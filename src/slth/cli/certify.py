"""`slth certify`: recompute a ticket's error, or enclose the difference of two networks."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

from slth.certify import certify as enclose
from slth.certify.enclose_domain import radius_around_zero
from slth.cli.models import read_model
from slth.cli.output import BoundsLine, announce_compilation, print_json, stdout
from slth.cli.outputs import require_writable
from slth.cli.proofs import pair_proof_in_words, require_provable, written_pair_proof
from slth.cli.where import Where, text_of
from slth.domain import Ball, Domain
from slth.embed import load
from slth.errors import InvalidInput
from slth.limits import Deadline, Report
from slth.pair_proof import PairClaim
from slth.pruning.weights.certified import confirmed
from slth.solution import Enclosure, Status
from slth.ticket import Ticket

_SHARPER = 1e-3
_EVERYWHERE = Where()


def certify(
    file: Path,
    target: Path | None = None,
    /,
    *,
    where: Where = _EVERYWHERE,
    rtol: float = 1e-6,
    time_limit: float = 60.0,
    eps: float | None = None,
    layers: str | None = None,
    target_layers: str | None = None,
    proof: Path | None = None,
    force: bool = False,
    json: bool = False,
) -> int:
    """Enclose the uniform error of a ticket file, or the difference of two networks.

    For a file of `slth embed` and the model it was made from, bound the error again. Several
    outputs: the largest difference of any. A last softmax or sigmoid: of its argument.

    Exit code 0: the claim holds (the ticket's claimed error, or --eps), or without a claim the
    work was done; 1: the claim is disproven or undecided; 2: bad usage or input.

    Parameters
    ----------
    file
        A ticket file, a network (.onnx, .safetensors, .npz, .nnet, .pt), or an .slt file of slth
        embed.
    target
        The network to compare with; the model when `file` is an .slt file.
    rtol
        Relative width of the enclosure at which the search stops.
    time_limit
        Seconds.
    eps
        The error to prove; by default a ticket's own claim.
    layers
        The architecture of `file` if it is a state of dense layers: 4,8,relu,3 or 4,relu,8,3.
    target_layers
        The same for `target`.
    proof
        Write a proof that the difference of two networks is at most --eps, for `slth check`; it has
        --time-limit again. Without one the exit code is 1.
    force
        Replace a file for --proof that slth did not write.
    json
        Print one JSON object.
    """
    if not os.path.exists(file):
        raise InvalidInput(
            "no such file",
            got=str(file),
            expected="a ticket, a network or an .slt file",
            fix="slth prune neurons --out FILE writes a ticket.",
        )
    if file.suffix == ".slt":
        _require_pair(proof)
        return _embedding(file, target, eps, target_layers, json)
    form, written = None, None
    require_writable(force, proof=proof)
    if target is None:
        _require_pair(proof)
        ticket = Ticket.load(file)
        net, goal = ticket.masked, ticket.target
        domains = where.domains(net.d, Ball(ticket.radius))
        claim = ticket.error.upper if eps is None else eps
        form = _confirmed(ticket, domains, claim)
    else:
        net, goal, claim = read_model(file, layers), read_model(target, target_layers), eps
        domains = where.domains(net.d, Ball())
        require_provable(proof, domains, "--eps" if eps is None else None)
    if form is not None:
        enclosure = form
    else:
        announce_compilation()
        enclosure = _searched(net, goal, domains, rtol, time_limit, claim, target is None)
    holds = _holds(enclosure, claim)
    witness = enclosure.witness
    if proof is not None and holds and claim is not None:
        facts = PairClaim(claim)
        written = written_pair_proof(proof, (net, goal), domains[0], facts, time_limit)
    result: dict[str, object] = {
        "status": str(enclosure.status),
        "lower": enclosure.lower,
        "upper": enclosure.upper,
        "method": enclosure.method,
        "witness": None if witness is None else witness.tolist(),
        "claim": claim,
        "holds": holds,
    }
    if proof is not None:
        result["proof"] = written
    if json:
        print_json(result)
    else:
        stdout.print(
            f"sup |net - target| over {text_of(domains)} is in "
            f"[{enclosure.lower!r}, {enclosure.upper!r}]: {enclosure.status} "
            f"({enclosure.method})",
            highlight=False,
        )
        if claim is not None:
            stdout.print(f"claimed error {claim!r}: {in_words(holds)}", highlight=False)
        if proof is not None:
            stdout.print(pair_proof_in_words(written), highlight=False, soft_wrap=True)
    done = proof is None or (written is not None and written["verified"])
    return 0 if (claim is None or holds) and done else 1


def _require_pair(proof: Path | None) -> None:
    if proof is not None:
        raise InvalidInput(
            "--proof of a ticket",
            got=str(proof),
            expected="two networks",
            fix="slth prune --proof writes tickets with proofs.",
        )


def _confirmed(ticket: Ticket, domains: list[Domain], claim: float) -> Enclosure | None:
    """What the closed form of weight tickets proves of the claim on a ball around 0."""
    radius = radius_around_zero(domains[0]) if len(domains) == 1 else None
    if ticket.kind != "weight" or radius is None:
        return None
    return confirmed(ticket.net, ticket.mask, ticket.target, radius, claim)


def _searched(
    net: object,
    goal: object,
    domains: list[Domain],
    rtol: float,
    time_limit: float,
    claim: float | None,
    of_ticket: bool,
) -> Enclosure:
    """What the certifier proves within the time."""
    with BoundsLine() as report:
        deadline = Deadline(time_limit)
        # Of a ticket the error itself is wanted, too.
        asked = None if of_ticket else claim
        enclosure = _enclosed(net, goal, domains, rtol, deadline, asked, report)
        if claim is not None and enclosure.lower <= claim < enclosure.upper and of_ticket:
            # Tickets state what a search like this one closed at: within rtol, on either side.
            sharper = _SHARPER * rtol
            again = _enclosed(net, goal, domains, sharper, deadline, claim, report)
            if _holds(again, claim) is None:
                again = _enclosed(net, goal, domains, sharper, deadline, None, report)
            enclosure = again
    return enclosure


def _enclosed(
    net: object,
    goal: object,
    domains: list[Domain],
    rtol: float,
    deadline: Deadline,
    claim: float | None,
    report: Report,
) -> Enclosure:
    """The largest over the domains, each with its share of what is left of the time."""
    found: Enclosure | None = None
    for place, domain in enumerate(domains):
        left = max(1e-3, deadline.remaining / (len(domains) - place))
        limit = left if math.isfinite(left) else None
        one = enclose(net, goal, 1.0, rtol, limit, domain=domain, eps=claim, report=report)
        found = one if found is None else _larger(found, one)
        if claim is not None and found.lower > claim:
            rest = domains[place + 1 :]
            return replace(found, upper=math.inf) if rest else found
    assert found is not None
    return found


def _larger(first: Enclosure, second: Enclosure) -> Enclosure:
    below = first if first.lower >= second.lower else second
    above = first if first.upper >= second.upper else second
    closed = first.status == second.status == Status.CLOSED
    status = Status.CLOSED if closed else Status.OPEN
    return Enclosure(below.lower, above.upper, below.witness, status, above.method)


def _holds(enclosure: Enclosure, claim: float | None) -> bool | None:
    """Whether the claim is proven, disproven, or (None) neither; None without a claim."""
    if claim is None:
        return None
    if enclosure.upper <= claim:
        return True
    return False if enclosure.lower > claim else None


def in_words(holds: bool | None) -> str:
    """The same for people."""
    return {True: "holds", False: "disproven", None: "NOT proven, nor disproven"}[holds]


def _embedding(
    file: Path, model: Path | None, eps: float | None, layers: str | None, json: bool
) -> int:
    """Bound the error of a file of slth embed against the model it states the SHA-256 of."""
    if model is None:
        raise InvalidInput(
            "no model to certify the embedding against",
            got=str(file),
            expected="the model it was made from",
            fix=f"slth certify {file} model.onnx",
        )
    embedding = load(file)
    upper = embedding.certify(read_model(model, layers))
    claim = embedding.error if eps is None else eps
    holds = True if upper <= claim else None
    if json:
        result: dict[str, object] = {
            "status": "closed" if holds else "open",
            "lower": 0.0,
            "upper": upper,
            "method": "layers",
            "witness": None,
            "claim": claim,
            "holds": holds,
        }
        print_json(result)
    else:
        stdout.print(
            f"error over {embedding.domain} at most {upper!r}\n"
            f"claimed error {claim!r}: {in_words(holds)}",
            highlight=False,
        )
    return 0 if holds else 1
