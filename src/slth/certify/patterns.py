"""Differences of few units on the unit ball, by the signs of their convex units, in NumPy alone.

With max(t, 0) = (t + |t|) / 2 the problems of `objective` are to maximise the minimum of

    A_k(x) = <linear_k, x> + sum_i a_ki |<v_i, x>| - sum_j b_kj |<w_j, x>|,    a, b >= 0,  k = 1, 2.

|<v_i, x>| is the larger of <v_i, x> and -<v_i, x>, so the supremum is the largest of those with
signs s_i <v_i, x> in its place; and then each A_k is concave. For a share lambda of A_1 in the
minimum and tau in [-1, 1]^m,

    sup_x min_k A_k^s(x) <= ||R||,
    R = sum_k lambda_k (linear_k + sum_i a_ki s_i v_i - sum_j b_kj tau_j w_j),

with equality at the best lambda, tau: a distance from a zonotope. Signs are fixed one unit after
the other, largest units first; where only some are, Z being the units left, the bound is
sqrt(||R||^2 + 2 sum_Z |<R, z>| + max_s ||sum_Z s_z z||^2). Few patterns outlive that. Nothing is
compiled here: this is what answers first in a fresh process.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth.certify.problem.objective import COMBINATIONS, stacked
from slth.certify.request import Request
from slth.certify.unit_pair import UnitPair
from slth.certify.values import attained
from slth.network import BoolArray, FloatArray
from slth.rounding.outward import TINY, UNIT

# Beyond, the compiled engines are quicker; they are slow where there are many inputs.
_MOST_UNITS, _MOST_UNITS_HIGH = 32, 64
_MANY_INPUTS = 10
# Patterns looked at side by side: what needs more is for an engine with better bounds.
_MOST_PATTERNS = 2048
# Steps on (lambda, tau) before patterns are judged, and how often complete ones are.
_STEPS = 5
_ROUNDS = 12
# Complete patterns that are few enough for a least-squares problem each.
_FEW = 64
# Suffixes of so many units are tried with all signs; beyond, norms are added.
_TRIED = 10


def are_few(d: int, units: int) -> bool:
    """Whether `enclose_patterns` is the first thing to try. d <= 2 has exact engines."""
    return d > 2 and units <= (_MOST_UNITS if d < _MANY_INPUTS else _MOST_UNITS_HIGH)


def enclose_patterns(pair: UnitPair, request: Request) -> tuple[float, float, FloatArray | None]:
    """lower <= sup |pair.net - pair.target| <= upper on the unit ball, and where the lower bound is
    attained: closed, or as far as it came."""
    lower, upper, witness = 0.0, 0.0, None
    floor = pair.noise if request.eps is None else request.eps * (1 - 2.0**-40)
    for rows in COMBINATIONS[pair.net.readout, pair.target.readout]:
        problem = _Problem.of(pair, np.array(rows, dtype=np.float64))
        best, point, highest = _maximize(problem, lower, floor, request)
        upper = max(upper, highest)
        if point is not None and best > lower:
            reached, where = attained(pair.net, pair.target, point)
            if reached > lower:
                lower, witness = reached, where
    return lower, upper, witness


@dataclass(frozen=True)
class _Problem:
    """Maximise min(A_1, A_2), A_1 = A_2 + the differences; see above.

    Attributes:
        linear, linear_more: float64 [d], of A_2, and what A_1 has more.
        convex, concave: float64 [p, d], [m, d], the v and the w.
        rising, rising_more, falling, falling_more: float64 [p], [p], [m], [m], the a and b.
        sizes: float64 [p], max_k a_k.
        rest: float64 [p + 1], max_s ||sum s_i max_k a_ki v_i|| over the units from i on, or more.
        pace: float64 [m], the steps of tau that lower the norm whatever lambda is: one over the sum
            of its row of the Gram matrix's absolute values.
        slack: a computed bound is off by less.
    """

    linear: FloatArray
    linear_more: FloatArray
    convex: FloatArray
    concave: FloatArray
    rising: FloatArray
    rising_more: FloatArray
    falling: FloatArray
    falling_more: FloatArray
    sizes: FloatArray
    rest: FloatArray
    pace: FloatArray
    slack: float

    @classmethod
    def of(cls, pair: UnitPair, signs: FloatArray) -> _Problem:
        """The problem of a row of `COMBINATIONS`. Its two functions have, of each unit, the same
        weight, or one of them none."""
        hidden, split = stacked(pair.net, pair.target)
        halves = 0.5 * (signs @ split)
        one, two = halves[0], halves[-1]
        sizes = np.maximum(np.abs(one), np.abs(two))
        order = np.argsort(-sizes * np.linalg.norm(hidden, axis=1), kind="stable")
        up = order[np.maximum(one, two)[order] > 0.0]
        down = order[np.minimum(one, two)[order] < 0.0]
        count, d = hidden.shape
        mass = float(sizes @ np.linalg.norm(hidden, axis=1))
        # R is a sum of at most 2 count + 8 roundings of summands of norm 5 mass in all (A_2 and
        # A_1 - A_2 have a linear and a bent half each), its bound at most 4 mass, off by less than
        # count + d + 8 roundings of that; `rest` is at most mass, off by count + d.
        slack = 8.0 * (2 * count + d + 12) * UNIT * mass + TINY
        return cls(
            two @ hidden,
            (one - two) @ hidden,
            hidden[up],
            hidden[down],
            two[up],
            (one - two)[up],
            -two[down],
            (two - one)[down],
            sizes[up],
            _rest(sizes[up, None] * hidden[up]),
            1.0 / _positive(np.abs(hidden[down] @ hidden[down].T) @ sizes[down]),
            slack,
        )

    def least(self, x: FloatArray) -> FloatArray:
        """min_k A_k at points [B, d], in floats."""
        v, w = np.abs(x @ self.convex.T), np.abs(x @ self.concave.T)
        two = x @ self.linear + v @ self.rising - w @ self.falling
        more = x @ self.linear_more + v @ self.rising_more - w @ self.falling_more
        return two + np.minimum(more, 0.0)

    def weights(self, share: FloatArray) -> FloatArray:
        """sum_k lambda_k b_kj for lambda_1 [...]: float64 [..., m]."""
        return self.falling + share[..., None] * self.falling_more

    def vector(
        self, base: FloatArray, more: FloatArray, share: FloatArray, tau: FloatArray
    ) -> FloatArray:
        """R of patterns as `_Front` holds them, or of one: float64 [..., d]."""
        return base + share[..., None] * more - (self.weights(share) * tau) @ self.concave

    def above(self, vectors: FloatArray, norms: FloatArray, fixed: int) -> FloatArray:
        """At least what is left of patterns with so many signs, rounded up: float64 [B]."""
        units = self.sizes[fixed:, None] * self.convex[fixed:]
        across = np.abs(vectors @ units.T).sum(axis=1)
        squares = norms * norms + 2.0 * across + self.rest[fixed] ** 2
        return np.sqrt(squares) + self.slack


def _rest(units: FloatArray) -> FloatArray:
    """max_s ||sum_{i >= k} s_i units_i|| for every k, or more."""
    count = len(units)
    rest = np.zeros(count + 1)
    sums = np.zeros((1, units.shape[1]))
    for k in range(count - 1, -1, -1):
        if count - k <= _TRIED:
            sums = np.concatenate([sums + units[k], sums - units[k]])
            rest[k] = np.sqrt((sums * sums).sum(axis=1).max())
        else:
            rest[k] = rest[k + 1] + np.linalg.norm(units[k])
    return rest


@dataclass
class _Front:
    """Patterns side by side: base, more: float64 [B, d], the linear parts of A_2 and A_1 - A_2 with
    the fixed signs; share: float64 [B], lambda_1; tau: float64 [B, m]."""

    base: FloatArray
    more: FloatArray
    share: FloatArray
    tau: FloatArray

    @classmethod
    def of(cls, problem: _Problem) -> _Front:
        """The pattern without any sign."""
        tau = np.zeros((1, len(problem.concave)))
        return cls(problem.linear[None], problem.linear_more[None], np.ones(1), tau)

    def __len__(self) -> int:
        return len(self.share)

    def kept(self, which: BoolArray) -> _Front:
        return _Front(self.base[which], self.more[which], self.share[which], self.tau[which])

    def with_sign_of(self, problem: _Problem, i: int) -> _Front:
        """Each pattern with both signs of convex unit i."""
        base, more = (
            problem.rising[i] * problem.convex[i],
            problem.rising_more[i] * problem.convex[i],
        )
        return _Front(
            np.concatenate([self.base + base, self.base - base]),
            np.concatenate([self.more + more, self.more - more]),
            np.tile(self.share, 2),
            np.tile(self.tau, (2, 1)),
        )

    def vectors(self, problem: _Problem) -> FloatArray:
        """R of every pattern, float64 [B, d]."""
        return problem.vector(self.base, self.more, self.share, self.tau)

    def descend(self, problem: _Problem) -> None:
        """Lower the norms by accelerated steps on all tau at once, and exact ones on lambda."""
        concave, two_pieces = problem.concave, problem.linear_more.any()
        ahead = self.tau
        for step in range(_STEPS):
            vectors = problem.vector(self.base, self.more, self.share, ahead)
            if two_pieces:
                across = self.more - (problem.falling_more * ahead) @ concave
                share = (vectors * across).sum(axis=1) / _positive((across * across).sum(axis=1))
                share = np.clip(self.share - share, 0.0, 1.0)
                vectors += (share - self.share)[:, None] * across
                self.share = share
            tau = np.minimum(np.maximum(ahead + (vectors @ concave.T) * problem.pace, -1.0), 1.0)
            ahead = tau + (step / (step + 3.0)) * (tau - self.tau)
            self.tau = tau

    def solve(self, problem: _Problem) -> None:
        """Lower the norms by least squares over what is not at an end, pattern by pattern; linear
        in lambda and the tau times their units' weights."""
        for b, vector in enumerate(self.vectors(problem)):
            share, tau = self.share[b], self.tau[b].copy()
            weights = problem.weights(share)
            free = (np.abs(tau) < 1.0) & (weights > 0.0)
            ends = np.where(free, 0.0, problem.falling_more * tau)
            across = self.more[b] - ends @ problem.concave
            moving = np.vstack([problem.concave[free], -float(0.0 < share < 1.0) * across])
            step = np.linalg.lstsq(moving.T, vector, rcond=None)[0]
            after = np.clip(share + step[-1], 0.0, 1.0)
            then = _positive(problem.weights(after))
            tau[free] = np.clip((weights[free] * tau[free] + step[:-1]) / then[free], -1.0, 1.0)
            other = problem.vector(self.base[b], self.more[b], after, tau)
            if other @ other < vector @ vector:
                self.share[b], self.tau[b] = after, tau


