"""Compiling before the clock starts: what a process compiles once is no part of a time limit."""

from __future__ import annotations

from collections.abc import Iterable

from slth.certify.engines import compile_engine
from slth.certify.patterns import are_few
from slth.certify.problem.chart import Chart
from slth.certify.problem.place import AROUND_ZERO, Place
from slth.certify.small.differences import compile_small, is_small


def compile_for(d: int, units: Iterable[int], chart: Chart | None) -> None:
    """Compile, or load, what differences in d inputs of so many units need, around 0 or on the
    chart's domain."""
    if chart is None and d <= 2:
        return
    # What patterns leave open is compiled when it is met: the clock stands still then.
    searched = {count for count in units if chart is not None or not are_few(d, count)}
    if chart is None and searched and is_small(d, 0):
        compile_small()
    for count in searched:
        if chart is None:
            compile_engine(count, d, AROUND_ZERO)
        else:
            compile_engine(count, d + 1, Place(chart.shape, True))
