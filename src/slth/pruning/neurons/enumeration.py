"""Every mask of a narrow network, bounded at points where good masks were found to err.

A mask errs by at least |g_keep(x) - f(x)| at any point x of the ball. Of the mask with the least
such bound the certifier says where it errs most, and that point bounds every other mask, too; the
least bound of all is one for every mask, and it grows until the mask that has it is the optimum.
In NumPy alone: a fresh process waits for no engine.
"""

from __future__ import annotations

import numpy as np

from slth.network import FloatArray
from slth.pruning.neurons.entry import NeuronRace, enter, offer
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.problem import Problem, random_sphere, rounding
from slth.rounding.outward import TINY
from slth.solution import Enclosure

# 2^20 bounds are 8 MiB, and a point takes them a few milliseconds.
MOST_UNITS = 20
# Of points to start from, for each unit.
_STARTS = 2
_NAME = "enumeration"


class MaskBounds:
    """What every mask errs at least; mask k keeps the units whose bits k has.

    Attributes:
        least: float64 [2^N], proven lower bounds on the masks' errors.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._low = problem.width // 2
        self.least = np.zeros(1 << problem.width)
        # N products and as many sums of features, each rounded d + 2 times, beside the target.
        size = float(problem.unit_norms.sum())
        self._off = (
            rounding(2 * problem.width + problem.d + 8) * (size + problem.target_mass)
            + problem.target_error * problem.target_mass
            + TINY
        )

    def add(self, point: FloatArray) -> None:
        """Use a point of the ball. float64 [d]."""
        problem = self._problem
        features = problem.features(point[None])[0]
        low, high = _sums(features[: self._low]), _sums(features[self._low :])
        values = (high[:, None] + low).ravel()
        if not problem.linear:
            np.maximum(values, 0.0, out=values)
        values -= problem.target_values(point[None])[0]
        np.abs(values, out=values)
        values -= self._off
        np.maximum(self.least, values, out=self.least)

    def units(self, mask: int) -> np.ndarray:
        """The mask as bool [N]."""
        return (mask >> np.arange(self._problem.width)) & 1 == 1


def _sums(features: FloatArray) -> FloatArray:
    """The sums of all subsets, by the subsets' bits."""
    sums = np.zeros(1)
    for feature in features:
        sums = np.concatenate([sums, sums + feature])
    return sums


def enumerate_masks(race: NeuronRace, rng: np.random.Generator) -> None:
    """Work until the race is decided, or a mask is met whose error the certifier leaves open."""
    bounds = _started(race, rng)
    while not race.finished:
        mask = int(bounds.least.argmin())
        least = float(bounds.least[mask])
        error = offer(race, Candidate(bounds.units(mask), least), _NAME)
        race.prove(least, _NAME)
        if race.finished or not _met(race, bounds, mask, error):
            return


def enumerate_counts(race: NeuronRace, rng: np.random.Generator) -> None:
    """The same for the fewest units within eps."""
    bounds = _started(race, rng)
    counts = _sums(np.ones(race.problem.width))
    while not race.finished:
        race.prove(float(bounds.least.min()), _NAME)
        left = np.flatnonzero(bounds.least < race.cutoff)
        if not left.size:
            race.prove_least(race.problem.width + 1, _NAME)
            return
        fewest = counts[left].min()
        race.prove_least(int(fewest), _NAME)
        left = left[counts[left] == fewest]
        mask = int(left[bounds.least[left].argmin()])
        if race.finished:
            return
        if not _met(race, bounds, mask, enter(race, bounds.units(mask), _NAME)):
            return


def _started(race: NeuronRace, rng: np.random.Generator) -> MaskBounds:
    problem = race.problem
    bounds = MaskBounds(problem)
    for point in random_sphere(rng, _STARTS * problem.width, problem.d):
        bounds.add(point)
    return bounds


def _met(race: NeuronRace, bounds: MaskBounds, mask: int, error: Enclosure | None) -> bool:
    """Use where a certified mask errs; whether that says more of it than was known."""
    race.count("masks", 1)
    if error is None or error.witness is None or error.lower <= bounds.least[mask]:
        return False
    bounds.add(error.witness)
    bounds.least[mask] = max(bounds.least[mask], error.lower)
    return True
