"""What a store says, cell by cell: widths of bisections, errors at fixed widths, fitted exponents.

Everything is read as columns and grouped by sorting: a million rows take seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slth.lab.schema import PlanRecord
from slth.lab.statistics import FittedLine, FloatArray, Interval, line, median_interval, sums_of
from slth.lab.store import Store
from slth.lab.trial import Pruning
from slth.network import Readout

# "found": certified tickets, from above; "refuted": proofs, from below.
Side = Literal["found", "refuted"]

_COLUMNS = ("key", "slth", "pruning", "readout", "d", "eps", "width", "seed", "contender", "state")
_COLUMNS += ("refuted", "found", "tried", "bound", "error_upper")


class Curve(NamedTuple):
    """What is pruned, in which dimension, by whom (contender None: slth's own search)."""

    pruning: Pruning
    readout: Readout
    d: int
    contender: str | None

    @property
    def label(self) -> str:
        """For legends and tables, without the dimension."""
        by = "" if self.contender is None else f", {self.contender}"
        return f"{self.pruning}, {self.readout} readout{by}"


@dataclass(frozen=True, eq=False)
class WidthCell:
    """One eps of a curve; entry k of each array is one draw, ordered by seed.

    Attributes:
        eps: per unit of radius.
        seeds: int64 [draws].
        refuted: float64 [draws], 0 where nothing is refuted.
        found: float64 [draws], inf where no ticket was found.
        tried: the widest network searched.
        keys: of all trials of the cell, sorted by seed.
    """

    eps: float
    seeds: NDArray[np.int64]
    refuted: FloatArray
    found: FloatArray
    tried: float
    keys: NDArray[np.object_]

    @cached_property
    def found_width(self) -> Interval:
        """Median over draws."""
        return median_interval(self.found)

    @cached_property
    def refuted_width(self) -> Interval:
        """Median over draws."""
        return median_interval(self.refuted)


@dataclass(frozen=True, eq=False)
class ErrorCell:
    """One width of a curve of smallest errors; entry k of each array is one draw.

    Attributes:
        width: hidden units.
        bound: float64 [draws], proven for every ticket; upper: of the best ticket found.
        keys: of all trials of the cell.
    """

    width: int
    bound: FloatArray
    upper: FloatArray
    keys: NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Survey:
    """All that a report needs of a store.

    Attributes:
        plans: that were run on it.
        states, versions: how many trials ended so, or were run by that version of slth.
        widths: cells by falling eps; failed trials are left out.
        errors: cells by rising width, of trials that asked for the smallest error.
    """

    plans: list[PlanRecord]
    states: Counter[str]
    versions: Counter[str]
    widths: dict[Curve, list[WidthCell]]
    errors: dict[Curve, list[ErrorCell]]

    @property
    def trials(self) -> int:
        """How many rows there are."""
        return sum(self.states.values())


def survey(store: Store) -> Survey:
    """Read the whole store."""
    table = store.columns(*_COLUMNS)
    sound = table["state"] != "failed"
    bisected = sound & np.isnan(table["width"]) & ~np.isnan(table["eps"])
    smallest = sound & ~np.isnan(table["width"]) & np.isnan(table["eps"])
    return Survey(
        store.plans(),
        Counter(table["state"].tolist()),
        Counter(table["slth"].tolist()),
        _grouped(table, bisected, "eps", _width_cell, reverse=True),
        _grouped(table, smallest, "width", _error_cell, reverse=False),
    )


def exponent(cells: list[WidthCell], side: Side) -> FittedLine | None:
    """log2 of the width against log2(1/eps), all draws; None with fewer than two eps."""
    return _fitted(cells, side, np.log2)


def units_per_bit(cells: list[WidthCell], side: Side) -> FittedLine | None:
    """The width against log2(1/eps), all draws: the law of weight pruning, relu readout."""
    return _fitted(cells, side, lambda widths: widths)


def _fitted(
    cells: list[WidthCell], side: Side, scale: Callable[[FloatArray], FloatArray]
) -> FittedLine | None:
    x, y, seeds = [], [], []
    for cell in cells:
        widths = getattr(cell, side)
        known = np.isfinite(widths) & (widths > 0)
        x.append(np.full(np.count_nonzero(known), -math.log2(cell.eps)))
        y.append(scale(widths[known]))
        seeds.append(cell.seeds[known])
    if not x or sum(map(len, x)) < 2:
        return None
    draw = np.unique(np.concatenate(seeds), return_inverse=True)[1]
    return line(sums_of(np.concatenate(x), np.concatenate(y), draw), seed=0)


def _grouped(
    table: dict[str, np.ndarray],
    chosen: NDArray[np.bool_],
    level: str,
    cell: Callable[[dict[str, Any], float], Any],
    *,
    reverse: bool,
) -> dict[Curve, list[Any]]:
    """Cells by curve; a cell is one value of the column `level`."""
    part = {name: column[chosen] for name, column in table.items()}
    if not len(part["key"]):
        return {}
    codes = [_coded(part[name]) for name in ("pruning", "readout", "contender")]
    order = np.lexsort((part["seed"], part[level], part["d"], *codes[::-1]))
    part = {name: column[order] for name, column in part.items()}
    steps = [np.diff(code[order]) != 0 for code in codes]
    steps += [np.diff(part[name]) != 0 for name in ("d", level)]
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.logical_or.reduce(steps))])
    curves: dict[Curve, list[Any]] = {}
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        slices = {name: column[start:end] for name, column in part.items()}
        first = {name: column[0] for name, column in slices.items()}
        curve = Curve(first["pruning"], first["readout"], int(first["d"]), first["contender"])
        curves.setdefault(curve, []).append(cell(slices, float(first[level])))
    ordered = sorted(curves, key=lambda c: (c.pruning, c.readout, c.contender or "", c.d))
    return {curve: curves[curve][:: -1 if reverse else 1] for curve in ordered}


def _coded(texts: np.ndarray) -> NDArray[np.int64]:
    """Equal texts as equal numbers; there are few different ones."""
    codes = np.zeros(len(texts), dtype=np.int64)
    for number, text in enumerate(set(texts.tolist())):
        codes[texts == text] = number
    return codes


def _width_cell(rows: dict[str, Any], eps: float) -> WidthCell:
    # Several trials of one draw, with other limits, all say something true of it.
    seeds, starts = np.unique(rows["seed"], return_index=True)
    found = np.where(np.isnan(rows["found"]), np.inf, rows["found"])
    return WidthCell(
        eps,
        seeds,
        np.maximum.reduceat(np.nan_to_num(rows["refuted"]), starts),
        np.minimum.reduceat(found, starts),
        float(np.nan_to_num(rows["tried"]).max()),
        rows["key"],
    )


def _error_cell(rows: dict[str, Any], width: float) -> ErrorCell:
    _, starts = np.unique(rows["seed"], return_index=True)
    upper = np.where(np.isnan(rows["error_upper"]), np.inf, rows["error_upper"])
    return ErrorCell(
        int(width),
        np.maximum.reduceat(np.nan_to_num(rows["bound"]), starts),
        np.minimum.reduceat(upper, starts),
        rows["key"],
    )
