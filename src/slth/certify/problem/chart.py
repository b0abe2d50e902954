"""Charts: a domain as the image of a normal form, the unit ball, cube or orthant of the ball."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from slth.domain import Ball, Box, Domain, Orthant
from slth.errors import InvalidInput
from slth.network import FloatArray

# The normal forms: {|y|_2 <= 1}, {|y|_inf <= 1} and {|y|_2 <= 1, y >= 0}.
Shape = Literal["ball", "box", "orthant"]


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
            case Ball():
                center = np.zeros(d) if domain.center is None else np.array(domain.center)
                chart = cls("ball", center, np.full(d, domain.radius), domain)
            case Orthant():
                chart = cls("orthant", np.zeros(d), np.full(d, domain.radius), domain)
            case Box():
                low, high = (
                    np.full(d, end) if isinstance(end, float) else np.array(end)
                    for end in (domain.low, domain.high)
                )
                center = 0.5 * low + 0.5 * high
                reach = np.maximum(high - center, center - low)
                # One ulp more than the differences as rounded: the box is covered.
                scale = np.where(reach > 0.0, np.nextafter(reach, np.inf), 0.0)
                chart = cls("box", center, scale, domain)
            case _:
                raise InvalidInput(
                    "domain is not a domain",
                    got=type(domain).__name__,
                    expected="a Ball, Box or Orthant",
                    fix="Pass e.g. domain=slth.Box(low, high).",
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
        if not isinstance(self.domain, Box):
            y = y / max(1.0, float(np.linalg.norm(y)))
        return self.inside(self.center + self.scale * y)

    def inside(self, x: FloatArray) -> FloatArray:
        """A float point near x that lies in the domain exactly."""
        domain = self.domain
        if isinstance(domain, Box):
            return np.clip(x, domain.low, domain.high)
        if isinstance(domain, Orthant):
            x = np.maximum(x, 0.0)
        way = x - self.center
        inward = 1.0
        while True:
            x = self.center + inward * way
            offset = [
                Fraction(float(a)) - Fraction(float(c)) for a, c in zip(x, self.center, strict=True)
            ]
            if sum(t * t for t in offset) <= Fraction(domain.radius) ** 2:
                return x
            # From one ulp to the centre itself in some 20 steps.
            inward = max(0.0, 1.0 - 8.0 * (1.0 - inward) - 2.0**-52)
