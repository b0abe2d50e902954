"""The exceptions a user can meet, and the checks that raise them.

Every message says what was wrong, what was got, what was expected and how to mend it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike


class SlthError(Exception):
    """Base of every error slth raises on purpose."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # By the message: the arguments that made it do not come back from a worker process.
        return _again, (type(self), *self.args)


def _again(kind: type[SlthError], *message: object) -> SlthError:
    return kind.__new__(kind, *message)


class InvalidInput(SlthError, ValueError):
    """An argument has the wrong type, shape, range or name."""

    def __init__(self, what: str, *, got: object, expected: str, fix: str) -> None:
        super().__init__(f"{what}: got {got}; expected {expected}. {fix}")


class TicketError(SlthError):
    """A ticket file is missing, damaged, or does not say what it must."""


class StoreError(SlthError):
    """A sweep's store is missing, damaged, in use, of another kind, or cannot be written."""


class MissingExtra(SlthError, ImportError):
    """A command needs an optional dependency that is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed. "
            f"Install it with: pip install {package} (slth[{extra}] asks for it)"
        )


def require_number(name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number that float64 holds, else raise
    InvalidInput."""
    return _exact_float(name, value, "a finite number", "0.0")


def require_positive(name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number > 0, else raise InvalidInput."""
    number = _exact_float(name, value, "a finite number > 0", "1.0")
    if not number > 0:
        raise InvalidInput(
            f"{name} out of range",
            got=repr(number),
            expected="a finite number > 0",
            fix=f"Choose a positive {name}.",
        )
    return number


def require_time_limit(value: object) -> float:
    """Return a time limit in seconds: a number > 0; `None` and infinity mean no limit."""
    if value is None or (isinstance(value, float | np.floating) and value == math.inf):
        return math.inf
    return require_positive("time_limit", value)


def require_count(name: str, value: object, *, least: int) -> int:
    """Return `value` as an int >= `least`, else raise InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise InvalidInput(
            f"{name} out of range",
            got=repr(value),
            expected=f"an integer >= {least}",
            fix=f"Pass {name}={least} or more.",
        )
    return int(value)


def require_seed(value: object) -> int:
    """Return a seed, an integer >= 0, else raise InvalidInput."""
    return require_count("seed", value, least=0)


def require_array(name: str, value: ArrayLike, *, ndim: int) -> np.ndarray:
    """Return `value` as a fresh C-ordered float64 array of `ndim` axes, every entry finite and
    exactly the number that was passed.

    Raises:
        InvalidInput: anything that float64 cannot hold or that is no number: complex numbers,
            masked entries, text, integers beyond 2^53 that would be rounded, longdouble, Fraction
            and Decimal entries between two floats, NaN, infinity; another number of axes.
    """
    array = _exact_array(name, value)
    if array.ndim != ndim:
        raise InvalidInput(
            f"{name} has the wrong number of axes",
            got=f"shape {array.shape}",
            expected=f"{ndim} axes",
            fix="Reshape it.",
        )
    if not np.isfinite(array).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidInput(
            f"{name} has an entry that is not finite",
            got=f"{array[bad]} at index {bad}",
            expected="finite numbers only",
            fix="Remove NaN and infinity first.",
        )
    return array


def _exact_float(name: str, value: object, expected: str, example: str) -> float:
    def refused(problem: str) -> InvalidInput:
        return InvalidInput(
            f"{name} {problem}", got=repr(value), expected=expected, fix=f"Pass {name}={example}."
        )

    if np.ma.is_masked(value):
        raise refused("is masked")
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal):
        raise refused("is not a number")
    try:
        number = float(value)
    except (OverflowError, ValueError):
        raise refused("is out of range") from None
    if not math.isfinite(number):
        raise refused("is not a finite number")
    if number != value:
        raise refused("is not a number that float64 holds")
    return number


def _exact_array(name: str, value: ArrayLike) -> np.ndarray:
    """The entries as float64, none of them changed."""

    def refused(problem: str, got: object, fix: str) -> InvalidInput:
        return InvalidInput(
            f"{name} {problem}", got=got, expected="real numbers that float64 holds", fix=fix
        )

    if np.ma.is_masked(value):
        hidden = int(np.ma.count_masked(value))  # type: ignore[arg-type]
        fix = "Fill the masked entries, e.g. with numpy.ma.filled(array, 0.0)."
        raise refused("has masked entries", f"{hidden} of them", fix)
    try:
        given = np.asarray(value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        fix = "Pass a NumPy array or nested lists of numbers of equal lengths."
        raise refused("is not an array of real numbers", type(value).__name__, fix) from error
    match given.dtype.kind:
        case "f" if given.dtype.itemsize <= 8:
            return np.array(given, dtype=np.float64, order="C")
        case "b" | "i" | "u" | "f":
            with np.errstate(over="ignore"):
                array = np.array(given, dtype=np.float64, order="C")
            changed = _rounded(given, array)
        case "O":
            array, changed = _from_objects(refused, given)
        case "c":
            raise refused("is complex", str(given.dtype), "Pass the real part, array.real.")
        case _:
            fix = "Convert it to numbers first, e.g. with array.astype(float)."
            raise refused("is not an array of real numbers", f"dtype {given.dtype}", fix)
    if changed.any():
        bad = tuple(int(i) for i in np.argwhere(changed)[0])
        fix = "Round it yourself, e.g. with array.astype(float), or scale by a power of two."
        raise refused(
            "has an entry that float64 cannot hold", f"{given[bad]!r} at index {bad}", fix
        )
    return array


def _rounded(given: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Where the float64 `array` is not what was given in another type."""
    if given.dtype.kind == "f":
        return array.astype(given.dtype) != given
    if given.dtype.kind == "b" or given.dtype.itemsize < 8:
        return np.zeros(given.shape, np.bool_)
    # Beyond 2^53 not every integer is a float; 2^63 and 2^64 themselves do not fit back.
    size = np.abs(array)
    wide = size >= 2.0**53
    if not wide.any():
        return wide
    pairs = zip(given[wide].tolist(), array[wide].tolist(), strict=True)
    wide[wide] = [int(number) != whole for whole, number in pairs]
    return wide


def _from_objects(
    refused: Callable[[str, object, str], InvalidInput], given: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Python numbers (large integers, Fraction, Decimal) as float64, and where one was rounded."""
    array = np.empty(given.shape, dtype=np.float64)
    changed = np.zeros(given.shape, np.bool_)
    for index in np.ndindex(given.shape):
        entry: object = given[index]
        if isinstance(entry, bool) or not isinstance(entry, Real | Decimal):
            fix = "Pass numbers only, in nested lists of equal lengths."
            raise refused("is not an array of real numbers", f"{entry!r} at index {index}", fix)
        try:
            array[index] = float(entry)
        except (OverflowError, ValueError):
            array[index] = math.nan
        exact = Fraction(entry) if math.isfinite(array[index]) else None  # type: ignore[arg-type]
        changed[index] = exact is None or exact != Fraction(float(array[index]))
    return array, changed
