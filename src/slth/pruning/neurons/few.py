"""Tickets of a few units of a wide network, by exchange with the certifier.

The error of some dozens of units is enclosed in a tenth of a second, so every mask that seems to be
the best is certified at once, and the points where it errs most, the certifier's own among them,
join the sample that the next masks are judged on. Which large units a mask begins with decides how
far flips can take it: many starts, each among other units, go a little way, and only the best of
them on. Nothing but the enclosures is trusted.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.neurons.cluster import restricted, turned, widened
from slth.pruning.neurons.entry import NeuronRace, certified
from slth.pruning.neurons.flips import cycles
from slth.pruning.neurons.problem import Problem, onto_sphere, random_sphere
from slth.pruning.neurons.sphere import Sample, peaks
from slth.solution import Enclosure
from slth.threads import crew, usable_threads

# Units of a mask: more are certified more slowly, and serve little where every start is among so
# few that a scan for the best flip takes a tenth of a millisecond.
_MOST = 40
# From so many inputs on, what sign patterns certify beside the target: there they are quicker than
# all else.
_HIGH, _MOST_HIGH = 7, 31
# How many starts, how many rounds each of them goes before the next cut, what share of the time
# left that may take, and rounds without a gain of 1 % after which the last ones end.
_STAGES = ((12, 6, 0.4), (4, 12, 0.4))
_PATIENCE = 60
# Units that a start moves among; the power of the angle in what makes them useful; how much chance
# has a say in that; the least of their size over the angle of the tenth nearest unit, below which
# it takes too many. All drawn anew for every start.
_POOL, _POWER, _CHANCE, _LEAST = (250, 2400), (1.0, 2.2), (0.0, 0.5, 1.0), (0.03, 0.3)
_NEAR = 10
# Cycles of a round; points of the sample at first and at most; climbs after a round.
_CYCLES, _POINTS, _MOST_POINTS, _CLIMBS = 150, 500, 3000, 30
# Of the enclosure of a mask that seems to be the best.
_SECONDS, _RTOL = 1.0, 1e-3


def search_few(race: NeuronRace, rng: np.random.Generator, deadline: Deadline) -> None:
    """Enter tickets of at most `_MOST` units until they are good enough, nothing helps, or the time
    is up. The target is one unit, d >= 3."""
    threads = usable_threads()
    angles = turned(race.problem)
    starts = [_Beginning(race, angles, own) for own in rng.spawn(_STAGES[0][0])]
    with crew(threads) as run_all:

        def go_on(chosen: list[_Beginning], limit: Deadline) -> bool:
            for start in range(0, len(chosen), threads):
                if limit.expired or race.finished:
                    return False
                now = chosen[start : start + threads]
                run_all(lambda each: each.round(limit), now)
                for each in now:
                    each.enter()
            return True

        for count, rounds, share in _STAGES:
            starts = sorted(starts, key=lambda each: each.error)[:count]
            limit = deadline.within(share * deadline.remaining)
            for _ in range(rounds):
                if not go_on(starts, limit):
                    break
        starts = sorted(starts, key=lambda each: each.error)[:threads]
        while any(each.idle < _PATIENCE for each in starts):
            if not go_on(starts, deadline):
                break


class _Beginning:
    """A mask among the units of its own pool, the sample it is judged on, and the best so far.

    Attributes:
        error: upper bound of the best mask's error.
        idle: rounds since that fell by 1 %.
    """

    def __init__(self, race: NeuronRace, angles: FloatArray, rng: np.random.Generator) -> None:
        self._race, self._rng = race, rng
        self._units = _pool(race.problem, angles, rng)
        self._part = restricted(race.problem, self._units)
        self._keep = np.zeros(self._units.size, np.bool_)
        points = random_sphere(rng, _POINTS, race.problem.d)
        self._sample = Sample.of(self._part, points)
        self._best: tuple[BoolArray, Enclosure] | None = None
        self._entered = True
        self._most = _MOST if race.problem.d < _HIGH else _MOST_HIGH
        self.error, self.idle = np.inf, 0

    def round(self, deadline: Deadline) -> None:
        """Some cycles of drops and flips; what they found is measured, and certified if it seems
        to be the best."""
        phi, f, cap = self._sample.for_moves(self._part)
        rows = np.ascontiguousarray(phi.T)
        _, self._keep = cycles(phi, rows, f, cap, self._keep, self._most, _CYCLES, self._rng)
        weights = self._keep.astype(np.float64)
        points, heights = peaks(
            self._part,
            weights,
            self._rng,
            deadline,
            sample=self._sample,
            starts=_CLIMBS,
            count=_CLIMBS,
        )
        before = self.error
        if float(heights.max(initial=0.0)) < self.error:
            points = np.concatenate([points, *self._certify()])
        self.idle = self.idle + 1 if self.error > 0.99 * before else 0
        self._learn(points)

    def enter(self) -> None:
        """Offer the best mask to the race, once."""
        if self._entered or self._best is None:
            return
        keep, error = self._best
        whole = widened(self._race.problem, self._units, keep)
        self._race.enter(self._race.problem.mask(whole), error, "few units")
        self._entered = True

    def _certify(self) -> Iterator[FloatArray]:
        """Enclose the error of the mask; where it is attained, if that is known."""
        whole = widened(self._race.problem, self._units, self._keep)
        error = certified(self._race, whole, _SECONDS, _RTOL)
        if error.upper < self.error:
            self._best, self._entered = (self._keep.copy(), error), False
            self.error = error.upper
        if error.witness is not None and np.any(error.witness):
            yield onto_sphere(error.witness[None])

    def _learn(self, points: FloatArray) -> None:
        """Let the points join the sample; beyond `_MOST_POINTS` the half stays where the mask or
        the best one errs most."""
        sample = self._sample.joined(Sample.of(self._part, points))
        if sample.size > _MOST_POINTS:
            masks = [self._keep] if self._best is None else [self._keep, self._best[0]]
            residuals = [np.abs(sample.residual(self._part, m.astype(np.float64))) for m in masks]
            worst = np.argsort(-np.max(residuals, axis=0))[: _MOST_POINTS // 2]
            sample = sample.at(np.sort(worst))
        self._sample = sample


def _pool(problem: Problem, angles: FloatArray, rng: np.random.Generator) -> np.ndarray:
    """Indices of the units that one start moves among, ascending: of least |alpha| theta^power,
    but neither too small nor larger than twice the target, with some chance. angles: `turned`."""
    few = min(_POOL[0] * (problem.d - 2), _POOL[1] // 2)
    size = min(problem.width, int(np.exp(rng.uniform(np.log(few), np.log(_POOL[1])))))
    power, chance = rng.uniform(*_POWER), float(rng.choice(_CHANCE))
    lengths = problem.unit_norms / problem.target_mass
    near = float(np.partition(angles, min(_NEAR, problem.width - 1))[_NEAR])
    least = near * float(np.exp(rng.uniform(*np.log(_LEAST))))
    score = angles**power * lengths * np.exp(chance * rng.standard_normal(problem.width))
    score[(lengths < least) | (lengths > 2.0)] += score.max()
    return np.sort(np.argpartition(score, size - 1)[:size])
