"""d = 1: weight pruning, neuron pruning and subset sum coincide.

On [-1, 1] a network is linear on either side of 0, so its error is the larger of two subset-sum
errors: units with a positive incoming weight must sum to f(1), the others to f(-1). With the relu
readout a sum below 0 does what the empty subset does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from slth.limits import Deadline
from slth.network import Mask, ReLUNetwork
from slth.pruning.weights.subset_sum import subset_sum
from slth.solution import Status

# Products smaller than this are not worth a sample.
_TINY = 1e-300


@dataclass(frozen=True)
class LineTicket:
    """The mask found; bound: proven lower bound on every mask's error."""

    mask: Mask
    bound: float


def prune_line(
    net: ReLUNetwork,
    target: ReLUNetwork,
    eps: float | None,
    sparsest: bool,
    deadline: Deadline,
) -> LineTicket:
    """Solve both sides; with eps each side may err by eps."""
    kept = np.zeros(net.width, dtype=bool)
    bound = 0.0
    for sign in (1, -1):
        exact = _end_value(target, sign)
        wanted = float(exact)
        # What rounding the target's value may change.
        slack = float(abs(exact - Fraction(wanted))) * (1.0 + 1e-15)
        products = net.output * np.abs(net.hidden[:, 0])
        units = np.flatnonzero((net.hidden[:, 0] * sign > 0.0) & (np.abs(products) >= _TINY))
        values = products[units]
        # The products are rounded, half an ulp each, and the tiny ones left out.
        slack += float(np.abs(values).sum()) * 2.0**-52 + net.width * 2.0 * _TINY
        if (net.readout == "relu" and wanted < 0.0) or len(units) == 0:
            bound = max(bound, _below(abs(wanted) - slack))
            continue
        limit = None if deadline.remaining == np.inf else max(deadline.remaining, 1e-3)
        found = subset_sum(values, wanted, eps=eps, sparsest=sparsest, time_limit=limit)
        kept[units] = found.masks[0]
        if sparsest and found.statuses[0] != Status.REACHED:
            # The search by cardinality bounds sizes; the nearest subset bounds the error.
            found = subset_sum(values, wanted, eps=eps, time_limit=limit)
        bound = max(bound, _below(float(found.bound[0]) - slack))
    return LineTicket(Mask.of_units(kept, 1), max(0.0, bound))


def _below(value: float) -> float:
    """What is surely below the exact value of a float subtraction."""
    return math.nextafter(value, -math.inf)


def _end_value(target: ReLUNetwork, sign: int) -> Fraction:
    """target(sign), exactly."""
    total = Fraction(0)
    for w, a in zip(target.hidden[:, 0].tolist(), target.output.tolist(), strict=True):
        if w * sign > 0.0:
            total += Fraction(a) * abs(Fraction(w))
    return max(total, Fraction(0)) if target.readout == "relu" else total
