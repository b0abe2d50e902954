"""What a sweep may cost: from trials already measured, else from the limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from slth.lab.store import Store
from slth.lab.trial import Trial

# Bisection starts about this many searches: growing by 1.5, then halving in the logarithm.
_SEARCHES = 12


@dataclass(frozen=True)
class Cost:
    """Seconds of one worker for trials that remain.

    Attributes:
        trials: how many remain.
        seconds: of one worker; infinite when a trial without limit has no measured like.
        measured: for how many a trial of the same curve and width is in the store; the others
            count with their limits.
    """

    trials: int
    seconds: float
    measured: int


def estimate(trials: Sequence[Trial], store: Store | None) -> Cost:
    """The cost of those trials that the store does not hold."""
    seconds, measured, remaining = 0.0, 0, 0
    likes: dict[Trial, list[float]] = {}
    held: set[str] = set()
    for row in store.rows() if store is not None else ():
        if row.state != "interrupted":
            held.add(row.key)
            likes.setdefault(_like(row.trial), []).append(row.seconds)
    for trial in trials:
        if trial.key in held:
            continue
        remaining += 1
        known = likes.get(_like(trial))
        if known:
            measured += 1
            seconds += sum(known) / len(known)
        else:
            seconds += _most(trial)
    return Cost(remaining, seconds, measured)


def _like(trial: Trial) -> Trial:
    """What trials that differ only in their draw have in common."""
    return replace(trial, draw=0, seed=0, after=())


def _most(trial: Trial) -> float:
    search = math.inf if trial.search_seconds is None else trial.search_seconds
    whole = math.inf if trial.trial_seconds is None else trial.trial_seconds
    return min(whole, search if trial.width is not None else _SEARCHES * search)
