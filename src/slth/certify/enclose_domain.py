"""The certifier beyond the ball around 0: networks with biases, several outputs, other domains.

The networks get a constant coordinate (`slth.certify.homogenised`), the domain its normal form;
what is left is a positively homogeneous problem on the points (y, 1). docs/certify.md, "Slices".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slth.certify.comparison import Comparison
from slth.certify.deep import DeepComparison
from slth.certify.enclose import enclose_unit, over_ball, search_problems
from slth.certify.engines import is_searched
from slth.certify.homogenised import Homogenised
from slth.certify.patterns import are_few
from slth.certify.problem.chart import Chart
from slth.certify.problem.cheap import noise_of
from slth.certify.problem.objective import objectives
from slth.certify.problem.place import AROUND_ZERO, Place
from slth.certify.request import Request
from slth.certify.small.differences import is_small
from slth.certify.unit_pair import UnitPair
from slth.certify.values import difference
from slth.domain import Ball, Domain, Orthant
from slth.network import FloatArray, ReLUNetwork
from slth.rounding.outward import TINY, UNIT
from slth.solution import Enclosure, Status


def enclose_pair(pair: Comparison, domain: Domain, request: Request) -> Enclosure:
    """Enclose the largest of sup |net_k - target_k| over the domain; KeyboardInterrupt propagates.

    Networks without biases on the ball around 0 are compared on the unit ball, at ordinary scale.
    """
    radius = radius_around_zero(domain)
    net, target = pair.net, pair.target
    homogeneous = isinstance(net, ReLUNetwork) and isinstance(target, ReLUNetwork)
    if radius is None or not homogeneous:
        return _enclose_here(pair, domain, request)
    return over_ball(net, target, radius, request, _enclose_unit_pair)  # type: ignore[arg-type]


def radius_around_zero(domain: Domain) -> float | None:
    """The radius of a ball around 0; None for another domain."""
    if not isinstance(domain, Ball):
        return None
    away = domain.center is not None and any(domain.center)
    return None if away else domain.radius


def _enclose_unit_pair(unit: UnitPair, request: Request) -> Enclosure:
    if unit.mass == 0.0:
        return enclose_unit(unit, request)
    return _enclose_here(Comparison(unit.net, unit.target), Ball(1.0), request)


def _enclose_here(pair: Comparison, domain: Domain, request: Request) -> Enclosure:
    """`enclose_pair` on the domain itself.

    Networks of one hidden layer have engines of their own, output by output, each with its share of
    what is left of the time. The engine of any layers is the floor under them, and goes first where
    the networks are near copies of each other.
    """
    deep = pair.on(domain)
    deadline, eps = request.deadline, request.eps
    if pair.outputs is None:
        return _by_any_layers(deep, request)
    searched = _is_searched(pair, domain)
    if _is_quick(pair, domain):
        net, target = pair.outputs[0]
        quick = with_floor(_enclose_output(net, target, domain, request), deep, request)
        if searched or quick.status == Status.CLOSED:
            return quick
        return _met(quick, _by_any_layers(deep, request), request)
    if not searched:
        return _by_any_layers(deep, request)
    found = None
    if deep.are_near or (eps is not None and deep.floor <= eps):
        found = _by_any_layers(deep, request.within(0.5 * deadline.remaining))
        if found.status == Status.CLOSED:
            return found
    by_outputs = None
    for index, (net, target) in enumerate(pair.outputs):
        if by_outputs is not None and deadline.expired:
            # Of the outputs that are left only the floor is known.
            by_outputs = replace(by_outputs, upper=np.inf, status=Status.OPEN)
            break
        share = request.within(deadline.remaining / (len(pair.outputs) - index))
        one = _enclose_output(net, target, domain, share)
        by_outputs = one if by_outputs is None else _larger(by_outputs, one)
    assert by_outputs is not None
    if found is None:
        return with_floor(by_outputs, deep, request)
    return _met(found, by_outputs, request)


def _by_any_layers(deep: DeepComparison, request: Request) -> Enclosure:
    return deep.enclose(
        request.rtol, request.deadline, eps=request.eps, seed=request.seed, report=request.report
    )


def _is_searched(pair: Comparison, domain: Domain) -> bool:
    """Whether the engines of one hidden layer have more than the norm bound for the outputs."""
    chart = Chart.of(domain, pair.d)
    assert pair.outputs is not None
    for net, target in pair.outputs:
        biased = bool(net.biased or target.biased or chart.center.any() or chart.shape != "ball")
        place = Place(chart.shape, True) if biased else AROUND_ZERO
        width = net.network.width + target.network.width
        if not is_searched(width, pair.d + biased, place):
            return False
    return True


def _is_quick(pair: Comparison, domain: Domain) -> bool:
    """Whether a closed form or what small problems have of their own answers in milliseconds:
    homogeneous, one output, on a ball around 0."""
    chart = Chart.of(domain, pair.d)
    if pair.outputs is None or len(pair.outputs) != 1 or chart.shape != "ball":
        return False
    net, target = pair.outputs[0]
    plain = not (net.biased or target.biased or chart.center.any())
    units = net.network.width + target.network.width
    return plain and (is_small(pair.d, units) or are_few(pair.d, units))


def with_floor(found: Enclosure, deep: DeepComparison, request: Request) -> Enclosure:
    """An enclosure of the supremum, not above the floor where it was left open."""
    return found if found.status == Status.CLOSED else _met(found, deep.bounded(), request)


def _met(first: Enclosure, second: Enclosure, request: Request) -> Enclosure:
    """Two enclosures of the same supremum as one."""
    below = first if first.lower > second.lower else second
    above = first if first.upper < second.upper else second
    lower, upper = below.lower, above.upper
    closed = Status.CLOSED in (first.status, second.status)
    closed = closed or request.closed_by(lower, upper, 0.0)
    status = Status.CLOSED if closed else Status.OPEN
    return Enclosure(lower, upper, below.witness, status, above.method)


def _larger(first: Enclosure, second: Enclosure) -> Enclosure:
    """The enclosure of the larger of two suprema."""
    below = first if first.lower >= second.lower else second
    above = first if first.upper >= second.upper else second
    closed = first.status == second.status == Status.CLOSED
    status = Status.CLOSED if closed else Status.OPEN
    return Enclosure(below.lower, above.upper, below.witness, status, above.method)


def _enclose_output(
    net: Homogenised, target: Homogenised, domain: Domain, request: Request
) -> Enclosure:
    chart = Chart.of(domain, net.network.d - 1)
    if not (net.biased or target.biased) and chart.shape == "ball" and not chart.center.any():
        plain, goal = _without_constant(net.network), _without_constant(target.network)
        return over_ball(plain, goal, float(chart.scale[0]), request, enclose_unit)
    return enclose_on(net, target, chart, request)


def enclose_on(net: Homogenised, target: Homogenised, chart: Chart, request: Request) -> Enclosure:
    """Enclose sup |net - target| over the chart's domain; KeyboardInterrupt propagates."""
    exact = net.network, target.network
    flat = net.biased or target.biased or not isinstance(chart.domain, Orthant)
    mapped, slacks, masses = [], [], []
    for network in exact:
        moved, slack, mass = _charted(network, chart)
        mapped.append(moved if flat else _without_constant(moved))
        slacks.append(slack)
        masses.append(mass)
    slack, mass = sum(slacks), sum(masses)

    def attained(point: FloatArray | None) -> tuple[float, FloatArray | None]:
        if point is None:
            return 0.0, None
        x = chart.image(point[:-1] if flat else point)
        lower, _ = difference(*exact, np.append(x, 1.0))
        return (lower, x) if lower > 0.0 else (0.0, None)

    problems = [
        replace(problem, slack=(problem.slack + slack) * (1.0 + 2.0**-50))
        for problem in objectives(mapped[0], mapped[1])
    ]
    noise = noise_of(mass, exact[0].width + exact[1].width + 2)
    lower, upper, witness, method = search_problems(
        problems, attained, noise, request, Place(chart.shape, flat)
    )
    closed = request.closed_by(lower, upper, noise)
    return Enclosure(lower, upper, witness, Status.CLOSED if closed else Status.OPEN, method)


def _charted(network: ReLUNetwork, chart: Chart) -> tuple[ReLUNetwork, float, float]:
    """The homogenised network in the coordinates y, what rounding may have changed anywhere on the
    normal form, and a bound of all values met on the way."""
    weights, bias = network.hidden[:, :-1], network.hidden[:, -1]
    moved = np.column_stack([weights * chart.scale, bias + weights @ chart.center])
    sizes = np.abs(bias) + np.abs(weights) @ (np.abs(chart.center) + chart.scale)
    mass = float(np.abs(network.output) @ sizes)
    # Each entry is off by at most (d + 2) u times its summands' magnitudes, readouts and
    # rectifiers are 1-Lipschitz, and |y| <= 1 in every coordinate.
    slack = 2.0 * (network.d + 4) * UNIT * mass + TINY * (1.0 + mass)
    return ReLUNetwork(moved, network.output, network.readout), slack, mass


def _without_constant(network: ReLUNetwork) -> ReLUNetwork:
    return ReLUNetwork(network.hidden[:, :-1], network.output, network.readout)
