"""The gap experiment: a plan of bisections over any pool, rows as they are done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import get_args

from slth.errors import InvalidInput, require_count, require_positive
from slth.lab.cell import Cell, cell_of
from slth.lab.journal import AbstractJournal, MemoryJournal, StoreJournal
from slth.lab.plan import Chain, bisection_chain, feeding_groups
from slth.lab.pools import AbstractPool
from slth.lab.rows import GapPlan, GapRun, Series, WidthRow
from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter
from slth.lab.sweep import Event, run_chains
from slth.lab.trial import Pruning, Trial
from slth.lab.trial_result import TrialResult
from slth.network import Readout

# Called with every finished cell.
OnCell = Callable[[Cell], None]


def plan_gap(
    d: int = 2,
    readout: str = "linear",
    eps_min: float = 1 / 256,
    draws: int = 5,
    seed: int = 0,
    max_width: int = 20_000,
    search_seconds: float = 1.0,
) -> GapPlan:
    """A plan with eps = 1/4, 1/8, ... down to eps_min (kept as the last one).

    Raises:
        InvalidInput: d < 1, an unknown readout, eps_min outside (0, 1/4], draws < 1, seed < 0,
            max_width < 1, search_seconds <= 0.
    """
    if readout not in ("linear", "relu"):
        raise InvalidInput(
            "unknown readout", got=repr(readout), expected="'linear' or 'relu'", fix="Choose one."
        )
    smallest = require_positive("eps_min", eps_min)
    if smallest > 0.25:
        raise InvalidInput(
            "eps_min too large",
            got=smallest,
            expected="0 < eps_min <= 0.25",
            fix="The grid starts at eps = 1/4 and halves down to eps_min.",
        )
    grid, eps = [], 0.25
    while eps > smallest * (1 + 1e-9):
        grid.append(eps)
        eps /= 2
    return GapPlan(
        require_count("d", d, least=1),
        readout,
        (*grid, smallest),
        require_count("draws", draws, least=1),
        require_count("seed", seed, least=0),
        require_count("max_width", max_width, least=1),
        require_positive("search_seconds", search_seconds),
    )


def run_gap(
    plan: GapPlan, pool: AbstractPool, on_cell: OnCell, store: str | PathLike[str] | None = None
) -> GapRun:
    """Run the plan on a pool. Ctrl-C stops it and keeps the cells that are done.

    store: file of a sweep's store that keeps every cell as it is done, so that the same call goes
        on after any stop; None keeps them in memory. What other plans put there stays.

    Raises:
        SlthError: a cell failed. StoreError: the store is in use, damaged or cannot be written.
    """
    if store is None:
        return _run_gap(plan, pool, on_cell, MemoryJournal())
    with StoreWriter.open(store) as writer, Store.open(store) as reader:
        return _run_gap(plan, pool, on_cell, StoreJournal(writer, reader))


def _run_gap(
    plan: GapPlan, pool: AbstractPool, on_cell: OnCell, journal: AbstractJournal
) -> GapRun:
    started = time.monotonic()
    rows: list[WidthRow] = []

    def take(trial: Trial, outcome: TrialResult) -> None:
        cell = cell_of(trial, outcome)
        rows.append(cell.row)
        on_cell(cell)

    def watch(event: Event) -> None:
        if event.kind == "ended" and event.outcome is not None:
            take(event.trial, event.outcome)

    for chain in chains_of(plan):
        for trial in chain:
            if journal.state(trial) in ("done", "timeout"):
                known = journal.outcome(trial)
                assert known is not None
                take(trial, known)
    complete = run_chains(chains_of(plan), pool, journal, watch, again=("failed",))
    rows = [_with_weights_refutation(row, rows) for row in rows]
    ordered = sorted(rows, key=lambda row: (row.series.label, row.draw, -row.eps))
    return GapRun(plan, tuple(ordered), complete, time.monotonic() - started)


def chains_of(plan: GapPlan) -> list[Chain]:
    """The plan's trials: per draw one chain for each set of prunings that feed each other."""
    chains = []
    for draw in range(plan.draws):
        for readout in get_args(Readout):
            prunings: tuple[Pruning, ...] = tuple(
                series.pruning for series in plan.series if series.readout == readout
            )
            base = Trial(
                "neurons",
                readout,
                plan.d,
                None,
                None,
                draw,
                plan.seed + draw,
                max_width=plan.max_width,
                search_seconds=plan.search_seconds,
            )
            for group in feeding_groups(prunings, readout):
                chains.append(bisection_chain(base, group, plan.eps))
    return chains


def _with_weights_refutation(row: WidthRow, rows: list[WidthRow]) -> WidthRow:
    """A neuron mask is a weight mask: what is refuted for weights is refuted for neurons."""
    twin = Series("weights", row.series.readout)
    for other in rows:
        same = (other.series, other.draw, other.eps) == (twin, row.draw, row.eps)
        if same and other.refuted > row.refuted:
            return replace(row, refuted=other.refuted, refuted_bound=other.refuted_bound)
    return row


def cells_of(plan: GapPlan) -> int:
    """How many cells the plan has."""
    return len(plan.series) * plan.draws * len(plan.eps)
