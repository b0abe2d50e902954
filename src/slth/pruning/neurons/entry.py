"""How a neuron mask enters the race: certified only where it may be better than the best one."""

from __future__ import annotations

import numpy as np

from slth.certify.enclose import enclose
from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.problem import Problem
from slth.pruning.race import Race
from slth.solution import Enclosure

# Of the certificate that a solution shows.
_RTOL = 1e-6
# One certificate must not eat the time of the searches that follow it.
_SECONDS = 5.0
# Of the time left, to settle which of two tickets is better.
_DOUBT = 0.1

NeuronRace = Race[Problem]


def offer(
    race: NeuronRace,
    candidate: Candidate,
    searcher: str,
    seconds: float = _SECONDS,
    rtol: float = _RTOL,
) -> Enclosure | None:
    """Certify a mask if it seems better than the best ticket, and keep the better one.

    Args:
        seconds, rtol: limits of the certification; `sharpen` mends a loose one at the end.

    Returns its enclosure on the unit ball, None if it was not worth certifying.
    """
    best = race.error
    if best is not None and np.array_equal(candidate.keep, race.mask.output):
        # Climbing may miss its worst point, which this enclosure knows.
        return best
    if best is not None and candidate.error >= best.upper:
        return None
    error = certified(race, candidate.keep, seconds, rtol)
    if best is not None and error.lower < best.upper <= error.upper:
        # Which is better shows only with both enclosures sharp.
        sharpen(race, _DOUBT)
        error = certified(race, candidate.keep, seconds)
    race.enter(race.problem.mask(candidate.keep.copy()), error, searcher)
    return error


def enter(race: NeuronRace, keep: BoolArray, searcher: str, seconds: float = _SECONDS) -> Enclosure:
    """Certify a mask, whatever it seems to err: a ticket of fewer units may err more."""
    error = certified(race, keep, seconds)
    race.enter(race.problem.mask(keep.copy()), error, searcher)
    return error


def enter_nothing(race: NeuronRace, seconds: float = _SECONDS) -> None:
    """Let the empty mask be the ticket as long as there is none."""
    if race.error is None:
        nothing = np.zeros(race.problem.width, np.bool_)
        offer(race, Candidate(nothing, np.inf), "empty mask", seconds)


def sharpen(race: NeuronRace, share: float = 1.0) -> None:
    """Certify the best ticket again, in a share of the time left, if its enclosure is loose."""
    error = race.error
    if error is None or race.decided or error.gap <= _RTOL * error.upper:
        return
    seconds = share * race.deadline.remaining
    race.sharpened(certified(race, race.mask.output, seconds))


def certified(race: NeuronRace, keep: BoolArray, seconds: float, rtol: float = _RTOL) -> Enclosure:
    """The enclosure of a mask's error on the unit ball; with eps only as sharp as it decides."""
    # At least an instant, so that even a ticket met at the very end is one.
    limit = Deadline(max(0.05, min(seconds, 0.5 * race.deadline.remaining)))
    problem = race.problem
    return enclose(problem.masked(keep), problem.target, rtol, limit, eps=race.unit_eps)
