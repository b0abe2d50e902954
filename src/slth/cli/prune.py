"""`slth prune neurons|weights`: find the best ticket, or decide whether one exists."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cyclopts
from rich.table import Table

from slth.certify.proof import loosened, prove_error
from slth.cli.output import BoundsLine, announce_compilation, print_json, stderr, stdout
from slth.cli.source import Source
from slth.errors import InvalidInput
from slth.network import ReLUNetwork
from slth.neurons import prune_neurons
from slth.neurons.contenders import contend
from slth.proof import ErrorProof
from slth.solution import Solution, Status
from slth.ticket import Ticket
from slth.weights import prune_weights

app = cyclopts.App(name="prune", help="Find, certify and refute tickets of one network.")

_DEFAULT_SOURCE = Source()
# How long the proof that goes into a ticket file may take; without it the checker says so.
_PROOF_SECONDS = 30.0


@app.command
def neurons(
    source: Source = _DEFAULT_SOURCE,
    *,
    eps: float | None = None,
    radius: float = 1.0,
    time_limit: float = 60.0,
    search_seed: int = 0,
    strategy: str | None = None,
    out: Path | None = None,
    json: bool = False,
) -> int:
    """Keep whole hidden units: the subset with the smallest uniform error.

    Without --eps: the best ticket found, its certified error, and a bound below which no subset
    can go ("optimal" when they meet). With --eps: "reached" (a certified ticket), "refuted" (a
    proof that every subset errs by more than eps) or "unknown". Ctrl-C returns the best so far.

    Parameters
    ----------
    eps
        Decide whether a ticket with uniform error <= eps exists.
    radius
        Radius of the ball over which the error is measured.
    time_limit
        Seconds.
    search_seed
        Seed of the search.
    strategy
        Choose the units by one rule of thumb instead: single, magnitude, forward, backward,
        relevance, popup or rounding. The ticket is certified; nothing is proven of others.
    out
        Ticket file to write.
    json
        Print one JSON object.
    """
    verb = prune_neurons if strategy is None else partial(contend, strategy=strategy)
    return _prune(verb, "neurons", source, eps, radius, time_limit, search_seed, out, json)


@app.command
def weights(
    source: Source = _DEFAULT_SOURCE,
    *,
    eps: float | None = None,
    radius: float = 1.0,
    time_limit: float = 60.0,
    search_seed: int = 0,
    out: Path | None = None,
    json: bool = False,
) -> int:
    """Mask single weights, incoming and outgoing: the mask with the smallest uniform error.

    With --readout relu the tickets are built from random subset sums and certified in closed form;
    widths of order d log2(1/eps) suffice. With the linear readout a kink near the target's is
    needed, and a witness segment refutes what no mask can do.

    Parameters
    ----------
    eps
        Decide whether a ticket with uniform error <= eps exists.
    radius
        Radius of the ball over which the error is measured.
    time_limit
        Seconds.
    search_seed
        Seed of the search.
    out
        Ticket file to write.
    json
        Print one JSON object.
    """
    return _prune(prune_weights, "weights", source, eps, radius, time_limit, search_seed, out, json)


def _prune(
    verb: Callable[..., Solution],
    kind: str,
    source: Source,
    eps: float | None,
    radius: float,
    time_limit: float,
    search_seed: int,
    out: Path | None,
    json: bool,
) -> int:
    if out is not None and not out.parent.is_dir():
        raise InvalidInput(
            "--out has no folder to write to",
            got=str(out.parent),
            expected="an existing folder",
            fix=f"Create it first: mkdir -p {out.parent}",
        )
    net = source.network()
    target = source.target_for(net)
    announce_compilation()
    with BoundsLine() as report:
        solution = verb(
            net,
            target,
            radius=radius,
            eps=eps,
            time_limit=time_limit,
            seed=search_seed,
            report=report,
        )
    if out is not None:
        drawn = (source.d, source.width, source.seed) if source.net is None else None
        solution, proof = _with_error_proof(solution, target, radius, eps)
        ticket = Ticket.from_solution(
            solution, net, target, radius=radius, eps=eps, source=drawn, error_proof=proof
        )
        ticket.save(out)
        stderr.print(f"Ticket written to {out}", highlight=False)
    if json:
        print_json(_as_json(solution, kind))
    else:
        stdout.print(_table(solution, kind, net.width))
    refused = eps is not None and solution.status != Status.REACHED
    return 1 if refused else 0


def _with_error_proof(
    solution: Solution, target: ReLUNetwork, radius: float, eps: float | None
) -> tuple[Solution, ErrorProof | None]:
    """The solution as a ticket states it, with the proof that its checker needs for d >= 3.

    The stated upper bound may be raised by a millionth: a proof in floats cannot follow closer.
    """
    if target.d <= 2:
        return solution, None
    error = loosened(solution.error, at_most=math.inf if eps is None else eps)
    proof = None
    if error.upper > 0.0:
        with stderr.status("proving the error for the checker"):
            proof = prove_error(
                solution.pruned, target, error.upper, radius=radius, time_limit=_PROOF_SECONDS
            )
    if proof is None:
        return solution, None
    return replace(solution, error=error), proof


def _as_json(solution: Solution, kind: str) -> dict[str, object]:
    witness = solution.error.witness
    return {
        "pruning": kind,
        "status": str(solution.status),
        "error": {
            "lower": solution.error.lower,
            "upper": solution.error.upper,
            "status": str(solution.error.status),
            "method": solution.error.method,
            "witness": None if witness is None else witness.tolist(),
        },
        "bound": solution.bound,
        "kept_units": [int(i) for i in solution.mask.output.nonzero()[0]],
        "kept_weights": solution.mask.kept_weights,
        "stats": {key: value for key, value in solution.stats.items() if _is_plain(value)},
    }


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _table(solution: Solution, kind: str, width: int) -> Table:
    table = Table(title=f"{kind[:-1]} pruning", show_header=False)
    error = solution.error
    table.add_row("status", str(solution.status))
    table.add_row("certified error", f"[{error.lower!r}, {error.upper!r}] ({error.method})")
    table.add_row("no such ticket below", repr(solution.bound))
    table.add_row("kept", f"{solution.mask.kept_units} of {width} units")
    if kind == "weights":
        table.add_row("", f"{solution.mask.kept_weights} weights")
    for key, value in solution.stats.items():
        if _is_plain(value):
            table.add_row(key, f"{value:.6g}" if isinstance(value, float) else str(value))
    return table
