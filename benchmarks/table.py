"""The benchmark harness: time a call, print a table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.table import Table

Result = TypeVar("Result")


def timed(
    call: Callable[[], Result], *, repeats: int = 3, warm_up: bool = True
) -> tuple[float, Result]:
    """Median wall-clock seconds of `repeats` calls after a warm-up (compilation), and a result."""
    result = call() if warm_up else None
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result  # type: ignore[return-value]


def show(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print one table; numbers are right-aligned and short."""
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    Console(width=160).print(table)
