"""The compiled kernels of chains: exact values lie in their ranges, and every term is needed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify.deep import DeepComparison
from slth.certify.deep.bounds import known_from, relax
from slth.certify.deep.chain_changes import _change_lines, _Work
from slth.certify.deep.chain_kernels import (
    Part,
    Place,
    Shape,
    _at_inputs,
    _bend,
    _highest,
    _image,
    _lines,
    _move,
)
from slth.certify.deep.program import Bend, Move
from slth.rounding.outward import UNIT
from tests.certify.deep.cancelling import cancelling_layer, cancelling_row, exact_dot, number
from tests.certify.deep.networks import dense, rounded


def chain(generator, slope, widths=(6, 7, 5)):
    items, before = [], 3
    for width in widths:
        activation = slth.LeakyRelu(slope) if slope else slth.Relu()
        items += [dense(generator, width, before), activation]
        before = width
    return slth.DeepNetwork([*items, dense(generator, 2, before)])


def exact_values(program, x):
    """Values of net and target before every bend, by its place: exact."""
    net = target = [Fraction(v) for v in x.tolist()]
    found = {}

    def image(part, values):
        if part is None:
            return values
        rows = zip(part.matrix.tolist(), part.bias.tolist(), strict=True)
        return [sum((Fraction(w) * h for w, h in zip(row, values, strict=True)), Fraction(b))
                for row, b in rows]  # fmt: skip

    for place, operation in enumerate(program.operations):
        if isinstance(operation, Move):
            net, target = image(operation.net, net), image(operation.target, target)
        elif isinstance(operation, Bend):
            found[place] = net, target
            slope = Fraction(operation.slope)
            net = [max(v, slope * v) for v in net] if operation.net else net
            target = [max(v, slope * v) for v in target] if operation.target else target
    return found


def points_of(generator, region, box):
    """Corners and inner points of a box that lie in the ball for certain."""
    low, high = region.low[box], region.high[box]
    points = np.concatenate(
        [np.where(generator.random((4, 3)) < 0.5, low, high), generator.uniform(low, high, (4, 3))]
    )
    if region.ball is None:
        return points
    inside = np.linalg.norm(points - region.ball.center, axis=1) < 0.999 * region.ball.radius
    return points[inside]


@pytest.mark.parametrize("slope", [0.0, 0.3])
@pytest.mark.parametrize("pair", ["near", "far", "unpaired"])
@pytest.mark.parametrize("seed", range(3))
def test_exact_values_lie_in_the_ranges(slope, pair, seed):
    generator = np.random.default_rng([seed, len(pair)])
    net = chain(generator, slope)
    target = rounded(net, np.float16) if pair == "near" else chain(generator, slope)
    if pair == "unpaired":
        target = chain(generator, slope, (4,))
    low = generator.uniform(-1.0, 1.0, 3)
    box = slth.Box(low, low + generator.uniform(0.0, 1.0, 3))
    looked_at = 0
    for domain in (box, slth.Ball(0.6, low), slth.Orthant(1.0)):
        deep = DeepComparison(net, target, domain)
        program = deep.difference.program
        assert deep.difference.chains is not None
        assert program.paired == (pair != "unpaired")
        root = relax(deep.difference, deep.region)
        halves = deep.region.halves(np.array([0]))
        known = known_from(deep.difference, np.tile(root.signs(), (2, 1)))
        for relaxation in (root, relax(deep.difference, halves, known)):
            for k in range(len(relaxation.region)):
                for x in points_of(generator, relaxation.region, k):
                    looked_at += 1
                    for place, (z, other) in exact_values(program, x).items():
                        values = relaxation.trace.before[place]
                        both = zip(z, other, strict=False)
                        change = [a - b for a, b in both] if program.paired else None
                        held(values.net, z, k)
                        held(values.target, other, k)
                        held(values.change, change, k)
    assert looked_at > 20


def held(part, exact, box):
    if part is None or exact is None:
        return
    for unit, value in enumerate(exact):
        assert number(part.low[box, unit]) <= value <= number(part.high[box, unit])


def test_kernels_bound_as_matrix_products_do():
    """The same lines, so the same bounds up to rounding where all units are looked at."""
    generator = np.random.default_rng(0)
    for target_of in (lambda net: rounded(net, np.float16), lambda _: chain(generator, 0.0)):
        net = chain(generator, 0.0)
        deep = DeepComparison(net, target_of(net), slth.Box([-1.0] * 3, [1.0] * 3))
        by_kernel = relax(deep.difference, deep.region).highest()
        deep.difference.__dict__["chains"] = None
        by_products = relax(deep.difference, deep.region).highest()
        assert by_kernel == pytest.approx(by_products, rel=1e-6)


def test_known_signs_cost_little():
    generator = np.random.default_rng(1)
    net = chain(generator, 0.0)
    deep = DeepComparison(net, rounded(net, np.float16), slth.Box([-1.0] * 3, [1.0] * 3))
    root = relax(deep.difference, deep.region)
    halves = deep.region.halves(np.array([0]))
    known = known_from(deep.difference, np.tile(root.signs(), (2, 1)))
    fresh = relax(deep.difference, halves).highest()
    assert (relax(deep.difference, halves, known).highest() <= 1.5 * fresh).all()


# One layer of a part whose every number is given.
def one_layer(matrix, bias, *, off=None, bias_off=None, move=None, bend=None):
    matrix = np.asarray(matrix, np.float64)
    rows, columns = matrix.shape
    zero = np.zeros(rows)
    shape = Shape(
        np.array([rows]), np.array([columns]), np.array([0, rows * columns]),
        np.array([0, rows]), np.zeros(1),
    )  # fmt: skip
    part = Part(
        matrix.ravel(),
        np.zeros(rows * columns) if off is None else np.ravel(off),
        np.asarray(bias, np.float64),
        zero if bias_off is None else bias_off,
        zero if move is None else move,
        zero if bend is None else bend,
        off is not None,
    )
    return shape, part


def image_at(x, matrix, bias, **given):
    shape, part = one_layer(matrix, bias, **given)
    low, high = np.empty(len(bias)), np.empty(len(bias))
    _image(shape, part, 0, True, x, x, low, high)
    return low, high


@pytest.mark.parametrize("seed", range(20))
def test_the_image_of_a_point_holds_the_exact_value(seed):
    weight, x, bias = cancelling_layer(seed)
    low, high = image_at(x, weight, bias)
    for k in range(5):
        assert number(low[k]) <= exact_dot(weight[k], x) + number(bias[k]) <= number(high[k])


def test_the_image_of_a_box_holds_its_corners():
    low, high = np.array([1.0, -1.0]), np.array([1.0 + 2.0**-52, 1e-20])
    shape, part = one_layer([[1.0, 1.0]], [0.0])
    least, most = np.empty(1), np.empty(1)
    _image(shape, part, 0, True, low, high, least, most)
    assert number(least[0]) <= number(low[0]) + number(low[1])
    assert number(most[0]) >= number(high[0]) + number(high[1])


def test_products_that_underflow_are_covered():
    weight, x = np.full((1, 8), 2.0**-540), np.full(8, 0.98 * 2.0**-535)
    low, high = image_at(x, weight, np.zeros(1))
    assert number(low[0]) <= exact_dot(weight[0], x) <= number(high[0])


def test_stated_rounding_is_added():
    x = np.array([2.0, -1.0])
    low, high = image_at(x, [[1.0, 1.0]], np.zeros(1), off=[[0.25, 0.5]])
    assert low[0] <= 0.0
    assert high[0] >= 2.0
    low, high = image_at(x, [[1.0, 1.0]], np.zeros(1), bias_off=np.array([0.25]))
    assert low[0] <= 0.75
    assert high[0] >= 1.25


def place_of(low, high, center=None, radius=-1.0):
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    center = np.zeros(len(low)) if center is None else np.asarray(center, np.float64)
    return Place(low, high, center, radius, np.maximum(np.abs(low), np.abs(high)))


@pytest.mark.parametrize("seed", range(10))
def test_the_highest_value_where_it_cancels(seed):
    row, x = cancelling_row(seed)
    for rows in (row, -row):
        assert number(_highest(rows, place_of(x, x))) >= exact_dot(rows, x)
        # A ball of no extent around the point, in a wide box.
        around = place_of(x - 1e9, x + 1e9, x, 0.0)
        assert number(_highest(rows, around)) >= exact_dot(rows, x)


def test_the_highest_value_on_a_ball_is_rounded_up():
    generator = np.random.default_rng(5)
    for _ in range(300):
        row = generator.standard_normal(4)
        top = number(_highest(row, place_of([-9.0] * 4, [9.0] * 4, [0.0] * 4, 0.7)))
        assert top**2 >= Fraction(0.7) ** 2 * exact_dot(row, row)


def test_the_last_sums_are_rounded_up():
    small = 0.9 * 2.0**-53
    x = np.array([small])
    assert number(_at_inputs(np.ones(1), 1.0, 0.0, place_of(x, x))) >= 1 + Fraction(small)
    assert number(_at_inputs(np.zeros(1), 1.0, small, place_of(x, x))) >= 1 + Fraction(small)


def test_coefficients_that_met_at_the_inputs_are_paid_for():
    # 1 + small was rounded to 1.
    small, x = 0.9 * 2.0**-53, np.ones(1)
    assert number(_at_inputs(np.ones(1), 0.0, 0.0, place_of(x, x))) >= 1 + Fraction(small)
    rounded_up = number(_at_inputs(np.ones(1), 0.0, 0.0, place_of(x - 2.0**40, x)))
    assert rounded_up >= 1 + 4 * Fraction(UNIT) * 2**40


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_chords_are_above_at_both_ends(slope):
    generator = np.random.default_rng(0)
    scale = 10.0 ** generator.integers(-9, 9, 2000)
    low, high = -scale * generator.random(2000), scale * generator.random(2000)
    rise, above, below = np.empty((3, 2000))
    _lines(low, high, slope, rise, above, below)
    for k in range(2000):
        for z in (number(low[k]), number(high[k]), Fraction(0)):
            value = max(z, Fraction(slope) * z)
            assert number(rise[k]) * z + number(above[k]) >= value
            assert number(below[k]) * z <= value


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_lines_of_the_difference_are_on_their_sides(slope):
    """At ends of the difference's range, where lines touch: z = t with z' = 0, and z' = -t."""
    generator = np.random.default_rng(1)
    size = 1000
    scale = 10.0 ** generator.integers(-9, 9, size)
    low, high = -scale * generator.random(size), scale * generator.random(size)
    wide = (np.full(size, -1e12), np.full(size, 1e12))
    work = _Work(
        np.zeros((3, 4, size)), np.empty((2, size), np.bool_), np.empty((3, 1)), np.empty((3, 1)),
        np.empty(1, np.int64), np.empty(2),
    )  # fmt: skip
    for k in range(size):
        _change_lines(wide, wide, (low, high), -np.inf, np.inf, slope, 0, k, work)
        rise, top, fall, bottom = (number(v) for v in work.lines[2, :, k])
        for t in (number(low[k]), number(high[k])):
            for change in (t, Fraction(slope) * t):
                assert fall * t + bottom <= change <= rise * t + top


