"""How few hidden units, or weights, can keep the values of a network at points, at least.

One hidden layer: with r_i = 1 for a unit that goes, the error at x is |sum_i r_i V_i s(z_i(x))|,
which is linear in r. So the most units that can go is at most

    max sum_i r_i   over 0 <= r <= 1,   |sum_i r_i V_oi s(z_i(x))| <= eps  for every x and o,

a linear program. Any multipliers y >= 0 prove the bound sum y b + sum_i max(0, 1 - (A^T y)_i), so
the solver's need no trust. Several layers: without all units of one layer the outputs are constant,
and no constant is within eps of two values more than 2 eps apart: then every layer keeps a unit.
In the same way every layer keeps a weight; the last one of each output that is not constant; the
first one of each input that moves an output by more than 2 eps while the others stand still.
"""

from __future__ import annotations

import math

import numpy as np
import scipy

from slth.certify.deep.region import Region
from slth.domain import Box, Domain
from slth.layers import Dense, FloatArray, Residual, spelled_out
from slth.pruning.trained.connections import Connections
from slth.pruning.trained.hidden import HiddenUnits
from slth.pruning.trained.units import Units
from slth.rounding.outward import UNIT

# Points at which each input is moved by itself.
_FEW_POINTS = 32
# Rows of the linear program: the points that say most come first.
_MOST_POINTS = 512


def least_units(hidden: Units, points: FloatArray, eps: float) -> int:
    """Every network of fewer of the hidden units has an error above eps at one of the points.

    Args:
        hidden: the network.
        points: float64 [n, d], of the domain.
        eps: the error allowed.
    """
    if not isinstance(hidden, HiddenUnits) or not hidden.widths or hidden.network.last == "relu":
        # A skip passes by what is gone.
        return 0
    if len(hidden.widths) > 1 or not all(isinstance(layer, Dense) for layer in hidden.layers):
        return _one_a_layer(hidden, points, eps)
    least = _one_a_layer(hidden, points, eps)
    # Behind another bend the error is not linear in what goes.
    if not isinstance([*spelled_out(hidden.network.items)][-1], Dense):
        return least
    return max(least, _by_program(hidden, points, eps))


def _one_a_layer(hidden: HiddenUnits, points: FloatArray, eps: float) -> int:
    values = hidden.values(points, hidden.everything())
    apart = float(np.ptp(values, axis=0).max(initial=0.0))
    margin = hidden.margin(points)
    # Both values, and their difference, are rounded.
    return len(hidden.widths) if apart * (1.0 - 4.0 * UNIT) > 2.0 * (eps + margin) else 0


def least_weights(parts: Connections, points: FloatArray, domain: Domain, eps: float) -> int:
    """Every network of fewer of the weights has an error above eps at one of the points, or at one
    with an input moved to an end of its range (of a box: other domains may not hold that).

    In networks with residual blocks nothing is known.
    """
    network = parts.network
    if any(isinstance(item, Residual) for item in network.items):
        return 0
    values = parts.outputs(points, parts.present)
    bound = 2.0 * (eps + parts.margin(points))
    moving = np.ptp(values, axis=0) * (1.0 - 4.0 * UNIT) > bound
    if not moving.any():
        return 0
    inner = len(parts.layers) - 2
    last = int(moving.sum()) if isinstance(parts.layers[-1], Dense) else 1
    first = 1
    # Behind a pool one weight serves several inputs.
    if isinstance(domain, Box) and isinstance(next(spelled_out(network.items)), Dense):
        first = max(1, _inputs_that_move(parts, points[:_FEW_POINTS], domain, eps))
    return max(first, last) if inner < 0 else first + inner + last


def _inputs_that_move(parts: Connections, points: FloatArray, domain: Box, eps: float) -> int:
    """Inputs that alone move an output by more than 2 eps."""
    region = Region.of(domain, parts.network.d)
    count = 0
    for place in range(parts.network.d):
        below, above = points.copy(), points.copy()
        below[:, place], above[:, place] = region.low[0, place], region.high[0, place]
        both = np.concatenate([below, above])
        values = parts.outputs(both, parts.present)
        apart = float(np.abs(values[: len(points)] - values[len(points) :]).max())
        count += apart * (1.0 - 4.0 * UNIT) > 2.0 * (eps + parts.margin(both))
    return count


def _by_program(hidden: HiddenUnits, points: FloatArray, eps: float) -> int:
    points = points[-_MOST_POINTS:]
    parts = _parts(hidden, points)
    # What floats are off by: in each unit's part as in two evaluations, and in their sum.
    bound = eps + 2.0 * (hidden.total + 1) * hidden.margin(points)
    sizes = np.abs(parts).sum(axis=1)
    # Where all units together stay within the bound nothing is asked.
    parts = parts[sizes > bound]
    if not len(parts):
        return 0
    matrix = np.concatenate([parts, -parts])
    solved = scipy.optimize.linprog(
        -np.ones(hidden.total),
        A_ub=matrix,
        b_ub=np.full(len(matrix), bound),
        bounds=(0.0, 1.0),
        method="highs-ds",
    )
    if solved.status != 0:
        return 0
    multipliers = np.maximum(-np.asarray(solved.ineqlin.marginals), 0.0)
    most = _proven_by(matrix, bound, multipliers)
    return max(0, hidden.total - math.floor(most))


def _proven_by(matrix: FloatArray, bound: float, multipliers: FloatArray) -> float:
    """sum y b + sum_i max(0, 1 - (A^T y)_i), rounded up; multipliers that are too large are no
    danger, as any y >= 0 proves a bound."""
    rows, columns = matrix.shape
    unit = 2.0 * (rows + columns + 8) * UNIT
    pulled = matrix.T @ multipliers
    size = np.abs(matrix).T @ multipliers
    slack = np.maximum(0.0, 1.0 - pulled + unit * (size + 1.0))
    total = float(multipliers.sum()) * bound + float(slack.sum())
    return total * (1.0 + unit)


def _parts(hidden: HiddenUnits, points: FloatArray) -> FloatArray:
    """V_oi s(z_i(x)) for every point and output: float64 [points * outputs, units]."""
    whole = hidden.everything()
    nothing = hidden.values(points, [np.zeros_like(mask) for mask in whole])
    parts = np.empty((hidden.total, nothing.size))
    for unit in range(hidden.total):
        kept = np.zeros(hidden.total, np.bool_)
        kept[unit] = True
        parts[unit] = (hidden.values(points, hidden.split(kept)) - nothing).ravel()
    return parts.T
