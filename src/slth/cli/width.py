"""`slth width`: the planner, every known answer to "how many hidden units", in one table."""

from __future__ import annotations

from rich.table import Table

from slth.cli.numbers import Whole
from slth.cli.output import print_json, stdout
from slth.theory import PlanRow, plan
from slth.theory.planner import Readout
from slth.theory.result import plain_number


def width(
    *,
    d: Whole,
    eps: float,
    delta: float = 0.05,
    radius: float = 1.0,
    readout: Readout = "relu",
    json: bool = False,
) -> int:
    """Which width each kind of pruning needs or makes do with: status and source of each answer.

    Random weights w ~ N(0, I_d), a ~ N(0, 1); one target neuron of norm 1; uniform error eps on
    the ball, with probability 1 - delta over the draw. To measure the width of actual draws, run
    `slth gap`. Exit code 0: the table was printed.

    Parameters
    ----------
    d
        Input dimension, at least 2.
    eps
        Uniform error, below 1.
    delta
        Failure probability.
    radius
        Radius of the ball.
    readout
        "linear" (the paper's network) or "relu" (the weight-pruning constructions').
    json
        Print one JSON object.
    """
    rows = plan(d, eps, delta, radius=radius, readout=readout)
    if json:
        asked = {"d": d, "eps": eps, "delta": delta, "radius": radius, "readout": readout}
        print_json({**asked, "rows": [row.as_row() for row in rows]})
        return 0
    table = Table(
        title=f"Hidden units for one neuron: d = {d}, eps = {eps:g}, radius {radius:g}, "
        f"probability {1 - delta:g} where not said otherwise, {readout} readout",
        show_lines=True,
    )
    for column in ("what", "width", "status", "source"):
        side = "right" if column == "width" else "left"
        table.add_column(column, justify=side, overflow="fold")
    for row in rows:
        what = f"{row.task}: {row.says}"
        table.add_row(
            f"{what}\n[dim]{row.note}[/dim]" if row.note else what,
            _shown(row),
            "-" if row.status is None else str(row.status),
            row.source,
        )
    stdout.print(table, highlight=False)
    return 0


def _shown(row: PlanRow) -> str:
    if row.width != row.width:
        return "-"
    if row.vacuous:
        return "vacuous"
    plain = plain_number(row.width)
    if isinstance(plain, str):
        return plain
    return f"{plain:,.0f}" if plain < 1e9 else f"{float(plain):.2e}"
