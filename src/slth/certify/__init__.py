"""Sup-norm of the difference of two networks over a ball or another domain: rigorous enclosures."""

from __future__ import annotations

from slth.certify.enclose import enclose, require_eps, require_networks, require_rtol
from slth.certify.enclose_domain import enclose_on
from slth.certify.many import certify_many
from slth.certify.prepare import compile_for
from slth.certify.problem.chart import Chart
from slth.domain import Ball, Domain
from slth.errors import InvalidInput, require_positive, require_time_limit
from slth.limits import Deadline, Report, silent, stopped_by_interrupt
from slth.network import ReLUNetwork
from slth.solution import Enclosure

__all__ = ["certify", "certify_many"]


def certify(
    net: ReLUNetwork,
    target: ReLUNetwork,
    radius: float = 1.0,
    rtol: float = 1e-6,
    time_limit: float | None = 60.0,
    *,
    domain: Domain | None = None,
    eps: float | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Enclosure:
    """Enclose sup |net(x) - target(x)| over ||x||_2 <= radius, or over another domain.

    Both bounds hold over the reals for the float64 weights taken as exact numbers. Networks without
    biases on the ball around 0 are exact to a few units of roundoff for d = 1 and d = 2, and, if
    `rtol` asks for it, mostly for d = 3 with linear readouts and up to 250 units, too
    (docs/certify.md); else a branch-and-bound returns what it has proven when the time is up.

    Args:
        net, target: networks of the same input dimension; any widths, either readout, with or
            without biases. A network of width 0 is a constant.
        radius: R > 0 (Definition 1 of the paper has R > 1).
        rtol: closed means upper - lower <= rtol * upper, or an upper bound within rounding of 0:
            below max(1e-13, 2^-49 times the units) * radius * sum |output| ||hidden|| + 1e-285.
        time_limit: seconds; None means no limit. What a process compiles at its first call does
            not count. Ctrl-C ends the search like a passed limit: what
            is proven by then is returned.
        domain: Ball(radius, center), Box(low, high) or Orthant(radius), in place of the ball of
            `radius` around 0.
        eps: stop as soon as `error <= eps` or `error > eps` is proven.
        seed: of the random starts of the search for local maxima.
        report: called with the bounds reached so far.

    Returns:
        Enclosure with status "closed" (within rtol, or with eps: decided) or "open".

    Raises:
        InvalidInput: different input dimensions, radius <= 0, both a radius and a domain, rtol < 0,
            eps <= 0, time_limit <= 0, or arguments that are not networks, domains or numbers.
    """
    require_networks(net, target)
    radius = require_positive("radius", radius)
    if domain is not None and radius != 1.0:
        raise InvalidInput(
            "both a radius and a domain",
            got=f"radius = {radius}, domain = {domain}",
            expected="one of them",
            fix="Pass domain=slth.Ball(radius, center).",
        )
    chart = None if domain is None else Chart.of(domain, net.d)
    if chart is not None and chart.shape == "ball" and not chart.center.any():
        radius, chart = float(chart.scale[0]), None
    if chart is None and (net.biased or target.biased):
        chart = Chart.of(Ball(radius), net.d)
    limit = require_time_limit(time_limit)
    started = Deadline()
    with stopped_by_interrupt(started):
        compile_for(net.d, [net.width + target.width], chart)
        deadline = started.within(limit)
        if chart is None:
            return enclose(net, target, radius, rtol, deadline, eps=eps, seed=seed, report=report)
        return enclose_on(
            net,
            target,
            chart,
            require_rtol(rtol),
            deadline,
            eps=require_eps(eps),
            seed=seed,
            report=report,
        )
