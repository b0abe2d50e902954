"""Every error term of the checker of pairs, on inputs that need it, in exact rationals; and any
lines that a proof may state give bounds."""

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.check_pair import box_of
from slth.check_pair.leaves import Box, Rows, leaves, units_of
from slth.check_pair.lines import bands
from slth.check_pair.rule import QUARTERS, LabelRule, farthest, margin_below
from slth.check_pair.steps import Kink, Map, apart, together
from slth.check_pair.values import Span, Spans, bent, bent_change, image
from tests.certify.deep.cancelling import cancelling_layer, cancelling_row, exact_dot, number
from tests.certify.deep.exact_line import exact_values
from tests.certify.deep.networks import KINDS
from tests.certify.deep.test_terms import linear_network
from tests.check_pair.proven import pair_of


def map_of(weight, bias):
    return Map(np.asarray(weight, float), np.asarray(bias, float), None, np.zeros(len(bias)))


def at(x):
    x = np.asarray(x, float)
    return Box(x[None], x[None], np.zeros(len(x)), -1.0)


def plain(steps, paired, box):
    """The leaves with all codes 0."""
    codes = np.zeros((len(box.low), units_of(steps)), np.uint8)
    return leaves(steps, paired, box, codes, codes)


@pytest.mark.parametrize("seed", range(20))
def test_the_image_of_a_point_holds_the_exact_value(seed):
    weight, x, bias = cancelling_layer(seed)
    low, high = image(map_of(weight, bias), Span(x[None], x[None]))
    for k, row in enumerate(weight):
        value = exact_dot(row, x) + number(bias[k])
        assert number(low[0, k]) <= value <= number(high[0, k])


def test_ends_far_apart_are_both_in_the_image():
    """The middle and the half of the span round."""
    low, high = np.array([[-1.0, 1e-20]]), np.array([[1e-17, 1.0 + 2.0**-52]])
    for sign in (1.0, -1.0):
        below, above = image(map_of(sign * np.eye(2), np.zeros(2)), Span(low, high))
        for k in range(2):
            for end in (low[0, k], high[0, k]):
                assert number(below[0, k]) <= number(sign * end) <= number(above[0, k])


def test_a_bias_and_what_it_is_known_up_to_are_rounded_outward():
    """The sum rounds up by half a unit in the last place of 1, the end by half of one below 1."""
    x, off = 1.01 * 2.0**-53, 2.0**-52 + 0.99 * 2.0**-54
    part = Map(np.eye(1), np.ones(1), None, np.array([off]))
    low, high = image(part, Span(np.array([[x]]), np.array([[x]])))
    assert number(low[0, 0]) <= 1 + Fraction(x) - Fraction(off)
    assert number(high[0, 0]) >= 1 + Fraction(x) + Fraction(off)


def test_products_that_underflow_are_in_the_image():
    weight, x = np.full((1, 8), 2.0**-540), np.full(8, 0.98 * 2.0**-535)
    low, high = image(map_of(weight, [0.0]), Span(x[None], x[None]))
    assert number(low[0, 0]) <= exact_dot(weight[0], x) <= number(high[0, 0])


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_activations_of_spans_are_rounded_outward(slope):
    generator = np.random.default_rng(0)
    z = -(10.0 ** generator.uniform(-320, 5, (1, 500)))
    low, high = bent(Span(z, z), slope)
    for k in range(z.shape[1]):
        value = Fraction(slope) * number(z[0, k])
        assert number(low[0, k]) <= value <= number(high[0, k])


def corners(values, generator):
    """(z, z') in their spans with a difference in its span: ends, and points between."""
    net, target, change = values
    for k in range(net.low.shape[1]):
        ends = [(number(part.low[0, k]), number(part.high[0, k])) for part in (net, target, change)]
        for z in (*ends[0], Fraction(generator.uniform(net.low[0, k], net.high[0, k]))):
            for t in (*ends[2], z - ends[1][0], z - ends[1][1], Fraction(0)):
                other = z - t
                if ends[1][0] <= other <= ends[1][1] and ends[2][0] <= t <= ends[2][1]:
                    yield k, z, other


