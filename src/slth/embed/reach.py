"""What enters the first layer: a ball around 0, or a box such as pixels in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

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


def require_even(domain: object, d: int) -> Even:
    """The domain in R^d, if it is a ball around 0 or one interval for all coordinates."""
    if isinstance(domain, Ball) and domain.center == (0.0,) * d:
        return Ball(domain.radius)
    if isinstance(domain, Box):
        low, high = np.unique(domain.low), np.unique(domain.high)
        fits = np.ndim(domain.low) == 0 or np.size(domain.low) == d
        if fits and len(low) == len(high) == 1 and low[0] < high[0]:
            return Box(float(low[0]), float(high[0]))
    elif isinstance(domain, Ball) and domain.center is None:
        return domain
    raise InvalidInput(
        "domain is not one that embedding knows",
        got=repr(domain),
        expected=f"in {d} dimensions, a ball around 0 or a box with one low < high for all inputs",
        fix="Pass slth.Ball(1.0), or slth.Box(0.0, 1.0) for pixels; scale the inputs to fit.",
    )


def ends(box: Box) -> tuple[float, float]:
    """The interval of every coordinate of an even box."""
    return float(np.min(box.low)), float(np.max(box.high))


def signed(domain: Even) -> bool:
    """Whether an input can be negative."""
    return isinstance(domain, Ball) or ends(domain)[0] < 0.0


def over_sides(kernel: FloatArray, sides: int) -> FloatArray:
    """The kernel over that many sides of its inputs: w max(x, 0) - w max(-x, 0)."""
    return np.concatenate([kernel, -kernel], axis=1) if sides == 2 else kernel


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
