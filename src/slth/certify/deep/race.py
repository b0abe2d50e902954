"""Several searches for the same supremum, of which the one that gets on has the time."""

from __future__ import annotations

import math
from typing import Protocol

from slth.certify.deep.points import Incumbent
from slth.certify.deep.search import Goal
from slth.limits import Deadline, Report

# Multiplications of the first turns, a hundredth of a second; later ones are this share of all.
_FIRST, _SHARE = 2e7, 0.25


class Search(Protocol):
    """A search that can be stopped and go on; all work on one incumbent."""

    incumbent: Incumbent
    goal: Goal

    @property
    def upper(self) -> float:
        """An upper bound of the supremum."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing is left to look at."""
        ...

    @property
    def work(self) -> float:
        """Multiplications so far."""
        ...

    def run(self, deadline: Deadline, report: Report, most: float = ...) -> None:
        """Go on for so much work."""
        ...


def race(searches: dict[str, Search], deadline: Deadline, report: Report) -> tuple[str, float]:
    """Run the searches in turns until one is done, all have ended, or the time is up: the name of
    the one with the least upper bound, and that bound.

    A turn goes to the search whose last one narrowed its gap most for its work; as gaps close ever
    more slowly, the others have their turns, too. What is done depends on counted work alone.
    """
    rates = dict.fromkeys(searches, math.inf)
    while rates and not deadline.expired:
        name = max(rates, key=lambda name: (rates[name], -searches[name].work))
        search = searches[name]
        gap, work = _gap(search), search.work
        total = sum(one.work for one in searches.values())
        search.run(deadline, report, max(_FIRST, _SHARE * total))
        goal, lower = search.goal, search.incumbent.lower
        if goal.decided(lower) or search.upper <= goal.enough(lower):
            break
        rates[name] = math.log(gap / _gap(search)) / max(search.work - work, 1.0)
        if search.finished:
            # It has nothing more to say, and that was not enough.
            del rates[name]
    name = min(searches, key=lambda name: searches[name].upper)
    return name, searches[name].upper


def _gap(search: Search) -> float:
    return max(search.upper - search.goal.enough(search.incumbent.lower), 1e-300)
