"""What width a task needs: every known answer in one table, each with its standing and source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from slth.errors import InvalidInput, require_positive
from slth.theory.covering import covering_width
from slth.theory.result import (
    PAPER,
    Bound,
    Standing,
    plain_number,
    require_dimension,
    require_open_unit,
)
from slth.theory.route import route_width
from slth.theory.single import single_unit_refuted_width, single_unit_sufficient_width
from slth.theory.widths import neuron_pruning_sufficient_width, weight_pruning_width

Readout = Literal["linear", "relu"]

# Median and 99 % widths of random subset sum measured with optimal subsets, product samples
# (docs/theory/subset-sum.md): all targets in [-1, 1] at once, n = 1.14 log2(1/eps) + 3.9.
_MEASURED_SLOPE, _MEASURED_OFFSET = 1.14, 3.9


@dataclass(frozen=True)
class PlanRow:
    """One answer.

    Attributes:
        task: which kind of pruning.
        says: "needs more than", "suffices", or "no statement".
        width: hidden units; NaN where there is no statement.
        standing, source, note: see Bound.
    """

    task: str
    says: str
    width: float | int
    standing: Standing
    source: str
    note: str

    def as_row(self) -> dict[str, object]:
        """The fields as plain JSON values (no statement: null)."""
        return {
            "task": self.task,
            "says": self.says,
            "width": None if self.width != self.width else plain_number(self.width),
            "standing": str(self.standing),
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
    linear = readout == "linear"
    rows = []
    if linear:
        covering = covering_width(d, eps, radius, delta)
        rows.append(_row("neuron pruning", "needs more than", covering, _vacuous(covering)))
        # The paper's route is stated for radius 2; errors are homogeneous.
        if radius >= 2.0:
            route = route_width(d, eps, radius, delta)
            rows.append(
                _row("neuron pruning, paper's route", "needs more than", route, "two steps granted")
            )
        rows.append(
            _row(
                "random features, output weights refitted",
                "needs more than",
                covering,
                "the covering argument does not use the output weights; compare Yehudai and "
                "Shamir 2019 (targets with bias, exponential in d)",
            )
        )
    else:
        rows.append(
            PlanRow(
                "neuron pruning",
                "no statement",
                math.nan,
                Standing.PROVEN,
                PAPER,
                "Theorem 1 and the covering bound need a linear readout: a relu on the output "
                "can make the target's kink by itself",
            )
        )
    rows.append(
        _row(
            "neuron pruning",
            "suffices",
            neuron_pruning_sufficient_width(d, eps, radius, delta),
            "constructive: one unit, or a subset sum of aligned units",
        )
    )
    rows.append(
        PlanRow(
            "neuron pruning",
            "needs more than",
            math.nan,
            Standing.CONJECTURED,
            f"{PAPER}, Section 6",
            "exponential in d (keep one unit optimal in d): open",
        )
    )
    rows.append(
        _row(
            "one unit kept",
            "needs more than",
            single_unit_refuted_width(d, eps, radius, delta),
            "even with its output weight refitted",
        )
    )
    rows.append(
        _row("one unit kept", "suffices", single_unit_sufficient_width(d, eps, radius, delta), "")
    )
    if linear:
        rows.append(
            PlanRow(
                "weight pruning",
                "no statement",
                math.nan,
                Standing.PROVEN,
                "this package, docs/theory/readout.md",
                "the logarithmic construction needs a relu readout; with a linear one and a "
                "target off the axes width Omega(1/eps) is needed here too",
            )
        )
    else:
        rows.append(
            _row("weight pruning", "suffices", weight_pruning_width(d, eps, radius, delta), "")
        )
        rows.append(
            PlanRow(
                "weight pruning",
                "suffices",
                float(_measured_weight_width(d, eps, radius)),
                Standing.MEASURED,
                "this package, docs/theory/subset-sum.md",
                "median random subset sum, two per coordinate, n = 1.14 log2(1/eps') + 3.9",
            )
        )
    return tuple(rows)


def _measured_weight_width(d: int, eps: float, radius: float) -> int:
    tolerance = eps / (radius * math.sqrt(d))
    samples = _MEASURED_SLOPE * math.log2(1.0 / min(1.0, tolerance)) + _MEASURED_OFFSET
    return d * 2 * math.ceil(samples)


def _row(task: str, says: str, bound: Bound, note: str) -> PlanRow:
    return PlanRow(task, says, bound.value, bound.standing, bound.source, note)


def _vacuous(bound: Bound) -> str:
    return "vacuous: says nothing at these parameters" if bound.vacuous else "all subsets at once"
