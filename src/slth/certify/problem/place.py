"""Where a problem is to be maximised: its points, and the simplicial cones that cover them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slth.certify.problem.chart import Shape
from slth.network import FloatArray

_SMALLEST_NORM = 1e-280


@dataclass(frozen=True)
class Place:
    """A set of points x in R^d.

    Attributes:
        shape: "ball", "box" or "orthant", the normal forms of `domain`.
        flat: the points are x = (y, 1) with y in the normal form in R^(d - 1), which cones cover
            with generators of last coordinate 1; else x itself is in the normal form (no box), and
            the generators are unit vectors of one orthant.
    """

    shape: Shape
    flat: bool

    def cones(self, d: int) -> list[FloatArray]:
        """Cones, one [d, d] array of generators each, whose union holds the points.

        A flat ball lies in the cross-polytope |y|_1 <= ceil(sqrt(d - 1)); a cube is cut into
        (d - 1)! simplices, one for each order in which edges lead from the low to the high corner.
        """
        inputs = d - 1 if self.flat else d
        if self.shape == "box":
            return list(_walks(inputs))
        size = math.isqrt(inputs - 1) + 1.0 if self.flat else 1.0
        signs = itertools.product((1.0, -1.0), repeat=inputs)
        cones = []
        for sign in signs if self.shape == "ball" else [(1.0,) * inputs]:
            cone = np.zeros((d, d))
            cone[:inputs, :inputs] = size * np.diag(sign)
            cone[:, inputs:] = 1.0
            cones.append(cone)
        return cones

    def generators_within(self, d: int) -> float:
        """A bound of the norms of the cones' generators."""
        if not self.flat:
            return 1.0
        return math.sqrt(d if self.shape == "box" else 1 + (math.isqrt(d - 2) + 1) ** 2)

    def within(self, d: int) -> float:
        """A bound of the points' norms."""
        if not self.flat:
            return 1.0
        return math.sqrt(d if self.shape == "box" else 2.0) * (1.0 + 2.0**-50)

    def onto(self, points: FloatArray) -> FloatArray:
        """Points [n, d] moved into the place: onto the sphere if not flat; zeros are dropped."""
        if not self.flat:
            return _normalised(points if self.shape == "ball" else np.maximum(points, 0.0))
        y = points[:, :-1]
        if self.shape == "box":
            y = np.clip(y, -1.0, 1.0)
        else:
            y = y if self.shape == "ball" else np.maximum(y, 0.0)
            y = y / np.maximum(1.0, np.linalg.norm(y, axis=1))[:, None]
        return np.column_stack([y, np.ones(len(y))])

    def toward(self, gradient: FloatArray, points: FloatArray) -> FloatArray:
        """Where linear functions with those gradients [n, d] are largest; the points themselves
        where they are so nowhere in particular."""
        best = gradient[:, :-1] if self.flat else gradient
        if self.shape == "orthant":
            best = np.maximum(best, 0.0)
        if self.shape == "box":
            best = np.sign(best)
        else:
            norms = np.linalg.norm(best, axis=1)
            best = best / np.maximum(norms, _SMALLEST_NORM)[:, None]
        if not self.flat:
            return best
        best = np.where(np.any(best, axis=1, keepdims=True), best, points[:, :-1])
        return np.column_stack([best, np.ones(len(best))])


AROUND_ZERO = Place("ball", False)


def _normalised(points: FloatArray) -> FloatArray:
    norms = np.linalg.norm(points, axis=1)
    alive = norms > _SMALLEST_NORM
    return points[alive] / norms[alive, None]


def _walks(inputs: int) -> Iterator[FloatArray]:
    for order in itertools.permutations(range(inputs)):
        cone = np.full((inputs + 1, inputs + 1), -1.0)
        cone[:, inputs] = 1.0
        for step, axis in enumerate(order):
            cone[step + 1 :, axis] = 1.0
        yield cone
