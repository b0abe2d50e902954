"""Numbers times radius * 2^exponent, rounded outward; points of the unit ball carried into another.

The one place where bounds over the unit ball become bounds over the ball asked for. Significands
and exponents are multiplied apart, so that nothing under- or overflows on the way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A scaled point keeps this far from the sphere: two products round by 2^-53 each.
_INWARD = 1.0 - 2.0**-50
# Coordinates of the unit ball below this become 0: the others can be divided by any power of two
# that a radius has, exactly.
_LEAST_COORDINATE = 2.0**-900
# Below half of this the spacing of floats no longer shrinks with them; half, for what rounds up.
_EVENLY_SPACED = 2.0**-1021
_STEP = 2.0**-1074
# Radii below this are so few steps that rounding toward 0 alone can lose much of a point.
_FEW_STEPS = 2.0**-1050


def scaled_down(value: Floats | float, radius: float, exponent: int = 0) -> Floats:
    """Floats <= value * radius * 2^exponent over the reals, for values >= 0; finite and >= 0."""
    scaled, exact = _scaled(value, radius, exponent)
    below = np.where(exact, scaled, np.nextafter(scaled, -np.inf))
    return np.clip(below, 0.0, sys.float_info.max)


def scaled_up(value: Floats | float, radius: float, exponent: int = 0) -> Floats:
    """Floats >= value * radius * 2^exponent over the reals, for values >= 0, up to inf."""
    scaled, exact = _scaled(value, radius, exponent)
    return np.where(exact, scaled, np.nextafter(scaled, np.inf))


def _scaled(
    value: Floats | float, radius: float, exponent: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """The product rounded twice, by less than an ulp in all, and where it is exact."""
    parts, powers = np.frexp(value)
    part, power = np.frexp(radius)
    product = parts * part
    shift = powers + int(power) + exponent
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(product, shift)
        # Half an ulp of the significands, and half a step more where the result is subnormal.
        exact = np.ldexp(scaled, -shift) == product
    return scaled, (exact & (part == 0.5)) | (product == 0.0)


def into_radius(points: Floats, radius: float) -> Floats:
    """Points of the unit ball as points of the ball of that radius: exactly inside, each
    coordinate rounded toward 0. float64 [..., d]."""
    kept = np.where(np.abs(points) < _LEAST_COORDINATE, 0.0, points)
    if radius == 1.0:
        return kept
    product = kept * radius
    scaled = product * _INWARD
    # There both products together may round up by one step.
    scaled = np.where(np.abs(scaled) < _EVENLY_SPACED, np.nextafter(scaled, 0.0), scaled)
    is_power = (np.abs(product) >= _EVENLY_SPACED) & (np.frexp(radius)[0] == 0.5)
    return np.where(is_power | (np.abs(kept) == 1.0), product, scaled)


def near_in_radius(point: Floats, radius: float) -> Iterator[Floats]:
    """`into_radius` of one point, and for the smallest radii other float points of the ball near
    it: some may have what rounding toward 0 loses. point: float64 [d]."""
    yield into_radius(point, radius)
    if radius >= _FEW_STEPS:
        return
    limit = Fraction(radius) ** 2
    nearest = np.array([float(Fraction(float(p)) * Fraction(radius)) for p in point])
    largest = int(np.abs(point).argmax())
    alone = np.zeros(len(point))
    alone[largest] = np.copysign(radius, point[largest])
    order = np.argsort(-np.abs(point), kind="stable")
    # Few steps are dealt out, the largest coordinates first, while they fit.
    dealt = into_radius(point, radius)
    for k in order:
        more = dealt.copy()
        more[k] += np.copysign(_STEP, point[k])
        if _square(more) <= limit:
            dealt = more
    for candidate in (nearest, alone, dealt):
        if _square(candidate) <= limit:
            yield candidate


def _square(point: Floats) -> Fraction:
    return sum((Fraction(float(p)) ** 2 for p in point), Fraction(0))
