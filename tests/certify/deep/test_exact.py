"""Networks of any layers against exact rationals along one coordinate, and against samples."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify.deep import DeepComparison
from slth.limits import Deadline, silent
from tests.certify.deep.exact_line import exact_supremum, exact_values
from tests.certify.deep.networks import KINDS, dense, rounded


def enclose(net, target, domain, *, rtol=1e-3, eps=None, seconds=float("inf")):
    """By the engine of any layers alone."""
    deep = DeepComparison(net, target, domain)
    return deep.enclose(rtol, Deadline(seconds), eps=eps, seed=0, report=silent)


def line(generator, d, length=2.0):
    """A box of one free coordinate."""
    low = generator.uniform(-1.0, 1.0, d)
    high = low.copy()
    high[generator.integers(d)] += length
    return low, high


def test_the_oracle_on_a_hand_computed_case():
    # |max(t, 0) - max(t / 2, 0)| on [-1, 3]: 3/2 at 3.
    net = slth.DeepNetwork([slth.Dense([[1.0]]), slth.Dense([[1.0]])])
    target = slth.DeepNetwork([slth.Dense([[0.5]]), slth.Dense([[1.0]])])
    assert exact_supremum(net, target, [-1.0], [3.0]) == Fraction(3, 2)
    # A kink in the second layer: max(2 - max(t, 0), 0) and 0 on [0, 5]: 2 at 0.
    tent = slth.DeepNetwork([slth.Dense([[1.0]]), slth.Dense([[-1.0]], [2.0]), slth.Dense([[1.0]])])
    zero = slth.DeepNetwork([slth.Dense([[0.0]])])
    assert exact_supremum(tent, zero, [0.0], [5.0]) == 2
    assert exact_supremum(tent, zero, [1.0], [5.0]) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pair", ["near", "far", "other layers"])
@pytest.mark.parametrize("seed", range(3))
def test_against_exact_suprema(kind, pair, seed):
    generator = np.random.default_rng([seed, len(kind)])
    net = KINDS[kind](generator)
    if pair == "near":
        target = rounded(net, np.float16)
    elif pair == "far":
        target = KINDS[kind](generator)
    else:
        flat = [dense(generator, 4, net.d), dense(generator, 2, 4)]
        target = slth.DeepNetwork(flat)
    if len(net.shape) == 3 and pair == "other layers":
        target = slth.DeepNetwork(target.items, input_shape=net.shape)
    low, high = line(generator, net.d)
    exact = exact_supremum(net, target, low, high)
    found = enclose(net, target, slth.Box(low, high))
    assert Fraction(found.lower) <= exact <= Fraction(found.upper)
    assert found.status == "closed"
    # The witness is a point of the box and attains the lower bound.
    x = found.witness
    assert ((low <= x) & (x <= high)).all()
    pairs = zip(exact_values(net, x.tolist()), exact_values(target, x.tolist()), strict=True)
    assert max(abs(a - b) for a, b in pairs) >= Fraction(found.lower)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("domain", ["box", "ball", "orthant"])
def test_against_samples_on_whole_domains(kind, domain):
    generator = np.random.default_rng([5, len(kind)])
    net, target = KINDS[kind](generator), KINDS[kind](generator)
    d = net.d
    where = {
        "box": slth.Box([-0.5] * d, [0.4] * d),
        "ball": slth.Ball(0.6, [0.1] * d),
        "orthant": slth.Orthant(0.7),
    }[domain]
    found = slth.certify(net, target, domain=where, rtol=1.0, time_limit=None)
    points = generator.standard_normal((20_000, d))
    if domain == "box":
        points = generator.uniform(-0.5, 0.4, (20_000, d))
    else:
        length = np.linalg.norm(points, axis=1, keepdims=True)
        points *= generator.random((20_000, 1)) ** (1 / d) / length
        points = 0.6 * points + 0.1 if domain == "ball" else 0.7 * np.abs(points)
    difference = np.abs(net(points) - target(points))
    assert difference.max() <= found.upper
    assert difference.max() <= found.lower * 2.0
    assert found.status == "closed"


@pytest.mark.parametrize("kind", KINDS)
def test_decisions(kind):
    generator = np.random.default_rng([6, len(kind)])
    net = KINDS[kind](generator)
    target = rounded(net, np.float16)
    low, high = line(generator, net.d)
    exact = float(exact_supremum(net, target, low, high))
    for eps in (0.9 * exact, 1.1 * exact):
        found = enclose(net, target, slth.Box(low, high), eps=eps)
        assert found.status == "closed"
        assert (found.upper <= eps) == (exact <= eps)
        assert (found.lower > eps) == (exact > eps)


def test_no_bound_is_above_the_floors():
    generator = np.random.default_rng(7)
    for kind in KINDS.values():
        net = kind(generator)
        for target in (rounded(net, np.float32), kind(generator)):
            deep = DeepComparison(net, target, slth.Box([-1.0] * net.d, [1.0] * net.d))
            found = deep.enclose(1e-6, Deadline(0.0), eps=None, seed=0, report=silent)
            assert found.upper <= deep.floor <= deep.by_interval


def test_equal_networks_have_no_difference():
    generator = np.random.default_rng(8)
    for kind in KINDS.values():
        net = kind(generator)
        found = slth.certify(net, net, domain=slth.Box([-1.0] * net.d, [1.0] * net.d))
        assert (found.lower, found.upper, found.status) == (0.0, 0.0, "closed")


def test_permuted_and_partly_dropped_units_are_matched():
    generator = np.random.default_rng(9)
    layers = [dense(generator, 12, 5), dense(generator, 10, 12), dense(generator, 3, 10)]
    first, second = generator.permutation(12), generator.permutation(10)
    moved = [
        slth.Dense(layers[0].weight[first], layers[0].bias[first]),
        slth.Dense(layers[1].weight[np.ix_(second, first)], layers[1].bias[second]),
        slth.Dense(layers[2].weight[:, second], layers[2].bias),
    ]
    net, same = slth.DeepNetwork(layers), slth.DeepNetwork(moved)
    box = slth.Box([-1.0] * 5, [1.0] * 5)
    assert slth.certify(net, same, domain=box).upper == 0.0
    # One unit dropped of the last hidden layer: what it alone can add.
    kept = second[second != 4]
    fewer = slth.DeepNetwork(
        [
            moved[0],
            slth.Dense(layers[1].weight[np.ix_(kept, first)], layers[1].bias[kept]),
            slth.Dense(layers[2].weight[:, kept], layers[2].bias),
        ]
    )
    deep = DeepComparison(net, fewer, box)
    assert deep.difference.program.paired
    unit = slth.DeepNetwork(
        [layers[0], slth.Dense(layers[1].weight[[4]], layers[1].bias[[4]]), slth.Dense([[1.0]])]
    )
    zero = slth.DeepNetwork([slth.Dense(np.zeros((1, 5)))])
    alone = slth.certify(unit, zero, domain=box, rtol=1e-3, time_limit=None).upper
    largest = np.abs(layers[2].weight[:, 4]).max()
    found = slth.certify(net, fewer, domain=box, rtol=1e-3, time_limit=None)
    assert found.upper == pytest.approx(alone * largest, rel=3e-3)
