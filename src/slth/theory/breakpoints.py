"""Input families, breakpoints, slope jumps, and the bins they fall into (Sections 5.2, 5.3).

Family i (0-based) is x_i(t) = t e_{2i} + e_{2i+1}. Along it unit j is
a_j relu(w_{j,2i} t + w_{j,2i+1}): one breakpoint t_ij = -w_{j,2i+1} / w_{j,2i} with the signed
slope jump J_ij = a_j |w_{j,2i}|. The sign of the jump is the sign of a_j, the same in every family.

For Gaussian units (t, J) has an exact law: t is standard Cauchy and, given t, J is Laplace with
scale 1 / sqrt(1 + t^2). (In polar coordinates w = rho (cos, sin): t = -tan, |w_{2i}| = rho |cos|,
and |a| rho is Exp(1) because E exp(-x^2 / 2a^2) = exp(-x) for a ~ N(0, 1).)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slth.errors import InvalidInput, require_array, require_count, require_positive

FloatArray = NDArray[np.float64]


def family_count(d: int) -> int:
    """How many disjoint coordinate pairs R^d has: floor(d / 2)."""
    return require_count("d", d, least=1) // 2


def family_points(family: int, t: ArrayLike, d: int) -> FloatArray:
    """The points x_i(t) = t e_{2i} + e_{2i+1}. t: float64 [...] -> float64 [..., d]."""
    family = require_family(family, d)
    times = require_array("t", t, ndim=np.ndim(t))
    points = np.zeros((*times.shape, d))
    points[..., 2 * family] = times
    points[..., 2 * family + 1] = 1.0
    return points


@dataclass(frozen=True, eq=False)
class Kinks:
    """Breakpoints and signed slope jumps along some families.

    Attributes:
        breakpoints: float64 [families, width], infinite where a unit is constant in t.
        jumps: float64 [families, width], a_j |w_{j,2i}|.
    """

    breakpoints: FloatArray
    jumps: FloatArray


def kinks(hidden: ArrayLike, output: ArrayLike, families: ArrayLike | None = None) -> Kinks:
    """Breakpoints and jumps of every unit along the families asked for (default: all).

    The result holds 2 * families * width numbers: for wide networks ask for blocks of families,
    or call `broken_bins`, which does so itself.

    Args:
        hidden: float64 [width, d], d >= 2.
        output: float64 [width].
        families: int [families], each in 0 .. floor(d/2) - 1.
    """
    weights, scales = require_units(hidden, output)
    chosen = require_families(families, weights.shape[1])
    slope = np.ascontiguousarray(weights[:, 2 * chosen].T)
    offset = weights[:, 2 * chosen + 1].T
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(slope == 0.0, np.inf, -offset / slope)
    return Kinks(times, scales * np.abs(slope))


@dataclass(frozen=True)
class Bins:
    """`count` adjacent bins of one length, symmetric about 0, inside I_R.

    I_R = [-sqrt(R^2 - 1), sqrt(R^2 - 1)] is where x_i(t) lies in the ball of radius R.
    """

    left: float
    length: float
    count: int

    @property
    def edges(self) -> FloatArray:
        """float64 [count + 1]."""
        return self.left + self.length * np.arange(self.count + 1, dtype=np.float64)

    def masses(self) -> FloatArray:
        """Probability that a Gaussian unit's breakpoint falls in each bin: Cauchy. [count]."""
        angles = np.arctan(self.edges)
        return (angles[1:] - angles[:-1]) / math.pi

    def good_masses(self, gamma: float, margin: float) -> FloatArray:
        """Lower bounds on Pr(breakpoint in the bin, at least margin * length from its ends, and
        |jump| >= gamma), from the exact joint law. float64 [count].

        The density exp(-gamma sqrt(1 + t^2)) / (pi (1 + t^2)) falls in |t|: the Cauchy mass of the
        middle part times exp(-gamma sqrt(1 + t^2)) at its outer end is a lower bound.
        """
        edges = self.edges
        inner = edges[:-1] + margin * self.length
        outer = edges[1:] - margin * self.length
        mass = np.maximum(np.arctan(outer) - np.arctan(inner), 0.0) / math.pi
        far = np.maximum(np.abs(inner), np.abs(outer))
        return mass * np.exp(-gamma * np.sqrt(1.0 + far * far)) * (1.0 - 1e-12)


