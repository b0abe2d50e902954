"""The order in which the searchers for weight masks run, until eps is met or ruled out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slth.network import FloatArray, Mask
from slth.pruning.weights.assign import AssignmentProblem, assign
from slth.pruning.weights.certified import WeightRace, offer
from slth.pruning.weights.construct import target_sides
from slth.pruning.weights.exhaustive import LARGEST_BITS, best_of_all
from slth.pruning.weights.kink_bound import kink_bound
from slth.pruning.weights.mask_search import MaskSearch, aligned_mask, all_options, sphere_points
from slth.pruning.weights.one_input import prune_line

# Searched for a little below eps, so that rounding does not spoil what was found.
_SHORT = 1.0 - 1e-12
# Without eps the error asked for shrinks by this factor until it is not met, at most to the floor.
_SHRINK = 0.5
_SMALLEST_STEP = 0.9
_FLOOR = 1e-12
# Below this error the local search over general masks cannot follow the coordinate assignment.
_LOCAL_ERROR = 0.02
_LOCAL_UNITS = 256
_LOCAL_STARTS = 12
# When eps is ruled out already, a ticket is shown but not searched for long.
_REFUTED_STARTS = 2
_LOCAL_KICKS = 40
# Without eps the whole search is repeated with more and more kicks for as long as that gains.
_MORE_KICKS = (200, 1000)
# How often the points where a mask errs are added before the next start.
_LOCAL_CUTS = 6
# Sizes of the clusters of units aligned with the target that local search starts from.
_CLUSTERS = (1, 4, 8, 16, 24)
# Points that all masks are first tried at, and how often the winner's worst one is added.
_EXHAUSTIVE_POINTS = 256
_EXHAUSTIVE_CUTS = 60


class Search:
    """The searchers on one race, sharing its randomness."""

    def __init__(self, race: WeightRace, sparsest: bool, generator: np.random.Generator) -> None:
        self._race = race
        self._net, self._target = race.problem.net, race.problem.target
        self._sparsest = sparsest
        self._generator = generator
        eps = race.unit_eps
        self._goal = None if eps is None else eps * _SHORT

    def run(self) -> None:
        """The searchers that apply, cheapest first."""
        net, race = self._net, self._race
        offer(race, race.mask, "empty mask")
        if net.d == 1:
            self._line()
        elif net.d * net.width <= LARGEST_BITS:
            self._exhaustive()
        else:
            race.prove(kink_bound(net, self._target), "witness")
            if race.decided and race.unit_eps is not None:
                self._local(_REFUTED_STARTS)
            else:
                self._wide()

    def _wide(self) -> None:
        race = self._race
        sides = target_sides(self._target, self._net.readout)
        if sides is not None:
            problem = AssignmentProblem.of(self._net, sides.floats())
            if self._goal is not None:
                self._assign(problem, self._goal, self._sparsest)
            else:
                self._assign_ever_closer(problem)
        if race.decided or (race.upper if self._goal is None else self._goal) <= _LOCAL_ERROR:
            return
        self._local(_LOCAL_STARTS)
        for kicks in _MORE_KICKS if self._goal is None else ():
            before = race.upper
            self._local(_LOCAL_STARTS, kicks)
            if race.upper >= before:
                break

    def _line(self) -> None:
        race = self._race
        found = prune_line(self._net, self._target, self._goal, self._sparsest, race.deadline)
        race.prove(found.bound, "subset sum")
        offer(race, found.mask, "subset sum")

    def _exhaustive(self) -> None:
        """All masks at ever more points: where the winner is worst is added."""
        race, d = self._race, self._net.d
        options = all_options(d)
        points = sphere_points(d, _EXHAUSTIVE_POINTS, self._generator)
        # Inside the ball for certain.
        points = points * (1.0 - 2.0**-40)
        for _ in range(_EXHAUSTIVE_CUTS):
            mask, bound = best_of_all(self._net, self._target, options, points)
            race.prove(bound, "every mask")
            error = offer(race, mask, "every mask")
            if race.finished or error.witness is None:
                break
            points = np.concatenate([points, error.witness[None, :]])

    def _assign(self, problem: AssignmentProblem, eps: float, fewest: bool = False) -> float:
        race = self._race
        found = assign(problem, eps, self._generator, race.deadline, fewest=fewest)
        race.stats["orders_tried"] = found.attempts
        offer(race, problem.mask(found.served), "coordinate assignment")
        return found.error

    def _assign_ever_closer(self, problem: AssignmentProblem) -> None:
        """Ask for a smaller error until it is not met, then in smaller steps."""
        race = self._race
        eps, shrink = 0.5, _SHRINK
        while shrink < _SMALLEST_STEP and not race.finished:
            reached = self._assign(problem, eps)
            if reached > eps:
                shrink = shrink**0.5
            if min(reached, eps) < _FLOOR:
                return
            eps = min(reached, race.upper) * shrink

    def _local(self, count: int, kicks: int = _LOCAL_KICKS) -> None:
        """Local search over general masks from `count` starts: the best mask so far, clusters
        aligned with the target, then random ones.

        With eps, certificates are spent only on masks that look near enough at the points.
        """
        race = self._race
        search = MaskSearch(self._net, self._target, self._candidates(), self._generator)
        starts: list[Mask | None] = [race.mask]
        starts += [aligned_mask(self._net, self._target, size) for size in _CLUSTERS]
        starts += [None] * (count - len(starts))
        best = np.inf
        closest = race.mask
        for start in starts[:count]:
            for _ in range(_LOCAL_CUTS):
                if race.deadline.expired:
                    return
                start, sampled = search.run(start, kicks)
                if sampled < best:
                    best, closest = sampled, start
                if sampled >= (race.upper if self._goal is None else self._goal):
                    break
                error = offer(race, start, "local search")
                if race.has_ticket_within:
                    return
                if error.witness is None:
                    break
                search.add(error.witness)
        offer(race, closest, "local search")

    def _candidates(self) -> NDArray[np.int64]:
        """Units most nearly parallel to a weight vector of the target, then the first ones."""
        net = self._net
        if net.width <= _LOCAL_UNITS:
            return np.arange(net.width)
        near = np.argsort(-_alignment(net.hidden, self._target.hidden), kind="stable")
        aligned = near[: _LOCAL_UNITS // 2]
        rest = np.setdiff1d(np.arange(net.width), aligned)[: _LOCAL_UNITS - len(aligned)]
        return np.concatenate([aligned, rest])


def _alignment(hidden: FloatArray, directions: FloatArray) -> FloatArray:
    """Largest |cos| of the angle between each row and any of the directions; zero rows: 0."""
    norms = np.maximum(np.linalg.norm(hidden, axis=1), 1e-300)
    lengths = np.maximum(np.linalg.norm(directions, axis=1), 1e-300)
    return np.abs((hidden / norms[:, None]) @ (directions / lengths[:, None]).T).max(
        axis=1, initial=0.0
    )
