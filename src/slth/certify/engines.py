"""Maximise a minimum of ReLU sums over a place: which engine answers, by dimension."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import numpy as np

from slth.certify.ascent import local_maxima
from slth.certify.cones.engine import maximize_over_cones
from slth.certify.exact.arrangement import maximize_over_arrangement
from slth.certify.problem.cheap import lipschitz, norm_bound
from slth.certify.problem.objective import Objective
from slth.certify.problem.place import AROUND_ZERO, Place
from slth.certify.protocol import Bound, Resume
from slth.certify.signs.engine import maximize_over_signs
from slth.certify.signs.lifted import step_cost
from slth.limits import Deadline
from slth.network import FloatArray

# Wider problems on the sphere in R^3 are left to the cones: an arrangement costs width^3.
_ARRANGED_UP_TO = 250
# Up to this dimension cones are quicker than signs, except for problems of so few units.
_CONES_UP_TO = 6
_SIGNS_UP_TO_WIDTH = {4: 20, 5: 20, 6: 60}
# Where signs cost too much, cones are tried as long as those that cover the place are not too many.
_MOST_CONES_UP_TO = {"ball": 11, "box": 8, "orthant": 14}
# Dearer Newton steps would not end within a slice: there the cheap bound is all there is.
_DEAREST_STEP = 6e8
_STARTS, _FEW_STARTS = 500, 60


def maximize(
    objective: Objective,
    *,
    incumbent: float = 0.0,
    rtol: float = 1e-6,
    floor: float = 0.0,
    stop_above: float = math.inf,
    deadline: Deadline,
    generator: np.random.Generator,
    place: Place = AROUND_ZERO,
) -> Bound:
    """Enclose sup min_k A_k over the place, d >= 1 (the slack is the caller's business).

    Args:
        objective: the problem.
        incumbent: a value known to be attained, in this problem or in a sister problem of which
            only the largest supremum matters: nothing below it is told apart.
        rtol: the search ends with upper <= max(floor, best * (1 + rtol)), best being the larger
            of `incumbent` and the value found.
        floor: values up to here need not be told apart, e.g. the eps of "is the error <= eps".
        stop_above: return as soon as a point with a larger value (in floats) is known.
        deadline: when to return with what is proven.
        generator: randomness of the starts of the ascent.
        place: by default the unit ball around 0.
    """
    scaled = _unit_scaled(objective)
    if scaled is None:
        return Bound(0.0, None, 0.0, 0, True, "norm bound")
    unit, exponent = scaled
    bound = _maximize_unit(
        unit,
        math.ldexp(max(0.0, incumbent), -exponent),
        rtol,
        math.ldexp(floor, -exponent),
        math.ldexp(stop_above, -exponent),
        deadline,
        generator,
        place,
    )
    return _scaled_by(bound, exponent)


def _scaled_by(bound: Bound, exponent: int) -> Bound:
    """A bound of the problem divided by 2^exponent as one of the problem itself."""
    return replace(
        bound,
        lower=math.ldexp(bound.lower, exponent),
        upper=math.ldexp(bound.upper + 1e-290, exponent),
        resume=None if bound.resume is None else partial(_resumed, bound.resume, exponent),
    )


def _resumed(resume: Resume, exponent: int, incumbent: float, deadline: Deadline) -> Bound:
    return _scaled_by(resume(math.ldexp(incumbent, -exponent), deadline), exponent)


def good_point(
    objective: Objective,
    *,
    deadline: Deadline,
    generator: np.random.Generator,
    place: Place = AROUND_ZERO,
) -> FloatArray | None:
    """A point from a few climbs, for less than what `maximize` spends on them; None for zero."""
    scaled = _unit_scaled(objective)
    if scaled is None:
        return None
    return local_maxima(scaled[0], _FEW_STARTS, generator, deadline, place=place).points[0]


def _unit_scaled(objective: Objective) -> tuple[Objective, int] | None:
    """The objective divided by 2^exponent, with a Lipschitz bound in [1, 2), and the exponent; None
    if it is zero.

    Powers of two are exact; what underflows changes the objective by less than 1e-290.
    """
    scale = lipschitz(objective)
    if scale == 0.0:
        return None
    exponent = math.frexp(scale)[1] - 1
    unit = replace(
        objective,
        linear=np.ldexp(objective.linear, -exponent),
        coefficients=np.ldexp(objective.coefficients, -exponent),
    )
    return unit, exponent


def compile_engine(width: int, d: int, place: Place) -> None:
    """Compile what problems of this kind need, so that no time limit has to pay for it."""
    engine = _engine(width, d, place)
    if engine is not None:
        _compile(3 if engine is maximize_over_cones else _CONES_UP_TO + 1, place)


@cache
def _compile(d: int, place: Place) -> None:
    generator = np.random.default_rng(0)
    # d = 3: two pieces for the cones, one for the arrangement.
    for pieces in (2, 1):
        tiny = Objective(
            np.zeros((pieces, d)),
            generator.standard_normal((pieces, 6)),
            generator.standard_normal((6, d)),
            0.0,
        )
        maximize(tiny, rtol=1e-2, deadline=Deadline(), generator=generator, place=place)


def _maximize_unit(
    objective: Objective,
    incumbent: float,
    rtol: float,
    floor: float,
    stop_above: float,
    deadline: Deadline,
    generator: np.random.Generator,
    place: Place,
) -> Bound:
    width, d = objective.hidden.shape
    if d == 3 and place == AROUND_ZERO and width <= _ARRANGED_UP_TO:
        exact = maximize_over_arrangement(objective, incumbent=incumbent, deadline=deadline)
        if exact is not None:
            return exact
    root = norm_bound(objective) * place.within(d)
    found = local_maxima(objective, _STARTS, generator, deadline, place=place)
    lower, x = float(found.values[0]), found.points[0]
    best = max(incumbent, lower)
    threshold = max(floor, best * (1.0 + rtol))
    if root <= threshold or best > stop_above or deadline.expired:
        return Bound(lower, x, root, 0, root <= threshold, "norm bound")
    engine = _engine(width, d, place)
    if engine is None:
        return Bound(lower, x, root, 0, False, "norm bound")
    bound = engine(
        objective,
        incumbent=best,
        root=root,
        rtol=rtol,
        floor=floor,
        stop_above=stop_above,
        deadline=deadline,
        place=place,
    )
    if bound.lower > lower:
        lower, x = bound.lower, bound.x
    return replace(bound, lower=lower, x=x)


def _engine(width: int, d: int, place: Place) -> Callable[..., Bound] | None:
    """The branch-and-bound that is quicker; None if neither ends within reason."""
    wide = d <= _CONES_UP_TO and width > _SIGNS_UP_TO_WIDTH.get(d, 0)
    if not wide and step_cost(d, width) <= _DEAREST_STEP:
        return maximize_over_signs
    return maximize_over_cones if d <= _MOST_CONES_UP_TO[place.shape] else None
