"""Every weight mask of a tiny network: the optimum, proven up to the points it was tested at.

The error of a mask at finitely many points of the ball bounds its uniform error from below, so the
least such value over all masks, minus the rounding of float64 evaluation, is a proven bound.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.network import BoolArray, FloatArray, Mask, ReLUNetwork
from slth.rounding.outward import UNIT

# Up to 2^20 masks are enumerated: well under a second.
LARGEST_BITS = 20


@njit(cache=True, nogil=True)
def _enumerate(table, units, options, target, relu):
    """Least error over the points of all options^units masks. Returns (error, choice [units]).

    table: float64 [units * options, points]; row u * options + o is unit u's output under
    option o; option 0 drops the unit. Depth first with the partial sums of each depth kept.
    """
    points = target.shape[0]
    partial = np.zeros((units + 1, points))
    choice = np.zeros(units, np.int64)
    best = np.inf
    winner = np.zeros(units, np.int64)
    depth = 0
    while True:
        while depth < units:
            row = depth * options + choice[depth]
            for x in range(points):
                partial[depth + 1, x] = partial[depth, x] + table[row, x]
            depth += 1
        worst = 0.0
        for x in range(points):
            value = max(partial[units, x], 0.0) if relu else partial[units, x]
            worst = max(worst, abs(value - target[x]))
            if worst >= best:
                break
        if worst < best:
            best = worst
            copy_vector(winner, choice)
        depth -= 1
        while depth >= 0 and choice[depth] == options - 1:
            choice[depth] = 0
            depth -= 1
        if depth < 0:
            return best, winner
        choice[depth] += 1


def best_of_all(
    net: ReLUNetwork, target: ReLUNetwork, options: BoolArray, points: FloatArray
) -> tuple[Mask, float]:
    """The mask with the least error over the points, and a proven bound on every mask's error.

    Args:
        options: bool [2^d, d], all masks of a unit, the first one empty.
        points: float64 [points, d], all of norm at most 1.
    """
    width, count = net.width, len(options)
    outputs = [
        net.output[i] * np.maximum((net.hidden[i] * options) @ points.T, 0.0) for i in range(width)
    ]
    table = np.concatenate(outputs) if outputs else np.zeros((0, len(points)))
    error, choice = _enumerate(table, width, count, target(points), net.readout == "relu")
    hidden = options[choice].reshape(width, net.d)
    mass = sum(float(np.abs(n.output) @ np.abs(n.hidden).sum(axis=1)) for n in (net, target))
    rounding = 4.0 * UNIT * (net.d + net.width + target.width + 8) * mass
    return Mask(hidden, hidden.sum(axis=1) > 0), max(0.0, error - rounding)
