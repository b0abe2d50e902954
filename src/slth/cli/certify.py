"""`slth certify`: recompute a ticket's error, or enclose the difference of two networks."""

from __future__ import annotations

from pathlib import Path

from slth.certify import certify as enclose
from slth.cli.output import BoundsLine, announce_compilation, print_json, stdout
from slth.cli.source import read_network
from slth.network import Readout
from slth.ticket import Ticket


def certify(
    file: Path,
    target: Path | None = None,
    /,
    *,
    radius: float | None = None,
    readout: Readout = "linear",
    rtol: float = 1e-6,
    time_limit: float = 60.0,
    eps: float | None = None,
    json: bool = False,
) -> int:
    """Enclose the uniform error of a ticket file, or of a network against a target.

    Exit code 0: the claim holds (the ticket's claimed error, or --eps); 1: it does not, or could
    not be proven in time.

    Parameters
    ----------
    file
        A ticket file, or an .npz network (arrays hidden [width, d] and output [width]).
    target
        The target's .npz file when `file` is a network.
    radius
        Radius of the ball; a ticket file carries its own. Default 1.
    readout
        Readout of the .npz network.
    rtol
        Relative width of the enclosure at which the search stops.
    time_limit
        Seconds.
    eps
        The error to prove; by default a ticket's own claim.
    json
        Print one JSON object.
    """
    if target is None:
        ticket = Ticket.load(file)
        net, goal = ticket.masked, ticket.target
        radius = ticket.radius if radius is None else radius
        claim = ticket.error.upper if eps is None else eps
    else:
        net, goal, claim = read_network(file, readout), read_network(target, "linear"), eps
        radius = 1.0 if radius is None else radius
    announce_compilation()
    with BoundsLine() as report:
        enclosure = enclose(net, goal, radius, rtol, time_limit, report=report)
    holds = claim is None or enclosure.upper <= claim * (1 + rtol)
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
