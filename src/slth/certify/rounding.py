"""Error-free transformations and rigorous evaluation of a network at a float point.

Double-double numbers (hi, lo) stand for the exact sum hi + lo. `UNIT` is the unit roundoff
u = 2^-53. Sums of n double-double terms below are off by at most `n^2 u^2` times the sum of
magnitudes (Ogita, Rump, Oishi: Accurate Sum and Dot Product, SIAM J. Sci. Comput. 26(6), 2005);
the bounds used here are twice that and more. `TINY` covers products that underflow.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from slth.network import FloatArray, ReLUNetwork

UNIT = 2.0**-53
TINY = 1e-300
# Above what a product and its remainder lose by underflow together.
_LEAST = 2.0**-1070


@intrinsic
def _fma(typingctx, a, b, c):
    signature = types.float64(types.float64, types.float64, types.float64)

    def codegen(context, builder, signature, args):
        return builder.fma(*args)

    return signature, codegen


@njit(cache=True, inline="always")
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return (s, e): s = fl(a + b) and s + e = a + b exactly."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@njit(cache=True, inline="always")
def two_prod(a: float, b: float) -> tuple[float, float]:
    """Return (p, e): p = fl(a * b) and p + e = a * b exactly (no underflow)."""
    p = a * b
    return p, _fma(a, b, -p)  # pyright: ignore[reportCallIssue]


@njit(cache=True, inline="always")
def add_pair(hi: float, lo: float, more_hi: float, more_lo: float) -> tuple[float, float]:
    """Add two double-doubles; the result is off by at most 8 u^2 (|hi| + |more_hi|)."""
    s, e = two_sum(hi, more_hi)
    e += lo + more_lo
    total = s + e
    return total, e - (total - s)


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


@njit(cache=True, nogil=True)
def into_ball(x):
    """Scale a non-zero point onto the unit sphere, from inside: ||result||_2 <= 1 exactly."""
    largest = 0.0
    for k in range(x.shape[0]):
        largest = max(largest, abs(x[k]))
    unit = np.empty(x.shape[0])
    norm = 0.0
    for k in range(x.shape[0]):
        unit[k] = x[k] / largest
        norm += unit[k] * unit[k]
    norm = math.sqrt(norm)
    for k in range(x.shape[0]):
        unit[k] = unit[k] / norm * (1.0 - (x.shape[0] / 2 + 5) * UNIT)
    return unit
