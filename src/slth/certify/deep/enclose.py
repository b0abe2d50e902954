"""The engine for networks of any layers and outputs: floors first, then points, then boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slth.certify.deep.bounds import Difference, Relaxation, output_change, relax
from slth.certify.deep.kinks.folded import kink_sums
from slth.certify.deep.kinks.search import KinkSearch
from slth.certify.deep.points import Incumbent, climb
from slth.certify.deep.program import program_of
from slth.certify.deep.race import race
from slth.certify.deep.region import Region
from slth.certify.deep.search import BoxSearch, Goal
from slth.certify.problem.chart import Chart
from slth.certify.unit_pair import is_closed
from slth.deep import DeepNetwork
from slth.domain import Domain
from slth.limits import Deadline, Report
from slth.solution import Enclosure, Status

# Below this share of what the networks' values may be, a difference is not told from rounding.
_NOISE = 1e-13
# Paired networks this much nearer to each other than their values are apart are near copies.
_NEAR = 1.0 / 16.0
# Squares and products of two values stay finite below this; beyond, nothing is bounded.
_MOST = 2.0**480


@dataclass(frozen=True, eq=False)
class DeepComparison:
    """Two networks on a domain."""

    net: DeepNetwork
    target: DeepNetwork
    domain: Domain

    @cached_property
    def region(self) -> Region:
        """The domain as one box."""
        return Region.of(self.domain, self.net.d)

    @cached_property
    def difference(self) -> Difference:
        """Both networks as one program, with the intervals of all values."""
        with np.errstate(over="ignore", invalid="ignore"):
            return Difference.of(program_of(self.net, self.target), self.region)

    @cached_property
    def overflows(self) -> bool:
        """Whether values may be so large that bounds of them are no floats: nothing is proven."""
        values = (*self.difference.root.before, self.difference.root.after)
        ends = [end for value in values for side in value if side is not None for end in side]
        # A NaN is not within, either.
        return not all(bool((np.abs(end) <= _MOST).all()) for end in ends)

    @cached_property
    def by_interval(self) -> float:
        """An upper bound by intervals, of the difference where the networks are paired."""
        if self.overflows:
            return np.inf
        return float(output_change(self.difference.root).size.max())

    @cached_property
    def relaxed(self) -> Relaxation:
        """One pass of linear relaxation."""
        return relax(self.difference, self.region)

    @cached_property
    def floor(self) -> float:
        """An upper bound by intervals and one pass of linear relaxation."""
        if self.overflows:
            return np.inf
        return min(self.by_interval, float(self.relaxed.highest().max()))

    def bounded(self) -> Enclosure:
        """The floor as an enclosure."""
        return Enclosure(0.0, self.floor, None, Status.OPEN, "relaxation")

    @cached_property
    def noise(self) -> float:
        """An upper bound this small is rounding, not difference."""
        net, target, _ = self.difference.root.after
        assert net is not None
        assert target is not None
        return _NOISE * float(max(net.size.max(), target.size.max()))

    @property
    def are_near(self) -> bool:
        """Whether the difference of paired networks is far smaller than their values."""
        if self.overflows or not self.difference.program.paired:
            return False
        net, target, _ = self.difference.root.after
        assert net is not None
        assert target is not None
        spread = np.maximum(net.high - target.low, target.high - net.low).max()
        return self.by_interval <= _NEAR * float(spread)

    def enclose(
        self, rtol: float, deadline: Deadline, *, eps: float | None, seed: int, report: Report
    ) -> Enclosure:
        """Enclose the supremum of the largest |net_i - target_i|; KeyboardInterrupt propagates."""
        if self.overflows:
            return self.bounded()
        program = self.difference.program
        incumbent = Incumbent(program, self.region, Chart.of(self.domain, self.net.d))
        if self.by_interval == 0.0 or (eps is not None and self.by_interval <= eps):
            return _enclosure(incumbent, self.by_interval, rtol, eps, "intervals")
        if eps is not None and self.floor <= eps:
            return _enclosure(incumbent, self.floor, rtol, eps, "relaxation")
        generator = np.random.Generator(np.random.PCG64(seed))
        incumbent.offer(climb(program, self.region, generator, deadline))
        goal = Goal(rtol / 2, eps, self.noise)
        boxes = BoxSearch.of(self.relaxed, incumbent, goal)
        sums = None if boxes.finished else kink_sums(self.difference, self.region)
        if sums is None:
            boxes.run(deadline, report)
            method, upper = "relaxation" if boxes.nodes == 1 else "boxes", boxes.upper
        else:
            kinks = KinkSearch.of(sums, self.relaxed.both_signs(), incumbent, goal)
            method, upper = race({"boxes": boxes, "signs": kinks}, deadline, report)
        return _enclosure(incumbent, min(self.floor, upper), rtol, eps, method, self.noise)


def _enclosure(
    incumbent: Incumbent,
    upper: float,
    rtol: float,
    eps: float | None,
    method: str,
    noise: float = 0.0,
) -> Enclosure:
    lower = incumbent.lower
    closed = is_closed(lower, upper, rtol, noise, eps)
    status = Status.CLOSED if closed else Status.OPEN
    return Enclosure(lower, upper, incumbent.witness, status, method)
