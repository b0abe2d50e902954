"""Floats that are called bounds lie beyond every number of their ball."""

from fractions import Fraction

import pytest
from flint import arb

from slth.theory.arithmetic import ceil_of, float_above, floor_of, precision


@pytest.mark.parametrize("denominator", [3, 5, 7, 10, 11, 13])
def test_a_float_above_a_third_is_above_it(denominator):
    with precision(200):
        value = arb(1) / denominator
        assert Fraction(float_above(value)) > Fraction(1, denominator)
        assert Fraction(-float_above(-value)) < Fraction(1, denominator)
        assert float_above(value) == pytest.approx(1 / denominator, rel=1e-15)


def test_the_radius_of_a_ball_counts():
    ball = arb(1, 0.25)
    assert 1.25 <= float_above(ball) < 1.26
    assert floor_of(8 * ball) <= 6
    assert ceil_of(8 * ball) >= 10
