"""Sup-norm of the difference of two networks over a ball: rigorous enclosures."""

from __future__ import annotations

from slth.certify.enclose import enclose
from slth.errors import require_time_limit
from slth.limits import Deadline, Report, silent, stopped_by_interrupt
from slth.network import ReLUNetwork
from slth.solution import Enclosure

__all__ = ["certify"]


def certify(
    net: ReLUNetwork,
    target: ReLUNetwork,
    radius: float = 1.0,
    rtol: float = 1e-6,
    time_limit: float | None = 60.0,
    *,
    eps: float | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Enclosure:
    """Enclose sup_{||x||_2 <= radius} |net(x) - target(x)|.

    Both bounds hold over the reals for the float64 weights taken as exact numbers. d = 1 and d = 2
    are exact to a few units of roundoff; d >= 3 is a branch-and-bound that returns what it has
    proven when the time is up.

    Args:
        net, target: networks of the same input dimension; any widths, either readout. A network of
            width 0 is the zero function.
        radius: R > 0 (Definition 1 of the paper has R > 1; the supremum is R times the unit one).
        rtol: closed means upper - lower <= rtol * upper, or an upper bound within rounding of 0:
            below max(1e-13, 2^-49 times the units) * radius * sum |output| ||hidden||.
        time_limit: seconds; None means no limit. Ctrl-C ends the search like a passed limit: what
            is proven by then is returned.
        eps: stop as soon as `error <= eps` or `error > eps` is proven.
        seed: of the random starts of the search for local maxima.
        report: called with the bounds reached so far.

    Returns:
        Enclosure with status "closed" (within rtol, or with eps: decided) or "open".

    Raises:
        InvalidInput: different input dimensions, radius <= 0, rtol < 0, eps <= 0, time_limit <= 0,
            or arguments that are not networks or numbers.
    """
    deadline = Deadline(require_time_limit(time_limit))
    with stopped_by_interrupt(deadline):
        return enclose(net, target, radius, rtol, deadline, eps=eps, seed=seed, report=report)
