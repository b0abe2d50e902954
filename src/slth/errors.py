"""The exceptions a user can meet, and the checks that raise them.

Every message says what was wrong, what was got, what was expected and how to mend it.
"""

from __future__ import annotations

import math
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike


class SlthError(Exception):
    """Base of every error slth raises on purpose."""


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
            f"Install it with: pip install 'slth[{extra}]'"
        )


def require_number(name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number, else raise InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InvalidInput(
            f"{name} is not a finite number",
            got=repr(value),
            expected="a finite number",
            fix=f"Pass {name}=0.0.",
        )
    return float(value)


def require_positive(name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number > 0, else raise InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidInput(
            f"{name} is not a number",
            got=repr(value),
            expected="a number > 0",
            fix=f"Pass {name}=1.0.",
        )
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise InvalidInput(
            f"{name} out of range",
            got=repr(number),
            expected="a finite number > 0",
            fix=f"Choose a positive {name}.",
        )
    return number


def require_time_limit(value: object) -> float:
    """Return a time limit in seconds: a number > 0; `None` and infinity mean no limit."""
    if value is None or (isinstance(value, Real) and float(value) == math.inf):
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


def require_array(name: str, value: ArrayLike, *, ndim: int) -> np.ndarray:
    """Return `value` as a fresh C-ordered float64 array of `ndim` axes, all entries finite."""
    try:
        array = np.array(value, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"{name} is not an array of real numbers",
            got=type(value).__name__,
            expected=f"a float64 array with {ndim} axes",
            fix="Pass a NumPy array or nested lists of numbers.",
        ) from error
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
