"""Upper bounds of norms and products of float matrices, rounded outward.

A float sum of n non-negative products is off by at most n u / (1 - n u) of itself whatever the
order of summation (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), and a
matrix product by that times the product of the absolute values; twice that is added here. `TINY`
covers underflow.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy

from slth.layers import FloatArray, Matrix
from slth.rounding.outward import TINY, UNIT, norm_above, up, up_float

# Squarings of the Gram matrix: a matrix of rank r gets a bound at most r^(1/128) times its norm.
_SQUARINGS = 6
# Smaller side up to which a matrix is bounded by its Gram matrix.
GRAM = 1536


class Operator:
    """A matrix whose entries are known up to one rounding each, and bounds of what it does.

    Args:
        matrix: float64 [rows, columns], dense or CSR; the real matrix A has
            |A - matrix| <= u |matrix| elementwise.
        spectral: an upper bound of ||A||_2 known from elsewhere.
    """

    def __init__(self, matrix: Matrix, spectral: float = np.inf) -> None:
        self.matrix = matrix
        self._known = spectral
        self._slack = 2.0 * (matrix.shape[1] + 16) * UNIT

    def above(self, vector: FloatArray) -> FloatArray:
        """At least |A| v for v >= 0."""
        return (abs(self.matrix) @ vector) * (1.0 + self._slack) + TINY

    def image(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(y, error) with |A v - y| <= error elementwise."""
        error = self._slack * self.above(np.abs(vector)) + TINY
        return self.matrix @ vector, error

    @cached_property
    def rows(self) -> FloatArray:
        """At least the Euclidean norm of every row."""
        return row_norms(self.matrix)

    @cached_property
    def spectral(self) -> float:
        """At least ||A||_2: the least of every bound at hand."""
        return min(self._known, spectral_above(self.matrix))


def row_norms(matrix: Matrix) -> FloatArray:
    """At least the Euclidean norm of every row of a matrix known up to one rounding."""
    largest = float(abs(matrix).max()) if min(matrix.shape) else 0.0
    if largest == 0.0:
        return np.zeros(matrix.shape[0])
    scaled = matrix / largest
    squares = scaled.multiply(scaled) if scipy.sparse.issparse(scaled) else scaled**2
    sums = np.asarray(squares.sum(axis=1)).ravel()
    # Squares below the range of floats are missed: 1e-300 of the largest at most.
    slack = 2.0 * (matrix.shape[1] + 16) * UNIT
    return up(largest * np.sqrt(sums * (1.0 + slack) + matrix.shape[1] * 1e-300))


def spectral_above(matrix: Matrix) -> float:
    """At least the spectral norm: the least of Frobenius, sqrt(row sum column sum) and, for a
    smaller side up to GRAM, repeated squaring of the Gram matrix."""
    frobenius = norm_above(_entries(matrix))
    if frobenius == 0.0:
        return 0.0
    ones_in, ones_out = np.ones(matrix.shape[1]), np.ones(matrix.shape[0])
    rows = float((abs(matrix) @ ones_in).max()) * (1.0 + 2.0 * (matrix.shape[1] + 16) * UNIT)
    columns = float((abs(matrix.T) @ ones_out).max()) * (1.0 + 2.0 * (matrix.shape[0] + 16) * UNIT)
    least = min(frobenius, up_float(np.sqrt(rows) * np.sqrt(columns)))
    if min(matrix.shape) <= GRAM:
        least = min(least, _by_squaring(matrix, frobenius))
    # The matrix is known up to one rounding of each entry.
    return up_float(least + 2.0 * UNIT * frobenius)


def _entries(matrix: Matrix) -> FloatArray:
    return np.asarray(matrix.data if scipy.sparse.issparse(matrix) else matrix)


def _by_squaring(matrix: Matrix, frobenius: float) -> float:
    """||A||^2 = ||A A^T||, and a computed Gram matrix differs from the exact one by at most
    n u / (1 - n u) ||A||_F^2 in norm; again for its square, and so on."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    scale = 2.0 ** -np.floor(np.log2(frobenius))
    current: Matrix = wide * scale
    # Entries lost to underflow in this scaling are below 1e-300 each.
    scales, slacks = [scale], [0.0]
    size = wide.shape[1]
    for _ in range(_SQUARINGS):
        before = norm_above(_entries(current))
        gram = current @ current.T
        dense = gram.toarray() if scipy.sparse.issparse(gram) else gram
        after = norm_above(dense)
        if after == 0.0:
            return frobenius
        slacks.append(2.0 * (size + 16) * UNIT * before * before + TINY)
        scales.append(2.0 ** -np.floor(np.log2(after)))
        current = dense * scales[-1]
        size = dense.shape[0]
    value = norm_above(np.asarray(current))
    for scale, slack in zip(reversed(scales[1:]), reversed(slacks[1:]), strict=True):
        value = up_float(np.sqrt(up_float(value / scale + slack)))
    return up_float(value / scales[0])
