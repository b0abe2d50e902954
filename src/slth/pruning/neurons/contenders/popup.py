"""Edge-popup (Ramanujan et al., 2020) on units: scores trained by straight-through gradients.

Every unit has a score; the forward pass keeps the k units of largest |score|, and the gradient of
the mean squared error reaches all scores as if every unit were kept, times the sign of the score.
Stochastic gradient descent with momentum and a cosine schedule, from random scores, for several
fractions k / N. Of all masks met the best by uniform error on the sample is returned.
"""

from __future__ import annotations

import math

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.contenders.contender import register
from slth.pruning.neurons.judging import sample_points, worst_error
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.problem import Problem

# Kept fractions tried; the best one depends on the instance.
_FRACTIONS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
# Steps for a fraction, and points a step: all fractions together take a second or two.
_STEPS, _BATCH = 400, 256
# The paper's learning rate and momentum.
_RATE, _MOMENTUM = 0.1, 0.9


def pop_up(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> BoolArray:
    """The best mask that edge-popup meets, over a few fractions of kept units."""
    points = sample_points(problem, rng)
    phi = problem.features(points)
    f = problem.target_values(points)
    empty = np.zeros(problem.width, np.bool_)
    best = Candidate(empty, worst_error(problem, np.zeros_like(f), f))
    counts = np.unique(np.maximum(1, np.round(np.array(_FRACTIONS) * problem.width))).astype(int)
    if problem.width == 0:
        return best.keep
    # Steps are measured against the typical size of a unit's gradient, so that scores of order
    # one change order whatever the weights' scale.
    scale = float(np.mean(phi * phi)) ** 0.5 * max(float(np.mean(f * f)) ** 0.5, 1e-300)
    rate = _RATE / max(scale, 1e-300)
    for count in counts:
        scores = rng.uniform(-1.0, 1.0, problem.width)
        speed = np.zeros(problem.width)
        for step in range(_STEPS):
            if deadline.expired:
                return best.keep
            keep = empty.copy()
            keep[np.argpartition(-np.abs(scores), count - 1)[:count]] = True
            if step % 10 == 0 or step == _STEPS - 1:
                error = worst_error(problem, phi @ keep, f)
                if error < best.error:
                    best = Candidate(keep, error)
            rows = rng.integers(0, f.size, _BATCH)
            batch = phi[rows]
            sums = batch @ keep
            slope = sums - f[rows]
            if not problem.linear:
                slope = (np.maximum(sums, 0.0) - f[rows]) * (sums > 0.0)
            gradient = np.sign(scores) * (slope @ batch) / _BATCH
            speed = _MOMENTUM * speed + gradient
            scores -= rate * 0.5 * (1.0 + math.cos(math.pi * step / _STEPS)) * speed
    return best.keep


register(
    "popup",
    pop_up,
    summary="edge-popup scores on units (Ramanujan et al. 2020), straight-through, NumPy",
)
