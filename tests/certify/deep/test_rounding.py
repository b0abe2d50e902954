"""Every error term of the bounds is needed: instances that are wrong without it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify.deep import DeepComparison
from slth.certify.deep.backward import Functional
from slth.certify.deep.bounds import relax
from slth.certify.deep.forward import Range, image
from slth.certify.deep.program import Affine
from slth.certify.deep.region import Region
from tests.certify.deep.cancelling import cancelling_layer
from tests.certify.deep.exact_line import exact_values


def affine(weight, bias):
    zero = np.zeros(len(bias))
    return Affine(np.asarray(weight, np.float64), np.asarray(bias, np.float64), None, zero)


def exact_image(part, x):
    return [
        sum((Fraction(w) * Fraction(h) for w, h in zip(row, x, strict=True)), Fraction(b))
        for row, b in zip(part.matrix.tolist(), part.bias.tolist(), strict=True)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_the_image_of_a_point_holds_the_exact_value(seed):
    weight, x, bias = cancelling_layer(seed)
    part = affine(weight, bias)
    low, high = image(part, Range(x[None], x[None]))
    for k, value in enumerate(exact_image(part, x.tolist())):
        assert Fraction(float(low[0, k])) <= value <= Fraction(float(high[0, k]))


def test_products_that_underflow_are_covered():
    part = affine([[1e-200, 1e-200]], [0.0])
    x = np.array([1e-200, 3e-124])
    low, high = image(part, Range(x[None], x[None]))
    (value,) = exact_image(part, x.tolist())
    assert Fraction(float(low[0, 0])) <= value <= Fraction(float(high[0, 0]))


def rounding_network(generator, size):
    """Two layers without a bend whose product cancels: coefficients of the inputs are all rounding.

    Relus that are on everywhere (a large bias) keep it linear.
    """
    first = generator.standard_normal((size, size))
    second = generator.standard_normal((1, size))
    # second @ first @ x + second @ b: at x = 1 nearly 0.
    bias = np.full(size, 100.0)
    constant = -(second @ (first @ np.ones(size) + bias))
    return slth.DeepNetwork([slth.Dense(first, bias), slth.Dense(second, constant)])


@pytest.mark.parametrize("seed", range(10))
def test_coefficients_that_are_rounded_on_the_way_are_paid_for(seed):
    """On a box that is nearly a point, where the value is smaller than what rounds."""
    net = rounding_network(np.random.default_rng(seed), 30)
    zero = slth.DeepNetwork([slth.Dense(np.zeros((1, 30)))])
    x = np.ones(30)
    deep = DeepComparison(net, zero, slth.Box(x, x))
    (value,) = exact_values(net, x.tolist())
    pulled = deep.relaxed.outputs(np.array([[1.0], [-1.0]]))
    top = pulled.highest(deep.region)[0]
    assert Fraction(float(top[0])) >= value
    assert Fraction(float(top[1])) >= -value


@pytest.mark.usefixtures("counted_time")
@pytest.mark.parametrize("where", ["weight", "bias"])
@pytest.mark.parametrize("side", ["net", "target", "both"])
def test_weights_known_up_to_rounding_are_paid_for(where, side):
    """A network that is off by its stated rounding is a true one, too."""
    generator = np.random.default_rng(3)
    weight, bias = generator.standard_normal((4, 3)), generator.standard_normal(4)
    outer = generator.standard_normal((1, 4))
    off = 1e-3

    def network(stated):
        options = {}
        if stated and where == "weight":
            options["weight_rounding"] = np.full((4, 3), off)
        if stated and where == "bias":
            options["bias_rounding"] = np.full(4, off)
        return slth.DeepNetwork([slth.Dense(weight, bias, **options), slth.Dense(outer)])

    net, target = network(side != "target"), network(side != "net")
    box = slth.Box([0.5] * 3, [1.5] * 3)
    found = slth.certify(net, target, domain=box, time_limit=15.0)
    assert found.lower == 0.0
    # Both ends of what is stated, in the direction that moves the output most.
    sign = np.sign(outer[0])
    moved_weight = weight + (off * sign[:, None] if where == "weight" else 0.0)
    moved_bias = bias + (off * sign if where == "bias" else 0.0)
    true = slth.DeepNetwork([slth.Dense(moved_weight, moved_bias), slth.Dense(outer)])
    plain = network(False)
    points = generator.uniform(0.5, 1.5, (500, 3))
    # Values near 1 in floats.
    assert np.abs(true(points) - plain(points)).max() <= found.upper + 1e-14


def test_lines_are_on_their_side_of_every_activation():
    """At the ends of ranges, where lines touch, in exact arithmetic."""
    generator = np.random.default_rng(4)
    for slope_item in (slth.Relu(), slth.LeakyRelu(0.3)):
        for _ in range(50):
            scale = 10.0 ** generator.integers(-6, 6)
            bias = generator.standard_normal(1) * scale
            net = slth.DeepNetwork([slth.Dense([[scale]], bias), slope_item, slth.Dense([[1.0]])])
            other = slth.DeepNetwork(
                [
                    slth.Dense([[scale * (1 + 0.1 * generator.standard_normal())]], bias),
                    slope_item,
                    slth.Dense([[1.0]]),
                ]
            )
            box = slth.Box([-1.0], [1.3])
            deep = DeepComparison(net, other, box)
            assert deep.difference.program.paired
            relaxation = relax(deep.difference, deep.region)
            for rows in (
                Functional(None, None, np.ones((1, 1, 1))),
                Functional(np.ones((1, 1, 1)), None, None),
                Functional(None, -np.ones((1, 1, 1)), None),
            ):
                pulled = deep.difference.pulled(3, rows, relaxation.bounds)
                for t in (-1.0, 1.3, 0.0, float(-bias[0] / scale)):
                    if not -1.0 <= t <= 1.3:
                        continue
                    (a,), (b,) = exact_values(net, [t]), exact_values(other, [t])
                    value = a - b if rows.change is not None else a if rows.net is not None else -b
                    bound = (
                        Fraction(float(pulled.rows[0, 0, 0])) * Fraction(t)
                        + Fraction(float(pulled.constant[0, 0]))
                        + Fraction(float(pulled.off[0, 0]))
                    )
                    assert value <= bound


def test_the_highest_value_on_a_box_or_ball_is_rounded_up():
    generator = np.random.default_rng(5)
    for _ in range(200):
        row = generator.standard_normal(4) * 10.0 ** generator.integers(-8, 8, 4)
        low = generator.standard_normal(4) * 10.0 ** generator.integers(-8, 8, 4)
        high = low + generator.random(4)
        region = Region(low[None], high[None], None)
        top = Fraction(float(region.highest(row[None, None])[0, 0]))
        exact = sum(
            Fraction(w) * Fraction(h if w > 0 else v)
            for w, v, h in zip(row.tolist(), low.tolist(), high.tolist(), strict=True)
        )
        assert exact <= top
        center = low.tolist()
        around = Region.of(slth.Ball(0.7, center), 4)
        top = Fraction(float(around.highest(row[None, None])[0, 0]))
        middle = sum(Fraction(w) * Fraction(c) for w, c in zip(row.tolist(), center, strict=True))
        length = sum(Fraction(w) ** 2 for w in row.tolist())
        # top - middle >= 0.7 |row|.
        assert top - middle >= 0
        assert (top - middle) ** 2 >= Fraction(0.7) ** 2 * length or top >= sum(
            Fraction(w) * (Fraction(c) + (1 if w > 0 else -1) * Fraction(0.7))
            for w, c in zip(row.tolist(), center, strict=True)
        )
