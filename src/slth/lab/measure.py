"""Running one trial: a search at its width, or bisection over widths. Runs in a worker."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

from slth.lab.searchers import searcher_of, writes_tickets
from slth.lab.trial import Trial
from slth.lab.trial_result import TrialResult, ticket_of
from slth.lab.width import FoundTicket, bracket_width, needed_width
from slth.lab.work import WorkClock, cpu_clock
from slth.limits import Deadline, Progress, Report, measured_by, silent
from slth.solution import Solution, Status, Stop
from slth.threads import at_most_threads
from slth.ticket import Ticket

# Called with what is reached so far.
Say = Callable[[TrialResult], None]
# A trial that another one starts from, and what it gave.
Earlier = Sequence[tuple[Trial, TrialResult]]

_SAY_SECONDS = 1.0


def run_trial(trial: Trial, earlier: Earlier, say: Say) -> TrialResult:
    """The trial's outcome; an exception is an outcome too (state "failed").

    Args:
        earlier: the trials in `trial.after`, those that have an outcome.
        say: told the bounds as they improve, as outcomes of state "interrupted", at most once a
            second: a short trial says nothing.
    """
    started = time.monotonic()
    try:
        running = _Running(trial, _throttled(say))
        # Whoever runs trials runs as many at a time as there are processors.
        with at_most_threads(1):
            width = trial.width
            outcome = running.bisect(earlier) if width is None else running.search(width)
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__, limit=-3))
        outcome = TrialResult("failed", message=f"{type(error).__name__}: {error}\n{where}")
    return replace(outcome, seconds=time.monotonic() - started)


def _throttled(say: Say) -> Say:
    last = time.monotonic()

    def throttled(outcome: TrialResult) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SAY_SECONDS:
            last = now
            say(outcome)

    return throttled


class _Running:
    """One trial: its target, its limits, and how it searches."""

    def __init__(self, trial: Trial, say: Say) -> None:
        self._trial = trial
        self._target = trial.target
        self._searcher = searcher_of(trial.pruning, trial.contender)
        self._say = say
        self._deadline = Deadline(_seconds(trial.trial_seconds), cpu_clock)
        self._cut = False

    def search(self, width: int) -> TrialResult:
        """One search at a fixed width."""

        def report(progress: Progress) -> None:
            upper = progress.upper if math.isfinite(progress.upper) else None
            self._say(TrialResult("interrupted", bound=progress.lower, error_upper=upper))

        solution = self._prune(width, report)
        cut = self._cut or solution.stopped is Stop.LIMIT
        outcome = TrialResult("timeout" if cut else "done", solution.status, bound=solution.bound)
        return replace(outcome, ticket=self._ticket(solution)).taking(ticket_of(solution))

    def bisect(self, earlier: Earlier) -> TrialResult:
        """Bracket the width that the draw needs for eps."""
        trial = self._trial
        eps, widest = trial.eps, trial.max_width
        if eps is None or widest is None:
            raise ValueError("bisection needs eps and max_width")
        # What is refuted at a larger eps is refuted here.
        refuted, bound = 0, 0.0
        for other, outcome in earlier:
            if other.pruning == trial.pruning and (outcome.refuted or 0) > refuted:
                refuted, bound = outcome.refuted or 0, outcome.bound or 0.0
        # A ticket that reaches this eps already serves: of a larger eps, or of whole neurons.
        tickets = [outcome.ticket for _, outcome in earlier if _reaches(outcome, eps)]
        known = [_found(ticket) for ticket in tickets if ticket is not None]
        found = min(known, key=lambda ticket: ticket.width, default=None)
        best = TrialResult("interrupted", refuted=refuted, bound=bound)
        if found is not None:
            best = best.taking(ticket_of(found.solution, found.width))

        def search(width: int) -> Solution:
            nonlocal best
            solution = self._prune(width, silent)
            if solution.status == Status.REFUTED:
                best = replace(best, refuted=width, bound=solution.bound)
            elif solution.status == Status.REACHED:
                needed = needed_width(solution)
                if best.found is None or needed < best.found:
                    best = best.taking(ticket_of(solution, needed))
            best = replace(best, tried=max(width, best.tried or 0))
            self._say(best)
            return solution

        bracket = bracket_width(
            search,
            refuted=refuted,
            refuted_bound=bound,
            found=found,
            max_width=widest,
            deadline=self._deadline,
        )
        none = Status.REFUTED if bracket.refuted >= widest else Status.UNKNOWN
        outcome = TrialResult(
            "timeout" if self._cut or self._deadline.expired else "done",
            none if bracket.found is None else Status.REACHED,
            refuted=bracket.refuted,
            bound=bracket.refuted_bound,
            tried=bracket.tried,
            undecided=bracket.undecided,
        )
        if bracket.found is None:
            return outcome
        solution = bracket.found.solution
        outcome = outcome.taking(ticket_of(solution, bracket.found.width))
        return replace(outcome, ticket=self._ticket(solution))

    def _prune(self, width: int, report: Report) -> Solution:
        """One search, with its budget in work."""
        trial = self._trial
        net = trial.network(width)
        effort = min(_seconds(trial.search_seconds), _seconds(trial.trial_seconds))
        # Never 0, which no searcher accepts.
        clock = WorkClock(effort, trial.d, max(1e-3, self._deadline.remaining))
        with measured_by(clock):
            solution = self._searcher(
                net,
                self._target,
                eps=trial.eps,
                time_limit=effort,
                seed=trial.search_seed,
                report=report,
            )
        self._cut = self._cut or clock.cut
        return solution

    def _ticket(self, solution: Solution) -> bytes | None:
        trial = self._trial
        if not writes_tickets(trial.contender):
            return None
        width = solution.mask.output.shape[0]
        ticket = Ticket.from_solution(
            solution,
            trial.network(width),
            self._target,
            eps=trial.eps,
            source=(trial.d, width, trial.seed),
        )
        return ticket.to_bytes()


def _reaches(outcome: TrialResult, eps: float) -> bool:
    upper = outcome.error_upper
    return outcome.found is not None and upper is not None and upper <= eps


def _found(data: bytes) -> FoundTicket:
    """The ticket as bracketing wants it; its error was certified when it was written."""
    ticket = Ticket.from_bytes(data)
    solution = Solution(ticket.mask, ticket.error, ticket.bound, ticket.status, ticket.masked)
    return FoundTicket(needed_width(solution), solution)


def _seconds(limit: float | None) -> float:
    return math.inf if limit is None else limit
