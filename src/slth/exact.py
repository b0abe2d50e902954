"""The checker's arithmetic: float64 numbers and networks as integers times powers of two."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from slth.network import ReLUNetwork

# Exponent given to zeros: above that of every finite float64.
_ZERO_EXPONENT = 2000
# What is spent on one question, about a minute and half a GiB: operations on integers, and integers
# held at once; long integers count several times.
MOST_WORK = 200_000_000
MOST_NUMBERS = 2_000_000
# Products of 64-bit words that take as long as an operation on two short integers; words that take
# as much memory as a short integer.
_WORDS_AN_OPERATION = 32
_WORDS_AN_OBJECT = 8


class TooLarge(Exception):
    """A question that would take more time or memory than is spent on one."""


def require_work(operations: int, one: int = 1, other: int = 1, most: int = MOST_WORK) -> int:
    """What so many operations cost, or TooLarge. one, other: words of the factors of each."""
    spent = operations + operations * one * other // _WORDS_AN_OPERATION
    if spent > most:
        raise TooLarge(f"too large for the checker: {spent} exact operations")
    return spent


def require_room(numbers: int, long: int) -> None:
    """Raise TooLarge if so many integers of so many words take too much memory."""
    held = numbers + numbers * long // _WORDS_AN_OBJECT
    if held > MOST_NUMBERS:
        raise TooLarge(f"too large for the checker: {held} exact numbers")


def integers(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Python integers n (an object array) and one exponent e with values = n 2^e, exactly."""
    mantissas, exponents = np.frexp(values)
    exponents = np.where(mantissas == 0.0, _ZERO_EXPONENT, exponents - 53)
    least = int(exponents.min(initial=_ZERO_EXPONENT))
    whole = np.ldexp(mantissas, 53).astype(np.int64).astype(object)
    shifts = np.where(mantissas == 0.0, 0, exponents - least).astype(object)
    return np.left_shift(whole, shifts), least


def integers_within_room(values: np.ndarray) -> tuple[np.ndarray, int]:
    """`integers`, or TooLarge."""
    require_room(values.size, length(values))
    return integers(values)


def length(values: np.ndarray) -> int:
    """About how many 64-bit words the integers of `values` take: 1, more for a wide range."""
    exponents = np.frexp(values[values != 0.0])[1]
    spread = int(exponents.max()) - int(exponents.min()) if exponents.size else 0
    return 1 + spread // 64


def words(numbers: np.ndarray) -> int:
    """64-bit words of the longest of these Python integers."""
    longest = max((int(number).bit_length() for number in numbers.flat), default=0)
    return 1 + longest // 64


def power(exponent: int) -> Fraction:
    """2^exponent."""
    return Fraction(2) ** exponent


class Form(NamedTuple):
    """rho(<linear, x> + sum_i sign_i max(<rows_i, x>, 0)) 2^exponent, all in integers.

    Attributes:
        rows: object [m, d].
        sign: int [m], +1 or -1.
        linear: object [d].
        relu: whether rho is max(., 0), else the identity.
    """

    rows: np.ndarray
    sign: np.ndarray
    linear: np.ndarray
    relu: bool
    exponent: int

    def __call__(self, x: np.ndarray) -> Any:
        """The integer value at the integer point x, to be multiplied by 2^exponent."""
        inner = self.linear @ x + self.sign @ np.maximum(self.rows @ x, 0)
        return max(inner, 0) if self.relu else inner


def form(network: ReLUNetwork) -> Form:
    """The network, exactly."""
    hidden, low = integers(network.hidden)
    output, high = integers(network.output)
    sign = np.where(network.output < 0.0, -1, 1)
    linear = np.zeros(network.d, dtype=object)
    return Form(
        np.abs(output)[:, None] * hidden, sign, linear, network.readout == "relu", low + high
    )


def exactly(network: ReLUNetwork) -> Form:
    """`form`, or TooLarge."""
    require_room(network.hidden.size // 2, length(network.hidden) + length(network.output))
    return form(network)


def simplified(network: Form) -> Form:
    """One unit with positive output weight is max(<a w, x>, 0) for either readout: a linear
    function under a ReLU. It makes the proofs for neuron targets short."""
    if len(network.rows) == 1 and network.sign[0] > 0:
        rows, sign = network.rows[:0], network.sign[:0]
        return Form(rows, sign, network.rows[0], True, network.exponent)
    return network


def aligned(first: Form, second: Form) -> tuple[Form, Form]:
    """The same functions with one common exponent."""
    least = min(first.exponent, second.exponent)
    forms = []
    for network in (first, second):
        factor = 1 << (network.exponent - least)
        rows, linear = network.rows * factor, network.linear * factor
        forms.append(network._replace(rows=rows, linear=linear, exponent=least))
    return forms[0], forms[1]


class Limit:
    """Decides |t| 2^exponent radius / ||x|| <= bound for integers |t|^2 and ||x||^2."""

    def __init__(self, bound: float, radius: float, exponent: int) -> None:
        square = (Fraction(bound) / Fraction(radius)) ** 2 / power(2 * exponent)
        self._over, self._under = square.numerator, square.denominator

    def holds(self, value_squared: Any, norm_squared: Any = 1) -> bool:
        """value_squared stands for |t|^2, norm_squared for ||x||^2."""
        return bool(value_squared * self._under <= self._over * norm_squared)
