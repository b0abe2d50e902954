"""The certifier beyond the ball around 0: networks with biases, and other domains.

The networks get a constant coordinate (`ReLUNetwork.homogenised`), the domain its normal form; what
is left is a positively homogeneous problem on the points (y, 1). docs/certify.md, "Slices".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slth.certify.enclose import search_problems
from slth.certify.problem.chart import Chart
from slth.certify.problem.cheap import noise_of
from slth.certify.problem.objective import objectives
from slth.certify.problem.place import Place
from slth.certify.values import difference
from slth.domain import Orthant
from slth.limits import Deadline, Report
from slth.network import FloatArray, ReLUNetwork
from slth.rounding.outward import TINY, UNIT
from slth.solution import Enclosure, Status


def enclose_on(
    net: ReLUNetwork,
    target: ReLUNetwork,
    chart: Chart,
    rtol: float,
    deadline: Deadline,
    *,
    eps: float | None,
    seed: int,
    report: Report,
) -> Enclosure:
    """Enclose sup |net - target| over the chart's domain; KeyboardInterrupt propagates."""
    exact = net.homogenised(), target.homogenised()
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
    noise = noise_of(mass, net.width + target.width + 2)
    lower, upper, witness, method = search_problems(
        problems, attained, noise, rtol, eps, deadline, seed, report, Place(chart.shape, flat)
    )
    closed = upper - lower <= rtol * upper or upper <= noise
    if eps is not None:
        closed = closed or upper <= eps or lower > eps
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
