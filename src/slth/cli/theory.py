"""`slth theory`: the paper's statements with numbers."""

from __future__ import annotations

from cyclopts import App
from rich.table import Table

from slth.cli.numbers import Whole
from slth.cli.output import print_json, stderr, stdout
from slth.theory import (
    Chain,
    Statement,
    audit,
    chernoff_lemma7,
    hit_by,
    lemma7,
    log_at_zero,
    max_refuted_width,
    route_width,
    single_unit_refuted_width,
    what_is_known,
)
from slth.theory.result import plain_number

app = App(
    name="theory",
    help="The paper's statements with numbers: audit, bound, chain; known, what is known past it. "
    "The planner is `slth width`.",
)


@app.command(name="audit")
def audit_command(*, seed: Whole = 0, json: bool = False) -> int:
    """Run every step of the proof numerically. Exit code 0: each statement, or its repair, holds.

    Parameters
    ----------
    seed
        Seed of the draws.
    json
        Print one JSON object.
    """
    lines = audit(seed=seed, report=lambda name: stderr.print(f"audit: {name}"))
    sound = all(line.sound for line in lines)
    if json:
        print_json({"sound": sound, "lines": [line.as_row() for line in lines]})
        return 0 if sound else 1
    table = _table("statement, what was compared", "verdict", "by how much; what holds instead")
    for line in lines:
        verdict = str(line.verdict) if line.sound else f"{line.verdict} (CHECK FAILED)"
        instead = f"{line.amount}\n-> {line.repair}" if line.repair else line.amount
        table.add_row(f"{line.statement}\n{line.compared}", verdict, instead)
    stdout.print(table)
    return 0 if sound else 1


@app.command
def bound(
    *, d: Whole, eps: float, radius: float = 2.0, delta: float = 0.05, json: bool = False
) -> int:
    """Widths at which neuron pruning fails (Theorem 1, Lemma 10). Exit code 1: proves nothing.

    Parameters
    ----------
    d
        Input dimension, at least 2.
    eps
        Uniform error to refute.
    radius
        Radius of the ball, at least 2 as in Theorem 1.
    delta
        Failure probability.
    json
        Print one JSON object.
    """
    proven = max_refuted_width(d, eps, radius, delta)
    bounds = [
        proven,
        route_width(d, eps, radius, delta),
        single_unit_refuted_width(d, eps, radius, delta),
    ]
    if json:
        print_json({"bounds": [each.as_row() for each in bounds]})
    else:
        _print_bounds(bounds)
    return 1 if proven.vacuous else 0


@app.command
def known(*, json: bool = False) -> int:
    """What is known of the width that each pruning needs: laws, standing, sources. Exit code 0.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    rows = what_is_known()
    if json:
        print_json({"known": [row.as_row() for row in rows]})
        return 0
    table = _table("what", "width", "standing", "source")
    for row in rows:
        where = [f"docs/theory/{row.page}.md"] if row.page else []
        where += [row.source] if row.source else []
        standing = f"{row.standing}: {row.remark}" if row.remark else str(row.standing)
        names = "\n".join([*where, *row.functions])
        table.add_row(f"{row.task}: {row.says}", row.width, standing, names)
    stdout.print(table)
    return 0


@app.command
def chain(
    *, down: float, up: float, cap: Whole, steps: Whole, start: Whole = 1, json: bool = False
) -> int:
    """Exact law of the (q,p,T)-chain at 0 next to Lemma 7's bounds (natural logarithms).

    Parameters
    ----------
    down
        q, probability of a down move.
    up
        p, probability of an up move.
    cap
        T.
    steps
        k.
    start
        First state, 0 or 1.
    json
        Print one JSON object.
    """
    law = Chain(down, up, cap)
    exact = log_at_zero(law, steps, start=start)
    rows: dict[str, float] = {
        "log Pr(B_k = 0), exact": exact,
        "Lemma 7, spectral bound": lemma7(law, steps, start=start),
        "log pi(0), where it settles": law.log_stationary_zero,
        "decay rate a step, T infinite": law.decay_rate,
        "Pr(at 0 at least once by k)": hit_by(law, steps, start=start),
    }
    if down < up / 2:
        rows["Lemma 7, Chernoff as in the paper"] = chernoff_lemma7(law, steps)
    holds = exact <= rows["Lemma 7, spectral bound"]
    if json:
        print_json({**rows, "holds": holds})
        return 0 if holds else 1
    table = _table("quantity", "value")
    for name, value in rows.items():
        table.add_row(name, f"{value:.10g}")
    stdout.print(table)
    return 0 if holds else 1


def _table(*columns: str) -> Table:
    table = Table(show_lines=True)
    for column in columns:
        table.add_column(column)
    return table


def _print_bounds(bounds: list[Statement]) -> None:
    table = _table("statement, source", "width", "status", "assumptions")
    for each in bounds:
        value = "vacuous" if each.vacuous else _shown(each.value)
        table.add_row(
            f"{each.name}\n{each.source}", value, str(each.status), "\n".join(each.assumptions)
        )
    stdout.print(table)


def _shown(width: float | int) -> str:
    plain = plain_number(width)
    if isinstance(plain, str):
        return plain
    return f"{plain:,.0f}" if plain < 1e9 else f"{float(plain):.2e}"
