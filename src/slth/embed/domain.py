"""Where the error is bounded: a Euclidean ball around 0, or a box such as pixels in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth.embed.outward import norm_above, up
from slth.errors import InvalidInput, require_positive
from slth.layers import FloatArray


@dataclass(frozen=True, eq=False)
class Reach:
    """A set of vectors h: |h - centre| <= radius elementwise and ||h - centre||_2 <= ball."""

    centre: FloatArray
    radius: FloatArray
    ball: float


@dataclass(frozen=True)
class Ball:
    """||x||_2 <= radius."""

    radius: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", require_positive("radius", self.radius))

    @property
    def signed(self) -> bool:
        """Whether an input can be negative."""
        return True

    def inputs(self, d: int) -> Reach:
        """The domain in R^d."""
        return Reach(np.zeros(d), np.full(d, self.radius), self.radius)

    def sides(self, d: int) -> Reach:
        """The set of (max(x, 0), max(-x, 0)) in R^2d."""
        return self.inputs(2 * d)


@dataclass(frozen=True)
class Box:
    """low <= x_j <= high for every coordinate j."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        low, high = float(self.low), float(self.high)
        if not (np.isfinite([low, high]).all() and low < high):
            raise InvalidInput(
                "box is empty or not finite",
                got=f"[{self.low}, {self.high}]",
                expected="finite numbers low < high",
                fix="Pass Box(0.0, 1.0) for pixels.",
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def signed(self) -> bool:
        """Whether an input can be negative."""
        return self.low < 0.0

    def inputs(self, d: int) -> Reach:
        """The domain in R^d."""
        return _interval(np.full(d, self.low), np.full(d, self.high))

    def sides(self, d: int) -> Reach:
        """The set of max(x, 0), with max(-x, 0) behind it if an input can be negative."""
        low, high = np.full(d, self.low), np.full(d, self.high)
        if not self.signed:
            return _interval(low, high)
        zero = np.zeros(d)
        lows = np.concatenate([np.maximum(low, zero), np.maximum(-high, zero)])
        highs = np.concatenate([np.maximum(high, zero), np.maximum(-low, zero)])
        return _interval(lows, highs)


Domain = Ball | Box


def _interval(low: FloatArray, high: FloatArray) -> Reach:
    centre = 0.5 * low + 0.5 * high
    radius = up(np.maximum(high - centre, centre - low))
    return Reach(centre, radius, norm_above(radius))
