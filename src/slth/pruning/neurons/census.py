"""What a search for the fewest units has reached: its smallest ticket, and the proven count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from slth.certify.enclose import at_radius, enclose
from slth.limits import Deadline, Progress, Report
from slth.network import BoolArray
from slth.pruning.neurons.problem import Problem
from slth.solution import Enclosure, Solution, Status

_CERTIFY_RTOL = 1e-6
# Past a proven decision threshold, so that rounding to the radius leaves it proven.
_BEYOND = 1.0 + 1e-9


class Census:
    """Collects tickets within eps and lower bounds on their count; every ticket is certified."""

    def __init__(
        self, problem: Problem, radius: float, eps: float, deadline: Deadline, report: Report
    ) -> None:
        self.problem = problem
        self.deadline = deadline
        self.least = 0
        self.stats: dict[str, object] = {}
        self._radius = radius
        self._eps = eps
        self._report = report
        self._keep: BoolArray | None = None
        self._error: Enclosure | None = None

    @property
    def unit_eps(self) -> float:
        """eps on the unit ball, rounded."""
        return self._eps / self._radius

    @property
    def cutoff(self) -> float:
        """An error on the unit ball that is more than eps for certain, whatever the rounding."""
        return self.unit_eps * _BEYOND

    @property
    def keep(self) -> BoolArray | None:
        """The smallest ticket within eps: bool [N], None while there is none."""
        return self._keep

    @property
    def units(self) -> int:
        """How many units it keeps; N + 1 while there is none."""
        return self.problem.width + 1 if self._keep is None else int(self._keep.sum())

    @property
    def settled(self) -> bool:
        """Whether no ticket within eps has fewer units, or there is none at all."""
        return self.least >= self.units

    def offer(self, keep: BoolArray, searcher: str, seconds: float = 5.0) -> Enclosure:
        """Certify a mask, and keep it if it is within eps with fewer units; its enclosure on the
        unit ball."""
        limit = Deadline(max(0.05, min(seconds, 0.5 * self.deadline.remaining)))
        problem = self.problem
        masked = problem.masked(keep)
        error = enclose(masked, problem.target, 1.0, _CERTIFY_RTOL, limit, eps=self.unit_eps)
        if keep.sum() < self.units and error.scaled(self._radius).upper <= self._eps:
            self._keep, self._error = keep.copy(), error
            self.stats["searcher"] = searcher
            self._say(searcher)
        return error

    def prove(self, least: int, prover: str) -> None:
        """Record that every ticket within eps keeps at least `least` units."""
        if least > self.least:
            self.least = least
            self.stats["prover"] = prover
            self._say(prover)

    def solution(self, decided: Solution) -> Solution:
        """The answer; `decided` says what was found without counting, and the bound proven."""
        stats: Mapping[str, object] = {
            **decided.stats,
            **self.stats,
            "seconds": self.deadline.elapsed,
        }
        bound = decided.bound
        if self._keep is None or self._error is None:
            none_exists = self.least > self.problem.width
            status = Status.REFUTED if none_exists else Status.UNKNOWN
            if none_exists and bound <= self._eps:
                bound = float(np.nextafter(self.cutoff * self._radius, -math.inf))
            return replace(decided, bound=bound, status=status, stats=stats, least_units=self.least)
        mask = self.problem.mask(self._keep)
        pruned = self.problem.net.pruned(mask)
        return Solution(
            mask,
            at_radius(pruned, self.problem.target, self._error, self._radius),
            bound,
            Status.OPTIMAL if self.settled else Status.FEASIBLE,
            pruned,
            stats,
            least_units=self.least,
        )

    def _say(self, phase: str) -> None:
        self._report(Progress(phase, self.least, self.units, "units"))
