"""Measures that are symmetric about the target and under x -> -x: two ways to choose one.

Both are guesses; what a measure proves is evaluated in `width`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from flint import arb
from numpy.typing import NDArray

from slth.theory.arithmetic import float_ball, precision, total
from slth.theory.zonal.integral import mean_size_of
from slth.theory.zonal.latitudes import Latitude
from slth.theory.zonal.nodes import divided_difference

FloatArray = NDArray[np.float64]

# Latitudes and angles of the linear program: twice as many gain 1 % of the width for ten times
# the time.
_LATITUDES, _ANGLES = 40, 200
# The program fails at some scales of its rows for no reason of its own, not at their neighbours.
_RESCALED = (1.0, 0.2, 5.0, 0.04, 25.0)
# Bits for the measures of instances, whose kinks must be told apart from float64 angles.
_BITS = 128
# Multipliers below this share of the largest are the program's own rounding.
_NOISE = 1e-12


@dataclass(frozen=True)
class ZonalMeasure:
    """mu = sum_k weights[k] (U(t_k) + U(-t_k))/2 on S^(d-1), of total variation at most 1.

    Attributes:
        latitudes: t_k in [0, 1), exact.
        weights: balls around mu_k.
        total: F = int relu(<w*, .>) dmu = sum_k mu_k t_k / 2, from below.
    """

    latitudes: tuple[Latitude, ...]
    weights: tuple[arb, ...]
    total: arb

    @classmethod
    def of(cls, d: int, places: list[float], weights: list[arb]) -> ZonalMeasure:
        """Those weights on those latitudes, scaled to total variation 1, signed so that F >= 0."""
        latitudes = tuple(Latitude.at(d, t) for t in places)
        variation = total(abs(w) for w in weights)
        held = total(w * x.t for w, x in zip(weights, latitudes, strict=True)) / 2
        if held < 0:
            variation = -variation
        scaled = tuple(w / variation for w in weights)
        return cls(latitudes, scaled, (held / variation).lower())

    @classmethod
    def spread(cls, d: int, m: int, scale: float) -> ZonalMeasure:
        """The divided difference in t^2, which vanishes on polynomials of degree < m, at 0 and at
        equal steps from half a step to `scale` < 1: within a few per cent of the best points, where
        those of alternation lose a tenth of c_d."""
        n = m // 2
        places = [0.0, *(scale * (i - 0.5) / (n - 0.5) for i in range(1, n + 1))]
        squares = [float_ball(t) * float_ball(t) for t in places]
        return cls.of(d, places, divided_difference(squares))

    def seen_at(self, angle: float) -> arb:
        """I(theta) = int relu(<v, .>) dmu for a unit direction v at that angle in [0, pi/2]."""
        exact = float_ball(angle)
        cosine, sine = exact.cos(), exact.sin()
        pairs = zip(self.weights, self.latitudes, strict=True)
        return total(w * x.seen(cosine, sine)[0] for w, x in pairs)

    def mean_seen(self, tolerance: float = 0.02) -> float:
        """Upper bound on E|I(theta)| for a uniform direction."""
        return mean_size_of(self.latitudes, self.weights, tolerance=tolerance)


def programmed(
    d: int, relative: float, scale: float, width: float
) -> tuple[float, list[float], list[arb]] | None:
    """The measure that maximises (F - eps) / E|I| on a grid, d >= 3.

    Its dual is solved: the least width whose units, each used at most as often as it is expected,
    come within eps of the target on the grid's latitudes.

    Args:
        d: dimension.
        relative: eps on the unit ball.
        scale: latitudes that matter are about this; the grid is geometric around it.
        width: about the answer, which scales the program.

    Returns:
        The width the grid says (without the failure probability), latitudes, weights; None where
        the program fails, as it does when its coefficients lose the cancellation (beyond 1e10).
    """
    latitudes = np.concatenate([[0.0], np.geomspace(0.05 * scale, 0.98, _LATITUDES)])
    edges = np.concatenate([[0.0], np.geomspace(0.02 * scale, math.pi / 2, _ANGLES)])
    middles = np.sqrt(edges[1:] * np.maximum(edges[:-1], edges[1:] / 4.0))
    mass = np.diff(scipy.special.betainc((d - 1) / 2.0, 0.5, np.sin(edges) ** 2))
    size = math.exp(
        scipy.special.gammaln((d + 1) / 2.0) - scipy.special.gammaln(d / 2.0)
    ) / math.sqrt(math.pi)
    per_unit = _seen(d, middles, latitudes) * (mass * size)
    for factor in _RESCALED:
        found = _least(per_unit, latitudes / 2.0, relative, factor * width)
        if found is not None:
            least, weights = found
            kept = np.abs(weights) > _NOISE * np.abs(weights).max()
            chosen = [float_ball(w) for w in weights[kept].tolist()]
            return least, latitudes[kept].tolist(), chosen
    return None


def _least(
    per_unit: FloatArray, wanted: FloatArray, relative: float, width: float
) -> tuple[float, FloatArray] | None:
    """min l such that |per_unit width y - wanted| <= relative for some |y| <= l; the width l stands
    for, and the multipliers of the rows. The rows are divided by `relative`."""
    seen, goal = per_unit * (width / relative), wanted / relative
    rows, columns = seen.shape
    free, one = scipy.sparse.eye_array(columns), scipy.sparse.csr_matrix(np.ones((columns, 1)))
    none = scipy.sparse.csr_matrix((rows, 1))
    matrix = scipy.sparse.vstack(
        [
            scipy.sparse.hstack([scipy.sparse.csr_matrix(seen), none]),
            scipy.sparse.hstack([scipy.sparse.csr_matrix(-seen), none]),
            scipy.sparse.hstack([free, -one]),
            scipy.sparse.hstack([-free, -one]),
        ]
    )
    found = scipy.optimize.linprog(
        np.r_[np.zeros(columns), 1.0],
        A_ub=matrix.tocsr(),
        b_ub=np.r_[goal + 1.0, 1.0 - goal, np.zeros(2 * columns)],
        bounds=[(None, None)] * columns + [(0.0, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9},
    )
    if found.x is None or not found.fun > 0.0:
        return None
    multipliers = -found.ineqlin.marginals[: 2 * rows]
    weights = multipliers[rows:] - multipliers[:rows]
    return (found.fun * width, weights) if np.abs(weights).max() > 0.0 else None


def _seen(d: int, angles: FloatArray, latitudes: FloatArray) -> FloatArray:
    """M(theta, t) in floats: [latitudes, angles]."""
    along = np.cos(angles) * latitudes[:, None]
    across = np.sin(angles) * np.sqrt(1.0 - latitudes**2)[:, None]
    square = np.minimum(along / across, 1.0) ** 2
    b = (d - 2) / 2.0
    constant = math.exp(
        scipy.special.gammaln((d - 1) / 2.0) - scipy.special.gammaln(b)
    ) / math.sqrt(math.pi)
    return along * scipy.special.betainc(0.5, b, square) / 2.0 + across * constant * (
        1.0 - square
    ) ** b / (d - 2)


@dataclass(frozen=True)
class Guess:
    """A measure in plain numbers, as it can be written down.

    Attributes:
        places: latitudes t_k in [0, 1).
        multipliers: mu_k, of any total variation > 0, F >= 0.
        value: what the program that chose them says they prove.
    """

    places: tuple[float, ...]
    multipliers: tuple[float, ...]
    value: float

    def measure(self, d: int) -> ZonalMeasure:
        """The same of total variation 1, in balls."""
        with precision(_BITS):
            return ZonalMeasure.of(d, list(self.places), [float_ball(w) for w in self.multipliers])


def fitted(
    d: int,
    angles: FloatArray,
    upper: FloatArray,
    lower: FloatArray,
    scale: float,
    strength: float = 1.0,
) -> Guess | None:
    """The measure that bounds given units best on a grid of latitudes: max over mu of
    F - sum_b upper_b max(0, I_b) + lower_b max(0, -I_b), by its dual, the least error of
    sum_b M(theta_b, .) z_b, -lower <= z <= upper, against relu. None where the program fails.

    Args:
        d: dimension, >= 3.
        angles: float64 [B] in [0, pi/2], of bins of units.
        upper, lower: float64 [B], the sums of alpha_i > 0 and of -alpha_i > 0 in each bin.
        scale: the grid is geometric, finest there.
        strength: against so many times relu.
    """
    latitudes = np.concatenate([[0.0], np.geomspace(0.05 * scale, 0.98, 2 * _LATITUDES)])
    used = upper + lower > 0.0
    # Columns in units of their own largest step, so that large bins do not hide small ones.
    size = np.maximum(upper, lower)[used]
    seen = _seen(d, angles[used], latitudes) * size
    one = np.ones((latitudes.shape[0], 1))
    wanted = strength * latitudes / 2.0
    found = scipy.optimize.linprog(
        np.r_[np.zeros(seen.shape[1]), 1.0],
        A_ub=np.block([[seen, -one], [-seen, -one]]),
        b_ub=np.r_[wanted, -wanted],
        bounds=[
            *zip(-lower[used] / size, upper[used] / size, strict=True),
            (0.0, None),
        ],
        method="highs",
    )
    if found.x is None:
        return None
    multipliers = -found.ineqlin.marginals
    rows = latitudes.shape[0]
    weights = multipliers[rows:] - multipliers[:rows]
    kept = np.abs(weights) > _NOISE * np.abs(weights).max(initial=0.0)
    if not kept.any():
        return None
    # Signed so that F >= 0, as `ZonalMeasure.of` does.
    chosen = math.copysign(1.0, float(weights @ latitudes)) * weights[kept]
    return Guess(tuple(latitudes[kept].tolist()), tuple(chosen.tolist()), float(found.fun))
