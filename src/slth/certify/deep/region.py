"""Where two networks are compared: boxes, all cut with one ball."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth.domain import Ball, Box, Orthant
from slth.errors import InvalidInput
from slth.layers import FloatArray
from slth.rounding.outward import TINY, UNIT


@dataclass(frozen=True, eq=False)
class Round:
    """{x : ||x - center||_2 <= radius}. center: float64 [d]."""

    center: FloatArray
    radius: float


@dataclass(frozen=True, eq=False)
class Region:
    """B boxes in R^d; the points meant are those that lie in the ball, too.

    Attributes:
        low, high: float64 [B, d].
        ball: None where the domain has none.
    """

    low: FloatArray
    high: FloatArray
    ball: Round | None

    @classmethod
    def of(cls, domain: object, d: int) -> Region:
        """The whole domain as one box. Raises InvalidInput if it is no domain in R^d."""
        match domain:
            case Ball():
                center = np.zeros(d) if domain.center is None else np.array(domain.center)
                _require_inputs(center, d)
                low = np.nextafter(center - domain.radius, -np.inf)
                high = np.nextafter(center + domain.radius, np.inf)
                ball = Round(center, domain.radius)
            case Orthant():
                ball = Round(np.zeros(d), domain.radius)
                low, high = np.zeros(d), np.full(d, domain.radius)
            case Box():
                low, high = (
                    np.full(d, end) if isinstance(end, float) else np.array(end)
                    for end in (domain.low, domain.high)
                )
                _require_inputs(low, d)
                ball = None
            case _:
                raise InvalidInput(
                    "domain is not a domain",
                    got=type(domain).__name__,
                    expected="a Ball, Box or Orthant",
                    fix="Pass e.g. domain=slth.Box(low, high).",
                )
        return cls(low[None, :], high[None, :], ball)

    def __len__(self) -> int:
        return len(self.low)

    @property
    def center(self) -> FloatArray:
        """float64 [B, d], in the boxes."""
        return np.clip(0.5 * self.low + 0.5 * self.high, self.low, self.high)

    def reach(self) -> FloatArray:
        """float64 [B, d]: the boxes lie within this of `center`."""
        center = self.center
        # One rounding each: the differences are never too small.
        return np.maximum(self.high - center, center - self.low) * (1.0 + 2.0**-52)

    def chosen(self, which: np.ndarray) -> Region:
        """Some of the boxes."""
        return Region(self.low[which], self.high[which], self.ball)

    def halves(self, axis: np.ndarray) -> Region:
        """Both halves of every box, cut in the middle of its own axis: first all lower ones."""
        rows = np.arange(len(self))
        middle = self.center[rows, axis]
        low, high = np.tile(self.low, (2, 1)), np.tile(self.high, (2, 1))
        high[rows, axis] = middle
        low[len(self) + rows, axis] = middle
        return Region(low, high, self.ball)

    def near_ball(self) -> tuple[Region, np.ndarray]:
        """The boxes that may have points of the ball, cut to those, and which of all they are.

        With g_j the distance of the center from the box along axis j, a point x of both has
        |x_k - center_k|^2 <= radius^2 - sum_{j != k} g_j^2. The differences, squares and sums are
        off by at most (d + 4) u of themselves, and by less than TINY where they underflow.
        """
        if self.ball is None:
            return self, np.arange(len(self))
        center, radius = self.ball.center, self.ball.radius
        # Where squares overflow nothing is dropped or cut: fmax and fmin pass over a NaN.
        with np.errstate(over="ignore", invalid="ignore"):
            gap = np.maximum(np.maximum(self.low - center, center - self.high), 0.0)
            part = 4.0 * (gap.shape[1] + 8) * UNIT
            square = gap * gap * (1.0 - part)
            total, whole = square.sum(axis=1, keepdims=True), radius * radius
            # The subtraction cancels: it is off by u of the sum, not of what is left.
            left = whole - (total - square) + part * (total + whole) + TINY
            some = np.flatnonzero(~(left < square).any(axis=1))
            reach = np.sqrt(np.maximum(left[some], 0.0)) * (1.0 + 4.0 * UNIT)
            low = np.fmax(self.low[some], np.nextafter(center - reach, -np.inf))
            high = np.fmin(self.high[some], np.nextafter(center + reach, np.inf))
        return Region(low, high, self.ball), some

    def highest(self, rows: FloatArray) -> FloatArray:
        """At least <rows, x> for all x of each box: float64 [B, m] of [B, m, d]; rounded up."""
        center, reach = self.center, self.reach()
        size = np.abs(rows)
        terms = rows.shape[-1] + 8
        spread = np.einsum("bmd,bd->bm", size, reach)
        largest = np.einsum("bmd,bd->bm", size, np.abs(center))
        middle = np.einsum("bmd,bd->bm", rows, center)
        best = middle + spread + 2.0 * terms * UNIT * (largest + spread)
        if self.ball is not None:
            ball = self.ball
            largest_entry = np.maximum(size.max(axis=-1), TINY)
            # On a box to one side of the center what draws to the other side adds nothing.
            above, below = self.low >= ball.center, self.high <= ball.center
            idle = above[:, None, :] & (rows < 0.0) | below[:, None, :] & (rows > 0.0)
            scaled = np.where(idle, 0.0, rows / largest_entry[..., None])
            length = largest_entry * np.sqrt(np.einsum("bmd,bmd->bm", scaled, scaled)) * ball.radius
            around = rows @ ball.center + length
            around += 2.0 * terms * UNIT * (size @ np.abs(ball.center) + length) + TINY
            best = np.minimum(best, around)
        return best + 2.0**-51 * np.abs(best) + TINY

    def highest_at(self, rows: FloatArray) -> FloatArray:
        """Points of each box near where <rows, x> is largest: float64 [B, d] of [B, d]."""
        point = np.where(rows > 0.0, self.high, np.where(rows < 0.0, self.low, self.center))
        if self.ball is None:
            return point
        center, radius = self.ball.center, self.ball.radius
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        outward = center + radius * rows / np.maximum(length, 1e-300)
        return np.clip(outward, self.low, self.high)

    def into(self, points: FloatArray) -> FloatArray:
        """Points moved into the only box of the region and towards the ball (nearly inside)."""
        points = np.clip(points, self.low[0], self.high[0])
        if self.ball is None:
            return points
        offset = points - self.ball.center
        length = np.linalg.norm(offset, axis=-1, keepdims=True)
        shrink = np.minimum(1.0, self.ball.radius / np.maximum(length, 1e-300))
        return np.clip(self.ball.center + shrink * offset, self.low[0], self.high[0])


def _require_inputs(center: FloatArray, d: int) -> None:
    if center.shape != (d,):
        raise InvalidInput(
            "domain incompatible with the networks",
            got=f"a domain in R^{center.shape[0]}, networks with d = {d}",
            expected="equal dimensions",
            fix="Give one coordinate for each input.",
        )
