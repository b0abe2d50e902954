"""The gap experiment: chains of cells over any executor, rows as they are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import replace

from slth.errors import InvalidInput, require_count, require_positive
from slth.lab.cell import Cell, measure
from slth.lab.rows import GapPlan, GapRun, Series, WidthRow

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


def run_gap(plan: GapPlan, executor: Executor, on_cell: OnCell) -> GapRun:
    """Run the plan on an executor. Ctrl-C stops it and keeps the cells that are done.

    A chain is one draw's cells from large eps to small, so that each starts from what the one
    before has proven; neuron pruning and weight pruning with the same linear readout share one.
    """
    started = time.monotonic()
    rows: list[WidthRow] = []
    pending: dict[Future[Cell], _Chain] = {}
    complete = True
    try:
        for draw in range(plan.draws):
            for group in _groups(plan):
                chain = _Chain(plan, draw, group)
                pending[chain.submit(executor)] = chain
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                chain = pending.pop(future)
                cell = future.result()
                rows.append(cell.row)
                on_cell(cell)
                if chain.advance(cell):
                    pending[chain.submit(executor)] = chain
    except KeyboardInterrupt:
        complete = False
        for future in pending:
            future.cancel()
    rows = [_with_weights_refutation(row, rows) for row in rows]
    ordered = sorted(rows, key=lambda row: (row.series.label, row.draw, -row.eps))
    return GapRun(plan, tuple(ordered), complete, time.monotonic() - started)


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


def _groups(plan: GapPlan) -> Iterable[tuple[Series, ...]]:
    """Series that feed each other: a linear-readout neuron ticket starts the weight search."""
    if plan.readout == "linear":
        return plan.series[:2], plan.series[2:]
    return [(series,) for series in plan.series]


class _Chain:
    """The cells of one draw and group in order, with what each hands to the next."""

    def __init__(self, plan: GapPlan, draw: int, group: tuple[Series, ...]) -> None:
        self._plan = plan
        self._draw = draw
        self._todo = [(eps, series) for eps in plan.eps for series in group]
        self._latest: dict[Series, Cell] = {}

    def submit(self, executor: Executor) -> Future[Cell]:
        """Start the first cell that is still to do."""
        eps, series = self._todo[0]
        easier = self._latest.get(series)
        neurons = self._latest.get(Series("neurons", series.readout))
        known = neurons if neurons is not None and neurons.row.eps == eps else None
        return executor.submit(measure, self._plan, series, self._draw, eps, easier, known)

    def advance(self, cell: Cell) -> bool:
        """Record a finished cell; whether more are to do."""
        self._latest[cell.row.series] = cell
        self._todo.pop(0)
        return bool(self._todo)
