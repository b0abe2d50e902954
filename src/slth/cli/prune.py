"""`slth prune neurons|weights`: find the best ticket, or decide whether one exists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter
from rich.table import Table

from slth.check import check
from slth.cli.numbers import Whole
from slth.cli.output import BoundsLine, announce_compilation, print_json, stderr, stdout
from slth.cli.outputs import after_answer, require_writable
from slth.cli.proofs import proof_as_json, proof_in_words, proven_ticket
from slth.cli.source import Source
from slth.doors.files import is_network_file, write_network, writer_for
from slth.errors import InvalidInput
from slth.pruning.neurons import prune_neurons
from slth.pruning.neurons.contenders import CONTENDERS, contend
from slth.pruning.weights import prune_weights
from slth.pruning.weights.strategies import FREE, STRATEGIES
from slth.solution import Solution

app = cyclopts.App(name="prune", help="Find, certify and refute tickets of one network.")

_DEFAULT_SOURCE = Source()
_CONTENDERS = (
    "Choose the units by one rule instead. The ticket is certified; nothing is proven of others. "
    f"One of: {CONTENDERS.described()}."
)
_STRATEGIES = (
    f"{FREE} (slth's own), or a construction of the literature for --readout relu, in fixed blocks "
    f"of units, of which a side keeps: {STRATEGIES.described()}."
)


@app.command
def neurons(
    source: Source = _DEFAULT_SOURCE,
    *,
    eps: float | None = None,
    fewest: bool = False,
    radius: float = 1.0,
    time_limit: float = 60.0,
    search_seed: Whole = 0,
    strategy: Annotated[str | None, Parameter(help=_CONTENDERS)] = None,
    out: Path | None = None,
    proof: Path | None = None,
    force: bool = False,
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
    fewest
        With --eps: the fewest units within eps, e.g. to compress a trained layer (give the same
        file as --net and --target). "optimal" when no smaller subset is within eps.
    radius
        Radius of the ball over which the error is measured.
    time_limit
        Seconds.
    search_seed
        Seed of the search.
    out
        Ticket file to write; with an ending .onnx, .safetensors or .npz the pruned network itself.
    proof
        Ticket file to write with proofs of all it claims, and to check at once. What could not be
        written down is shown as "not covered: solver-claimed".
    force
        Replace an existing file that slth did not write.
    json
        Print one JSON object.
    """
    if strategy is not None and fewest:
        raise InvalidInput(
            "--strategy does not count units",
            got=f"--strategy {strategy} --fewest",
            expected="one of them",
            fix="Leave --strategy out: only the full search minimises the number of units.",
        )
    if strategy is None:
        verb = partial(prune_neurons, fewest=fewest, proof=proof is not None)
    else:
        verb = partial(contend, strategy=strategy)
    files = _Files(out, proof, force)
    return _prune(verb, "neurons", source, eps, radius, time_limit, search_seed, files, json)


@app.command
def weights(
    source: Source = _DEFAULT_SOURCE,
    *,
    eps: float | None = None,
    radius: float = 1.0,
    time_limit: float = 60.0,
    search_seed: Whole = 0,
    strategy: Annotated[str, Parameter(help=_STRATEGIES)] = FREE,
    out: Path | None = None,
    proof: Path | None = None,
    force: bool = False,
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
        Ticket file to write; with an ending .onnx, .safetensors or .npz the pruned network itself.
    proof
        Ticket file to write with proofs of all it claims, and to check at once. What could not be
        written down is shown as "not covered: solver-claimed".
    force
        Replace an existing file that slth did not write.
    json
        Print one JSON object.
    """
    verb = partial(prune_weights, strategy=strategy)
    files = _Files(out, proof, force)
    return _prune(verb, "weights", source, eps, radius, time_limit, search_seed, files, json)


@dataclass(frozen=True)
class _Files:
    """What to write, a ticket or a pruned network and a proven ticket; whether over other files."""

    out: Path | None
    proof: Path | None
    force: bool

    def __post_init__(self) -> None:
        require_writable(self.force, out=self.out, proof=self.proof)
        if self.network is not None:
            writer_for(self.network)

    @property
    def network(self) -> Path | None:
        """Where the pruned network goes."""
        return self.out if self.out is not None and is_network_file(self.out) else None

    @property
    def tickets(self) -> list[Path]:
        """Where the ticket goes."""
        return [path for path in (self.out, self.proof) if path not in (None, self.network)]  # type: ignore[misc]


def _prune(
    verb: Callable[..., Solution],
    kind: str,
    source: Source,
    eps: float | None,
    radius: float,
    time_limit: float,
    search_seed: int,
    files: _Files,
    json: bool,
) -> int:
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
    ticket = None
    if files.tickets:
        drawn = (source.d, source.width, source.seed) if source.net is None else None
        ticket = proven_ticket(solution, net, target, radius, eps, drawn)
        solution = replace(solution, error=ticket.error)
    answer, table = _as_json(solution, kind), _table(solution, kind, net.width)
    if ticket is not None and files.proof is not None:
        verdict, size = check(ticket), len(ticket.to_bytes())
        answer["proof"] = proof_as_json(files.proof, size, verdict)
        table.add_row("proof", proof_in_words(size, verdict))
    if json:
        print_json(answer)
    else:
        stdout.print(table)
    with after_answer():
        if files.network is not None:
            write_network(solution.pruned, files.network)
            stderr.print(f"Pruned network written to {files.network}", highlight=False)
        if ticket is not None:
            for path in files.tickets:
                ticket.save(path)
                stderr.print(f"Ticket written to {path}", highlight=False)
    refused = eps is not None and not solution.error.upper <= eps
    return 1 if refused else 0


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
        "least_units": solution.least_units,
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
    if solution.least_units is not None:
        table.add_row("no fewer than", f"{solution.least_units} units within eps")
    if kind == "weights":
        table.add_row("", f"{solution.mask.kept_weights} weights")
    for key, value in solution.stats.items():
        if _is_plain(value):
            table.add_row(key, f"{value:.6g}" if isinstance(value, float) else str(value))
    return table
