"""Weight pruning: masks on single weights, nothing retrained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slth.certify.enclose import at_radius, enclose, require_networks
from slth.errors import InvalidInput, require_count, require_positive, require_time_limit
from slth.limits import Deadline, Progress, Report, silent
from slth.network import FloatArray, Mask, ReLUNetwork
from slth.proof import OPTIMAL_WITHIN
from slth.pruning.weights.assign import AssignmentProblem, assign
from slth.pruning.weights.construct import closed_form, target_sides
from slth.pruning.weights.exhaustive import LARGEST_BITS, best_of_all
from slth.pruning.weights.layer import LayerTicket, prune_layer
from slth.pruning.weights.line import prune_line
from slth.pruning.weights.mask_search import MaskSearch, aligned_mask, all_options, sphere_points
from slth.pruning.weights.strategies import FREE, STRATEGIES, block_mask, require_strategy
from slth.pruning.weights.witness import witness_bound
from slth.solution import Enclosure, Solution, Status

__all__ = ["LayerTicket", "prune_layer", "prune_weights"]

# A certified error within this fraction of the proven bound is optimal.
_OPTIMAL = 0.1 * OPTIMAL_WITHIN
# Largest d whose certificate is an exact sweep: cheap, and sharper than the closed form.
_SWEPT = 2
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
_LOCAL_CUTS = 6
_CERTIFY_SECONDS = 2.0
# Relative tolerance of certificates while masks are compared, and of the final one.
_RANKING = 1e-2
_FINAL = 1e-6
_CLUSTERS = (1, 4, 8, 16, 24)
_EXHAUSTIVE_POINTS = 256
_EXHAUSTIVE_CUTS = 60


def prune_weights(
    net: ReLUNetwork,
    target: ReLUNetwork,
    radius: float = 1.0,
    eps: float | None = None,
    time_limit: float | None = 60.0,
    seed: int = 0,
    *,
    sparsest: bool = False,
    strategy: str = FREE,
    report: Report = silent,
) -> Solution:
    """Find a mask on single weights whose network is uniformly near the target on a ball.

    relu readout, target one neuron: every hidden unit serves one side of one coordinate, which
    makes 2d competing subset-sum problems (Malach et al. 2020, Pensia et al. 2020) whose error is
    known in closed form (`slth.pruning.weights.construct`); O(d log 1/eps) units suffice. Linear
    readout: no logarithmic law, and `bound` says why (`slth.pruning.weights.witness`). Tiny
    networks are solved by looking at every mask; d = 1 is a pair of subset sums.

    Args:
        net: the network to prune.
        target: the function to reach, any ReLUNetwork of the same d.
        radius: R of the ball ||x||_2 <= R.
        eps: uniform error allowed on that ball; None asks for the smallest error.
        time_limit: seconds; None means no limit.
        seed: of the search.
        sparsest: with eps, look on for a ticket within eps that keeps fewer weights.
        strategy: "free", or a construction of the literature for the relu readout: "malach",
            "orseau", "pensia" (`slth.pruning.weights.strategies`). Those claim no bound.
        report: called with the errors reached so far.

    Returns:
        Solution. Without eps: "optimal" or "feasible"; with eps: "reached", "refuted" or
        "unknown". `bound` is 0.0 where nothing is proven (relu readout, beyond tiny networks).

    Raises:
        InvalidInput: different input dimensions, radius <= 0, eps <= 0, time_limit <= 0, seed < 0,
            sparsest without eps, an unknown strategy or one that does not fit the target, or
            arguments that are not networks or numbers.
    """
    require_networks(net, target)
    radius = require_positive("radius", radius)
    if eps is not None:
        eps = require_positive("eps", eps)
    elif sparsest:
        raise InvalidInput(
            "sparsest without eps",
            got="eps = None",
            expected="eps > 0",
            fix="Say how near is near enough, e.g. eps=0.01.",
        )
    deadline = Deadline(require_time_limit(time_limit))
    generator = np.random.default_rng([require_count("seed", seed, least=0), net.width, net.d])
    run = _Run(net, target, radius, eps, sparsest, deadline, generator, report)
    if require_strategy(strategy) == FREE:
        run.search()
    else:
        run.construct(strategy)
    return run.solution()


class _Run:
    """One call: the best certified ticket so far and what is proven, on the unit ball."""

    def __init__(
        self,
        net: ReLUNetwork,
        target: ReLUNetwork,
        radius: float,
        eps: float | None,
        sparsest: bool,
        deadline: Deadline,
        generator: np.random.Generator,
        report: Report,
    ) -> None:
        self._net = net
        self._target = target
        self._radius = radius
        self._eps = eps
        self._sparsest = sparsest
        self._deadline = deadline
        self._generator = generator
        self._report = report
        # Searched for a little below, so that rounding does not spoil what was found.
        self._unit_eps = None if eps is None else eps / radius * (1.0 - 1e-12)
        self._bound = 0.0
        self._optimal = False
        self._stats: dict[str, object] = {}
        self._mask = Mask(np.zeros(net.hidden.shape, bool), np.zeros(net.width, bool))
        self._error = self._certified(self._mask)
        self._stats["searcher"] = "empty mask"

    def search(self) -> None:
        """The searchers that apply, cheapest first, until eps is met or ruled out."""
        net = self._net
        if net.d == 1:
            self._line()
            return
        if net.d * net.width <= LARGEST_BITS:
            self._exhaustive()
            return
        self._prove(witness_bound(net, self._target), "witness")
        if self._decided():
            self._local(_REFUTED_STARTS)
            return
        sides = target_sides(self._target, net.readout)
        if sides is not None:
            problem = AssignmentProblem.of(net, sides.floats())
            if self._unit_eps is not None:
                self._assign(problem, self._unit_eps, self._sparsest)
            else:
                self._assign_ever_closer(problem)
        if not self._decided() and (self._unit_eps or self._error.upper) > _LOCAL_ERROR:
            self._local(_LOCAL_STARTS)
            for kicks in _MORE_KICKS if self._eps is None else ():
                before = self._error.upper
                self._local(_LOCAL_STARTS, kicks)
                if self._error.upper >= before:
                    break

    def construct(self, strategy: str) -> None:
        """One of the named constructions."""
        sides = target_sides(self._target, self._net.readout)
        if sides is None or self._net.readout != "relu":
            raise InvalidInput(
                f"strategy {strategy!r} does not fit the problem",
                got=f"readout {self._net.readout!r}, target of width {self._target.width}",
                expected="readout 'relu' and a target of one neuron",
                fix="Draw the network with readout='relu', or leave the strategy out.",
            )
        serve, eps = STRATEGIES[strategy], self._unit_eps or 0.0
        self._mask = block_mask(self._net, sides.floats(), eps, serve)
        self._error = self._certified(self._mask)
        self._stats["searcher"] = strategy

    def solution(self) -> Solution:
        """Scaled to the radius, with the status that is proven."""
        if self._eps is None and self._error.gap > _FINAL * self._error.upper:
            self._error = self._sharpened(self._mask, self._error, _FINAL)
        pruned = self._net.pruned(self._mask)
        error = at_radius(pruned, self._target, self._error, self._radius)
        bound = self._scaled_bound()
        if self._eps is None:
            closed = self._optimal or error.upper - bound <= _OPTIMAL * error.upper
            status = Status.OPTIMAL if closed else Status.FEASIBLE
        elif error.upper <= self._eps:
            status = Status.REACHED
        else:
            status = Status.REFUTED if bound > self._eps else Status.UNKNOWN
        stats = {
            **self._stats,
            "seconds": self._deadline.elapsed,
            "kept_units": self._mask.kept_units,
        }
        return Solution(self._mask, error, bound, status, pruned, stats)

    def _scaled_bound(self) -> float:
        bound = (
            self._bound if self._radius == 1.0 else (self._bound * self._radius * (1.0 - 2.0**-50))
        )
        # Two roundings of the same number may cross by an ulp.
        return max(0.0, min(bound, self._error.scaled(self._radius).upper))

    def _decided(self) -> bool:
        if self._eps is None:
            return False
        reached = self._error.scaled(self._radius).upper <= self._eps
        return reached or self._scaled_bound() > self._eps

    def _prove(self, bound: float, prover: str) -> None:
        if bound > self._bound:
            self._bound = bound
            self._stats["prover"] = prover

    def _certified(self, mask: Mask) -> Enclosure:
        """The closed form where it applies and is sharp or small enough; else the certifier."""
        form = closed_form(self._net, mask, self._target)
        if form is not None and (
            form.status == Status.CLOSED
            or (self._net.d > _SWEPT and form.upper <= _LOCAL_ERROR)
            or (self._unit_eps is not None and not form.lower <= self._unit_eps < form.upper)
        ):
            return form
        return self._sharpened(mask, form, _RANKING)

    def _sharpened(self, mask: Mask, error: Enclosure | None, rtol: float) -> Enclosure:
        """The certifier's enclosure if its upper bound is smaller than that of `error`."""
        limit = Deadline(max(1e-3, min(_CERTIFY_SECONDS, self._deadline.remaining)))
        swept = enclose(self._net.pruned(mask), self._target, 1.0, rtol, limit)
        return swept if error is None or swept.upper < error.upper else error

    def _offer(self, mask: Mask, searcher: str) -> Enclosure:
        """Certify a mask and keep it if it is better."""
        error = self._certified(mask)
        sparser = (
            self._unit_eps is not None
            and error.upper <= self._unit_eps
            and mask.kept_weights < self._mask.kept_weights
        )
        if error.upper < self._error.upper or sparser:
            self._mask, self._error = mask, error
            self._stats["searcher"] = searcher
            self._report(Progress(searcher, self._bound, error.upper * self._radius))
        return error

    def _line(self) -> None:
        found = prune_line(self._net, self._target, self._unit_eps, self._sparsest, self._deadline)
        self._prove(found.bound, "subset sum")
        self._offer(found.mask, "subset sum")
        self._optimal = found.optimal

    def _exhaustive(self) -> None:
        """All masks at ever more points: where the winner is worst is added."""
        options = all_options(self._net.d)
        points = sphere_points(self._net.d, _EXHAUSTIVE_POINTS, self._generator)
        points = points * (1.0 - 2.0**-40)
        for _ in range(_EXHAUSTIVE_CUTS):
            mask, bound = best_of_all(self._net, self._target, options, points)
            self._prove(bound, "every mask")
            error = self._offer(mask, "every mask")
            closed = self._error.upper - self._bound <= _OPTIMAL * self._error.upper
            if closed or self._decided() or error.witness is None or self._deadline.expired:
                break
            points = np.concatenate([points, error.witness[None, :]])

    def _assign(self, problem: AssignmentProblem, eps: float, fewest: bool = False) -> float:
        found = assign(problem, eps, self._generator, self._deadline, fewest=fewest)
        self._stats["orders_tried"] = found.attempts
        self._offer(problem.mask(found.served), "coordinate assignment")
        return found.error

    def _assign_ever_closer(self, problem: AssignmentProblem) -> None:
        """Ask for a smaller error until it is not met, then in smaller steps."""
        eps, shrink = 0.5, _SHRINK
        while shrink < _SMALLEST_STEP and not self._deadline.expired:
            reached = self._assign(problem, eps)
            if reached > eps:
                shrink = shrink**0.5
            if min(reached, eps) < _FLOOR:
                return
            eps = min(reached, self._error.upper) * shrink

    def _local(self, count: int, kicks: int = _LOCAL_KICKS) -> None:
        """Local search over general masks from `count` starts: the best mask so far, clusters
        aligned with the target, then random ones.

        With eps, certificates are spent only on masks that look near enough at the points.
        """
        search = MaskSearch(self._net, self._target, self._candidates(), self._generator)
        starts: list[Mask | None] = [self._mask]
        starts += [aligned_mask(self._net, self._target, size) for size in _CLUSTERS]
        starts += [None] * (count - len(starts))
        best = np.inf
        closest = self._mask
        for start in starts[:count]:
            for _ in range(_LOCAL_CUTS):
                if self._deadline.expired:
                    return
                start, sampled = search.run(start, kicks)
                if sampled < best:
                    best, closest = sampled, start
                if sampled >= (self._unit_eps or self._error.upper):
                    break
                error = self._offer(start, "local search")
                if self._eps is not None and self._error.upper <= self._eps / self._radius:
                    return
                if error.witness is None:
                    break
                search.add(error.witness)
        self._offer(closest, "local search")

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