def random_spans(generator, count=300):
    scale = 10.0 ** generator.integers(-9, 9, (1, count))
    center, near = generator.standard_normal((2, 1, count)) * scale
    width, small = generator.random((2, 1, count)) * scale
    near = np.where(generator.random((1, count)) < 0.5, 1e-9 * near, near)
    net = Span(center - width, center + width)
    change = Span(near - small, near + small)
    target = Span(net.low - change.high, net.high - change.low)
    return Spans(net, target, change)


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_differences_of_activations_lie_in_their_spans_and_bands(slope):
    generator = np.random.default_rng(1)
    values = random_spans(generator)
    count = values.net.low.shape[1]
    low, high = bent_change(values, slope)
    found = [
        bands(Kink(slope, True, True), values, np.full((1, count), code), np.full((1, count), join))
        for code, join in ((0, 0), (0xFF, 0x11), (0x83, 0x12))
    ]
    s = Fraction(slope)
    seen = 0
    for k, z, other in corners(values, generator):
        seen += 1
        first, second = max(z, s * z), max(other, s * other)
        assert number(low[0, k]) <= first - second <= number(high[0, k])
        for part in found:
            for band, argument, value in (
                (part.net, z, first),
                (part.target, other, second),
                (part.change, z - other, first - second),
            ):
                for line, sign in ((band.below, -1), (band.above, 1)):
                    at_it = number(line.slope[0, k]) * argument + number(line.constant[0, k])
                    assert sign * (at_it - value) >= 0
    assert seen > 1000


@pytest.mark.parametrize("seed", range(10))
def test_rewriting_coefficients_is_paid_for(seed):
    net = linear_network(seed)
    zero = slth.DeepNetwork([slth.Dense(np.zeros((1, 20)))])
    x = np.ones(20)
    steps = apart(net, zero)
    found = plain(steps, False, at(x))
    (value,) = exact_values(net, x.tolist())
    for sign in (1.0, -1.0):
        rows = np.full((1, 1, 1), sign)
        assert number(found.highest(Rows(rows, None, None))[0, 0]) >= int(sign) * value


@pytest.mark.parametrize("seed", range(10))
def test_rewriting_coefficients_of_differences_is_paid_for(seed):
    """A float copy of a network without activations: the difference is all rounding."""
    generator = np.random.default_rng(seed)
    first, second = generator.standard_normal((30, 20)), generator.standard_normal((1, 30))
    net = slth.DeepNetwork([slth.Dense(first), slth.Identity(), slth.Dense(second)])
    near = first + 2.0**-40 * generator.standard_normal(first.shape)
    last = second * (1.0 + 2.0**-40)
    # At x = 1 the difference nearly cancels.
    last[0, -1] += (second @ first.sum(axis=1) - last @ near.sum(axis=1))[0] / near[-1].sum()
    target = slth.DeepNetwork([slth.Dense(near), slth.Identity(), slth.Dense(last)])
    x = np.ones(20)
    found = plain(together(net, target, [None]), True, at(x))
    value = exact_values(net, x.tolist())[0] - exact_values(target, x.tolist())[0]
    for sign in (1.0, -1.0):
        top = found.highest(Rows(None, None, np.full((1, 1, 1), sign)))
        assert number(top[0, 0]) >= int(sign) * value


@pytest.mark.parametrize("seed", range(10))
def test_the_last_row_at_a_point_where_it_cancels(seed):
    row, x = cancelling_row(seed)
    found = plain((), False, at(x))
    for sign in (1.0, -1.0):
        top = found.highest(Rows(sign * row[None, None], None, None))
        assert number(top[0, 0]) >= int(sign) * exact_dot(row, x)


@pytest.mark.parametrize("seed", range(10))
def test_a_ball_that_touches_a_small_box_far_from_its_center(seed):
    """The highest point of the ball is near 0, its center is not."""
    generator = np.random.default_rng(seed)
    row = generator.standard_normal(5)
    radius = 1e3
    center = -radius * row / np.linalg.norm(row)
    found = plain((), False, Box(-np.ones((1, 5)), np.ones((1, 5)), center, radius))
    top = number(found.highest(Rows(row[None, None], None, None))[0, 0])
    assert (top - exact_dot(row, center)) ** 2 >= exact_dot(row, row) * Fraction(radius) ** 2
    assert abs(top) < 1e-9


def test_coefficients_that_meet_at_the_inputs_are_paid_for():
    found = plain((), False, at([1.0]))
    small = 0.9 * 2.0**-53
    top = found.highest(Rows(np.ones((1, 1, 1)), np.full((1, 1, 1), small), None))
    assert number(top[0, 0]) >= 1 + Fraction(small)


