"""d = 3 by the arrangement, against exact rationals; suprema that are (nearly) 0."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify.cones.engine import over_cones
from slth.certify.exact.arrangement import Arrangement
from slth.certify.problem.objective import Objective
from slth.certify.problem.problem import Maximization
from slth.certify.protocol import Bound
from tests.certify.oracles import ask, gaussian, objective, supremum_squared, value_squared


def _scaled(coefficients, hidden, linear=None) -> Objective:
    """A problem with rows in [1, 2) and a Lipschitz bound below 2, as the engines get it."""
    coefficients, hidden = np.asarray(coefficients, float), np.asarray(hidden, float)
    exponent = np.frexp(np.abs(hidden).max(axis=1))[1] - 1
    coefficients = np.ldexp(coefficients, exponent)
    hidden = np.ldexp(hidden, -exponent[:, None])
    mass = np.abs(coefficients) @ np.linalg.norm(hidden, axis=1)
    if linear is not None:
        mass += np.linalg.norm(linear)
        linear = np.asarray(linear, float) / 2.0 ** math.ceil(math.log2(mass))
    return objective(coefficients / 2.0 ** math.ceil(math.log2(mass)), hidden, linear)


def _arranged(problem: Objective, incumbent: float = 0.0) -> Bound | None:
    engine, asked = Arrangement(), Maximization(problem)
    if not engine.applies(asked):
        return None
    bound = engine.maximize(asked, ask(incumbent=incumbent))
    return None if bound.gave_up else bound


@pytest.mark.parametrize(
    ("coefficients", "hidden", "expected"),
    [
        ([1.0, 1.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], math.sqrt(2.0)),  # a face
        ([1.0, -1.0], [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]], 0.8),  # an edge: w_2 orthogonal to x
        ([1.0, -1.0, -1.0], [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], 1.0),  # z
        ([-1.0, -2.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], 0.0),
        ([3.0], [[0.0, 2.0, 0.0]], 6.0),  # a face without vertices of its own
    ],
)
def test_suprema_known_by_hand(coefficients, hidden, expected):
    problem = _scaled(coefficients, hidden)
    scale = coefficients[0] / problem.coefficients[0, 0] * np.abs(hidden[0]).max()
    scale /= np.abs(problem.hidden[0]).max()
    bound = _arranged(problem)
    assert bound is not None
    assert bound.upper * scale == pytest.approx(expected, rel=1e-14, abs=1e-27)


@pytest.mark.parametrize("seed", range(40))
def test_exact_to_a_few_roundings_also_where_units_nearly_cancel(seed):
    generator = np.random.default_rng([31, seed])
    width = int(generator.integers(2, 7))
    hidden = generator.standard_normal((width, 3))
    coefficients = generator.standard_normal(width)
    linear = generator.standard_normal(3) if seed % 3 == 0 else None
    if seed % 3 == 1:
        half = width // 2
        nudge = 10.0 ** -float(generator.integers(3, 13)) * generator.standard_normal((half, 3))
        hidden[half : 2 * half] = hidden[:half] + nudge
        coefficients[half : 2 * half] = -coefficients[:half]
        coefficients[2 * half :] = 0.0
    problem = _scaled(coefficients, hidden, linear)
    bound = _arranged(problem)
    assert bound is not None
    exact = supremum_squared(problem)
    assert Fraction(bound.upper) ** 2 >= exact
    assert bound.upper <= math.sqrt(exact) * (1.0 + 1e-14) + 1e-27
    if bound.x is not None:
        # A float point: what its rounding loses is measured against the weights.
        attained = math.sqrt(value_squared(problem, bound.x))
        assert attained == pytest.approx(bound.upper, rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("width", [20, 60])
def test_wider_problems_agree_with_the_cones(width):
    problem = gaussian(width, 3, 5)
    problem = _scaled(problem.coefficients[0], problem.hidden)
    bound = _arranged(problem)
    assert bound is not None
    assert bound.x is not None
    cones = over_cones(Maximization(problem), ask(incumbent=bound.lower, rtol=1e-9))
    assert cones.upper == pytest.approx(bound.upper, rel=1e-8)
    assert bound.lower <= bound.upper


def test_an_incumbent_that_is_not_reached_is_the_bound():
    problem = _scaled([1.0, -1.0], [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])
    bound = _arranged(problem, incumbent=1.5)
    assert bound is not None
    assert bound.upper == pytest.approx(1.5, rel=1e-13)
    assert bound.lower == pytest.approx(0.8 * problem.coefficients[0, 0], rel=1e-14)


def test_no_answer_where_three_planes_meet_in_a_line_or_for_two_pieces():
    hidden = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    assert _arranged(_scaled([1.0, 1.0, -1.0], hidden)) is None
    two = objective([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2]], np.eye(3))
    assert _arranged(two) is None
    # The certifier answers all the same: max(x, 0) + max(y, 0) >= max(x + y, 0), by 1 / sqrt(2).
    net, target = slth.ReLUNetwork(hidden[:2], [1.0, 1.0]), slth.ReLUNetwork(hidden[2:], [1.0])
    error = slth.certify(net, target)
    assert error.status is slth.Status.CLOSED
    assert error.lower <= math.sqrt(0.5) <= error.upper


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9])
def test_units_that_nearly_cancel_are_told_apart(gap):
    net = slth.ReLUNetwork([[1.0, 2.0, -1.0]], [3.0])
    target = slth.ReLUNetwork([[1.0, 2.0, -1.0 + gap]], [3.0])
    error = slth.certify(net, target)
    assert error.status is slth.Status.CLOSED
    exact = supremum_squared(objective([3.0, -3.0], [net.hidden[0], target.hidden[0]]))
    other = supremum_squared(objective([-3.0, 3.0], [net.hidden[0], target.hidden[0]]))
    assert Fraction(error.lower) ** 2 <= max(exact, other) <= Fraction(error.upper) ** 2


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8])
def test_a_supremum_of_zero_is_closed(d):
    dead = slth.ReLUNetwork(np.zeros((2, d)), [1.0, -1.0])
    silent = slth.ReLUNetwork(np.ones((1, d)), [0.0])
    nothing = slth.ReLUNetwork(np.zeros((0, d)), [])
    for net, target in ((dead, nothing), (dead, silent), (nothing, nothing)):
        for domain in (None, slth.Box(-1.0, 1.0)):
            error = slth.certify(net, target, domain=domain)
            assert error.status is slth.Status.CLOSED
            assert error.lower == 0.0
            assert error.upper < 1e-280


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", [1, 2, 3, 5, 8])
def test_a_rewritten_copy_is_certified_as_equal(d, readout):
    net = slth.random_network(d, 40, seed=d, readout=readout)
    generator = np.random.default_rng(d)
    factor = np.where(np.arange(40) % 2 == 0, 8.0, 1.0 + generator.random(40))
    share = np.where(np.arange(40) % 3 == 0, 1.0, 0.3)
    hidden = np.concatenate([net.hidden * factor[:, None], net.hidden])
    output = np.concatenate([share * net.output / factor, (1.0 - share) * net.output])
    order = generator.permutation(80)
    error = slth.certify(net, slth.ReLUNetwork(hidden[order], output[order], readout))
    assert error.status is slth.Status.CLOSED
    assert error.upper < 1e-9


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_bounds_hold_where_squares_and_products_underflow(d):
    first, second = np.eye(d)[:1], np.eye(d)[-1:]
    # (units, outputs, the supremum of the net): exact powers of two.
    for hidden, output, exact in (
        (first * 2.0**-1000, [1.0], Fraction(1, 2**1000)),
        (second * 2.0**-1070, [2.0**500], Fraction(1, 2**570)),
        (second * 2.0**-560, [2.0**-20], Fraction(1, 2**580)),
    ):
        net = slth.ReLUNetwork(hidden, output)
        beside = slth.ReLUNetwork(np.vstack([hidden, first]), [*output, 1.0])
        alone = slth.ReLUNetwork(first, [1.0])
        for error in (
            slth.certify(net, slth.ReLUNetwork(np.zeros((0, d)), [])),
            slth.certify(beside, alone),
        ):
            assert Fraction(error.lower) <= exact <= Fraction(error.upper)


@pytest.mark.parametrize("d", [4, 5, 6])
def test_nearly_parallel_parts_of_the_target_are_certified_closely(d):
    generator = np.random.default_rng(d)
    target = slth.neuron(generator.standard_normal(d), normalize=True)
    parts = target.hidden + 0.02 * generator.standard_normal((4, d)) / math.sqrt(d)
    error = slth.certify(slth.ReLUNetwork(parts, [0.1, 0.2, 0.3, 0.4]), target)
    assert error.status is slth.Status.CLOSED
    assert error.lower > 1e-4
