"""What every unit sees of one measure: I(theta) on [0, pi/2] as pieces of a polynomial, each with a
proven error, so that a million units cost a million short sums."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slth.theory.arithmetic import precision
from slth.theory.zonal.measure import ZonalMeasure
from slth.theory.zonal.taylor import expand, kink_angle, taylor_terms

# Bits for the coefficients: I may cancel to 1e-12 of its terms at the widths of networks.
_BITS = 128
# Pieces at most: the error that is left is part of the answer.
_MOST = 3000


@dataclass(frozen=True, eq=False)
class Profile:
    """I on the cell [edges[c], edges[c + 1]] is sum_j coefficients[c, j] y^j, y in [-1, 1] from end
    to end, within errors[c].

    Attributes:
        edges: float64 [C + 1], from 0 to just above pi/2.
        coefficients: float64 [C, n].
        errors: float64 [C].
        total: F = int relu(<w*, .>) dmu for ||w*|| = 1, from below.
    """

    edges: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    errors: NDArray[np.float64]
    total: float


def profile_of(
    measure: ZonalMeasure,
    load: Callable[[float, float], float],
    allowed: float,
    expired: Callable[[], bool] = lambda: False,
) -> Profile:
    """Pieces whose errors, each times the load of its cell, sum to about `allowed`.

    Args:
        measure: in dimension d >= 3.
        load: (left, right) -> how much a unit of error in that cell costs, >= 0.
        allowed: where splitting stops; after 3,000 pieces it stops anyway.
        expired: asked before each round; splitting stops when it is true.
    """
    ends = {0.0, math.nextafter(math.pi / 2, 2.0), *map(kink_angle, measure.latitudes)}
    cells: list[tuple[float, float, float]] = []
    pieces = {}
    with precision(_BITS):
        order = taylor_terms(measure.latitudes, measure.weights)

        def add(left: float, right: float) -> None:
            found = expand(measure.latitudes, measure.weights, left, right, order)
            if not found.error < 1.0:
                # |M| <= 1/2 and the total variation is 1: 0 is within 1/2 of I.
                pieces[left] = (np.zeros(order + 2), 0.5)
            else:
                pieces[left] = (found.coefficients, found.error)
            heapq.heappush(cells, (-pieces[left][1] * load(left, right), left, right))

        for left, right in itertools.pairwise(sorted(ends)):
            add(left, right)
        while len(cells) < _MOST and -math.fsum(cell[0] for cell in cells) > allowed:
            if expired():
                break
            for _, left, right in [heapq.heappop(cells) for _ in range(1 + len(cells) // 8)]:
                middle = 0.5 * (left + right)
                add(left, middle)
                add(middle, right)
    order_of = sorted(pieces)
    return Profile(
        edges=np.array([*order_of, max(ends)]),
        coefficients=np.array([pieces[left][0] for left in order_of]),
        errors=np.array([pieces[left][1] for left in order_of]),
        total=math.nextafter(float(measure.total.lower()), -math.inf),
    )