def make_bins(radius: float, length: float) -> Bins:
    """Cut I_R into bins of that length (what is left over is split between both ends).

    Raises:
        InvalidInput: radius <= 1 (I_R is empty), length longer than I_R.
    """
    radius = require_positive("radius", radius)
    length = require_positive("length", length)
    if radius <= 1.0:
        raise InvalidInput(
            "no input family meets the ball",
            got=f"radius = {radius!r}",
            expected="radius > 1",
            fix="x_i(t) has norm sqrt(t^2 + 1) > 1; choose radius >= 2 as Theorem 1 does.",
        )
    half = math.sqrt(radius * radius - 1.0)
    count = int(2.0 * half * (1.0 - 1e-12) / length)
    if count < 1:
        raise InvalidInput(
            "bins longer than I_R",
            got=f"length = {length!r}",
            expected=f"at most {2.0 * half!r}",
            fix="Choose shorter bins or a larger radius.",
        )
    return Bins(left=-0.5 * count * length, length=length, count=count)


def require_units(hidden: ArrayLike, output: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Validated hidden [width, d >= 2] and output [width], not copied when already float64."""
    hidden, output = _finite("hidden", hidden, 2), _finite("output", output, 1)
    if hidden.shape[1] < 2:
        raise InvalidInput(
            "input families need d >= 2",
            got=f"hidden of shape {hidden.shape}",
            expected="shape [width, d] with d >= 2",
            fix="For d = 1 neuron pruning is weight pruning.",
        )
    if output.shape[0] != hidden.shape[0]:
        raise InvalidInput(
            "output incompatible with hidden",
            got=f"output of shape {output.shape}, hidden of shape {hidden.shape}",
            expected="one output weight for each row of hidden",
            fix="Pass output with hidden.shape[0] entries.",
        )
    return hidden, output


def require_some_units(hidden: ArrayLike, output: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """`require_units`, of at least one unit."""
    units = require_units(hidden, output)
    if len(units[0]) == 0:
        raise InvalidInput(
            "no units to choose from",
            got="width 0",
            expected="at least one unit",
            fix="Draw a wider network.",
        )
    return units


def _finite(name: str, value: ArrayLike, ndim: int) -> FloatArray:
    """As `require_array`, without a copy where there is nothing to convert. A masked array is of
    another class."""
    if (
        type(value) is np.ndarray
        and value.dtype == np.float64
        and value.ndim == ndim
        and np.isfinite(value).all()
    ):
        return value
    return require_array(name, value, ndim=ndim)


def require_target(target: ArrayLike, d: int) -> FloatArray:
    """Validated target weights [d]."""
    weights = require_array("target", target, ndim=1)
    if weights.shape[0] != d:
        raise InvalidInput(
            "target incompatible with hidden",
            got=f"target of length {weights.shape[0]}",
            expected=f"length d = {d}",
            fix="Target and units live in the same R^d.",
        )
    return weights


def require_families(families: ArrayLike | None, d: int) -> NDArray[np.int64]:
    """Validated family indices."""
    if families is None:
        return np.arange(family_count(d))
    chosen = [require_family(family, d) for family in np.atleast_1d(families).tolist()]
    return np.array(chosen, np.int64)


def require_family(family: object, d: int) -> int:
    """Validated index of a family."""
    index = require_count("family", family, least=0)
    if index >= family_count(d):
        raise InvalidInput(
            "no such input family",
            got=index,
            expected=f"0 <= family < floor(d / 2) = {family_count(d)}",
            fix="Families are coordinate pairs, counted from 0.",
        )
    return index
