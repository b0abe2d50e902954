"""Ball arithmetic for the numbers that are called bounds: precision, rounding to the safe side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from flint import arb, ctx

from slth.errors import InvalidInput


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Run a block at that many bits and restore what was set before."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def total(values: Iterable[arb]) -> arb:
    """The sum of balls; 0 for none."""
    result = arb(0)
    for value in values:
        result += value
    return result


def float_above(value: arb) -> float:
    """A float64 >= every number in the ball."""
    return math.nextafter(float(value.upper()), math.inf)


def log_sum_above(logs: Sequence[arb]) -> float:
    """A float64 >= log(sum_i exp(logs[i])), whatever the size of the logs."""
    top = max(float_above(value) for value in logs)
    total = sum((value - top).exp() for value in logs)
    return float_above(arb(top) + arb(total).log())


def float_ball(value: float) -> arb:
    """The float64 number itself, exactly."""
    return arb(value)


def cap_measure(sine_squared: arb, n: int) -> arb:
    """Upper bound on Pr(a uniform line in R^n makes an angle with sin^2 <= sine_squared with a
    fixed line) = I_x((n - 1)/2, 1/2), x = sine_squared, n >= 2.

    Exact unless x < 0.3 or x^a is tiny, where I_x(a, b) <= x^a (1 - x)^(b - 1) / (a B(a, b)),
    b <= 1, is a few times too large at most and a thousand times faster in high dimension.
    """
    a = arb(n - 1) / 2
    power = sine_squared**a
    if sine_squared < 0.3 or power < 1e-9:
        return power / (a * _beta_half(n, ctx.prec) * (1 - sine_squared).sqrt())
    return sine_squared.beta_lower(a, arb(1) / 2, regularized=1)


@lru_cache(maxsize=256)
def _beta_half(n: int, bits: int) -> arb:
    """B((n - 1)/2, 1/2) at that precision."""
    with precision(bits):
        a = arb(n - 1) / 2
        return (a.lgamma() - (arb(n) / 2).lgamma()).exp() * arb.pi().sqrt()


def floor_of(value: arb) -> int:
    """An integer <= every number in the ball: the floor of its lower end, of any size."""
    mantissa, exponent = _exact(value.lower())
    return mantissa << exponent if exponent >= 0 else mantissa >> -exponent


def ceil_of(value: arb) -> int:
    """An integer >= every number in the ball: the ceiling of its upper end, of any size."""
    return -floor_of(-value)


def _exact(value: arb) -> tuple[int, int]:
    if not value.is_finite():
        raise InvalidInput(
            "a bound is beyond the working precision",
            got=str(value),
            expected="a finite width",
            fix="Ask for a larger eps or a smaller d.",
        )
    mantissa, exponent = value.man_exp()
    return int(mantissa), int(exponent)
