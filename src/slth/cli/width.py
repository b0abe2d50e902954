"""`slth width`: the width one draw needs for one eps."""

from __future__ import annotations

from slth.cli.output import announce_compilation, print_json, stderr, stdout
from slth.lab.gap import plan_gap
from slth.lab.rows import Pruning, Series
from slth.lab.trial import measure
from slth.network import Readout


def width(
    pruning: Pruning,
    /,
    *,
    eps: float,
    d: int = 2,
    readout: Readout = "linear",
    seed: int = 0,
    max_width: int = 20_000,
    search_seconds: float = 5.0,
    json: bool = False,
) -> int:
    """Smallest width with a certified ticket, and largest width at which all are refuted.

    Exit code 0: a ticket was found; 1: none was found up to --max-width.

    Parameters
    ----------
    pruning
        "neurons" or "weights".
    eps
        Uniform error asked for, per unit of radius, at most 1/4.
    d
        Input dimension.
    readout
        "linear" or "relu".
    seed
        Seed of the network and its target.
    max_width
        Widest network tried.
    search_seconds
        Time limit of one search at one width.
    json
        Print one JSON object.
    """
    plan = plan_gap(d, readout, eps, 1, seed, max_width, search_seconds)
    announce_compilation()
    with stderr.status(f"bracketing the width for eps = {eps:g}"):
        row = measure(plan, Series(pruning, readout), 0, eps, None, None).row
    if json:
        print_json(
            {
                "eps": eps,
                "refuted": row.refuted,
                "refuted_bound": row.refuted_bound,
                "found": row.found,
                "found_error": row.found_error,
                "kept": row.kept,
                "tried": row.tried,
            }
        )
    else:
        refuted = f"refuted up to N = {row.refuted}" if row.refuted else "nothing refuted"
        found = (
            f"not found up to N = {row.tried}"
            if row.found is None
            else f"found at N = {row.found} (certified error {row.found_error:.6g})"
        )
        stdout.print(f"{row.series.label}, d = {d}, eps = {eps:g}: {refuted}; {found}")
    return 1 if row.found is None else 0
