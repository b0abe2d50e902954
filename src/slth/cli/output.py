"""Where things are printed: results to stdout, progress and notes to stderr."""

from __future__ import annotations

import json
import math

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from slth import compiling, limits

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


# Which kernels belong together, and the CPU-seconds that they usually take to compile on a machine
# of 2024.
_ENGINES = {
    "slth.certify.small": ("the search for small problems", 40),
    "slth.certify.cones": ("the certifier's cones", 20),
    "slth.certify.signs": ("the certifier's signs", 36),
    "slth.certify.deep": ("the certifier of several layers", 14),
    "slth.certify": ("the certifier", 10),
    "slth.pruning.neurons": ("the search for neurons", 50),
    "slth.pruning.weights": ("the search for weights", 22),
    "slth.theory": ("theory's chains and processes", 12),
    "slth.embed": ("the search for seeds and masks", 3),
}
_announced: set[str] = set()


def announce_compilation() -> None:
    """Say from now on when an engine is compiled, once for each: it is the first run that does."""
    if _announce not in compiling.listeners():
        compiling.tell(_announce)


def _announce(module: str) -> None:
    for room, (name, usual) in _ENGINES.items():
        if module.startswith(room):
            if room not in _announced:
                _announced.add(room)
                stderr.print(
                    f"Compiling {name}, once (some {usual} CPU-seconds; no time limit pays for "
                    f"them).{'' if len(_announced) > 1 else _kept()}",
                    highlight=False,
                    soft_wrap=True,
                )
            return


def _kept() -> str:
    """What can be done about compiling, for the first time that it is announced."""
    if compiling.passing is None:
        return " slth warmup compiles everything ahead."
    return (
        " It will be compiled again by the next command: neither the installation nor the user's "
        "cache can be written. Set NUMBA_CACHE_DIR to a folder that can."
    )
