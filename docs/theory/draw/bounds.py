"""Pictures of widths: the covering bound, what suffices, what each readout says."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from docs.theory.draw.chart import LOG, Curve, chart
from slth import theory

_MARKS = (("neurons", "circle"), ("weights-linear", "diamond"), ("weights-relu", "square"))
_INVERSE = "inverse error 1/<i>ε</i>"
_WIDTH = "width <i>N</i> (hidden units)"
_DELTA = 0.05


def covering() -> go.Figure:
    """The proven N over d/eps: a constant times log(1/eps), whatever d."""
    eps = np.geomspace(0.1, 1e-5, 25)
    curves = []
    for d, (colour, symbol) in zip((3, 10, 100), _MARKS, strict=True):
        widths = [theory.covering_width(d, e, 2.0, _DELTA).value for e in eps.tolist()]
        curves.append(Curve(f"d = {d}", 1 / eps, np.array(widths) * eps / d, colour, symbol=symbol))
    return chart(
        _INVERSE, "proven <i>N</i> · <i>ε</i>/<i>d</i>", curves, x=LOG, y={"rangemode": "tozero"}
    )


def cluster() -> go.Figure:
    """d = 3: what neuron pruning needs, and the two constructions that suffice."""
    eps = np.geomspace(0.1, 1e-8, 19)
    suffices = [
        theory.neuron_pruning_sufficient_width(3, e, 1.0, _DELTA).constants for e in eps.tolist()
    ]
    needs = [theory.covering_width(3, e, 1.0, _DELTA).value or None for e in eps.tolist()]
    return chart(
        _INVERSE,
        _WIDTH,
        [
            Curve(
                "one unit suffices",
                1 / eps,
                [float(c["one_unit"]) for c in suffices],
                "broken",
                "dash",
            ),
            Curve(
                "an aligned cluster suffices",
                1 / eps,
                [float(c["cluster"]) for c in suffices],
                "ink",
            ),
            Curve(
                "neuron pruning needs more than", 1 / eps, needs, "neurons", symbol="triangle-down"
            ),
        ],
        x=LOG,
        y=LOG | {"dtick": 4},
    )


def readout() -> go.Figure:
    """d = 10: the planner's answers for both readouts."""
    eps = np.geomspace(0.1, 1e-5, 25).tolist()
    linear = [theory.plan(10, e, _DELTA, readout="linear") for e in eps]
    relu = [theory.plan(10, e, _DELTA, readout="relu") for e in eps]

    def widths(plans, task: str, says: str, status: tuple[str, ...]) -> list[float | None]:
        found = []
        for rows in plans:
            row = [r for r in rows if (r.task, r.says) == (task, says) and str(r.status) in status]
            found.append(float(row[-1].width) if row and row[-1].width >= 1 else None)
        return found

    diagonal = "weight pruning, target (1, ..., 1)/sqrt d"
    fitted = ("measured", "conjectured")
    inverse = [1 / e for e in eps]
    return chart(
        _INVERSE,
        _WIDTH,
        [
            Curve(
                "neurons, linear: more than",
                inverse,
                widths(linear, "neuron pruning", "needs more than", ("proven",)),
                "neurons",
                symbol="triangle-down",
            ),
            Curve(
                "weights, linear, w* = (1, …, 1)/√d: more than",
                inverse,
                widths(linear, diagonal, "needs more than", ("proven",)),
                "weights-linear",
                "dash",
                "triangle-down",
            ),
            Curve(
                "weights, relu: suffices",
                inverse,
                widths(relu, "weight pruning", "suffices", ("proven",)),
                "weights-relu",
                "dashdot",
            ),
            Curve(
                "weights, relu: fitted law",
                inverse,
                widths(relu, "weight pruning", "suffices", fitted),
                "weights-relu",
                "dot",
                "square",
            ),
        ],
        x=LOG,
        y=LOG,
    )
