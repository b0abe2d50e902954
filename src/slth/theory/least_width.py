"""The least width at which a bound that falls with the width suffices."""

from __future__ import annotations

from collections.abc import Callable

# The largest exponent of two looked at.
_MOST = 2048


def least_width(suffices: Callable[[int], bool]) -> int:
    """A width that suffices, larger than the least by a part in a thousand at most: more digits
    would say nothing."""
    high = 1
    while high < 1 << _MOST and not suffices(high):
        high *= 2
    low = high // 2
    while high - low > max(1, low // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
