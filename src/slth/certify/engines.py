"""Maximise a minimum of ReLU sums over a place: which engine answers."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache, partial

import numpy as np

from slth.certify.ascent import local_maxima
from slth.certify.climbed import NormBound
from slth.certify.cones.engine import Cones
from slth.certify.exact.arrangement import Arrangement
from slth.certify.problem.cheap import lipschitz
from slth.certify.problem.objective import Objective
from slth.certify.problem.place import AROUND_ZERO, Place
from slth.certify.problem.problem import Maximization
from slth.certify.protocol import Ask, Bound, Engine, Resume
from slth.certify.signs.engine import Signs
from slth.limits import Deadline
from slth.network import FloatArray
from slth.rounding.outward import TINY

# The first that applies answers, or the next one if it gives up.
ENGINES: tuple[Engine, ...] = (Arrangement(), Signs(), Cones(), NormBound())
# Starts of `good_point`: an incumbent needs fewer climbs than a search whose end it is.
_FEW_STARTS = 60


def is_searched(width: int, d: int, place: Place) -> bool:
    """Whether an engine searches problems of this kind, instead of taking the norm bound."""
    problem = Maximization.blank(width, d, place)
    return not isinstance(next(e for e in ENGINES if e.applies(problem)), NormBound)


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

    The arguments are those of `Maximization` and `Ask`.
    """
    scaled = _unit_scaled(objective)
    if scaled is None:
        return Bound(0.0, None, 0.0, 0, True, "norm bound")
    unit, exponent = scaled
    problem = Maximization(unit, place)
    ask = Ask(
        math.ldexp(max(0.0, incumbent), -exponent),
        rtol,
        math.ldexp(floor, -exponent),
        math.ldexp(stop_above, -exponent),
        deadline,
        generator,
    )
    answers = (engine.maximize(problem, ask) for engine in ENGINES if engine.applies(problem))
    return _scaled_by(next(bound for bound in answers if not bound.gave_up), exponent)


def _scaled_by(bound: Bound, exponent: int) -> Bound:
    """A bound of the problem divided by 2^exponent as one of the problem itself."""
    return replace(
        bound,
        lower=math.ldexp(bound.lower, exponent),
        upper=math.ldexp(bound.upper + TINY, exponent),
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

    Powers of two are exact; what underflows changes the objective by less than `TINY`.
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
    problem = Maximization.blank(width, d, place)
    engine = next(engine for engine in ENGINES if engine.applies(problem))
    if engine.compiled_with:
        _compile(engine.compiled_with, place)


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
