"""Networks restricted to the paper's input families: exact piecewise-linear functions of t."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slth.network import ReLUNetwork

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PiecewiseLinear:
    """The continuous function through (t[k], values[k]), linear between. t: float64 [n], rising."""

    t: FloatArray
    values: FloatArray

    def __call__(self, t: FloatArray) -> FloatArray:
        return np.interp(t, self.t, self.values)

    def minus(self, other: PiecewiseLinear) -> PiecewiseLinear:
        """The difference, with the knots of both."""
        t = np.union1d(self.t, other.t)
        return PiecewiseLinear(t, self(t) - other(t))

    def within(self, low: float, high: float) -> PiecewiseLinear:
        """The same function on [low, high]."""
        t = np.concatenate([[low], self.t[(self.t > low) & (self.t < high)], [high]])
        return PiecewiseLinear(t, self(t))

    def positive_part(self) -> PiecewiseLinear:
        """max(., 0), with a knot wherever the sign changes."""
        left, right = self.values[:-1], self.values[1:]
        crosses = left * right < 0.0
        shares = left[crosses] / (left[crosses] - right[crosses])
        zeros = self.t[:-1][crosses] + shares * np.diff(self.t)[crosses]
        t = np.union1d(self.t, zeros)
        values = np.maximum(self(t), 0.0)
        values[np.isin(t, zeros)] = 0.0
        return PiecewiseLinear(t, values)


def interval(radius: float) -> float:
    """sqrt(R^2 - 1): x_i(t) lies in the ball of radius R while |t| is at most this."""
    return math.sqrt(radius * radius - 1.0)


def restricted(net: ReLUNetwork, family: int, half: float) -> PiecewiseLinear:
    """The network along x_i(t) = t e_{2i} + e_{2i+1} (0-based), |t| <= half, readout included."""
    slope, offset = net.hidden[:, 2 * family], net.hidden[:, 2 * family + 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        kinks = -offset / slope
    t = np.unique(np.concatenate([[-half, half], kinks[np.abs(kinks) < half]]))
    active = np.maximum(np.outer(t, slope) + offset, 0.0)
    function = PiecewiseLinear(t, active @ net.output)
    return function.positive_part() if net.readout == "relu" else function
