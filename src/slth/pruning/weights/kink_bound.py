"""Linear readout: a lower bound on the error of every weight mask (no logarithmic law exists).

Restrict everything to the plane of two coordinates p, q. Whatever a mask keeps of a unit, its
kink in that plane is the line normal to (w_p, w_q), or a coordinate axis, or nothing. So every
masked network is linear on a wedge that none of those lines cuts, while the target has a kink of
slope kappa = |c| ||(v_p, v_q)|| on a ray inside it. Let the wedge reach the angles s and s' to
either side of that ray, a and b unit vectors on its edges, m the unit vector on the ray. Then
m = lam a + mu b with lam = sin s' / sin(s + s'), mu = sin s / sin(s + s'), and for every linear L

    |(f - L)(m) - lam (f - L)(a) - mu (f - L)(b)| = kappa mu sin s',

which is at most (1 + lam + mu) sup |f - L|. With the half-angle formulas

    sup over the unit ball of |f - L| >= kappa / (cot(s/2) + cot(s'/2)),

for small angles kappa s s' / (2 (s + s')), the witness bound; s = s' gives Lemma 2 of the paper.
It grows with both angles, so the edges are the nearest lines.
"""

from __future__ import annotations

import numpy as np

from slth.network import FloatArray, ReLUNetwork
from slth.rounding.outward import UNIT

# Smaller weights could make products with them underflow.
_TINY = 1e-280


def kink_bound(net: ReLUNetwork, target: ReLUNetwork) -> float:
    """A number that sup_{||x||_2 <= 1} |g_M - target| reaches for every weight mask M of `net`.

    Nothing is proven (0.0) for the relu readout, for targets with a relu readout and several
    units, and for d = 1. Every float error is bounded outward.
    """
    live = (target.output != 0.0) & (target.hidden != 0.0).any(axis=1)
    hidden, output = target.hidden[live], target.output[live]
    if net.readout == "relu" or net.d < 2:
        return 0.0
    if target.readout == "relu" and not (len(output) == 1 and output[0] > 0.0):
        return 0.0
    best = 0.0
    for k in range(len(output)):
        others = np.delete(hidden, k, axis=0)
        lines = np.concatenate([net.hidden, others])
        for p in range(net.d):
            for q in range(p + 1, net.d):
                bound = _plane_bound(lines[:, [p, q]], hidden[k, [p, q]], abs(float(output[k])))
                best = max(best, bound)
    return best


def _plane_bound(normals: FloatArray, v: FloatArray, slope: float) -> float:
    """kappa / (cot(s/2) + cot(s'/2)) for the nearest lines; normals: float64 [lines, 2].

    With theta in (0, pi) the angle from the target's line to another one, s' is the smallest
    theta and pi - s the largest; cot(theta/2) = (|v||w| + v.w) / |v x w|, w turned so that the
    cross product is positive, and cot((pi - theta)/2) = (|v||w| - v.w) / |v x w|.
    """
    if (v == 0.0).any() or np.abs(v).max() < _TINY:
        # The target's kink lies on an axis, where masked units may have theirs; or products with
        # v may underflow.
        return 0.0
    normals = np.concatenate([normals[(normals != 0.0).any(axis=1)], np.eye(2)])
    normals = normals / np.abs(normals).max(axis=1)[:, None]
    v_norm = float(np.hypot(v[0], v[1]))
    norms = np.hypot(normals[:, 0], normals[:, 1]) * v_norm
    cross = v[0] * normals[:, 1] - v[1] * normals[:, 0]
    dots = (v[0] * normals[:, 0] + v[1] * normals[:, 1]) * np.sign(cross)
    # Dividing by the largest entry, two products and a sum: each below 4 u |v||w|, twice over.
    error = 16 * UNIT * norms
    apart = np.abs(cross) - error
    if (apart <= 0.0).any():
        return 0.0
    near = float(np.max((norms + dots + error) / apart))
    far = float(np.max((norms - dots + error) / apart))
    return slope * v_norm / (near + far) * (1.0 - 32 * UNIT)