def test_bends_and_moves_pay_for_what_their_sizes_say():
    """A row's rounding is its entries' sizes times the budgets, and its sum's."""
    row = np.array([1.0, -2.0])
    totals = np.zeros(2)
    zero = np.zeros(2)
    _bend(row.copy(), zero, zero, zero, zero, np.array([8.0, 1.0]), totals)
    assert totals[1] >= 10.0
    shape, part = one_layer(np.eye(2), [0.0, 0.0], move=np.array([8.0, 1.0]))
    totals, out = np.zeros(2), np.zeros(2)
    _move(row.copy(), part, 0, shape, np.empty(2, np.int64), out, totals)
    assert totals[1] >= 10.0
    np.testing.assert_array_equal(out, row)
    # Constants that are added to a constant round.
    small = 0.9 * 2.0**-53
    totals = np.array([1.0, 0.0])
    _bend(np.ones(1), np.ones(1), np.array([small]), np.ones(1), np.zeros(1), np.zeros(1), totals)
    assert number(totals[0]) + number(totals[1]) >= 1 + Fraction(small)
    shape, part = one_layer([[1.0]], [small])
    totals = np.array([1.0, 0.0])
    _move(np.ones(1), part, 0, shape, np.empty(1, np.int64), np.zeros(1), totals)
    assert number(totals[0]) + number(totals[1]) >= 1 + Fraction(small)
