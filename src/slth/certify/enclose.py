"""The certifier for callers that handle time and interrupts themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slth.certify.engines import good_point, maximize
from slth.certify.patterns import are_few, enclose_patterns
from slth.certify.problem.cheap import lipschitz
from slth.certify.problem.objective import Objective, objectives
from slth.certify.problem.place import AROUND_ZERO, Place
from slth.certify.protocol import Bound
from slth.certify.request import Request
from slth.certify.small.differences import SMALL_METHODS, Differences, is_small
from slth.certify.unit_pair import UnitPair
from slth.certify.values import attained
from slth.errors import InvalidInput, require_number, require_positive
from slth.limits import Deadline, Progress, Report, silent
from slth.network import FloatArray, ReLUNetwork, require_networks
from slth.rounding.outward import TINY
from slth.solution import Enclosure, Status

# Up to this d engines need no incumbent to be quick.
_ARRANGED_INPUTS = 3


def enclose(
    net: ReLUNetwork,
    target: ReLUNetwork,
    rtol: float,
    deadline: Deadline,
    *,
    eps: float | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Enclosure:
    """What `slth.certify` returns on the unit ball; KeyboardInterrupt propagates.

    Searchers certify with this one: they have their own best answer to return on Ctrl-C.
    """
    require_networks(net, target)
    request = Request(require_rtol(rtol), require_eps(eps), deadline, seed, report)
    return over_ball(net, target, 1.0, request, enclose_unit)


def over_ball(
    net: ReLUNetwork,
    target: ReLUNetwork,
    radius: float,
    request: Request,
    over_unit_ball: Callable[[UnitPair, Request], Enclosure],
) -> Enclosure:
    """Enclose sup |net - target| over the ball of that radius around 0 by what encloses that of a
    pair at ordinary scale over the unit ball."""
    pair = UnitPair.of(net, target)
    found = over_unit_ball(pair, request.about(pair.unit_eps(request.eps, radius)))
    return pair.at(found, radius, request.rtol, request.eps)


def enclose_unit(pair: UnitPair, request: Request) -> Enclosure:
    """Enclose sup |pair.net - pair.target| over the unit ball."""
    net, target = pair.net, pair.target
    if pair.mass == 0.0:
        return Enclosure(0.0, 0.0, None, Status.CLOSED, "equal units")
    units = net.width + target.width
    seen = None
    if are_few(net.d, units):
        seen = Known(*enclose_patterns(pair, request), "patterns")
        if request.closed_by(seen.lower, seen.upper, pair.noise):
            return seen.enclosure(pair, request)
    if not is_small(net.d, units):
        return enclose_further(pair, seen, request)
    small = Differences.of_pairs([(net, target)])
    threshold = math.inf if request.eps is None else request.eps
    lower, upper, points = small.enclose(request.rtol, threshold, request.seed, request.deadline)
    found = Known.of(lower[0], upper[0], points[0]).met(seen)
    if net.d <= 2 or request.closed_by(found.lower, found.upper, pair.noise):
        return found.enclosure(pair, request)
    return enclose_further(pair, found, request)


@dataclass(frozen=True)
class Known:
    """What is known of a supremum over the unit ball: as `Enclosure` has it, without status."""

    lower: float
    upper: float
    witness: FloatArray | None
    method: str

    @classmethod
    def of(cls, lower: float, upper: float, point: FloatArray) -> Known:
        """From what `Differences.enclose` found."""
        method = SMALL_METHODS[min(len(point), 3)]
        return cls(float(lower), float(upper), point if lower > 0.0 else None, method)

    def met(self, other: Known | None) -> Known:
        """What both know of the same supremum."""
        if other is None:
            return self
        below = self if self.lower >= other.lower else other
        above = self if self.upper <= other.upper else other
        return Known(below.lower, above.upper, below.witness, above.method)

    def enclosure(self, pair: UnitPair, request: Request) -> Enclosure:
        """The same with a status, on the unit ball."""
        closed = request.closed_by(self.lower, self.upper, pair.noise)
        status = Status.CLOSED if closed else Status.OPEN
        return Enclosure(self.lower, self.upper, self.witness, status, self.method)


def enclose_further(pair: UnitPair, found: Known | None, request: Request) -> Enclosure:
    """`enclose_unit` for d >= 3, from what is known already if anything is."""
    net, target = pair.net, pair.target
    lower, upper, witness, method = search_problems(
        objectives(net, target),
        lambda point: attained(net, target, point),
        pair.noise,
        request,
        known=(0.0, None) if found is None else (found.lower, found.witness),
    )
    return Known(lower, upper, witness, method).met(found).enclosure(pair, request)


def require_rtol(rtol: object) -> float:
    """Return a relative tolerance, a finite number >= 0, or raise InvalidInput."""
    number = require_number("rtol", rtol)
    if number < 0.0:
        raise InvalidInput(
            "rtol out of range", got=repr(rtol), expected="a number >= 0", fix="Pass rtol=1e-6."
        )
    return number


def require_eps(eps: object) -> float | None:
    """Return a decision threshold, None or a finite number > 0, or raise InvalidInput."""
    return None if eps is None else require_positive("eps", eps)


def search_problems(
    problems: list[Objective],
    attained: Callable[[FloatArray | None], tuple[float, FloatArray | None]],
    noise: float,
    request: Request,
    place: Place = AROUND_ZERO,
    known: tuple[float, FloatArray | None] = (0.0, None),
) -> tuple[float, float, FloatArray | None, str]:
    """Each problem of a difference in turn, the incumbent carried over.

    attained: a rigorous lower bound near a point and where it is attained. known: such a pair
    from elsewhere.
    Returns (lower, upper, witness, method).
    """
    eps, deadline, report = request.eps, request.deadline, request.report
    generator = np.random.Generator(np.random.PCG64(request.seed))
    lower, witness = known

    def offer(x: FloatArray | None) -> None:
        nonlocal lower, witness
        reached, point = attained(x)
        if reached > lower:
            lower, witness = reached, point

    if len(problems) > 1 and problems[0].hidden.shape[1] > _ARRANGED_INPUTS:
        # What one attains closes much of the others' searches.
        for objective in problems:
            offer(good_point(objective, deadline=deadline, generator=generator, place=place))
    bounds: list[Bound] = []
    for index, objective in enumerate(problems):
        share = deadline.within(deadline.remaining / (len(problems) - index))
        bound = maximize(
            objective,
            incumbent=lower,
            rtol=request.rtol / 2,
            floor=noise if eps is None else eps * (1 - 2.0**-40) - objective.slack,
            stop_above=math.inf if eps is None else eps,
            deadline=share,
            generator=generator,
            place=place,
        )
        bounds.append(bound)
        offer(bound.x)
        last = index + 1 == len(problems)
        report(Progress("certify", lower, _highest(problems, bounds)[0] if last else math.inf))
        if eps is not None and lower > eps and not last:
            return lower, _trivial(problems, place), witness, "norm bound"
    for index, bound in enumerate(bounds):
        # With the time that the others left.
        if bound.resume is not None and not deadline.expired and (eps is None or lower <= eps):
            bounds[index] = bound.resume(lower, deadline)
            offer(bounds[index].x)
            report(Progress("certify", lower, _highest(problems, bounds)[0]))
    upper, method = _highest(problems, bounds)
    return lower, upper * (1 + 2.0**-50) + TINY, witness, method


def _highest(problems: list[Objective], bounds: list[Bound]) -> tuple[float, str]:
    """The largest upper bound with its slack, and what proved it."""
    uppers = [bound.upper + problem.slack for problem, bound in zip(problems, bounds, strict=True)]
    highest = max(uppers)
    last = max(index for index, upper in enumerate(uppers) if upper == highest)
    return highest, bounds[last].method


def _trivial(problems: list[Objective], place: Place) -> float:
    """An upper bound of all problems that costs nothing."""
    return max(
        (lipschitz(problem) * place.within(problem.hidden.shape[1]) + problem.slack)
        * (1.0 + 2.0**-50)
        for problem in problems
    )
