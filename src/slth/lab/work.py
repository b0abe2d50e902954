"""Budgets in work: what a search finds does not depend on how busy the machine is."""

from __future__ import annotations

import math
import time

from slth import compiling

# Searches look at their clock once for each slice of compiled work: 400 to 1,000 times in a
# CPU-second of the gap's cells, in the plane, where slices are long, 50 to 300 times. So many looks
# are one unit of effort, about a second.
LOOKS, LOOKS_IN_PLANE = 400, 150
# The safety: a budget ends, whatever its looks, at so many CPU-seconds for each unit of effort. Ten
# times what searches take, and some more for those that look seldom.
SAFETY = 20.0


class WorkClock:
    """A clock for deadlines that advances with the looks at it. Its seconds are units of effort.

    cut: whether the safety ended the budget: then the answer may depend on the machine.
    """

    def __init__(self, effort: float, d: int = 3, cpu_seconds: float = math.inf) -> None:
        """d: inputs of what is searched. cpu_seconds: at most so many, whatever the effort."""
        self.cut = False
        self._unit = LOOKS_IN_PLANE if d == 2 else LOOKS
        self._looks = 0
        self._started = cpu_clock()
        self._most = min(SAFETY * effort, cpu_seconds)

    def __call__(self) -> float:
        self._looks += 1
        if cpu_clock() - self._started > self._most:
            self.cut = True
            return math.inf
        return self._looks / self._unit


def cpu_clock() -> float:
    """CPU-seconds of this process, without those spent on compiling."""
    return time.process_time() - compiling.cpu_seconds