def test_constants_are_summed_outward():
    """1 and many numbers of less than half a unit in its last place, more than what each layer is
    paid for its own."""
    small, count = 0.9 * 2.0**-53, 100
    items = [slth.Dense(np.eye(1), [small]), slth.Identity()] * count
    net = slth.DeepNetwork([*items, slth.Dense(np.eye(1), [1.0])])
    found = plain(apart(net, net), False, at([0.0]))
    top = found.highest(Rows(np.ones((1, 1, 1)), None, None))
    assert number(top[0, 0]) >= 1 + count * Fraction(small)


def test_balls_are_bounded_by_their_radius():
    generator = np.random.default_rng(0)
    net = slth.DeepNetwork([slth.Dense(np.eye(5))])
    box = box_of(slth.Ball(0.7, [0.1, -0.3, 0.2, 0.0, 1.0]), 5)
    found = plain(apart(net, net), False, box)
    for _ in range(50):
        row = generator.standard_normal(5) * 10.0 ** generator.uniform(-200, 100)
        top = number(found.highest(Rows(row[None, None], None, None))[0, 0])
        middle = exact_dot(row, [0.1, -0.3, 0.2, 0.0, 1.0])
        square = exact_dot(row, row) * Fraction(0.7) ** 2
        assert top >= middle
        assert (top - middle) ** 2 >= square
        assert (top - middle) ** 2 <= square * (1 + Fraction(1, 10**9)) + Fraction(1, 10**500)


@pytest.mark.parametrize("paired", [True, False])
def test_what_weights_are_known_up_to_counts(paired):
    off = np.array([[0.25, 0.5]])
    net = slth.DeepNetwork([slth.Dense([[1.0, 2.0]], [0.0], off, [0.125])])
    target = slth.DeepNetwork([slth.Dense([[1.0, 2.0]], [0.0])])
    steps = together(net, target, []) if paired else apart(net, target)
    top = farthest(plain(steps, paired, at([2.0, -3.0])))
    assert 2 * 0.25 + 3 * 0.5 + 0.125 <= top[0] <= 2 * 0.25 + 3 * 0.5 + 0.125 + 1e-8


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("near", [True, False])
@pytest.mark.parametrize("domain", ["box", "ball"])
def test_any_lines_give_bounds(kind, near, domain):
    generator = np.random.default_rng([len(kind), near, len(domain)])
    for seed in range(6):
        net, target = pair_of(kind, seed, near)
        center = generator.standard_normal(net.d)
        reach = 10.0 ** generator.uniform(-3, 0.5)
        steps = together(net, target, [None] * (sum(1 for _ in net.affine_maps()) - 1))
        for paired, of in ((True, steps), (False, apart(net, target))):
            whole = box_of(slth.Box(center - reach, center + reach), net.d)
            if domain == "ball":
                whole = box_of(slth.Ball(reach, center), net.d)
            codes = generator.integers(0, 256, (2, 1, units_of(of))).astype(np.uint8)
            top = farthest(leaves(of, paired, whole, *codes))[0]
            for _ in range(5):
                offset = generator.uniform(-reach, reach, net.d)
                if domain == "ball":
                    offset *= 0.999 * reach / max(reach, float(np.linalg.norm(offset)))
                x = np.clip(center + offset, whole.low[0], whole.high[0]).tolist()
                pairs = zip(exact_values(net, x), exact_values(target, x), strict=True)
                assert number(top) >= max(abs(a - b) for a, b in pairs)


def test_ways_of_labels_are_bounds():
    generator = np.random.default_rng(4)
    net, target = pair_of("mlp", 1, False)
    for paired, steps in ((True, together(net, target, [None, None])), (False, apart(net, target))):
        center = generator.standard_normal(3)
        whole = box_of(slth.Box(center - 0.1, center + 0.1), 3)
        found = plain(steps, paired, whole)
        rule = LabelRule(0.125, paired)
        for way in (0, 1, 2, 4, 7, 254):
            top = rule.tops(found, np.array([0]), np.array([1]), way)[0, 0]
            x = generator.uniform(whole.low[0], whole.high[0]).tolist()
            a, b = exact_values(net, x), exact_values(target, x)
            if top == -np.inf:
                # By ranges alone.
                assert b[1] <= b[0]
                continue
            m = Fraction(way) / Fraction(QUARTERS)
            assert number(top) >= b[1] - b[0] + m * (a[0] - a[1] - Fraction(0.125))


def test_margins_are_below_the_logarithm():
    assert margin_below(None) == margin_below(0.5) == margin_below(0.1) == 0.0
    # log(9) = 2.19722...
    assert 0.0 < 2.1972245773362196 - margin_below(0.9) < 1e-12
