"""An upper bound on E|I(theta)|, I = sum_k mu_k M(theta, t_k), theta the angle of a uniform
direction.

On each cell I is a Taylor polynomial with an error (`taylor`). Cells are split,
the least certain first, until what e adds is small.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb

from slth.theory.arithmetic import float_above, float_ball
from slth.theory.zonal.latitudes import Latitude, angle_mass
from slth.theory.zonal.taylor import UNDERFLOW, expand, kink_angle, taylor_terms

# Pieces of a cell on which the integral of |p| is bounded by the trapezium of its ends and p''.
_PIECES = 64
# Cells are split at most this often: enough for d = 3, where kinks are square roots.
_MOST_CELLS = 4000
# Relative roundings of a float sum of _PIECES products of a few factors: far below this.
_SLACK = 1e-9


@dataclass(frozen=True, order=True)
class _Cell:
    """A cell with an upper bound on its integral; ordered by what splitting could gain."""

    gain: float
    left: float
    right: float
    value: float


def mean_size_of(
    latitudes: Sequence[Latitude], weights: Sequence[arb], *, tolerance: float = 0.01
) -> float:
    """Upper bound on E|I| = (2/W) int_0^{pi/2} |I| sin^(d-2), within about that relative tolerance.

    Args:
        latitudes: in one dimension d >= 3.
        weights: mu_k, spread evenly over t_k and -t_k.
        tolerance: splitting stops when what it could gain is this part of the whole, or after
            4,000 cells: the bound holds all the same.
    """
    d = latitudes[0].d
    # pi/2 rounded up: M is even about pi/2, so the last cell may reach past it.
    ends = sorted(
        {0.0, math.nextafter(math.pi / 2, 2.0), *(kink_angle(each) for each in latitudes)}
    )
    order = taylor_terms(latitudes, weights)
    heap: list[_Cell] = []
    for left, right in itertools.pairwise(ends):
        heapq.heappush(heap, _bound(latitudes, weights, left, right, order))
    while len(heap) < _MOST_CELLS:
        whole = math.fsum(cell.value for cell in heap)
        if math.fsum(-cell.gain for cell in heap) <= tolerance * whole:
            break
        # A few at a time: the sums above are over all cells.
        for worst in [heapq.heappop(heap) for _ in range(1 + len(heap) // 8)]:
            middle = 0.5 * (worst.left + worst.right)
            for left, right in ((worst.left, middle), (middle, worst.right)):
                heapq.heappush(heap, _bound(latitudes, weights, left, right, order))
    whole = math.fsum(cell.value for cell in heap)
    return float_above(2 * float_ball(whole * (1.0 + _SLACK)) / angle_mass(d))


def _bound(
    latitudes: Sequence[Latitude], weights: Sequence[arb], left: float, right: float, order: int
) -> _Cell:
    """int |p + e| sin^(d-2) over the cell."""
    found = expand(latitudes, weights, left, right, order)
    ends = left + (right - left) * np.arange(1, _PIECES + 1) / _PIECES
    weight = np.sin(np.minimum(ends, math.pi / 2)) ** (latitudes[0].d - 2)
    weight *= (right - left) / _PIECES
    mass = float(weight.sum())
    if not found.error < 1.0:
        # The cell is too long for Taylor's formula, but |M| <= 1/2 and mu has total variation 1.
        return _Cell(-mass, left, right, 0.5 * mass * (1.0 + _SLACK))
    x = np.linspace(-1.0, 1.0, _PIECES + 1)
    p = np.abs(np.polynomial.polynomial.polyval(x, found.coefficients))
    orders = np.arange(found.coefficients.shape[0])
    step = 2.0 / _PIECES
    bend = step * step / 8.0 * float(orders * (orders - 1) @ np.abs(found.coefficients))
    known = float((0.5 * (p[:-1] + p[1:])) @ weight)
    extra = (bend + found.error) * mass
    value = (known + extra) * (1.0 + _SLACK) + UNDERFLOW
    return _Cell(-extra, left, right, value)
