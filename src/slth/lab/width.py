"""The smallest width with a ticket and the largest width without: bisection on nested networks.

A ticket of the first N units is a ticket of every wider network of the same draw, and a proof that
the first N units hold none covers every narrower one. So per draw and eps both are well-defined
numbers, and a search that neither finds nor refutes leaves an interval between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slth.limits import Deadline
from slth.solution import Solution, Status

# search(width): decide eps on the first `width` units.
Search = Callable[[int], Solution]

# Widths grow by this factor until a ticket is found; bisection stops within the last factor.
_GROWTH = 1.5
_CLOSE = 1.05


@dataclass(frozen=True)
class FoundTicket:
    """A certified ticket: the width it needs (its last kept unit), and the solution."""

    width: int
    solution: Solution


@dataclass(frozen=True)
class WidthBracket:
    """What bisection has proven: every width <= refuted holds no ticket, `found` is one.

    Attributes:
        refuted: 0 when nothing is refuted; refuted_bound: the proven bound there.
        found: None when no search up to `tried` reached eps.
        tried: the widest network searched.
        undecided: the widest network, below `found`, whose search neither found nor refuted; None
            if there is none.
    """

    refuted: int
    refuted_bound: float
    found: FoundTicket | None
    tried: int
    undecided: int | None = None


def needed_width(solution: Solution) -> int:
    """The number of leading units that hold the whole ticket."""
    kept = np.flatnonzero(solution.mask.output & solution.mask.hidden.any(axis=1))
    return int(kept[-1]) + 1 if len(kept) else 0


def bracket_width(
    search: Search,
    *,
    refuted: int,
    refuted_bound: float,
    found: FoundTicket | None,
    max_width: int,
    deadline: Deadline | None = None,
) -> WidthBracket:
    """Narrow the bracket [refuted, found] by searching at widths between and above.

    Args:
        search: decides eps on a prefix; its status must be REACHED, REFUTED or UNKNOWN.
        refuted, refuted_bound: what is known already (0 and 0.0 if nothing).
        found: a known ticket, or None.
        max_width: the widest network to try.
        deadline: no search is started after it; what is proven by then is returned.
    """
    deadline = deadline or Deadline()
    undecided: set[int] = set()
    tried = refuted if found is None else found.width

    def probe(width: int) -> None:
        nonlocal refuted, refuted_bound, found, tried
        tried = max(tried, width)
        solution = search(width)
        if solution.status == Status.REACHED:
            candidate = FoundTicket(needed_width(solution), solution)
            if found is None or candidate.width < found.width:
                found = candidate
        elif solution.status == Status.REFUTED:
            refuted, refuted_bound = max(refuted, width), solution.bound
        else:
            undecided.add(width)

    width = refuted
    while found is None and width < max_width and not deadline.expired:
        width = min(max_width, max(width + 1, math.ceil(width * _GROWTH)))
        probe(width)
    # Between a width that failed and the ticket, then between the refuted and the undecided ones:
    # each search narrows one of the two, for a ticket decides all the widths above it.
    while not deadline.expired:
        top = math.inf if found is None else found.width
        undecided = {width for width in undecided if refuted < width < top}
        below = max(undecided, default=refuted)
        above = min(undecided, default=refuted)
        if found is not None and _apart(below, found.width):
            probe(_between(below, found.width))
        elif _apart(refuted, above):
            probe(_between(refuted, above))
        else:
            break
    top = math.inf if found is None else found.width
    left = max((width for width in undecided if refuted < width < top), default=None)
    return WidthBracket(refuted, refuted_bound, found, tried, left)


def _apart(low: int, high: int) -> bool:
    """Whether a width worth trying lies strictly between."""
    return high - low > 1 and high > low * _CLOSE


def _between(low: int, high: int) -> int:
    """A width strictly between, at the geometric mean."""
    return min(high - 1, max(low + 1, round(math.sqrt(max(1, low) * high))))
