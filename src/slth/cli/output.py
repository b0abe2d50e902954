"""Where things are printed: results to stdout, progress and notes to stderr."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

import slth
from slth import limits

stdout = Console()
stderr = Console(stderr=True)


def print_json(value: dict[str, object]) -> None:
    """One JSON object on stdout; infinities and NaN become null."""
    print(json.dumps(_plain(value), allow_nan=False))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def counting_bar() -> Progress:
    """A progress bar over a known number of cells, on stderr."""
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=stderr,
    )


class BoundsLine:
    """Shows the bounds of one running search on stderr; use as a context manager."""

    def __init__(self) -> None:
        columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=stderr, transient=True)

    def __enter__(self) -> limits.Report:
        self._progress.start()
        task = self._progress.add_task("starting", total=None)

        def report(progress: limits.Progress) -> None:
            upper = f"{progress.upper:.6g}" if math.isfinite(progress.upper) else "?"
            gap = ""
            if 0 < progress.lower <= progress.upper < math.inf:
                gap = f"  gap {100 * (progress.upper / progress.lower - 1):.2g} %"
            text = f"{progress.phase}: {progress.what} in [{progress.lower:.6g}, {upper}]{gap}"
            self._progress.update(task, description=text)

        return report

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def announce_compilation() -> None:
    """Say that the first run compiles, when no compiled kernel is cached yet."""
    package = Path(slth.__file__).parent
    if not any(package.rglob("*.nbi")):
        stderr.print("First run: compiling kernels (cached for later runs).")
