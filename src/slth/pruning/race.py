"""What one search has reached: its best certified ticket, what is proven of all, when it stops.

Searchers and provers work on the unit ball, and so do the numbers in here. Every decision is made
on the numbers that a user reads, scaled to the radius and rounded outward, in `Race._of_all` and
`Race._of_ticket` alone: a status never says more than the printed bounds do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import numpy as np

from slth.certify.unit_pair import UnitPair, unit_threshold
from slth.limits import Deadline, Progress, Report, stopped_by_interrupt
from slth.network import Mask, ReLUNetwork
from slth.proof import Refutation
from slth.pruning.conclusion import OPTIMALITY, Aim, Conclusion, OfAll, OfTicket, status_of
from slth.rounding.scaling import scaled_down, scaled_up
from slth.solution import Enclosure, Solution, Status, Stop

# A ticket's enclosure is called closed when its bounds are this near, relatively.
CERTIFIED_WITHIN = 1e-6
# Past a proven decision threshold, so that rounding to the radius leaves it proven.
_BEYOND = 1.0 + 1e-9


class Prunable(Protocol):
    """A network to prune and the target it is to reach."""

    @property
    def net(self) -> ReLUNetwork: ...

    @property
    def target(self) -> ReLUNetwork: ...


P = TypeVar("P", bound=Prunable)


class Race(Generic[P]):
    """Collects certified tickets and proven bounds until the question is answered.

    When recording, only bounds that come with a written proof count.

    Attributes:
        problem: what is pruned.
        least: every ticket within eps keeps at least so many units.
        stats: what was tried, for reading.
    """

    def __init__(
        self,
        problem: P,
        radius: float,
        eps: float | None,
        deadline: Deadline,
        report: Report,
        *,
        fewest: bool = False,
        recording: bool = False,
    ) -> None:
        self.problem = problem
        self.deadline = deadline
        self.recording = recording
        self.least = 0
        self.stats: dict[str, object] = {}
        self._radius = radius
        self._eps = math.inf if eps is None else eps
        self._aim = Aim.LEAST_ERROR if eps is None else Aim.FEWEST if fewest else Aim.WITHIN
        self._report = report
        self._bound = 0.0
        self._refutation: Refutation | None = None
        net = problem.net
        self._mask = Mask(np.zeros(net.hidden.shape, np.bool_), np.zeros(net.width, np.bool_))
        self._error: Enclosure | None = None

    # What is asked.

    @property
    def unit_eps(self) -> float | None:
        """The decision threshold on the unit ball, rounded to a finite number > 0; None when
        optimising."""
        if self._aim is Aim.LEAST_ERROR:
            return None
        return unit_threshold(self._eps, self._radius)

    @property
    def cutoff(self) -> float:
        """An error on the unit ball that is more than eps for certain, whatever the rounding."""
        # The next float above covers the quotient's rounding where it is subnormal.
        return math.nextafter(self._eps / self._radius, math.inf) * _BEYOND

    # What is reached, on the unit ball.

    @property
    def bound(self) -> float:
        """Proven lower bound for every mask."""
        return self._bound

    @property
    def mask(self) -> Mask:
        """The best ticket; nothing kept while there is none."""
        return self._mask

    @property
    def error(self) -> Enclosure | None:
        """Its certified error, None while there is none."""
        return self._error

    @property
    def upper(self) -> float:
        """Certified error of the best ticket."""
        return math.inf if self._error is None else self._error.upper

    @property
    def lower(self) -> float:
        """Proven lower bound on the best ticket's own error."""
        return 0.0 if self._error is None else self._error.lower

    @property
    def has_ticket_within(self) -> bool:
        """Whether the best ticket is within eps."""
        return self._of_ticket() is OfTicket.WITHIN

    @property
    def units(self) -> int:
        """How many units the best ticket within eps keeps; N + 1 while there is none."""
        return self._mask.kept_units if self.has_ticket_within else self.problem.net.width + 1

    # When to stop.

    @property
    def decided(self) -> bool:
        """Whether nothing more is to be found or proven."""
        return self._status() not in (Status.FEASIBLE, Status.UNKNOWN)

    @property
    def finished(self) -> bool:
        """Decided, or out of time."""
        return self.decided or self.deadline.expired

    def run(self, work: Callable[[], None]) -> None:
        """Work until done; an interrupt ends the work, not the answer."""
        with stopped_by_interrupt(self.deadline):
            try:
                work()
            except KeyboardInterrupt:
                self.deadline.interrupt()
        if self.interrupted:
            self.stats["interrupted"] = True

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the work."""
        return self.deadline.interrupted

    # What comes in.

    def prove(self, bound: float, prover: str, proof: Refutation | None = None) -> None:
        """Take over a proven bound, with its written proof if there is one."""
        if bound > self._bound and not (self.recording and proof is None):
            self._bound = bound
            self._refutation = proof if self.recording else None
            self.stats["prover"] = prover
            self._say(prover)

    def prove_least(self, units: int, prover: str) -> None:
        """Take over that every ticket within eps keeps at least so many units."""
        if units > self.least:
            self.least = units
            self.stats["prover"] = prover
            self._say(prover)

    def enter(self, mask: Mask, error: Enclosure, searcher: str) -> bool:
        """Keep a certified mask if it is better than the best; error: on the unit ball."""
        if self._error is not None and self.rank(mask, error) >= self.rank(self._mask, self._error):
            return False
        self._mask, self._error = mask, error
        self.stats["searcher"] = searcher
        self._say(searcher)
        return True

    def sharpened(self, error: Enclosure) -> None:
        """Take over a second enclosure of the best ticket's error if its upper bound is smaller."""
        if error.upper < self.upper:
            self._error = error
            self._say("certify")

    def rank(self, mask: Mask, error: Enclosure) -> tuple[bool, float]:
        """Smaller is better: within eps before beyond, there by weights kept, else by error."""
        if self._aim is Aim.LEAST_ERROR:
            return False, error.upper
        if self._is_within(error):
            return False, mask.kept_weights
        # With eps the certifier stops as soon as it has decided: its upper bound may be loose.
        return True, error.lower

    def count(self, what: str, number: int) -> None:
        """Add to a counter of the statistics."""
        self.stats[what] = self.counted(what) + number

    def counted(self, what: str) -> int:
        """A counter of the statistics."""
        number = self.stats.get(what, 0)
        return number if isinstance(number, int) else 0

    # The answer.

    def solution(self) -> Solution:
        """The answer, scaled to the radius. A ticket must have been entered."""
        if self._error is None:
            raise ValueError("no ticket was entered")
        if self._refutation is not None:
            self.stats["proof_leaves"] = self._refutation.leaves
        pruned = self.problem.net.pruned(self._mask)
        return Solution(
            self._mask,
            self._shown(pruned, self._error),
            self._scaled_bound(),
            self._status(),
            pruned,
            {**self.stats, "seconds": self.deadline.elapsed},
            self._refutation,
            self.least if self._aim is Aim.FEWEST else None,
            self.finding().stopped,
        )

    def finding(self) -> Conclusion:
        """The three facts behind the status."""
        if self.decided:
            stopped = Stop.CLOSED
        elif self.interrupted:
            stopped = Stop.INTERRUPTED
        else:
            stopped = Stop.LIMIT if self.deadline.expired else Stop.SPENT
        return Conclusion(stopped, self._of_ticket(), self._of_all())

    def _status(self) -> Status:
        return status_of(self._aim, self._of_ticket(), self._of_all())

    def _of_ticket(self) -> OfTicket:
        if self._error is None:
            return OfTicket.NOTHING
        if self._aim is Aim.LEAST_ERROR:
            return OfTicket.ENCLOSED
        if self._is_within(self._error):
            return OfTicket.WITHIN
        return OfTicket.BEYOND if self.is_beyond(self._error) else OfTicket.ENCLOSED

    def _of_all(self) -> OfAll:
        bound = self._scaled_bound()
        if self._aim is Aim.LEAST_ERROR:
            upper = math.inf if self._error is None else self._upper_of(self._error)
            closed = bound >= (1.0 - OPTIMALITY) * upper
            return OfAll.NONE_BETTER if closed else OfAll.OPEN
        if bound > self._eps or self.least > self.problem.net.width:
            return OfAll.NONE_WITHIN
        fewest = self._aim is Aim.FEWEST and self.least >= self.units
        return OfAll.NONE_BETTER if fewest else OfAll.OPEN

    def is_beyond(self, error: Enclosure) -> bool:
        """Whether a mask of that error on the unit ball errs by more than eps."""
        return float(scaled_down(error.lower, self._radius)) > self._eps

    def _is_within(self, error: Enclosure) -> bool:
        return self._upper_of(error) <= self._eps

    def _upper_of(self, error: Enclosure) -> float:
        return float(scaled_up(error.upper, self._radius))

    def _scaled_bound(self) -> float:
        return float(scaled_down(self._bound, self._radius))

    def _shown(self, pruned: ReLUNetwork, error: Enclosure) -> Enclosure:
        """The ticket's enclosure over the ball asked for, from the one over the unit ball."""
        eps = None if self._aim is Aim.LEAST_ERROR else self._eps
        pair = UnitPair.of(pruned, self.problem.target)
        return pair.over(error, self._radius, CERTIFIED_WITHIN, eps)

    def _say(self, phase: str) -> None:
        if self._aim is Aim.FEWEST:
            self._report(Progress(phase, self.least, self.units, "units"))
        else:
            scaled = math.inf if self._error is None else self._upper_of(self._error)
            self._report(Progress(phase, self._scaled_bound(), scaled))
