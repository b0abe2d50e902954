"""Error-free transformations: a pair of floats (hi, lo) stands for the exact sum hi + lo.

Sums of n such pairs below are off by at most `n^2 u^2` times the sum of magnitudes (Ogita, Rump,
Oishi: Accurate Sum and Dot Product, SIAM J. Sci. Comput. 26(6), 2005), u = 2^-53 the unit roundoff;
callers use twice that and more.
"""

from __future__ import annotations

from numba import njit, types
from numba.extending import intrinsic


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