def _positive(values: FloatArray) -> FloatArray:
    return np.maximum(values, TINY)


def _maximize(
    problem: _Problem, incumbent: float, floor: float, request: Request
) -> tuple[float, FloatArray | None, float]:
    """(best value in floats, where, a rigorous upper bound of the supremum, or of what need not be
    told from the incumbent)."""
    eps = np.inf if request.eps is None else request.eps
    best, point, proven = incumbent, None, 0.0
    front, fixed, rounds = _Front.of(problem), 0, 0
    while True:
        front.descend(problem)
        complete = fixed == len(problem.convex)
        if complete and len(front) <= _FEW:
            front.solve(problem)
        vectors = front.vectors(problem)
        norms = np.sqrt((vectors * vectors).sum(axis=1))
        points = vectors / _positive(norms)[:, None]
        values = problem.least(points)
        highest = int(values.argmax())
        if values[highest] > best:
            best, point = float(values[highest]), points[highest]
        uppers = problem.above(vectors, norms, fixed)
        left = uppers > max(best * (1.0 + request.rtol / 4), floor)
        proven = max(proven, float(uppers[~left].max(initial=0.0)))
        front, uppers = front.kept(left), uppers[left]
        if not len(front):
            return best, point, proven
        rounds += complete
        wide = not complete and 2 * len(front) > _MOST_PATTERNS
        if rounds == _ROUNDS or wide or best > eps or request.deadline.expired:
            return best, point, max(proven, float(uppers.max()))
        if not complete:
            front, fixed = front.with_sign_of(problem, fixed), fixed + 1
