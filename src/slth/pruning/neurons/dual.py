"""Multiplier certificates: a few points and weights that bound the error of EVERY subset.

For points x_p of the ball, signs s_p = +-1 and multipliers y_p >= 0, a mask z in prod [lo_i, hi_i]
of error t has s_p (sum_i z_i phi_i(x_p) - f(x_p)) <= t at each of them (linear readout), so

    t sum_p y_p >= sum_i min over z_i of z_i G_i - F,
    G_i = sum_p y_p s_p phi_i(x_p),  F = sum_p y_p s_p f(x_p).

With the relu readout, relu(g) - f <= t gives g - f <= t everywhere, but f - relu(g) <= t gives
f - g <= t only where f > t. So rows with s_p = -1 are used only where f(x_p) >= cutoff: they hold
for every mask of error below the cutoff, and what is proven is min(cutoff, bound).

Masks of at most m units also have sum_i z_i - m <= 0. A multiplier w >= 0 of that adds w to every
G_i and w m to F, and the bound is one for such masks only.

The multipliers may come from any float solver: the formula is evaluated here with its rounding
error taken outward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from slth.network import BoolArray, FloatArray
from slth.pruning.neurons.problem import Problem, rounding

# Features held at once: 4 million doubles are 32 MiB.
_BLOCK_ENTRIES = 4_000_000


@dataclass(frozen=True, eq=False)
class Certificate:
    """points float64 [P, d] in the unit ball, signs float64 [P] of +-1, multipliers [P] >= 0;
    crowd >= 0 is the multiplier of sum_i z_i <= most, and the masks spoken of are those."""

    points: FloatArray
    signs: FloatArray
    multipliers: FloatArray
    crowd: float = 0.0
    most: int = 0

    def support(self) -> Certificate:
        """The same without its zero multipliers."""
        used = self.multipliers > 0.0
        return replace(
            self,
            points=self.points[used],
            signs=self.signs[used],
            multipliers=self.multipliers[used],
        )


def certified_bound(
    problem: Problem,
    certificate: Certificate,
    *,
    cutoff: float = math.inf,
    dropped: BoolArray | None = None,
    kept: BoolArray | None = None,
) -> float:
    """A proven lower bound on the error of every mask spoken of, 0.0 if nothing is proven.

    Args:
        cutoff: with the relu readout the result is min(cutoff, bound); see the module text. The
            linear readout ignores it.
        dropped, kept: bool [N], units that the masks spoken of leave out, or hold.
    """
    certificate = certificate.support()
    y, signs = certificate.multipliers, certificate.signs
    f = problem.target_values(certificate.points)
    f_error = problem.target_error * problem.target_mass + 1e-290
    if y.shape[0] == 0:
        return 0.0
    if not problem.linear and bool(((signs < 0.0) & (f - f_error < cutoff)).any()):
        return 0.0
    weights = y * signs
    total = math.fsum(y)
    parts: list[float] = []
    mass: list[float] = []
    step = max(1, _BLOCK_ENTRIES // y.shape[0])
    for start in range(0, problem.width, step):
        units = slice(start, start + step)
        phi = certificate.points @ problem.net.hidden[units].T
        np.maximum(phi, 0.0, out=phi)
        phi *= problem.net.output[units]
        gains = weights @ phi + certificate.crowd
        low = np.minimum(gains, 0.0)
        norms = problem.unit_norms[units]
        if kept is not None:
            low = np.where(kept[units], gains, low)
        if dropped is not None:
            low = np.where(dropped[units], 0.0, low)
            norms = np.where(dropped[units], 0.0, norms)
        parts.append(math.fsum(low))
        mass.append(math.fsum(norms))
    parts.append(-math.fsum(weights * f))
    parts.append(-certificate.crowd * certificate.most)
    # |computed G_i - G_i| <= gamma_{P + d + 4} * total * |a_i| ||w_i||: a feature carries d + 2
    # roundings, weights and sum P + 1 more; likewise for F. 1e-280 covers underflow.
    slip = rounding(y.shape[0] + problem.d + 8) * math.fsum(mass)
    slip += rounding(y.shape[0] + problem.d + problem.target.width + 8) * problem.target_mass
    slip = slip * total * (1.0 + 1e-9) + 1e-280
    # The crowd enters each gain by one more addition, and the product with `most` rounds once.
    slip += rounding(2) * certificate.crowd * (problem.width + certificate.most)
    bound = (math.fsum(parts) - slip) / total
    bound -= 2.0**-50 * abs(bound)
    if not problem.linear:
        bound = min(bound, cutoff)
    return max(0.0, bound)
