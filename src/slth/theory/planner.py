"""What width a task needs: every known answer in one table, each with its status and source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from slth.errors import InvalidInput, require_positive
from slth.theory.counting import counting_width
from slth.theory.covering import covering_width
from slth.theory.refuted import best_refuted_width
from slth.theory.result import (
    Evidence,
    Statement,
    plain_number,
    require_dimension,
    require_open_unit,
)
from slth.theory.route import route_width
from slth.theory.single import (
    drawn_unit_refuted_width,
    single_unit_refuted_width,
    single_unit_sufficient_width,
)
from slth.theory.small_units import small_units_width
from slth.theory.spectral import spectral_width
from slth.theory.weighted_units import DEGREES, reach, weighted_units_width
from slth.theory.widths import (
    axis_mask_width,
    neuron_pruning_sufficient_width,
    subset_sum_needed,
    subset_sum_width,
    weight_pruning_width,
)
from slth.theory.zonal import weight_mask_width

Readout = Literal["linear", "relu"]

# Widths of weight tickets, relu readout, measured (docs/theory/subset-sum.md): the mean over draws
# is offset + slope * d log2(sqrt(d) R / eps) / log2(d + 1), inside these ranges of d and eps / R.
_OFFSET, _SLOPE = 6.0, 2.2
_MEASURED_DIMENSIONS = (2, 20)
_MEASURED_EPS = (1e-6, 1e-2)
_MEASURED_SOURCE = "this package, docs/theory/subset-sum.md; benchmarks/weight_width.py"
# Linear readout, polynomials of degree 2: error 1/16 + 2.7 sqrt(d) N^(-1/4) at worst, measured.
_QUADRATIC, _EXCESS = 0.0625, 2.7
_QUADRATIC_DIMENSIONS = (3, 40)


@dataclass(frozen=True)
class PlanRow:
    """One answer.

    Attributes:
        task: which kind of pruning, and of which target where that matters.
        says: "needs more than", "suffices", or "no statement".
        width: hidden units (samples for a subset sum); NaN where there is no number.
        probability: with which the row's sentence holds over the draw; None where none is claimed.
        status: see Evidence; None where there is no statement.
        source: paper, version, statement, or the page of these docs with the proof.
        note: what the number rests on.
    """

    task: str
    says: str
    width: float | int
    probability: float | None
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
            "probability": self.probability,
            "status": None if self.status is None else str(self.status),
            "source": self.source,
            "note": self.note,
        }


@dataclass(frozen=True)
class _Question:
    """What `plan` was asked, validated."""

    d: int
    eps: float
    radius: float
    delta: float

    def row(self, task: str, says: str, bound: Statement, note: str = "") -> PlanRow:
        """A statement as an answer, with probability 1 - delta unless it is conditional."""
        sure = None if bound.status is Evidence.CONDITIONAL else 1.0 - self.delta
        return PlanRow(task, says, bound.value, sure, bound.status, bound.source, note)


def plan(
    d: int, eps: float, delta: float, *, radius: float = 1.0, readout: Readout = "relu"
) -> tuple[PlanRow, ...]:
    """Widths for eps-approximating one neuron on the ball of that radius, probability 1 - delta.

    Rows with another probability say so (`probability`): the measured law is a mean over draws.

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
    asked = _Question(d, eps, radius, delta)
    linear = readout == "linear"
    return (
        *(_linear_neurons(asked) if linear else _relu_neurons(asked)),
        *_one_unit(asked),
        *(_linear_weights(asked) if linear else _relu_weights(asked)),
        *_random_features(asked),
        *_subset_sums(asked),
    )


def _linear_neurons(q: _Question) -> Iterator[PlanRow]:
    best = best_refuted_width(q.d, q.eps, q.radius, q.delta)
    argument = best.name.removeprefix("Theorem 1, ")
    yield q.row("neuron pruning", "needs more than", best, f"all subsets at once; {argument}")
    # The paper's route is stated for radius 2; errors are homogeneous.
    if q.radius >= 2.0:
        route = route_width(q.d, q.eps, q.radius, q.delta)
        yield q.row("neuron pruning, paper's route", "needs more than", route, "two steps granted")
    enough = neuron_pruning_sufficient_width(q.d, q.eps, q.radius, q.delta)
    yield q.row("neuron pruning", "suffices", enough, "one unit, or aligned units and a subset sum")
    relative = q.eps / q.radius
    if relative > reach(DEGREES[-1]):
        weighted = weighted_units_width(q.d, q.eps, q.radius, q.delta)
        degree = int(weighted.constants["degree"])
        note = f"O(d^2) at fixed eps: the paper's conjecture is false there; degree {degree}"
        yield q.row("neuron pruning, units weighted by a polynomial", "suffices", weighted, note)
    if relative > _QUADRATIC:
        least, most = _QUADRATIC_DIMENSIONS
        inside = least <= q.d <= most
        yield PlanRow(
            "neuron pruning, units weighted by a polynomial",
            "suffices",
            math.ceil((_EXCESS * math.sqrt(q.d) / (relative - _QUADRATIC)) ** 4),
            None,
            Evidence.MEASURED if inside else Evidence.SKETCHED,
            "this package, docs/theory/weighted-units.md",
            f"degree 2, the largest error of a draw; measured for {least} <= d <= {most}",
        )


