"""Where two networks are compared: balls, boxes, and the part of a ball with x >= 0."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from slth.errors import InvalidInput, require_array, require_positive
from slth.network import FloatArray

# The normal forms: {|y|_2 <= 1}, {|y|_inf <= 1} and {|y|_2 <= 1, y >= 0}.
Shape = Literal["ball", "box", "orthant"]


@dataclass(frozen=True, eq=False)
class ShiftedBall:
    """{x : ||x - center||_2 <= radius}. center: float64 [d]; radius > 0."""

    center: FloatArray
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", require_array("center", self.center, ndim=1))
        object.__setattr__(self, "radius", require_positive("radius", self.radius))


@dataclass(frozen=True, eq=False)
class Cuboid:
    """{x : low <= x <= high}, coordinate by coordinate. low, high: float64 [d]."""

    low: FloatArray
    high: FloatArray

    def __post_init__(self) -> None:
        low = require_array("low", self.low, ndim=1)
        high = require_array("high", self.high, ndim=1)
        if low.shape != high.shape or not (low <= high).all():
            raise InvalidInput(
                "box is empty or not a box",
                got=f"low {low.tolist()}, high {high.tolist()}",
                expected="two vectors of one length with low <= high everywhere",
                fix="Swap the ends or pass one pair of them for each input.",
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)


@dataclass(frozen=True)
class Orthant:
    """{x : ||x||_2 <= radius, x >= 0}. radius > 0."""

    radius: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", require_positive("radius", self.radius))


Domain = ShiftedBall | Cuboid | Orthant


@dataclass(frozen=True)
class Chart:
    """The domain lies in the image of its normal form under y -> center + scale * y.

    Attributes:
        shape: which normal form.
        center, scale: float64 [d].
        domain: the set itself, in which witnesses have to lie.
    """

    shape: Shape
    center: FloatArray
    scale: FloatArray
    domain: Domain

    @classmethod
    def of(cls, domain: object, d: int) -> Chart:
        """The chart of a domain in R^d; InvalidInput if it is none."""
        match domain:
            case ShiftedBall():
                chart = cls("ball", domain.center, np.full(d, domain.radius), domain)
            case Orthant():
                chart = cls("orthant", np.zeros(d), np.full(d, domain.radius), domain)
            case Cuboid():
                center = 0.5 * domain.low + 0.5 * domain.high
                reach = np.maximum(domain.high - center, center - domain.low)
                # One ulp more than the differences as rounded: the box is covered.
                scale = np.where(reach > 0.0, np.nextafter(reach, np.inf), 0.0)
                chart = cls("box", center, scale, domain)
            case _:
                raise InvalidInput(
                    "domain is not a domain",
                    got=type(domain).__name__,
                    expected="a ShiftedBall, Cuboid or Orthant",
                    fix="Pass e.g. domain=slth.Cuboid(low, high).",
                )
        if chart.center.shape != (d,):
            raise InvalidInput(
                "domain incompatible with the networks",
                got=f"a domain in R^{chart.center.shape[0]}, networks with d = {d}",
                expected="equal dimensions",
                fix="Give one coordinate for each input.",
            )
        return chart

    def image(self, y: FloatArray) -> FloatArray:
        """A float point of the domain near the image of y, exactly inside it."""
        domain = self.domain
        if isinstance(domain, Cuboid):
            return np.clip(self.center + self.scale * y, domain.low, domain.high)
        if isinstance(domain, Orthant):
            y = np.maximum(y, 0.0)
        y = y / max(1.0, float(np.linalg.norm(y)))
        inward = 1.0
        while True:
            x = self.center + inward * (self.scale * y)
            offset = [
                Fraction(float(a)) - Fraction(float(c)) for a, c in zip(x, self.center, strict=True)
            ]
            if sum(t * t for t in offset) <= Fraction(domain.radius) ** 2:
                return x
            # From one ulp to the centre itself in some 20 steps.
            inward = max(0.0, 1.0 - 8.0 * (1.0 - inward) - 2.0**-52)
