"""What a run has reached so far: the best certified ticket, the proven bound, and when to stop."""

from __future__ import annotations

import math

import numpy as np

from slth.certify.enclose import at_radius, enclose
from slth.limits import Deadline, Progress, Report
from slth.network import BoolArray
from slth.proof import OPTIMAL_WITHIN, RefutationProof
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.problem import Problem
from slth.solution import Enclosure, Solution, Status

# The ticket is called optimal when bound >= (1 - this) * upper: a little more than the checker
# asks for, because a ticket may state its upper bound a little higher.
_OPTIMALITY = 0.8 * OPTIMAL_WITHIN
_CERTIFY_RTOL = 1e-6


class Race:
    """Collects masks and bounds on the unit ball; every mask is certified before it counts.

    When recording, only bounds that come with a written proof count.
    """

    def __init__(
        self,
        problem: Problem,
        radius: float,
        eps: float | None,
        deadline: Deadline,
        report: Report,
        *,
        recording: bool = False,
    ) -> None:
        self.problem = problem
        self.deadline = deadline
        self.recording = recording
        self.stats: dict[str, object] = {}
        self._radius = radius
        self._eps = eps
        self._report = report
        self._bound = 0.0
        self._refutation: RefutationProof | None = None
        self._keep: BoolArray = np.zeros(problem.width, np.bool_)
        self._error: Enclosure | None = None

    @property
    def unit_eps(self) -> float | None:
        """The decision threshold on the unit ball, rounded; None when optimising."""
        return None if self._eps is None else self._eps / self._radius

    @property
    def bound(self) -> float:
        """Proven lower bound for every mask, on the unit ball."""
        return self._bound

    @property
    def upper(self) -> float:
        """Certified error of the best ticket, on the unit ball."""
        return math.inf if self._error is None else self._error.upper

    @property
    def lower(self) -> float:
        """Proven lower bound on the best ticket's own error."""
        return 0.0 if self._error is None else self._error.lower

    @property
    def keep(self) -> BoolArray:
        """The best ticket: bool [N]."""
        return self._keep

    @property
    def decided(self) -> bool:
        """Whether nothing more is to be found or proven."""
        return self._status() not in (Status.FEASIBLE, Status.UNKNOWN)

    @property
    def finished(self) -> bool:
        """Decided, or out of time."""
        return self.decided or self.deadline.expired

    def prove(self, bound: float, prover: str, proof: RefutationProof | None = None) -> None:
        """Take over a proven bound, with its written proof if there is one."""
        if bound > self._bound and not (self.recording and proof is None):
            self._bound = bound
            self._refutation = proof if self.recording else None
            self.stats["prover"] = prover
            self._say(prover)

    def count(self, what: str, number: int) -> None:
        """Add to a counter of the statistics."""
        self.stats[what] = self.counted(what) + number

    def counted(self, what: str) -> int:
        """A counter of the statistics."""
        number = self.stats.get(what, 0)
        return number if isinstance(number, int) else 0

    def offer(
        self,
        candidate: Candidate,
        searcher: str,
        seconds: float = 5.0,
        rtol: float = _CERTIFY_RTOL,
    ) -> Enclosure | None:
        """Certify a mask if it seems better than the best ticket, and keep the better one.

        Args:
            seconds, rtol: limits of the certification; `sharpen` mends a loose one at the end.

        Returns its enclosure on the unit ball, None if it was not worth certifying.
        """
        if self._error is not None and np.array_equal(candidate.keep, self._keep):
            # Climbing may miss its worst point, which this enclosure knows.
            return self._error
        if self._error is not None and candidate.error >= self._error.upper:
            return None
        error = self._certified(candidate.keep, seconds, rtol)
        if self._error is not None and error.lower < self._error.upper <= error.upper:
            # Which is better shows only with both enclosures sharp.
            self.sharpen(share=0.1)
            error = self._certified(candidate.keep, seconds, _CERTIFY_RTOL)
        if self._error is None or self._rank(error) < self._rank(self._error):
            self._keep, self._error = candidate.keep.copy(), error
            self.stats["searcher"] = searcher
            self._say(searcher)
        return error

    def sharpen(self, share: float = 1.0) -> None:
        """Certify the best ticket again, in a share of the time left, if its enclosure is loose."""
        error = self._error
        if error is None or self.decided or error.gap <= _CERTIFY_RTOL * error.upper:
            return
        seconds = share * self.deadline.remaining
        again = self._certified(self._keep, seconds, _CERTIFY_RTOL)
        if again.upper < error.upper:
            self._error = again
            self._say("certify")

    def _rank(self, error: Enclosure) -> tuple[bool, float]:
        # With eps the certifier stops as soon as it has decided: its upper bound may be loose.
        if self._eps is None:
            return False, error.upper
        return error.scaled(self._radius).upper > self._eps, error.lower

    def _certified(self, keep: BoolArray, seconds: float, rtol: float) -> Enclosure:
        limit = Deadline(max(0.05, min(seconds, 0.5 * self.deadline.remaining)))
        return enclose(
            self.problem.masked(keep), self.problem.target, 1.0, rtol, limit, eps=self.unit_eps
        )

    def solution(self) -> Solution:
        """The answer, scaled to the radius."""
        if self._error is None:
            self._error = self._certified(self._keep, 0.5, _CERTIFY_RTOL)
        mask = self.problem.mask(self._keep)
        if self._refutation is not None:
            self.stats["proof_leaves"] = self._refutation.leaves
        self.stats["seconds"] = self.deadline.elapsed
        pruned = self.problem.net.pruned(mask)
        return Solution(
            mask,
            at_radius(pruned, self.problem.target, self._error, self._radius),
            self._scaled_bound(),
            self._status(),
            pruned,
            dict(self.stats),
            self._refutation,
        )

    def _status(self) -> Status:
        if self._error is None:
            return Status.FEASIBLE if self._eps is None else Status.UNKNOWN
        if self._eps is None:
            done = self._bound >= (1.0 - _OPTIMALITY) * self._error.upper
            return Status.OPTIMAL if done else Status.FEASIBLE
        if self._error.scaled(self._radius).upper <= self._eps:
            return Status.REACHED
        return Status.REFUTED if self._scaled_bound() > self._eps else Status.UNKNOWN

    def _scaled_bound(self) -> float:
        if self._radius == 1.0:
            return self._bound
        return max(0.0, float(np.nextafter(self._bound * self._radius, -np.inf)))

    def _say(self, phase: str) -> None:
        self._report(Progress(phase, self._bound * self._radius, self.upper * self._radius))
