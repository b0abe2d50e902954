"""How a curve of a store is drawn: its own mark for each pruning and readout, others in turn."""

from __future__ import annotations

from slth.lab.curves import Curve
from slth.report.marks import MARKS, Mark

# Contenders and dimensions take these in turn; neighbours differ in colour, dash and symbol.
_TURN = (
    Mark("neurons", "solid", "circle", ""),
    Mark("weights-relu", "dash", "square", ""),
    Mark("weights-linear", "dashdot", "diamond", ""),
    Mark("broken", "dot", "triangle-up", ""),
    Mark("muted", "dash", "cross", ""),
    Mark("ink", "dot", "x", ""),
)


def mark_of(curve: Curve) -> Mark:
    """Of slth's own search."""
    return MARKS[f"{curve.pruning}-{curve.readout}"]


def mark_in_turn(place: int) -> Mark:
    """Of the curve at that place among its like."""
    return _TURN[place % len(_TURN)]
