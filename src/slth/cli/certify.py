"""`slth certify`: recompute a ticket's error, or enclose the difference of two networks."""

from __future__ import annotations

from pathlib import Path

from slth.certify import certify as enclose
from slth.cli.output import BoundsLine, announce_compilation, print_json, stdout
from slth.doors import read_network
from slth.embed import load
from slth.errors import InvalidInput
from slth.limits import Deadline
from slth.ticket import Ticket

_SHARPER = 1e-3


def certify(
    file: Path,
    target: Path | None = None,
    /,
    *,
    radius: float | None = None,
    rtol: float = 1e-6,
    time_limit: float = 60.0,
    eps: float | None = None,
    json: bool = False,
) -> int:
    """Enclose the uniform error of a ticket file, or of a network against a target.

    For a file of `slth embed` and the model it was made from, bound the error again.

    Exit code 0: the claim holds (the ticket's claimed error, or --eps); 1: it does not, or could
    not be proven in time.

    Parameters
    ----------
    file
        A ticket file, a network file (.npz), or an .slt file of slth embed.
    target
        The target's .npz file when `file` is a network; the model when it is an .slt file.
    radius
        Radius of the ball; a ticket file carries its own. Default 1.
    rtol
        Relative width of the enclosure at which the search stops.
    time_limit
        Seconds.
    eps
        The error to prove; by default a ticket's own claim.
    json
        Print one JSON object.
    """
    if not file.exists():
        raise InvalidInput(
            "no such file",
            got=str(file),
            expected="a ticket, an .npz network or an .slt file",
            fix="slth prune neurons --out FILE writes a ticket.",
        )
    if file.suffix == ".slt":
        return _embedding(file, target, eps, json)
    if target is None:
        ticket = Ticket.load(file)
        net, goal = ticket.masked, ticket.target
        radius = ticket.radius if radius is None else radius
        claim = ticket.error.upper if eps is None else eps
    else:
        net, goal, claim = read_network(file), read_network(target), eps
        radius = 1.0 if radius is None else radius
    announce_compilation()
    with BoundsLine() as report:
        deadline = Deadline(time_limit)
        enclosure = enclose(net, goal, radius, rtol, time_limit, report=report)
        if claim is not None and enclosure.lower <= claim < enclosure.upper:
            # Tickets state what a search like this one closed at: within rtol, on either side.
            left = max(0.1, deadline.remaining)
            again = enclose(net, goal, radius, _SHARPER * rtol, left, eps=claim, report=report)
            enclosure = again if again.upper < enclosure.upper else enclosure
    holds = claim is None or enclosure.upper <= claim
    witness = enclosure.witness
    result: dict[str, object] = {
        "lower": enclosure.lower,
        "upper": enclosure.upper,
        "status": str(enclosure.status),
        "method": enclosure.method,
        "witness": None if witness is None else witness.tolist(),
        "claim": claim,
        "holds": holds,
    }
    if json:
        print_json(result)
    else:
        stdout.print(
            f"sup |net - target| over the ball of radius {radius:g} is in "
            f"[{enclosure.lower!r}, {enclosure.upper!r}]: {enclosure.status} "
            f"({enclosure.method})",
            highlight=False,
        )
        if claim is not None:
            stdout.print(f"claimed error {claim!r}: {'holds' if holds else 'NOT proven'}")
    return 0 if holds else 1


def _embedding(file: Path, model: Path | None, eps: float | None, json: bool) -> int:
    """Bound the error of a file of slth embed against the model it states the SHA-256 of."""
    if model is None:
        raise InvalidInput(
            "no model to certify the embedding against",
            got=str(file),
            expected="the .npz or .pt file it was made from",
            fix=f"slth certify {file} model.npz",
        )
    embedding = load(file)
    upper = embedding.certify(read_network(model))
    claim = embedding.error if eps is None else eps
    holds = upper <= claim
    if json:
        print_json({"upper": upper, "claim": claim, "holds": holds})
    else:
        stdout.print(
            f"error over {embedding.domain} at most {upper!r}\n"
            f"claimed error {claim!r}: {'holds' if holds else 'NOT proven'}",
            highlight=False,
        )
    return 0 if holds else 1
