"""Rigorous evaluation of a network, and of a difference of two, at a float point.

In pairs of floats; `TINY` covers products that underflow.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from slth.network import FloatArray, ReLUNetwork
from slth.rounding.ball import into_ball
from slth.rounding.outward import TINY, UNIT
from slth.rounding.pairs import two_prod, two_sum

# Above what a product and its remainder lose by underflow together.
_LEAST = 2.0**-1070


@njit(cache=True, nogil=True)
def _value(hidden, output, x):
    """sum_i output[i] max(<hidden[i], x>, 0) as (hi, lo, error), |hi + lo - exact| <= error."""
    width, d = hidden.shape
    hi = lo = mass = outputs = 0.0
    for i in range(width):
        outputs += abs(output[i])
        t_hi = t_lo = t_mass = 0.0
        for k in range(d):
            p, e = two_prod(hidden[i, k], x[k])
            t_hi, carry = two_sum(t_hi, p)
            t_lo += e + carry
            t_mass += abs(p)
        mass += abs(output[i]) * t_mass
        # A wrong sign here needs |<w, x>| below its own error: the unit then adds less than that.
        if t_hi + t_lo > 0.0:
            p, e = two_prod(output[i], t_hi)
            hi, carry = two_sum(hi, p)
            lo += (e + output[i] * t_lo) + carry
    steps = width + d + 8.0
    error = 4.0 * (steps * UNIT) * (steps * UNIT) * mass + TINY * (1.0 + mass)
    # Inner products that underflow, multiplied by large outputs.
    error += steps * _LEAST * outputs
    total = hi + lo
    return total, lo - (total - hi), error


@njit(cache=True, nogil=True)
def distance_at(g_hidden, g_output, g_relu, f_hidden, f_output, f_relu, x):
    """Rigorous (lower, upper) for the distance of two networks' values at the float point x.

    g_relu, f_relu: whether the readout is "relu".
    """
    g_hi, g_lo, g_error = _value(g_hidden, g_output, x)
    if g_relu and g_hi + g_lo < 0.0:
        # max(., 0) is 1-Lipschitz: the error stays.
        g_hi = g_lo = 0.0
    f_hi, f_lo, f_error = _value(f_hidden, f_output, x)
    if f_relu and f_hi + f_lo < 0.0:
        f_hi = f_lo = 0.0
    # An exact zero error means both values are known to the last bit of their pairs.
    difference_hi = g_hi - f_hi
    back = difference_hi - g_hi
    rounding = (g_hi - (difference_hi - back)) - (f_hi + back)
    distance = abs(difference_hi + (rounding + (g_lo - f_lo)))
    error = (
        (g_error + f_error) * (1.0 + 8 * UNIT)
        + 4.0 * UNIT * distance
        + 8.0 * UNIT * UNIT * (abs(g_hi) + abs(f_hi))
    )
    return max(0.0, distance - error), distance + error


def difference(net: ReLUNetwork, target: ReLUNetwork, x: FloatArray) -> tuple[float, float]:
    """Rigorous (lower, upper) for |net(x) - target(x)| at the float point x [d], taken as exact."""
    return distance_at(
        net.hidden,
        net.output,
        net.readout == "relu",
        target.hidden,
        target.output,
        target.readout == "relu",
        np.ascontiguousarray(x, dtype=np.float64),
    )


def attained(
    net: ReLUNetwork, target: ReLUNetwork, point: FloatArray | None
) -> tuple[float, FloatArray | None]:
    """A rigorous lower bound at the point, moved into the ball; (0.0, None) without a direction."""
    if point is None or not point.any():
        return 0.0, None
    witness = into_ball(point)
    lower, _ = difference(net, target, witness)
    return (lower, witness) if lower > 0.0 else (0.0, None)
