"""Counting: masks are finitely many, and each serves targets within a small cap only."""

from __future__ import annotations

import math
from typing import Literal, get_args

from slth.errors import InvalidInput, require_positive
from slth.theory.result import Evidence, Statement, require_dimension, require_open_unit
from slth.theory.single import log_cap_probability

Pruning = Literal["neurons", "weights"]
# Relative rounding of the division below.
_ROUNDING = 1e-12


def counting_width(
    d: int, eps: float, radius: float = 1.0, delta: float = 0.05, *, pruning: Pruning = "neurons"
) -> Statement:
    """The largest N that counting refutes, for either readout.

    Two targets within eps of one function differ by at most 2 eps, so their angle is at most
    arcsin(2 eps/R): each mask serves targets of one cap of that half-angle. There are 2^N subsets
    of units and at most 2^(d N) weight masks with different functions, so for a target drawn
    uniformly Pr(some mask works) <= (their number) * cap. A Gaussian network is rotation invariant,
    so for subsets of units the same holds for every fixed target.

    Args:
        d: input dimension, >= 2.
        eps: error, > 0.
        radius: radius of the ball, > 0.
        delta: failure probability.
        pruning: "neurons" or "weights".

    Raises:
        InvalidInput: out of range, or an unknown pruning.
    """
    d = require_dimension(d)
    relative = math.nextafter(
        2.0 * require_positive("eps", eps) / require_positive("radius", radius), math.inf
    )
    delta = require_open_unit("delta", delta)
    if pruning not in get_args(Pruning):
        raise InvalidInput(
            "unknown pruning",
            got=repr(pruning),
            expected="'neurons' or 'weights'",
            fix="Use pruning='neurons'.",
        )
    value = 0
    if relative < 1.0:
        bits = (math.log(delta) - log_cap_probability(d, relative)) / math.log(2.0)
        each = 1 if pruning == "neurons" else d
        value = max(0, math.floor(bits * (1.0 - _ROUNDING) / each))
    whose = "any target" if pruning == "neurons" else "target uniform on the sphere"
    return Statement(
        name=f"counting, {pruning}",
        value=value,
        meaning="no mask on this many units comes within eps with probability >= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=value < 1,
        assumptions=("linear or relu readout", f"w ~ N(0, I_d); {whose}"),
        source="this package, docs/theory/known.md",
    )
