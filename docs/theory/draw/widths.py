"""Pictures of the laws of width: the zonal and the spectral bound beside covering."""

from __future__ import annotations

import numpy as np

from docs.theory.draw.chart import Curve
from docs.theory.draw.plain import log_lines
from slth import theory

_DELTA = 0.05


def zonal() -> str:
    """d = 3, 5, 10: the zonal bound, its closed form in d = 10, and covering in d = 10."""
    eps = np.geomspace(0.02, 1e-4, 12).tolist()
    inverse = [1 / e for e in eps]
    curves = []
    for d, colour in ((3, "weights-relu"), (5, "weights-linear"), (10, "neurons")):
        found = [theory.zonal_width(d, e, 1.0, _DELTA) for e in eps]
        curves.append(Curve(f"zonal, d = {d}", inverse, [b.value for b in found], colour))
        if d == 10:
            closed = [10.0 ** b.constants.get("log10_closed_form", -9.0) for b in found]
            closed = [c if c > 1e-3 else 0.0 for c in closed]
            curves.append(Curve("closed form, d = 10", inverse, closed, "neurons", "dash"))
            old = [theory.covering_width(d, e, 1.0, _DELTA).value for e in eps]
            curves.append(Curve("covering, d = 10", inverse, old, "ink", "dot"))
    return log_lines("1/eps", "width N that is refuted", curves)


def spectral() -> str:
    """d = 10 and 20: spectral, zonal and covering."""
    eps = np.geomspace(0.02, 1e-4, 12).tolist()
    inverse = [1 / e for e in eps]
    curves = []
    for d, colour in ((10, "neurons"), (20, "weights-relu")):
        found = [theory.spectral_width(d, e, 1.0, _DELTA).value for e in eps]
        curves.append(Curve(f"spectral, d = {d}", inverse, found, colour))
        covered = [theory.covering_width(d, e, 1.0, _DELTA).value for e in eps]
        curves.append(Curve(f"covering, d = {d}", inverse, covered, colour, "dot"))
    pruned = [theory.zonal_width(10, e, 1.0, _DELTA).value for e in eps]
    curves.append(Curve("zonal (subsets), d = 10", inverse, pruned, "neurons", "dash"))
    return log_lines("1/eps", "width N that is refuted", curves)


def masks() -> str:
    """d = 10, the flat target: both arguments for weight masks, and the closed form for neurons."""
    eps = np.geomspace(0.003, 1e-6, 12).tolist()
    inverse = [1 / e for e in eps]
    found = [theory.weight_mask_width([1.0] * 10, e, 1.0, _DELTA).constants for e in eps]
    closed = [
        10.0 ** theory.zonal_width(10, e, 1.0, _DELTA).constants.get("log10_closed_form", -9.0)
        for e in eps
    ]
    closed = [c if c > 1e-3 else 0.0 for c in closed]
    return log_lines(
        "1/eps",
        "width N that is refuted",
        [
            Curve("weight masks, measures", inverse, [c["measures"] for c in found], "neurons"),
            Curve("weight masks, planes", inverse, [c["planes"] for c in found], "weights-linear"),
            Curve("neurons, closed form", inverse, closed, "ink", "dot"),
        ],
    )


def small_units() -> str:
    """d = 10, ReLU readout: small units, one unit as drawn, counting."""
    eps = np.geomspace(0.3, 1e-4, 12).tolist()
    inverse = [1 / e for e in eps]
    small = [theory.small_units_width(10, e, 1.0, _DELTA).value for e in eps]
    alone = [theory.single_unit_sufficient_width(10, e, 1.0, _DELTA).value for e in eps]
    counted = [theory.counting_width(10, e, 1.0, _DELTA).value for e in eps]
    return log_lines(
        "1/eps",
        "width N (hidden units)",
        [
            Curve("small units suffice", inverse, small, "neurons"),
            Curve("one unit suffices", inverse, alone, "broken", "dash"),
            Curve("counting: more than", inverse, counted, "ink", "dot"),
        ],
    )


def known() -> str:
    """d = 10: both readouts, below and above."""
    eps = np.geomspace(0.03, 1e-4, 12).tolist()
    inverse = [1 / e for e in eps]
    needed = [theory.zonal_width(10, e, 1.0, _DELTA).value for e in eps]
    small = [theory.small_units_width(10, e, 1.0, _DELTA).value for e in eps]
    aligned = [theory.neuron_pruning_sufficient_width(10, e, 1.0, _DELTA).value for e in eps]
    counted = [theory.counting_width(10, e, 1.0, _DELTA).value for e in eps]
    return log_lines(
        "1/eps",
        "width N (hidden units)",
        [
            Curve("linear: suffices", inverse, aligned, "neurons", "dash"),
            Curve("linear: more than", inverse, needed, "neurons"),
            Curve("relu: suffices", inverse, small, "weights-relu", "dash"),
            Curve("relu: more than", inverse, counted, "weights-relu"),
        ],
    )


def weighted_units() -> str:
    """eps = .1, d = 3 to 60, linear readout: weighted units, and what sufficed before."""
    dimensions = [3, 4, 5, 7, 10, 14, 20, 28, 40, 60]
    weighted = [theory.weighted_units_width(d, 0.1, 1.0, _DELTA).value for d in dimensions]
    aligned = [
        theory.neuron_pruning_sufficient_width(d, 0.1, 1.0, _DELTA).value for d in dimensions
    ]
    return log_lines(
        "d",
        "width N",
        [
            Curve("weighted units suffice", dimensions, weighted, "neurons"),
            Curve("one unit, or a cluster, suffices", dimensions, aligned, "ink", "dash"),
        ],
    )
