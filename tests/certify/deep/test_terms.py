"""Every error term of the engine for any layers, on inputs that need it, in exact rationals."""

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify.deep import DeepComparison
from slth.certify.deep.backward import Functional, Pulled, Start, pull, relaxed, sizes_of
from slth.certify.deep.forward import Range, Values, image
from slth.certify.deep.program import Affine, Bend
from slth.certify.deep.region import Region
from slth.rounding.outward import UNIT
from tests.certify.deep.cancelling import cancelling_row, exact_dot, number
from tests.certify.deep.exact_line import exact_values


def test_many_products_that_underflow_are_covered():
    """Each is below half of the least float, together they are several of it."""
    weight, x = np.full((1, 8), 2.0**-540), np.full(8, 0.98 * 2.0**-535)
    part = Affine(weight, np.zeros(1), None, np.zeros(1))
    low, high = image(part, Range(x[None], x[None]))
    assert number(low[0, 0]) <= exact_dot(weight[0], x) <= number(high[0, 0])


def linear_network(seed):
    """Two layers with nothing between them whose product cancels."""
    generator = np.random.default_rng(seed)
    first, second = generator.standard_normal((30, 20)), generator.standard_normal((1, 30))
    first[-1] = -(second[0, :-1] @ first[:-1]) / second[0, -1]
    return slth.DeepNetwork([slth.Dense(first), slth.Identity(), slth.Dense(second)])


@pytest.mark.parametrize("seed", range(5))
def test_rewriting_coefficients_is_paid_for(seed):
    net = linear_network(seed)
    zero = slth.DeepNetwork([slth.Dense(np.zeros((1, 20)))])
    x = np.ones(20)
    deep = DeepComparison(net, zero, slth.Box(x, x))
    (value,) = exact_values(net, x.tolist())
    pulled = deep.relaxed.outputs(np.array([[1.0], [-1.0]]))
    for k, wanted in enumerate((value, -value)):
        said = exact_dot(pulled.rows[0, k], x)
        assert said + number(pulled.constant[0, k]) + number(pulled.off[0, k]) >= wanted


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_chords_are_above_at_both_ends(slope):
    generator = np.random.default_rng(0)
    scale = 10.0 ** generator.integers(-9, 9, (1, 2000))
    low, high = -scale * generator.random((1, 2000)), scale * generator.random((1, 2000))
    between = Range(low, high)
    bounds = relaxed(Bend(slope, True, False), Values(between, None, None))
    below, above = bounds.net
    for k in range(low.shape[1]):
        for z in (number(low[0, k]), number(high[0, k]), Fraction(0)):
            value = max(z, Fraction(slope) * z)
            assert number(above.slope[0, k]) * z + number(above.intercept[0, k]) >= value
            assert number(below.slope[0, k]) * z + number(below.intercept[0, k]) <= value


def test_the_budget_of_a_bend_covers_its_products_and_its_sum():
    """A coefficient times a slope rounds once, and one of n constants in a sum n - 1 times."""
    net = slth.DeepNetwork([slth.Dense(np.eye(7)), slth.Relu(), slth.Dense(np.ones((1, 7)))])
    zero = slth.DeepNetwork([slth.Dense(np.zeros((1, 7)))])
    deep = DeepComparison(net, zero, slth.Box([-2.0] * 7, [1.0] * 7))
    program, root = deep.difference.program, deep.difference.root
    bends = [k for k, op in enumerate(program.operations) if isinstance(op, Bend)]
    assert bends
    for place in bends:
        sizes = sizes_of(program, root)[place]
        largest = root.before[place].net.size[0]
        assert (sizes.net >= (len(largest) + 1) * UNIT * largest).all()
        assert (largest >= 2.0).all()


def test_the_last_sums_are_rounded_up():
    region = Region(np.full((1, 1), 0.9 * 2.0**-53), np.full((1, 1), 0.9 * 2.0**-53), None)
    pulled = Pulled(np.ones((1, 1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
    assert number(pulled.highest(region)[0, 0]) >= 1 + Fraction(0.9 * 2.0**-53)
    pulled = Pulled(np.zeros((1, 1, 1)), np.ones((1, 1)), np.full((1, 1), 0.9 * 2.0**-53))
    assert number(pulled.highest(region)[0, 0]) >= 1 + Fraction(0.9 * 2.0**-53)


def test_coefficients_that_meet_at_the_inputs_are_paid_for():
    net = slth.DeepNetwork([slth.Dense([[1.0]])])
    box = slth.Box([1.0], [1.0])
    difference = DeepComparison(net, net, box).difference
    small = 0.9 * 2.0**-53
    functional = Functional(np.ones((1, 1, 1)), np.full((1, 1, 1), small), None)
    start = Start(0, functional, np.zeros((1, 1)), np.zeros((1, 1)))
    pulled = pull(difference.program, start, (), difference.sizes, difference.root)
    said = number(pulled.rows[0, 0, 0]) + number(pulled.constant[0, 0]) + number(pulled.off[0, 0])
    assert said >= 1 + Fraction(small)


@pytest.mark.parametrize("seed", range(5))
def test_the_highest_value_at_a_point_where_it_cancels(seed):
    row, x = cancelling_row(seed)
    region = Region(x[None], x[None], None)
    for rows in (row, -row):
        assert number(region.highest(rows[None, None])[0, 0]) >= exact_dot(rows, x)


def test_boxes_lie_within_their_reach():
    low = np.array([[-1.0, 1e-20, -1.0, 1.0]])
    high = np.array([[1e-20, 1.0, 1.0 + 2.0**-52, 1.0 + 2.0**-52]])
    region = Region(low, high, None)
    center, reach = region.center[0], region.reach()[0]
    for k in range(4):
        assert number(center[k]) + number(reach[k]) >= number(high[0, k])
        assert number(center[k]) - number(reach[k]) <= number(low[0, k])
