"""Where two networks are compared: balls, boxes, and the part of a ball with x >= 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from slth.errors import InvalidInput, require_array, require_positive


@dataclass(frozen=True)
class Ball:
    """{x : ||x - center||_2 <= radius}. radius > 0; center: d numbers, None for the origin."""

    radius: float = 1.0
    center: Sequence[float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", require_positive("radius", self.radius))
        if self.center is not None:
            center = require_array("center", self.center, ndim=1)
            object.__setattr__(self, "center", tuple(center.tolist()))


@dataclass(frozen=True)
class Box:
    """{x : low <= x <= high}. low, high: one number for every coordinate, or d numbers each."""

    low: float | Sequence[float] = 0.0
    high: float | Sequence[float] = 1.0

    def __post_init__(self) -> None:
        ndim = 0 if np.ndim(self.low) == np.ndim(self.high) == 0 else 1
        low = require_array("low", self.low, ndim=ndim)
        high = require_array("high", self.high, ndim=ndim)
        if low.shape != high.shape or not (low <= high).all():
            raise InvalidInput(
                "box is empty or not a box",
                got=f"low {low.tolist()}, high {high.tolist()}",
                expected="two numbers, or two vectors of one length, with low <= high everywhere",
                fix="Swap the ends or pass one pair of them for each input.",
            )
        for name, ends in (("low", low), ("high", high)):
            value = ends.tolist()
            object.__setattr__(self, name, tuple(value) if ndim else value)

    @classmethod
    def around(cls, x: ArrayLike, r: float, within: Box | None = None) -> Box:
        """The box {y : |y_i - x_i| <= r} around a point x [d], cut with another box; its ends are
        rounded to the nearest floats.

        Raises:
            InvalidInput: r <= 0, x is not a point, or outside `within`.
        """
        center = require_array("x", x, ndim=1)
        radius = require_positive("r", r)
        low, high = center - radius, center + radius
        if within is not None:
            if not isinstance(within, Box):
                raise InvalidInput(
                    "within is not a box",
                    got=repr(within),
                    expected="a Box",
                    fix="Pass within=slth.Box(0.0, 1.0).",
                )
            low, high = np.maximum(low, within.low), np.minimum(high, within.high)
            if low.shape != center.shape or not ((low <= center) & (center <= high)).all():
                raise InvalidInput(
                    "x outside the box it is to be cut with",
                    got=f"x = {center.tolist()}",
                    expected=f"a point of {within}",
                    fix="Scale the data as the box expects it.",
                )
        return cls(low, high)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Orthant:
    """{x : ||x||_2 <= radius, x >= 0}. radius > 0."""

    radius: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", require_positive("radius", self.radius))


Domain = Ball | Box | Orthant
