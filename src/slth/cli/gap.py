"""`slth gap`: the exponential gap between neuron and weight pruning, measured and certified."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

import slth
from slth.cli.numbers import OptionalWhole, Whole
from slth.cli.output import announce_compilation, counting_bar, print_json, stderr, stdout
from slth.cli.outputs import after_answer, require_writable
from slth.errors import MissingExtra, require_count
from slth.lab.cell import Cell
from slth.lab.gap import cells_of, chains_of, plan_gap, run_gap
from slth.lab.laws import Law, Summary, fit, summarize
from slth.lab.pools import LocalPool
from slth.lab.rows import GapPlan, GapRun, Series
from slth.network import Readout
from slth.report import require_plotting, write_page
from slth.report.wording import eps_label
from slth.threads import processors


def gap(
    *,
    d: Whole = 2,
    readout: Readout = "linear",
    eps_min: float = 1 / 256,
    draws: Whole = 5,
    seed: Whole = 0,
    max_width: Whole = 20_000,
    effort: Annotated[float, Parameter(name=["--effort", "--search-seconds"])] = 1.0,
    workers: OptionalWhole = None,
    out: Path = Path("gap.html"),
    page: bool = True,
    tickets: Path | None = None,
    store: Path | None = None,
    force: bool = False,
    json: bool = False,
) -> int:
    """Measure the widths at which tickets exist, and provably do not, for a grid of eps.

    For each draw of a random network and a target neuron, and each eps = 1/4, 1/8, ..., eps_min:
    the smallest width at which a ticket is found and certified, and the largest width at which
    every ticket is refuted. Neuron pruning keeps whole hidden units, weight pruning masks single
    weights. With the linear readout (the paper's) both need widths of order 1/eps; the
    O(d log 1/eps) constructions of weight pruning put a ReLU on the output, so a run with the
    linear readout shows weight pruning with the ReLU readout as well.

    Ctrl-C stops the run and reports the cells that are done. Exit code 0: every refuted width lies
    below every found one; 1: it does not; 130: interrupted.

    Parameters
    ----------
    d
        Input dimension.
    readout
        "linear" or "relu": what the output passes through.
    eps_min
        Smallest uniform error asked for, per unit of radius, at most 1/4.
    draws
        Independent networks and targets; draw k uses seed + k.
    seed
        Seed of the first draw.
    max_width
        Widest network tried.
    effort
        Budget of one search at one width, in work that takes about so many seconds: the tables do
        not depend on how busy the machine is.
    workers
        Worker processes; all cores by default.
    out
        HTML page to write (needs the report extra; it works offline).
    page
        Pass --no-page to print the tables only.
    tickets
        Folder to write the ticket of every found cell to; check them with `slth check`.
    store
        File that keeps every cell as it is done: the same command goes on after Ctrl-C or a kill.
        It is a store of `slth sweep`; `slth export` and `slth report` read it.
    force
        Replace an existing file that slth did not write.
    json
        Print one JSON object instead of the tables.
    """
    plan = plan_gap(d, readout, eps_min, draws, seed, max_width, effort)
    workers = processors() if workers is None else require_count("workers", workers, least=1)
    # Before the work, so that a missing plotting library is told at once.
    page = page and _can_plot()
    if page:
        require_writable(force, out=out)
    if tickets is not None:
        for series in plan.series:
            for draw, eps in product(range(plan.draws), plan.eps):
                require_writable(force, tickets=tickets / _ticket_name(plan, series, draw, eps))
    announce_compilation()
    # All chains at once: their cells take turns, so that no worker is idle at the end.
    pool = LocalPool(workers, window=len(chains_of(plan)))
    with counting_bar() as bar:
        task = bar.add_task("drawing networks", total=cells_of(plan))

        def on_cell(cell: Cell) -> None:
            row = cell.row
            found = "-" if row.found is None else row.found
            where = f"{row.series.label}: eps {eps_label(row.eps)}"
            text = f"{where}: refuted {row.refuted}, found {found}"
            bar.update(task, advance=1, description=text)
            if not stderr.is_terminal:
                stderr.print(
                    f"{bar.tasks[task].completed:g} of {cells_of(plan)}: {text}", highlight=False
                )
            if tickets is not None and cell.ticket is not None:
                cell.ticket.save(tickets / _ticket_name(plan, row.series, row.draw, row.eps))

        try:
            run = run_gap(plan, pool, on_cell, store)
        finally:
            pool.close()
    if json:
        print_json(_as_json(run))
    else:
        _print_tables(run)
    if page:
        with after_answer():
            write_page(run, out)
        stderr.print(f"Page written to {out}", highlight=False)
    if not run.complete:
        left = cells_of(plan) - len(run.rows)
        stderr.print(f"Interrupted: the tables hold the cells that were done; {left} are left.")
        return 130
    return 0 if _ordered(run) else 1


def _can_plot() -> bool:
    """Whether the page can be drawn; says what is missing if not."""
    try:
        require_plotting()
    except MissingExtra as missing:
        stderr.print(f"No page, the tables only: {missing}", markup=False, highlight=False)
        return False
    return True


def _ticket_name(plan: GapPlan, series: Series, draw: int, eps: float) -> str:
    """File name of a cell's ticket."""
    kind = f"{series.pruning}-{series.readout}"
    return f"{kind}-d{plan.d}-seed{plan.seed + draw}-eps{eps:.6g}.ticket"


def _ordered(run: GapRun) -> bool:
    """Whether every refuted width lies below the found one of its cell."""
    return all(row.found is None or row.refuted < row.found for row in run.rows)


def _laws(run: GapRun) -> list[tuple[Series, Law | None]]:
    """The fitted law of every series; None where too few cells are decided."""
    return [(series, fit(run, series)) for series in run.plan.series]


def _as_json(run: GapRun) -> dict[str, object]:
    return {
        "version": slth.__version__,
        **run.to_json(),
        "summary": [
            {"series": asdict(series), **asdict(summary)}
            for series in run.plan.series
            for summary in summarize(run, series)
        ],
        "laws": [{"series": asdict(series), **asdict(law)} for series, law in _laws(run) if law],
    }


def _print_tables(run: GapRun) -> None:
    for series in run.plan.series:
        summaries = summarize(run, series)
        if summaries:
            stdout.print(_table(series, summaries))
    for series, law in _laws(run):
        stdout.print(_sentence(series, law, run.plan.d), highlight=False)
    stdout.print(
        f"{len(run.rows)} cells in {run.seconds:.1f} s. Every found width is a certified ticket; "
        "up to the refuted width no ticket of that kind exists.",
        highlight=False,
    )


def _table(series: Series, summaries: list[Summary]) -> Table:
    table = Table(title=f"{series.label}: width N (hidden units), medians over draws")
    for heading in ("eps", "1/eps", "refuted up to N", "found at N", "range over draws", "draws"):
        table.add_column(heading, justify="right")
    for row in summaries:
        table.add_row(
            eps_label(row.eps),
            f"{1 / row.eps:.5g}",
            f"{row.refuted:g}" if row.refuted > 0 else "-",
            f"{row.found:g}" if row.found < float("inf") else "not found",
            f"{row.found_low:g} .. {row.found_high:g}",
            f"{row.draws}{row.remarks}",
        )
    return table


def _sentence(series: Series, law: Law | None, d: int) -> str:
    if law is None:
        return f"{series.label}: no law, every draw is decided at fewer than two eps"
    interval = "no interval from fewer than three draws"
    if law.low is not None and law.high is not None:
        interval = f"95 % [{law.low:.2f}, {law.high:.2f}]"
    if law.kind == "power":
        said = f"N grows as (1/eps)^{law.slope:.2f}, {interval}"
        return f"{series.label}: {said}, {_basis(law)}"
    side = law.slope / (2 * d)
    return (
        f"{series.label}: {law.slope:.2f} hidden units per bit of 1/eps, {interval}; "
        f"{side:.2f} per bit and coordinate side, {_basis(law)}"
    )


def _basis(law: Law) -> str:
    """Where the law was fitted."""
    high, low = law.eps
    return f"from {law.points} decided cells, eps {eps_label(high)} to {eps_label(low)}"
