"""The neuron-pruning problem on the unit ball: features, targets, and what a row may say.

Choose keep in {0, 1}^N to minimise sup_{||x|| <= 1} |g_keep(x) - f(x)|, where
g_keep(x) = rho(sum_i keep_i phi_i(x)), phi_i(x) = a_i max(<w_i, x>, 0), rho the readout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slth.network import BoolArray, FloatArray, Mask, ReLUNetwork
from slth.rounding.outward import UNIT


@dataclass(frozen=True, eq=False)
class Problem:
    """A network to prune and a target of the same input dimension, on the unit ball.

    With `most` only masks of at most that many units are spoken of: the relaxation and the tree
    then bound the error of those alone (see `dual.py`).

    Both arrays of weights are exact real numbers; every method that evaluates in floats says how
    far it may be off, so that provers can add it outward.
    """

    net: ReLUNetwork
    target: ReLUNetwork
    most: int | None = None

    @property
    def width(self) -> int:
        """Number N of units to choose from."""
        return self.net.width

    @property
    def d(self) -> int:
        """Input dimension."""
        return self.net.d

    @property
    def linear(self) -> bool:
        """Whether the readout of the pruned network is the identity."""
        return self.net.readout == "linear"

    @cached_property
    def unit_norms(self) -> FloatArray:
        """float64 [N], at least |a_i| ||w_i||: the largest |phi_i| on the ball, rounded up."""
        return _unit_norms(self._normal[0])

    @cached_property
    def target_mass(self) -> float:
        """At least sum_j |b_j| ||v_j|| over the target's units."""
        return math.fsum(_unit_norms(self._normal[1])) * (1.0 + 4.0 * UNIT)

    @cached_property
    def _normal(self) -> tuple[ReLUNetwork, ReLUNetwork]:
        """net and target where no inner product underflows to speak of."""
        return _far_from_underflow(self.net), _far_from_underflow(self.target)

    @cached_property
    def direction(self) -> FloatArray | None:
        """w with f(x) = max(<w, x>, 0) if the target is one unit with a positive output, else None.

        float64 [d], rounded: for steering searches, not for bounds.
        """
        if self.target.width != 1 or not self.target.output[0] > 0.0:
            return None
        return self.target.hidden[0] * self.target.output[0]

    def features(self, points: FloatArray) -> FloatArray:
        """phi_i(x_p): float64 [P, N]. points: float64 [P, d] in the ball; the caller bounds P.

        Each entry is within `rounding(d + 2) * unit_norms[i]` (plus 1e-290) of the exact
        value: a dot product, a maximum, a product.
        """
        net = self._normal[0]
        return np.maximum(points @ net.hidden.T, 0.0) * net.output

    def target_values(self, points: FloatArray) -> FloatArray:
        """f(x_p): float64 [P], within `target_error * target_mass` (plus 1e-290) of exact."""
        return self._normal[1](points)

    @property
    def target_error(self) -> float:
        """Relative rounding error of one target value."""
        return rounding(self.d + self.target.width + 3)

    def values(self, keep: BoolArray, points: FloatArray) -> FloatArray:
        """g_keep(x_p) - f(x_p) in floats: float64 [P], not rigorous."""
        return self.masked(keep)(points) - self.target(points)

    def masked(self, keep: BoolArray) -> ReLUNetwork:
        """The network of the kept units only. keep: bool [N]."""
        return ReLUNetwork(self.net.hidden[keep], self.net.output[keep], self.net.readout)

    def mask(self, keep: BoolArray) -> Mask:
        """The neuron mask of `keep`: bool [N]."""
        return Mask.of_units(keep, self.d)


def rounding(operations: int) -> float:
    """gamma_n = n u / (1 - n u), rounded up: relative error of n roundings in any order."""
    n = operations * UNIT
    return n / (1.0 - n) * (1.0 + 2.0**-40)


def onto_sphere(points: FloatArray) -> FloatArray:
    """Scale nonzero rows to norm 1, then inward so that the exact norm is at most 1.

    points: float64 [P, d] -> float64 [P, d]. The computed norm and the quotient are off by at
    most a few roundings each, sqrt(d) of them at worst in the sum; (d + 8) ulps cover both.
    """
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    inward = 1.0 - (points.shape[1] + 8) * 2.0 * UNIT
    return points / np.where(norms > 0.0, norms, 1.0) * inward


def random_sphere(rng: np.random.Generator, count: int, d: int) -> FloatArray:
    """`count` uniform points just inside the unit sphere: float64 [count, d].

    In d = 1 and d = 2 an even cover instead of a random one.
    """
    if d == 1:
        return np.array([[1.0], [-1.0]])
    if d == 2:
        angles = (np.arange(count) + rng.random()) * (2.0 * np.pi / count)
        return onto_sphere(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    return onto_sphere(rng.standard_normal((count, d)))


def _far_from_underflow(net: ReLUNetwork) -> ReLUNetwork:
    """The same function, rows below 1 scaled up by powers of two: exact but for output weights that
    underflow, whose units are below 1e-300."""
    exponents = np.minimum(np.frexp(np.abs(net.hidden).max(axis=1, initial=0.0))[1], 0)
    hidden = np.ldexp(net.hidden, -exponents[:, None])
    return ReLUNetwork(hidden, np.ldexp(net.output, exponents), net.readout)


def by_largest(rows: FloatArray) -> FloatArray:
    """Rows whose largest entries are 1 in magnitude: squares neither over- nor underflow."""
    largest = np.max(np.abs(rows), axis=1, keepdims=True, initial=0.0)
    return rows / np.where(largest > 0.0, largest, 1.0)


def _unit_norms(net: ReLUNetwork) -> FloatArray:
    largest = np.max(np.abs(net.hidden), axis=1, initial=0.0)
    norms = largest * np.linalg.norm(by_largest(net.hidden), axis=1)
    norms *= (1.0 + (net.d + 8) * 2.0 * UNIT) * np.abs(net.output)
    return norms + 1e-290
