"""The certifier for callers that handle time and interrupts themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from slth.certify.bound import lipschitz
from slth.certify.circle import sup_on_circle
from slth.certify.objective import Objective, objectives
from slth.certify.place import AROUND_ZERO, Place
from slth.certify.rounding import TINY, difference, into_ball
from slth.certify.search import maximize
from slth.errors import InvalidInput, require_positive
from slth.limits import Deadline, Progress, Report, silent
from slth.network import FloatArray, ReLUNetwork
from slth.solution import Enclosure, Status

# Below this fraction of sum |output| ||hidden||, the engines' rounding terms, an error counts as
# closed: per unit, and at least.
_NOISE_PER_UNIT = 2.0**-49
_LEAST_NOISE = 1e-13
# What the engines charge for underflow stays below this; a supremum of 0 has no other noise.
_UNDERFLOW = 1e-285


def enclose(
    net: ReLUNetwork,
    target: ReLUNetwork,
    radius: float,
    rtol: float,
    deadline: Deadline,
    *,
    eps: float | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Enclosure:
    """What `slth.certify` returns; KeyboardInterrupt propagates.

    Searchers certify with this one: they have their own best answer to return on Ctrl-C.
    """
    require_networks(net, target)
    radius = require_positive("radius", radius)
    rtol, eps = require_rtol(rtol), require_eps(eps)
    unit_eps = None if eps is None else eps / radius
    if net.d == 1:
        lower, upper, witness, method = _endpoints(net, target)
    elif net.d == 2:
        upper, point = sup_on_circle(net, target)
        lower, witness = _attained(net, target, point)
        method = "circle sweep"
    else:
        problems = objectives(net, target)
        lower, upper, witness, method = search_problems(
            problems,
            lambda point: _attained(net, target, point),
            _noise(net, target),
            rtol,
            unit_eps,
            deadline,
            seed,
            report,
        )
    noise = _noise(net, target)
    closed = upper - lower <= rtol * upper or upper <= noise
    enclosure = Enclosure(lower, upper, witness, Status.OPEN, method)
    enclosure = at_radius(net, target, enclosure, radius)
    if eps is not None:
        closed = closed or enclosure.upper <= eps or enclosure.lower > eps
    if not closed:
        return enclosure
    return Enclosure(enclosure.lower, enclosure.upper, enclosure.witness, Status.CLOSED, method)


def at_radius(
    net: ReLUNetwork, target: ReLUNetwork, enclosure: Enclosure, radius: float
) -> Enclosure:
    """The enclosure over the ball of that radius, from one over the unit ball.

    A scaled witness is rounded: where the networks cancel it can miss the scaled lower bound, so
    it is measured again.
    """
    scaled = enclosure.scaled(radius)
    if scaled.witness is None or radius == 1.0:
        return scaled
    attained, _ = difference(net, target, scaled.witness)
    if attained == 0.0:
        return replace(scaled, lower=0.0, witness=None)
    return replace(scaled, lower=min(scaled.lower, attained))


def require_networks(net: object, target: object) -> None:
    """Raise InvalidInput unless both are ReLUNetworks of the same input dimension."""
    for name, value in (("net", net), ("target", target)):
        if not isinstance(value, ReLUNetwork):
            raise InvalidInput(
                f"{name} is not a network",
                got=type(value).__name__,
                expected="a ReLUNetwork",
                fix="Build one with slth.ReLUNetwork(hidden, output) or slth.neuron(w).",
            )
    if net.d != target.d:  # type: ignore[union-attr]
        raise InvalidInput(
            "target incompatible with net",
            got=f"net with d = {net.d}, target with d = {target.d}",  # type: ignore[union-attr]
            expected="the same input dimension",
            fix="Compare networks on the same inputs.",
        )


def require_rtol(rtol: object) -> float:
    """Return a relative tolerance, a finite number >= 0, or raise InvalidInput."""
    if isinstance(rtol, bool) or not (isinstance(rtol, int | float) and 0 <= rtol < math.inf):
        raise InvalidInput(
            "rtol out of range", got=repr(rtol), expected="a number >= 0", fix="Pass rtol=1e-6."
        )
    return float(rtol)


def require_eps(eps: object) -> float | None:
    """Return a decision threshold, None or a finite number > 0, or raise InvalidInput."""
    return None if eps is None else require_positive("eps", eps)


def _mass(net: ReLUNetwork) -> float:
    """sum |output| ||hidden||_1: what rounding errors are measured against."""
    return float(np.abs(net.output) @ np.abs(net.hidden).sum(axis=1))


def _noise(net: ReLUNetwork, target: ReLUNetwork) -> float:
    """An upper bound this small is rounding, not error."""
    return noise_of(_mass(net) + _mass(target), net.width + target.width)


def noise_of(mass: float, units: int) -> float:
    """What counts as rounding beside `units` units whose sizes sum up to `mass`."""
    return max(_LEAST_NOISE, _NOISE_PER_UNIT * units) * mass + _UNDERFLOW


def _attained(
    net: ReLUNetwork, target: ReLUNetwork, point: FloatArray | None
) -> tuple[float, FloatArray | None]:
    """A rigorous lower bound at the point, moved into the ball; (0.0, None) without a direction."""
    if point is None or not point.any():
        return 0.0, None
    witness = into_ball(point)
    lower, _ = difference(net, target, witness)
    return (lower, witness) if lower > 0.0 else (0.0, None)


def _endpoints(
    net: ReLUNetwork, target: ReLUNetwork
) -> tuple[float, float, FloatArray | None, str]:
    """d = 1: the unit ball is [-1, 1] and the difference is linear on either side of 0."""
    lower = upper = 0.0
    witness = None
    for x in (1.0, -1.0):
        below, above = difference(net, target, np.array([x]))
        upper = max(upper, above)
        if below > lower:
            lower, witness = below, np.array([x])
    return lower, upper, witness, "endpoints"


def search_problems(
    problems: list[Objective],
    attained: Callable[[FloatArray | None], tuple[float, FloatArray | None]],
    noise: float,
    rtol: float,
    eps: float | None,
    deadline: Deadline,
    seed: int,
    report: Report,
    place: Place = AROUND_ZERO,
) -> tuple[float, float, FloatArray | None, str]:
    """Each problem of a difference in turn, the incumbent carried over.

    attained: a rigorous lower bound near a point and where it is attained.
    Returns (lower, upper, witness, method).
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    lower, upper, witness, method = 0.0, 0.0, None, "norm bound"
    for index, objective in enumerate(problems):
        share = deadline.within(deadline.remaining / (len(problems) - index))
        bound = maximize(
            objective,
            incumbent=lower,
            rtol=rtol / 2,
            floor=noise if eps is None else eps * (1 - 2.0**-40) - objective.slack,
            stop_above=math.inf if eps is None else eps,
            deadline=share,
            generator=generator,
            place=place,
        )
        reached, point = attained(bound.x)
        if reached > lower:
            lower, witness = reached, point
        if bound.upper + objective.slack >= upper:
            upper, method = bound.upper + objective.slack, bound.method
        last = index + 1 == len(problems)
        report(Progress("certify", lower, upper if last else math.inf))
        if eps is not None and lower > eps and not last:
            return lower, _trivial(problems, place), witness, method
    return lower, upper * (1 + 2.0**-50) + TINY, witness, method


def _trivial(problems: list[Objective], place: Place) -> float:
    """An upper bound of all problems that costs nothing."""
    return max(
        (lipschitz(problem) * place.within(problem.hidden.shape[1]) + problem.slack)
        * (1.0 + 2.0**-50)
        for problem in problems
    )
