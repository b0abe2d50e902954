"""Norm bounds against singular values and exact rationals."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from slth.embed.operator import Operator, row_norms, spectral_above
from slth.embed.shape import Shape
from slth.rounding.outward import norm_above


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (50, 3), (40, 40)])
@pytest.mark.parametrize("scale", [1e-80, 1.0, 1e80])
def test_spectral_bound_is_above_and_near(shape, scale):
    matrix = scale * np.random.default_rng(0).standard_normal(shape)
    exact = np.linalg.svd(matrix, compute_uv=False)[0]
    for form in (matrix, sparse.csr_array(matrix)):
        assert exact * (1 - 1e-12) <= spectral_above(form) <= 1.04 * exact


def test_spectral_bound_of_matrices_known_exactly():
    rng = np.random.default_rng(1)
    u, v = rng.integers(-9, 9, 30).astype(float), rng.integers(-9, 9, 20).astype(float)
    # ||u v^T|| = ||u|| ||v||, compared in exact rationals.
    bound = Fraction(spectral_above(np.outer(u, v)))
    square = Fraction(float(u @ u)) * Fraction(float(v @ v))
    assert square <= bound**2 <= square * (1 + Fraction(1, 10**9))
    assert spectral_above(np.zeros((3, 4))) == 0.0


@given(st.lists(st.floats(-1e50, 1e50), min_size=1, max_size=12))
@settings(deadline=None)
def test_norms_are_above_the_exact_ones(values):
    vector = np.array(values)
    exact = sum(Fraction(v) ** 2 for v in values)
    assert Fraction(norm_above(vector)) ** 2 >= exact
    assert Fraction(float(row_norms(vector[None, :])[0])) ** 2 >= exact


def test_products_are_enclosed_in_exact_rationals():
    rng = np.random.default_rng(2)
    matrix, vector = rng.standard_normal((5, 40)), rng.standard_normal(40)
    operator = Operator(matrix)
    image, error = operator.image(vector)
    above = operator.above(np.abs(vector))
    for row, y, e, a in zip(matrix, image, error, above, strict=True):
        terms = [Fraction(w) * Fraction(v) for w, v in zip(row, vector, strict=True)]
        assert abs(sum(terms) - Fraction(float(y))) <= Fraction(float(e))
        assert sum(abs(term) for term in terms) <= Fraction(float(a))


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 1), (3, 0)])
def test_norm_of_a_convolution(stride, padding):
    kernel = np.random.default_rng(3).standard_normal((4, 3, 9))
    shape = Shape(4, 3, 3, 3, stride, padding, 9, 9, -1)
    operator = shape.operator(kernel)
    exact = np.linalg.svd(operator.matrix.toarray(), compute_uv=False)[0]
    # The bounds of a convolution from its kernel hold without the Gram matrix too.
    assert exact <= operator.spectral <= 1.04 * exact
    assert exact <= operator._known
