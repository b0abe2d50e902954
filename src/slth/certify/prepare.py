"""Compiling before the clock starts: what a process compiles once is no part of a time limit."""

from __future__ import annotations

from slth.certify.differences import compile_small, is_small
from slth.certify.domain import Chart
from slth.certify.place import AROUND_ZERO, Place
from slth.certify.search import CONES_UP_TO, compile_engine


def compile_for(d: int, chart: Chart | None) -> None:
    """Compile, or load, the engine for d inputs around 0, or on the chart's domain."""
    if chart is not None:
        for enough in (3, CONES_UP_TO + 1):
            compile_engine(enough, Place(chart.shape, True))
    elif d > 2:
        if d <= CONES_UP_TO:
            compile_engine(3, AROUND_ZERO)
        if d > 3:
            compile_engine(CONES_UP_TO + 1, AROUND_ZERO)
        if is_small(d, 0):
            compile_small()
