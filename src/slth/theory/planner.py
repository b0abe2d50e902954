"""What width a task needs: every known answer in one table, each with its status and source."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from slth.errors import InvalidInput, require_positive
from slth.theory.covering import covering_width
from slth.theory.result import (
    PAPER,
    Evidence,
    Statement,
    plain_number,
    require_dimension,
    require_open_unit,
)
from slth.theory.route import route_width
from slth.theory.single import single_unit_refuted_width, single_unit_sufficient_width
from slth.theory.widths import neuron_pruning_sufficient_width, weight_pruning_width

Readout = Literal["linear", "relu"]

# Widths of weight tickets, relu readout, measured (docs/theory/subset-sum.md):
# offset + slope * d log2(sqrt(d) R / eps) / log2(d + 1), inside these ranges of d and eps / R.
_OFFSET, _SLOPE = 6.0, 2.2
_MEASURED_DIMENSIONS = (2, 20)
_MEASURED_EPS = (1e-6, 1e-2)
_MEASURED_SOURCE = "this package, docs/theory/subset-sum.md; benchmarks/weight_width.py"
# tan(45 degrees / 2) / 2: the arc of half-angle 2 arctan(2 eps / R) stays within 45 degrees.
_DIAGONAL_REACH = 0.207


@dataclass(frozen=True)
class PlanRow:
    """One answer.

    Attributes:
        task: which kind of pruning.
        says: "needs more than", "suffices", or "no statement".
        width: hidden units; NaN where there is no number.
        status: see Evidence; None where there is no statement.
        source: paper, version, statement, or the page of these docs with the proof.
        note: what the number rests on.
    """

    task: str
    says: str
    width: float | int
    status: Evidence | None
    source: str
    note: str

    @property
    def vacuous(self) -> bool:
        """A width that is needed anyway: the statement says nothing at these parameters."""
        return self.says == "needs more than" and self.width < 1

    def as_row(self) -> dict[str, object]:
        """The fields as plain JSON values (no number: null)."""
        return {
            "task": self.task,
            "says": self.says,
            "width": None if self.width != self.width else plain_number(self.width),
            "vacuous": self.vacuous,
            "status": None if self.status is None else str(self.status),
            "source": self.source,
            "note": self.note,
        }


def plan(
    d: int, eps: float, delta: float, *, radius: float = 1.0, readout: Readout = "relu"
) -> tuple[PlanRow, ...]:
    """Widths for eps-approximating one neuron on the ball of that radius, probability 1 - delta.

    Args:
        d: input dimension, >= 2.
        eps: uniform error, 0 < eps < 1.
        delta: failure probability.
        radius: radius of the ball.
        readout: "linear" (the paper's network) or "relu" (the weight-pruning constructions').
    """
    d = require_dimension(d)
    eps = require_open_unit("eps", eps)
    delta = require_open_unit("delta", delta)
    radius = require_positive("radius", radius)
    if readout not in get_args(Readout):
        raise InvalidInput(
            "unknown readout",
            got=repr(readout),
            expected="'linear' or 'relu'",
            fix="Use readout='linear' for the paper's network.",
        )
    neurons = _linear_neurons if readout == "linear" else _relu_neurons
    weights = _linear_weights if readout == "linear" else _relu_weights
    suffices = neuron_pruning_sufficient_width(d, eps, radius, delta)
    alone = single_unit_refuted_width(d, eps, radius, delta)
    return (
        *neurons(d, eps, radius, delta),
        _row(
            "neuron pruning",
            "suffices",
            suffices,
            "constructive: one unit, or a subset sum of aligned units",
        ),
        PlanRow(
            "neuron pruning",
            "needs more than",
            math.nan,
            Evidence.CONJECTURED,
            f"{PAPER}, Section 6",
            "exponential in d (keep one unit optimal in d): open",
        ),
        _row("one unit kept", "needs more than", alone, "even with its output weight refitted"),
        _row("one unit kept", "suffices", single_unit_sufficient_width(d, eps, radius, delta), ""),
        *weights(d, eps, radius, delta),
        _random_features(d, eps, radius, delta),
    )


def _linear_neurons(d: int, eps: float, radius: float, delta: float) -> list[PlanRow]:
    covering = covering_width(d, eps, radius, delta)
    rows = [_row("neuron pruning", "needs more than", covering, "all subsets at once")]
    # The paper's route is stated for radius 2; errors are homogeneous.
    if radius >= 2.0:
        route = route_width(d, eps, radius, delta)
        rows.append(
            _row("neuron pruning, paper's route", "needs more than", route, "two steps granted")
        )
    return rows


def _relu_neurons(d: int, eps: float, radius: float, delta: float) -> list[PlanRow]:
    return [
        PlanRow(
            "neuron pruning",
            "no statement",
            math.nan,
            None,
            "docs/theory/readout.md",
            "Theorem 1 and the covering bound need a linear readout: a relu on the output "
            "can make the target's kink by itself",
        )
    ]


def _linear_weights(d: int, eps: float, radius: float, delta: float) -> list[PlanRow]:
    # In the plane of two coordinates the target (1, ..., 1) / sqrt d has norm sqrt(2 / d), and
    # the arc around its kink must hold neither axis: half-angle below 45 degrees.
    in_plane = math.nextafter(eps * math.sqrt(d / 2.0), math.inf) * (1.0 + 2.0**-50)
    rows = []
    if in_plane / radius < _DIAGONAL_REACH:
        one_plane = covering_width(2, in_plane, radius, delta)
        rows.append(
            _row(
                "weight pruning, target (1, ..., 1)/sqrt d",
                "needs more than",
                replace(one_plane, source="this package, docs/theory/readout.md"),
                "every weight mask: the kink lines of a coordinate plane leave a gap",
            )
        )
    rows.append(
        PlanRow(
            "weight pruning",
            "no statement",
            math.nan,
            None,
            "docs/theory/readout.md",
            "the logarithmic construction needs a relu readout; with a linear one and a target "
            "off the axes width Omega(1/eps) is needed here too",
        )
    )
    return rows


def _relu_weights(d: int, eps: float, radius: float, delta: float) -> list[PlanRow]:
    proven = weight_pruning_width(d, eps, radius, delta)
    width, status, note = _measured_weight_width(d, eps / radius)
    return [
        _row("weight pruning", "suffices", proven, "fixed blocks, any target"),
        PlanRow("weight pruning", "suffices", width, status, _MEASURED_SOURCE, note),
    ]


def _random_features(d: int, eps: float, radius: float, delta: float) -> PlanRow:
    covering = covering_width(d, eps, radius, delta)
    source = (
        "this package, docs/theory/covering.md; compare Malach et al. 2020 (arXiv 2002.00585), "
        "Yehudai and Shamir 2019 (arXiv 1904.00687; exponential in d, for targets with a bias)"
    )
    return _row(
        "random features, output weights refitted",
        "needs more than",
        replace(covering, source=source),
        "linear output; the proof does not use the output weights, so refitting does not help",
    )


def _measured_weight_width(d: int, relative: float) -> tuple[float, Evidence, str]:
    """The fitted law, which status it has at (d, eps / R), and what it is."""
    bits = math.log2(max(1.0, math.sqrt(d) / relative))
    width = float(math.ceil(_OFFSET + _SLOPE * d * bits / math.log2(d + 1)))
    law = "6 + 2.2 d log2(sqrt(d) R/eps) / log2(d + 1)"
    (least_d, most_d), (least, most) = _MEASURED_DIMENSIONS, _MEASURED_EPS
    measured = f"measured for {least_d} <= d <= {most_d}, {least:g} <= eps/R <= {most:g}"
    if least_d <= d <= most_d and least <= relative <= most:
        note = f"mean over draws, not the 1 - delta quantile: {law} within 10 %, {measured}"
        return width, Evidence.MEASURED, note
    return width, Evidence.CONJECTURED, f"extrapolated: {law}, {measured}"


def _row(task: str, says: str, bound: Statement, note: str) -> PlanRow:
    return PlanRow(task, says, bound.value, bound.status, bound.source, note)
