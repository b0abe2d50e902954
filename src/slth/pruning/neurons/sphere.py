"""Where a residual is large: samples of the sphere, and climbing to local maxima on it.

Nothing here enters a bound: points are only proposed. A point proposed is made exact by
`onto_sphere` and re-evaluated with its rounding error wherever it serves a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth.certify.ascent import local_maxima
from slth.certify.problem.objective import objectives
from slth.limits import Deadline
from slth.network import FloatArray, ReLUNetwork
from slth.pruning.neurons.problem import Problem, onto_sphere

# Cosines: starts this far apart rarely climb to one peak; peaks this close are one peak.
_APART, _DISTINCT = 0.995, 1.0 - 1e-7


@dataclass(frozen=True, eq=False)
class Sample:
    """Points in the ball with what the problem says there.

    points: float64 [P, d]; phi: float64 [P, N], the features; f: float64 [P], the target.
    """

    points: FloatArray
    phi: FloatArray
    f: FloatArray

    @classmethod
    def of(cls, problem: Problem, points: FloatArray) -> Sample:
        """Evaluate the problem at points (float64 [P, d], in the ball)."""
        return cls(points, problem.features(points), problem.target_values(points))

    @property
    def size(self) -> int:
        """Number of points."""
        return self.points.shape[0]

    def joined(self, other: Sample) -> Sample:
        """The points of both."""
        return Sample(
            np.concatenate([self.points, other.points]),
            np.concatenate([self.phi, other.phi]),
            np.concatenate([self.f, other.f]),
        )

    def at(self, places: np.ndarray) -> Sample:
        """Some of the points, by their numbers."""
        return Sample(self.points[places], self.phi[places], self.f[places])

    def residual(self, problem: Problem, weights: FloatArray) -> FloatArray:
        """rho(sum_i weights[i] phi_i) - f at the points: float64 [P]."""
        values = self.phi @ weights
        return (values if problem.linear else np.maximum(values, 0.0)) - self.f

    def for_moves(self, problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What kernels that try moves read, in float32: phi [N, P], f [P], and cap [P], the largest
        error of a mask that is too small there."""
        f = self.f.astype(np.float32)
        # |relu(g) - f| = max(g - f, min(f - g, f)) where f >= 0; the linear readout has no cap.
        cap = np.full_like(f, np.inf) if problem.linear else f
        return np.ascontiguousarray(self.phi.T, dtype=np.float32), f, cap


def peaks(
    problem: Problem,
    weights: FloatArray,
    rng: np.random.Generator,
    deadline: Deadline,
    *,
    sample: Sample | None = None,
    starts: int = 40,
    count: int = 32,
) -> tuple[FloatArray, FloatArray]:
    """Distinct local maxima of |residual| of the fractional mask `weights`, largest first.

    Args:
        weights: float64 [N].
        sample: climb from its worst points too.
        starts: number of random starts.
        count: how many maxima to return at most.

    Returns:
        points float64 [B, d] in the ball; the |residual| climbed to, float64 [B], not rigorous.
    """
    kept = weights != 0.0
    net = ReLUNetwork(
        problem.net.hidden[kept], problem.net.output[kept] * weights[kept], problem.net.readout
    )
    seeds = None
    if sample is not None:
        worst = np.argsort(-np.abs(sample.residual(problem, weights)))[: 20 * starts]
        seeds = sample.points[worst[spread(sample.points[worst], starts // 2, _APART)]]
    points, values = [], []
    for objective in objectives(net, problem.target):
        found = local_maxima(objective, starts, rng, deadline, polished=8, seeds=seeds)
        points.append(found.points[: 4 * count])
        values.append(found.values[: 4 * count])
    if not points:
        return np.zeros((0, problem.d)), np.zeros(0)
    everywhere, heights = np.concatenate(points), np.concatenate(values)
    order = np.argsort(-heights, kind="stable")
    order = order[spread(everywhere[order], count, _DISTINCT)]
    return onto_sphere(everywhere[order]), np.maximum(heights[order], 0.0)


def cap_points(
    problem: Problem, level: float, rng: np.random.Generator, deadline: Deadline, count: int = 400
) -> FloatArray:
    """Points of the sphere about the target's highest peak, most of them with f >= level.

    With the relu readout only they can say that a mask is too small (`dual.py`). Returns float64
    [P, d] in the ball, P <= count + 1.
    """
    points, heights = peaks(problem, np.zeros(problem.width), rng, deadline, count=1)
    if points.shape[0] == 0 or not heights[0] > 0.0 or problem.d == 1:
        return points
    top = points[0] / np.linalg.norm(points[0])
    away = rng.standard_normal((count, problem.d))
    away -= (away @ top)[:, None] * top
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)
    # On the peak of one unit f falls as the cosine.
    widest = np.arccos(min(1.0, max(0.0, level / heights[0])))
    angles = widest * rng.random((count, 1)) ** (1.0 / (problem.d - 1))
    return np.concatenate([points, onto_sphere(np.cos(angles) * top + np.sin(angles) * away)])


def spread(points: FloatArray, count: int, cosine: float) -> np.ndarray:
    """Indices of the first `count` points whose cosine with every one taken is below `cosine`."""
    chosen: list[int] = []
    for i in range(points.shape[0]):
        if chosen and float((points[chosen] @ points[i]).max()) > cosine:
            continue
        chosen.append(i)
        if len(chosen) == count:
            break
    return np.array(chosen, dtype=np.intp)
