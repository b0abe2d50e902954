"""What enters the first layer: a ball around 0, or a box such as pixels in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from slth.domain import Ball, Box
from slth.errors import InvalidInput
from slth.layers import FloatArray
from slth.rounding.outward import norm_above, up

# The domains of `slth.domain` that treat all coordinates alike.
Even = Ball | Box


@dataclass(frozen=True, eq=False)
class Reach:
    """A set of vectors h: |h - centre| <= radius elementwise and ||h - centre||_2 <= ball."""

    centre: FloatArray
    radius: FloatArray
    ball: float


def require_even(domain: object) -> Even:
    """The domain, if it is a ball around 0 or one interval for all coordinates."""
    if _even(domain):
        return domain
    raise InvalidInput(
        "domain is not one that embedding knows",
        got=repr(domain),
        expected="a ball around 0, or a box with the same low < high for every coordinate",
        fix="Pass slth.Ball(1.0), or slth.Box(0.0, 1.0) for pixels; scale the inputs to fit.",
    )


def _even(domain: object) -> TypeGuard[Even]:
    if isinstance(domain, Ball):
        return domain.center is None
    return (
        isinstance(domain, Box)
        and isinstance(domain.low, float)
        and isinstance(domain.high, float)
        and domain.low < domain.high
    )


def ends(box: Box) -> tuple[float, float]:
    """The interval of every coordinate of an even box."""
    return float(np.min(box.low)), float(np.max(box.high))


def signed(domain: Even) -> bool:
    """Whether an input can be negative."""
    return isinstance(domain, Ball) or ends(domain)[0] < 0.0


def inputs(domain: Even, d: int) -> Reach:
    """The domain in R^d."""
    if isinstance(domain, Ball):
        return Reach(np.zeros(d), np.full(d, domain.radius), domain.radius)
    low, high = ends(domain)
    return _interval(np.full(d, low), np.full(d, high))


def sides(domain: Even, d: int) -> Reach:
    """The set of max(x, 0), with max(-x, 0) behind it if an input can be negative."""
    if isinstance(domain, Ball):
        return inputs(domain, 2 * d)
    low, high = (np.full(d, end) for end in ends(domain))
    if not signed(domain):
        return _interval(low, high)
    zero = np.zeros(d)
    lows = np.concatenate([np.maximum(low, zero), np.maximum(-high, zero)])
    highs = np.concatenate([np.maximum(high, zero), np.maximum(-low, zero)])
    return _interval(lows, highs)


def _interval(low: FloatArray, high: FloatArray) -> Reach:
    centre = 0.5 * low + 0.5 * high
    radius = up(np.maximum(high - centre, centre - low))
    return Reach(centre, radius, norm_above(radius))