def _relu_neurons(q: _Question) -> Iterator[PlanRow]:
    counted = counting_width(q.d, q.eps, q.radius, q.delta)
    yield q.row("neuron pruning", "needs more than", counted, "counting; nothing better is known")
    aligned = neuron_pruning_sufficient_width(q.d, q.eps, q.radius, q.delta)
    small = small_units_width(q.d, q.eps, q.radius, q.delta)
    least = min(small, aligned, key=lambda each: each.value)
    yield q.row("neuron pruning", "suffices", least, "constructive")


def _one_unit(q: _Question) -> Iterator[PlanRow]:
    place = (q.d, q.eps, q.radius, q.delta)
    refitted = single_unit_refuted_width(*place)
    yield q.row(
        "one unit kept, refitted",
        "needs more than",
        refitted,
        "its output weight chosen freely; and this is the exact law",
    )
    yield q.row("one unit kept", "needs more than", drawn_unit_refuted_width(*place), "as drawn")
    yield q.row("one unit kept", "suffices", single_unit_sufficient_width(*place), "as drawn")


def _linear_weights(q: _Question) -> Iterator[PlanRow]:
    flat = weight_mask_width([1.0] * q.d, q.eps, q.radius, q.delta)
    task = "weight pruning, target (1, ..., 1)/sqrt d"
    yield q.row(task, "needs more than", flat, "every weight mask")
    if q.d > 2:
        pair = weight_mask_width([1.0, 1.0], q.eps, q.radius, q.delta)
        task = "weight pruning, target (1, 1, 0, ...)/sqrt 2"
        yield q.row(task, "needs more than", pair, "every weight mask; only nonzeros count")
    axis = axis_mask_width(q.eps, q.radius, q.delta)
    yield q.row("weight pruning, target on an axis", "suffices", axis, "one subset sum, any d")


def _relu_weights(q: _Question) -> Iterator[PlanRow]:
    counted = counting_width(q.d, q.eps, q.radius, q.delta, pruning="weights")
    yield q.row(
        "weight pruning", "needs more than", counted, "counting, for a target drawn uniformly"
    )
    proven = weight_pruning_width(q.d, q.eps, q.radius, q.delta)
    yield q.row("weight pruning", "suffices", proven, "fixed blocks, any target")
    axis = axis_mask_width(q.eps, q.radius, q.delta)
    yield q.row("weight pruning, target on an axis", "suffices", axis, "one subset sum, any d")
    width, status, note = _measured_weight_width(q.d, q.eps / q.radius)
    yield PlanRow("weight pruning", "suffices", width, None, status, _MEASURED_SOURCE, note)


def _random_features(q: _Question) -> Iterator[PlanRow]:
    place = (q.d, q.eps, q.radius, q.delta)
    best = max(spectral_width(*place), covering_width(*place), key=lambda each: each.value)
    yield q.row(
        "random features, output weights refitted",
        "needs more than",
        best,
        f"linear output; {best.name}",
    )


def _subset_sums(q: _Question) -> Iterator[PlanRow]:
    tolerance = q.eps / q.radius
    if tolerance < 0.5:
        enough = subset_sum_width(tolerance, q.delta)
        task = "subset sum, targets up to 1/2"
        yield q.row(task, "suffices", enough, "samples; uniform on [-1, 1]")
    for share in (None, 0.25):
        counted = subset_sum_needed(tolerance, share=share)
        kept = "" if share is None else ", a quarter of the samples kept"
        yield PlanRow(
            f"subset sum, targets up to 1/2{kept}",
            "needs more than",
            max(0, counted.value - 1),
            1.0,
            counted.status,
            f"{counted.source}; for quantised samples arXiv 2508.11020",
            "samples; counting, whatever they are, quantised ones too",
        )


def _measured_weight_width(d: int, relative: float) -> tuple[float, Evidence, str]:
    """The fitted law, which status it has at (d, eps / R), and what it is."""
    bits = math.log2(max(1.0, math.sqrt(d) / relative))
    width = float(math.ceil(_OFFSET + _SLOPE * d * bits / math.log2(d + 1)))
    law = "6 + 2.2 d log2(sqrt(d) R/eps) / log2(d + 1)"
    (least_d, most_d), (least, most) = _MEASURED_DIMENSIONS, _MEASURED_EPS
    measured = f"measured for {least_d} <= d <= {most_d}, {least:g} <= eps/R <= {most:g}"
    mean = "the mean over draws of the least width that works, no quantile: about half the draws"
    if least_d <= d <= most_d and least <= relative <= most:
        return width, Evidence.MEASURED, f"{mean} need more; {law} within 10 %, {measured}"
    return width, Evidence.CONJECTURED, f"{mean} need more; extrapolated: {law}, {measured}"
