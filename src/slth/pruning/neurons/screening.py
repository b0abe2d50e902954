"""Units that no mask of error below a cutoff can keep (paper.md note 5; Lemma 6 on an instance).

If unit i is kept, its kink must be cancelled all along its hyperplane. At a point x0 of it, on the
cone up to the nearest hyperplanes that bend the other way, a three-point certificate bounds the
error of every mask that keeps i; if that reaches the cutoff, i is out for good, the cones of
others grow, and so on to a fixed point. With the relu readout x0 must lie where f >= cutoff.

Every drop rests on `certified_bound` alone; where x0 is looked for is free.
"""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray, FloatArray
from slth.pruning.neurons.dual import Certificate, certified_bound
from slth.pruning.neurons.kink import free_span, kink_certificate
from slth.pruning.neurons.problem import Problem

# Places x0 looked at for a unit, fewer in wide networks: 100,000 dot products take about a
# millisecond, and every one of up to thousands of units is tried again as others fall.
_MOST_SPOTS, _LEAST_SPOTS, _SPOT_ENTRIES = 120, 12, 100_000
# Of those with the widest cones, how many are certified: a certificate costs as much as all spots.
_TRIED = 3
# A cone is cut a little short of the hyperplane that ends it.
_SHORT = 1.0 - 2.0**-30


def screen(
    problem: Problem, cutoff: float, rng: np.random.Generator, deadline: Deadline
) -> tuple[BoolArray, list[tuple[int, Certificate]]]:
    """bool [N]: units that every mask of error < cutoff drops. d >= 2; all False in d = 1.

    And why, in order: each unit with what bounds the error of the masks that keep it and drop
    those before it. Units that are zero add nothing to any mask and need no reason.
    """
    drops: list[tuple[int, Certificate]] = []
    if problem.d < 2:
        return np.zeros(problem.width, np.bool_), drops
    dropped = problem.unit_norms <= 1e-280
    lengths = np.linalg.norm(problem.net.hidden, axis=1)
    jumps = np.abs(problem.net.output) * lengths
    order = np.argsort(-jumps, kind="stable")
    while True:
        before = int(dropped.sum())
        for unit in order:
            if deadline.expired:
                return dropped, drops
            # A cone of half a right angle is as much as a kink can hope for.
            if dropped[unit] or jumps[unit] < 2.0 * cutoff:
                continue
            reason = _uncancellable(problem, int(unit), cutoff, dropped, rng)
            if reason is not None:
                dropped[unit] = True
                drops.append((int(unit), reason))
        if int(dropped.sum()) - before <= 0.01 * (problem.width - before):
            return dropped, drops


def _uncancellable(
    problem: Problem, unit: int, cutoff: float, dropped: BoolArray, rng: np.random.Generator
) -> Certificate | None:
    net, target = problem.net, problem.target
    sign = float(np.sign(net.output[unit]))
    normal = net.hidden[unit] / np.linalg.norm(net.hidden[unit])
    # Only kinks that bend the other way can cancel: units of the other sign, and -f.
    others = ~dropped & (net.output * sign < 0.0)
    walls = np.concatenate([net.hidden[others], target.hidden[target.output * sign > 0.0]])
    spots = _spots(normal, walls.shape[0], rng)
    if not problem.linear:
        spots = spots[problem.target_values(spots) > cutoff]
        if spots.shape[0] == 0:
            return None
    steep = walls @ normal
    across = spots @ walls.T
    with np.errstate(divide="ignore", invalid="ignore"):
        tangents = -across / steep
    right = np.min(np.where(tangents > 0.0, tangents, np.inf), axis=1, initial=5.0)
    left = np.min(np.where(tangents < 0.0, -tangents, np.inf), axis=1, initial=5.0)
    kept = np.zeros(problem.width, np.bool_)
    kept[unit] = True
    for spot in np.argsort(-(left * right) / (left + right))[:_TRIED]:
        x0 = spots[spot]
        lefts, rights = free_span(across[spot], steep)
        certificate = kink_certificate(
            x0, normal, float(lefts[0]) * _SHORT, float(rights[0]) * _SHORT, sign
        )
        bound = certified_bound(problem, certificate, cutoff=cutoff, dropped=dropped, kept=kept)
        if bound >= cutoff:
            return certificate
    return None


def _spots(normal: FloatArray, width: int, rng: np.random.Generator) -> FloatArray:
    """Unit vectors orthogonal to `normal`: both of them in d = 2, else random ones."""
    d = normal.shape[0]
    if d == 2:
        turned = np.array([-normal[1], normal[0]])
        return np.stack([turned, -turned])
    count = min(_MOST_SPOTS, max(_LEAST_SPOTS, _SPOT_ENTRIES // max(1, width)))
    spots = rng.standard_normal((count, d))
    spots -= (spots @ normal)[:, None] * normal
    return spots / np.linalg.norm(spots, axis=1, keepdims=True)
