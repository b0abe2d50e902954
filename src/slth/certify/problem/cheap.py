"""Cheap bounds that every d and width can afford, and what counts as rounding beside them."""

from __future__ import annotations

import math

import numpy as np
import scipy
from numba import njit

from slth.certify.problem.objective import Objective
from slth.network import FloatArray
from slth.rounding.outward import UNIT

# Weights of the first of two pieces that the cheap bound tries.
# Multiples of 1/2: the products are exact, so only the sums round.
_SHARES = (0.0, 0.5, 1.0)

# Below this fraction of sum |output| ||hidden||, the engines' rounding terms, an error counts as
# closed: per unit, and at least.
_NOISE_PER_UNIT = 2.0**-49
_LEAST_NOISE = 1e-13
# What the engines charge for underflow stays below this; a supremum of 0 has no other noise.
_UNDERFLOW = 1e-285


@njit(cache=True, nogil=True)
def noise_of(mass, units):
    """What counts as rounding beside `units` units whose sizes sum up to `mass`."""
    return max(_LEAST_NOISE, _NOISE_PER_UNIT * units) * mass + _UNDERFLOW


def lipschitz(objective: Objective) -> float:
    """An upper bound of |linear_k| + sum_i |coefficients_ki| |hidden_i| for every k, rounded up.

    Every A_k is Lipschitz with this constant, and so is their minimum.
    """
    return lipschitz_bound(objective.linear, objective.coefficients, objective.hidden)


@njit(cache=True, nogil=True)
def lipschitz_bound(linear, coefficients, hidden):
    """`lipschitz` of the objective with these arrays."""
    width, d = hidden.shape
    norms = np.empty(width)
    for i in range(width):
        norms[i] = _norm(hidden[i])
    most = 0.0
    for k in range(linear.shape[0]):
        total = _norm(linear[k])
        for i in range(width):
            total += abs(coefficients[k, i]) * norms[i]
        most = max(most, total)
    return most * (1.0 + (width + 2 * d + 16) * 2.0**-52)


@njit(cache=True, nogil=True)
def _norm(row):
    """The Euclidean norm without under- or overflow."""
    largest = 0.0
    for l in range(row.shape[0]):
        largest = max(largest, abs(row[l]))
    if largest == 0.0:
        return 0.0
    total = 0.0
    for l in range(row.shape[0]):
        total += (row[l] / largest) ** 2
    return largest * math.sqrt(total)


def norm_bound(objective: Objective) -> float:
    """A rigorous bound of sup min_k A_k at the price of one eigenvalue problem in d dimensions.

    relu(t) = (t + |t|)/2, so with m = linear + sum_i c_i w_i / 2 a piece is at most
    <m, x> + sum_{c_i > 0} c_i |<w_i, x>| / 2
    <= |m| + sqrt(sum c_i s_i) sqrt(lambda_max(sum c_i w_i w_i^T / s_i)) / 2   (Cauchy-Schwarz),
    for any s_i > 0; here s_i = |w_i|. Two pieces: the least over a few convex combinations.
    """
    if objective.linear.shape[0] == 1:
        return _piece_bound(objective.linear[0], objective.coefficients[0], objective.hidden)
    return min(
        _piece_bound(
            share * objective.linear[0] + (1.0 - share) * objective.linear[1],
            share * objective.coefficients[0] + (1.0 - share) * objective.coefficients[1],
            objective.hidden,
        )
        for share in _SHARES
    )


def _piece_bound(linear: FloatArray, coefficients: FloatArray, hidden: FloatArray) -> float:
    width, d = hidden.shape
    norms = np.sqrt(np.einsum("md,md->m", hidden, hidden))
    scale = float(np.sqrt(linear @ linear) + np.abs(coefficients) @ norms)
    if scale == 0.0:
        return 0.0
    scale *= 1.0 + (width + 2 * d + 16) * 2.0**-52
    middle = linear + 0.5 * (coefficients @ hidden)
    # Every float sum here is off by at most (width + 2 d + 16) u times its sum of magnitudes,
    # which is at most `scale` (one rounding more for a combination of two pieces).
    error = (width + 2 * d + 24) * 2.0**-52 * scale
    mass = 0.0
    square = np.zeros((d, d))
    up = coefficients > 0.0
    step = max(1, 4_000_000 // d)
    for start in range(0, width, step):
        rows = slice(start, start + step)
        weights = coefficients[rows][up[rows]]
        block = hidden[rows][up[rows]]
        lengths = norms[rows][up[rows]]
        mass += float(weights @ lengths)
        square += block.T @ (block * (weights / lengths)[:, None])
    # |square - exact|_2 <= its Frobenius norm <= error.
    top = largest_eigenvalue(square) + error
    spread = 0.5 * math.sqrt((mass + error) * top)
    trivial = float(np.sqrt(linear @ linear)) + mass + 2.0 * error
    best = min(float(np.sqrt(middle @ middle)) + spread + 2.0 * error, trivial)
    return best * (1.0 + (d + 8) * 2.0**-51)


def largest_eigenvalue(matrix: FloatArray) -> float:
    """A rigorous upper bound of the largest eigenvalue of a symmetric float matrix (lower half).

    For a shift s, if floating-point Cholesky of s I - A runs to completion then
    s I - A + delta I is positive semidefinite, delta = (n + 2) u trace / (1 - (n + 2) u) plus
    underflow (Rump, Verification of positive definiteness, BIT 46, 2006); so lambda_max <= s +
    delta + the rounding of the diagonal.
    """
    n = matrix.shape[0]
    matrix = np.tril(matrix) + np.tril(matrix, -1).T
    size = float(np.abs(matrix).sum(axis=1).max()) + 1e-290
    guess = float(np.linalg.eigvalsh(matrix)[-1])
    for widening in (1e-13, 1e-11, 1e-9):
        shift = guess + n * widening * size
        shifted = -np.tril(matrix)
        shifted[np.diag_indices(n)] += shift
        diagonal = np.diag(shifted).copy()
        _, info = scipy.linalg.lapack.dpotrf(  # pyright: ignore[reportAttributeAccessIssue]
            shifted, lower=1
        )
        if info == 0:
            delta = (2 * n + 8) * UNIT * float(np.abs(diagonal).sum()) + 1e-290
            return shift + 2.0 * delta + 4.0 * UNIT * (abs(shift) + size)
    # Gershgorin: always true.
    return size * (1.0 + (n + 4) * 2.0**-52)
