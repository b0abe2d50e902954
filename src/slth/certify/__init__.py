"""Sup-norm of the difference of two networks over a ball or another domain: rigorous enclosures."""

from __future__ import annotations

from slth.certify.agree import Agrees, LabelVerdict, agree, agree_on
from slth.certify.comparison import Comparison
from slth.certify.enclose import require_eps, require_rtol
from slth.certify.enclose_domain import enclose_pair
from slth.certify.many import certify_many
from slth.certify.request import Request
from slth.domain import Ball, Domain
from slth.errors import InvalidInput, require_positive, require_seed, require_time_limit
from slth.limits import Deadline, Report, silent, stopped_by_interrupt
from slth.solution import Enclosure

__all__ = ["Agrees", "LabelVerdict", "agree", "agree_on", "certify", "certify_many"]


def certify(
    net: object,
    target: object,
    radius: float = 1.0,
    rtol: float = 1e-6,
    time_limit: float | None = 60.0,
    *,
    domain: Domain | None = None,
    eps: float | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Enclosure:
    """Enclose sup max_i |net_i(x) - target_i(x)| over ||x||_2 <= radius, or over another domain.

    Both bounds hold over the reals for the float64 weights taken as exact numbers. Networks without
    biases on the ball around 0 are exact to a few units of roundoff for d = 1 and d = 2, and, if
    `rtol` asks for it, mostly for d = 3 with linear readouts and up to 250 units, too
    (docs/certify.md); else a branch-and-bound returns what it has proven when the time is up.

    Args:
        net, target: networks of the same numbers of inputs and outputs, compared as flat vectors:
            `ReLUNetwork` (a width of 0 is the zero function), `DeepNetwork`, or anything that
            `slth.as_network` takes. A last softmax or sigmoid is left out: the error is that of
            its argument.
        radius: R > 0 (Definition 1 of the paper has R > 1).
        rtol: closed means upper - lower <= rtol * upper for the bounds returned, or an upper bound
            within rounding of 0: below max(1e-13, 2^-49 times the units) * radius * sum |output|
            ||hidden|| (beyond networks without biases on balls around 0: + 1e-285). Networks of
            equal units err by exactly 0.
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
        InvalidInput: different numbers of inputs or outputs, different last activations, radius
            <= 0, both a radius and a domain, rtol < 0, eps <= 0, time_limit <= 0, seed < 0, or
            arguments that are not networks, domains or numbers.
    """
    pair = Comparison.of(net, target)
    where = _domain(radius, domain)
    rtol, eps, seed = require_rtol(rtol), require_eps(eps), require_seed(seed)
    limit = require_time_limit(time_limit)
    started = Deadline()
    with stopped_by_interrupt(started):
        pair.compile(where)
        deadline = started.within(limit)
        return enclose_pair(pair, where, Request(rtol, eps, deadline, seed, report))


def _domain(radius: float, domain: Domain | None) -> Domain:
    radius = require_positive("radius", radius)
    if domain is None:
        return Ball(radius)
    if radius != 1.0:
        raise InvalidInput(
            "both a radius and a domain",
            got=f"radius = {radius}, domain = {domain}",
            expected="one of them",
            fix="Pass domain=slth.Ball(radius, center).",
        )
    return domain
