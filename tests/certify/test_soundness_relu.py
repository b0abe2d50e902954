"""ReLU readouts: an exact rational oracle for d <= 3, held to others, and enclosures held to it."""

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify.problem.objective import COMBINATIONS
from tests.clocks import certified

from .exact_circle import squared_sup
from .oracles import (
    difference_squared,
    minimum_squared,
    objective,
    sampled_maximum,
    supremum_squared,
)

PAIRS = [("relu", "linear"), ("linear", "relu"), ("relu", "relu")]
DIMENSIONS = [1, 2, 3]


def network(rows, output, readout="linear"):
    return slth.ReLUNetwork(np.array(rows, dtype=float), output, readout)


def gaussian(generator, width, d):
    return generator.standard_normal((width, d)), generator.standard_normal(width)


def lattice(generator, width, d):
    """Parallel and zero units, planes that meet in one line, ties, exact zeros."""
    hidden = generator.integers(-2, 3, (width, d)).astype(float)
    return hidden, generator.integers(-3, 4, width).astype(float)


def coplanar(generator, width, d):
    """All planes through one line, some the same; one unit dead, and scales far apart."""
    hidden, output = gaussian(generator, width, d)
    hidden[:, -1] = 0.0 if d > 1 else hidden[:, -1]
    hidden[width // 2 :] = -3.0 * hidden[: width - width // 2]
    hidden[0] = 0.0
    scales = 10.0 ** generator.integers(-30, 30, width)
    return hidden * scales[:, None], output / scales


def cancelling(generator, width, d):
    """Two networks that nearly agree: the second is the first but for a nudge."""
    hidden, output = gaussian(generator, 2 * max(1, width // 2), d)
    half = len(output) // 2
    nudge = 10.0 ** generator.integers(-13, -2) * generator.standard_normal((half, d))
    hidden[half:] = hidden[:half] + nudge
    output[half:] = output[:half]
    return hidden, output


FAMILIES = [gaussian, lattice, coplanar, cancelling]


def instance(family, d, seed, readouts):
    generator = np.random.default_rng([seed, d, FAMILIES.index(family)])
    hidden, output = family(generator, int(generator.integers(2, 7)), d)
    cut = len(output) // 2 if family is cancelling else int(generator.integers(0, len(output) + 1))
    return (
        slth.ReLUNetwork(hidden[:cut], output[:cut], readouts[0]),
        slth.ReLUNetwork(hidden[cut:], output[cut:], readouts[1]),
    )


def assert_enclosed(net, target):
    enclosure = certified(net, target, 60.0)
    exact = difference_squared(net, target)
    assert Fraction(enclosure.lower) ** 2 <= exact <= Fraction(enclosure.upper) ** 2


@pytest.mark.parametrize(
    ("linear", "expected"),
    [
        ([[1, 0], [0, 1]], Fraction(1, 2)),  # x = y = 1 / sqrt 2
        ([[1, 0], [0, 2]], Fraction(4, 5)),  # (2, 1) / sqrt 5
        ([[-1, 1], [1, 0]], Fraction(1, 5)),  # (1, 2) / sqrt 5
        ([[1, 0], [3, 0]], Fraction(1)),  # the first is the smaller one
        ([[1, 0], [-1, 0]], Fraction(0)),
        ([[1, 0], [-1, 1]], Fraction(1, 5)),
        ([[2, 1, 2]], Fraction(9)),
    ],
)
def test_minima_of_linear_functions(linear, expected):
    pieces, d = np.shape(linear)
    problem = objective(np.zeros((pieces, 0)), np.zeros((0, d)), linear)
    assert minimum_squared(problem) == expected


def test_minima_with_units():
    units = np.eye(3)[:2]
    # min(relu(x) + relu(y), z): x = y = t, z = 2 t.
    problem = objective([[1, 1], [0, 0]], units, [[0, 0, 0], [0, 0, 1]])
    assert minimum_squared(problem) == Fraction(2, 3)
    # min(-relu(x) - relu(y) + z, z): z alone.
    problem = objective([[-1, -1], [0, 0]], units, [[0, 0, 1], [0, 0, 1]])
    assert minimum_squared(problem) == 1
    # min(relu(x) + relu(y), relu(x) + y): equal for y > 0.
    problem = objective([[1, 1], [1, 0]], units, [[0, 0, 0], [0, 1, 0]])
    assert minimum_squared(problem) == 2


def test_differences():
    nothing = network(np.zeros((0, 3)), [], "relu")
    x, y = network([[1, 0, 0]], [1]), network([[0, 1, 0]], [1], "relu")
    negative = network([[0, 1, 0], [0, 0, 1]], [-1, -1])
    assert difference_squared(x, nothing) == 1
    assert difference_squared(x, y) == 1
    assert difference_squared(y, negative) == 5  # 2 y + z
    assert difference_squared(network([[1, 0, 0]], [1], "relu"), negative) == 3
    # A negative sum behind a ReLU vanishes.
    assert difference_squared(network([[1, 2, 2]], [-1], "relu"), nothing) == 0
    assert difference_squared(network([[1, 2, 2]], [-1], "relu"), network([[1, 2, 2]], [1])) == 9
    assert difference_squared(network([[1, 2, 2]], [1]), network([[2, 4, 4]], [0.5], "relu")) == 0
    # max(x - y, 0) - max(y - x, 0) = x - y on the plane, with x = relu(x) - relu(-x).
    rows = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    forth = network(rows, [1, -1, -1, 1], "relu")
    back = network(rows, [-1, 1, 1, -1], "relu")
    assert difference_squared(forth, back) == 2
    assert difference_squared(network([[-3]], [1], "relu"), network([[2]], [1])) == 9


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("d", DIMENSIONS)
def test_linear_readouts_agree_with_zonotopes(family, d):
    for seed in range(4):
        net, target = instance(family, d, seed, ("linear", "linear"))
        hidden = np.concatenate([net.hidden, target.hidden])
        output = np.concatenate([net.output, -target.output])
        sides = [objective(sign * output, hidden) for sign in (1, -1)]
        expected = [supremum_squared(side) for side in sides]
        assert [minimum_squared(side) for side in sides] == expected
        assert difference_squared(net, target) == max(expected)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("readouts", PAIRS)
def test_the_plane_agrees_with_its_refined_sectors(family, readouts):
    for seed in range(6):
        net, target = instance(family, 2, seed, readouts)
        assert difference_squared(net, target) == squared_sup(net, target)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
@pytest.mark.parametrize("readouts", PAIRS)
def test_a_difference_is_the_largest_of_its_minima(d, readouts):
    """The table of problems that the certifier solves; of small integers, so floats are exact."""
    for seed in range(6 if d < 4 else 2):
        net, target = instance(lattice, d, seed, readouts)
        hidden = np.concatenate([net.hidden, target.hidden])
        problems = [
            objective(
                [[*(p * net.output), *(q * target.output)] for p, q in rows],
                hidden,
                np.zeros((len(rows), d)),
            )
            for rows in COMBINATIONS[readouts]
        ]
        assert difference_squared(net, target) == max(map(minimum_squared, problems))


@pytest.mark.parametrize("seed", range(4))
def test_sampling_comes_close_to_minima_and_not_above(seed):
    generator = np.random.default_rng(seed)
    hidden, linear = generator.standard_normal((7, 3)), generator.standard_normal((2, 3))
    problem = objective(generator.standard_normal((2, 7)), hidden, linear)
    exact = float(minimum_squared(problem)) ** 0.5
    assert 0.98 * exact <= sampled_maximum(problem, 40_000, seed) <= exact * (1 + 1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("readouts", PAIRS)
def test_enclosures_hold(family, d, readouts):
    for seed in range(12 if family is not cancelling else 4):
        assert_enclosed(*instance(family, d, seed + 100, readouts))


def test_a_maximiser_whose_squares_underflow():
    net = slth.ReLUNetwork([[1e-162, 0.0]], [1.0], "relu")
    assert_enclosed(net, slth.ReLUNetwork([[0.0, 0.0]], [0.0], "relu"))


def test_pieces_that_are_nowhere_the_smaller_are_no_trouble():
    # relu(G) - 0 with G mostly cancelling: min(G, G). Two sums that are nowhere above 0: min <= 0.
    thin = slth.ReLUNetwork([[0.4, 0.7, 0.0], [0.4, 0.7, 1e-5]], [-1.0, 1.0])
    for net, target in (
        (thin, slth.ReLUNetwork(np.zeros((0, 3)), [], "relu")),
        (
            slth.ReLUNetwork([[-2.0, 0.03, 0.09]], [-1.16], "relu"),
            slth.ReLUNetwork([[4.0, -0.06, -0.18]], [-0.41], "relu"),
        ),
    ):
        enclosure = slth.certify(net, target, time_limit=None)
        assert enclosure.status == "closed"
        exact = difference_squared(net, target)
        assert Fraction(enclosure.lower) ** 2 <= exact <= Fraction(enclosure.upper) ** 2
