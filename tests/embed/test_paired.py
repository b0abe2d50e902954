"""The bound by the differential engine against exact rationals, the certifier and samples."""

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify.deep.region import Region
from slth.deep import mlp
from slth.embed import paired
from slth.embed.paired import paired_error
from slth.embed.reach import signed
from slth.embed.shape import target_of
from slth.layers import Conv, Dense, Residual
from tests.embed.test_certificate import bound, moved
from tests.pruning.trained.exact_line import largest_difference

DOMAINS = (slth.Ball(1.5), slth.Box(0.0, 1.0), slth.Box(-1.0, 0.5))


def between(target, other, domain):
    """The bound of two networks of one architecture, read as functions of the sides."""
    ours, theirs = target_of(target), target_of(other)
    lifted = []
    for part in (ours, theirs):
        first, *rest = part.kernels
        if signed(domain):
            first = np.concatenate([first, -first], axis=1)
        lifted.append(([first, *rest], part.biases))
    return paired_error(ours.shapes, *lifted, domain, target.shape)


def networks(rng):
    """Dense ones, an image, a residual block."""
    dense = mlp(
        [
            (rng.standard_normal((out, ins)), rng.standard_normal(out))
            for out, ins in ((7, 4), (5, 7), (2, 5))
        ]
    )
    image = slth.DeepNetwork(
        (
            Conv(rng.standard_normal((3, 1, 2, 2)), rng.standard_normal(3)),
            Dense(rng.standard_normal((2, 12)), rng.standard_normal(2)),
        ),
        input_shape=(1, 3, 3),
    )
    block = slth.DeepNetwork(
        (
            Dense(rng.standard_normal((4, 3)), rng.standard_normal(4)),
            Residual((Dense(rng.standard_normal((4, 4)), rng.standard_normal(4)),)),
            Dense(rng.standard_normal((2, 4)), rng.standard_normal(2)),
        ),
    )
    return dense, image, block


def inside(domain, count, d, rng):
    if isinstance(domain, slth.Ball):
        points = rng.standard_normal((count, d))
        return domain.radius * points / np.linalg.norm(points, axis=1, keepdims=True)
    points = rng.uniform(domain.low, domain.high, (count, d))
    points[::2] = rng.choice([domain.low, domain.high], points[::2].shape)
    return points


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("seed", range(4))
def test_no_sample_exceeds_the_bound_and_small_errors_are_seen(domain, seed):
    rng = np.random.default_rng(seed)
    for network in networks(rng):
        other = moved(network, rng, 1e-3)
        points = inside(domain, 4000, network.d, rng)
        reached = float(np.abs(other(points) - network(points)).max())
        found = between(network, other, domain)
        assert reached <= found <= 12.0 * reached
        assert between(network, network, domain) <= 1e-12


@pytest.mark.parametrize("seed", range(10))
def test_against_exact_rationals(seed):
    rng = np.random.default_rng(seed)
    target = mlp(
        [
            (rng.standard_normal((out, ins)), rng.standard_normal(out))
            for out, ins in ((4, 1), (3, 4), (1, 3))
        ]
    )
    other = moved(target, rng, 10.0 ** -(1 + seed))
    assert largest_difference(target, other, -1, 1) <= Fraction(
        between(target, other, slth.Box(-1.0, 1.0))
    )
    assert largest_difference(target, other, 0, 1) <= Fraction(
        between(target, other, slth.Box(0.0, 1.0))
    )


def test_errors_of_the_first_layer_count_on_both_sides_of_zero():
    rng = np.random.default_rng(2)
    target = networks(rng)[0]
    first, *rest = target.items
    noise = 0.01 * rng.standard_normal(first.weight.shape)
    other = slth.DeepNetwork((Dense(first.weight + noise, first.bias), *rest))
    for domain in DOMAINS:
        points = inside(domain, 4000, target.d, rng)
        reached = float(np.abs(other(points) - target(points)).max())
        assert reached <= between(target, other, domain) <= 12.0 * reached


def test_a_deep_embedding_is_nearer_than_norms_say():
    rng = np.random.default_rng(5)
    target = mlp(
        [
            (rng.standard_normal((out, ins)) / np.sqrt(ins), 0.1 * rng.standard_normal(out))
            for out, ins in ((24, 16), (24, 24), (3, 24))
        ]
    )
    other = moved(target, rng, 1e-3)
    box = slth.Box(0.0, 1.0)
    assert between(target, other, box) < 0.8 * bound(target, other, box)
    found = slth.embed(target, 0.1, domain=box)
    assert found.error <= 0.1
    points = inside(box, 4000, 16, rng)
    attacked = slth.certify(found.effective, target, domain=box, time_limit=2.0, rtol=0.5).lower
    attacked = max(attacked, float(np.abs(found(points) - target(points)).max()))
    assert attacked <= found.error <= 5.0 * attacked
    assert found.certify(target) == found.error


def test_what_is_too_much_work_is_left_to_norms(monkeypatch):
    rng = np.random.default_rng(0)
    target = networks(rng)[0]
    monkeypatch.setattr(paired, "_MOST_WORK", 0.0)
    assert between(target, moved(target, rng, 0.1), slth.Ball(1.0)) == np.inf
    assert slth.embed(target, 0.5).error <= 0.5


@pytest.mark.parametrize("seed", range(5))
def test_the_highest_value_on_a_part_of_a_ball(seed):
    # Where a box lies to one side of the center, what draws to the other side adds nothing: the
    # bound is that of the positive part, and no point of the part exceeds it.
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((1, 6, 5))
    region = Region.of(slth.Orthant(2.0), 5)
    top = region.highest(rows)[0]
    exact = 2.0 * np.linalg.norm(np.maximum(rows[0], 0.0), axis=1)
    assert (top >= exact).all()
    np.testing.assert_allclose(top, exact, rtol=1e-12)
    below = Region(-region.high, -region.low, region.ball)
    np.testing.assert_allclose(below.highest(-rows)[0], exact, rtol=1e-12)
    # A box that reaches over the center by a little is not to one side of it.
    over = Region(region.low - 0.1, region.high, region.ball)
    points = rng.standard_normal((20_000, 5))
    points *= 2.0 / np.linalg.norm(points, axis=1, keepdims=True)
    points = points[(points >= -0.1).all(axis=1)]
    assert ((points @ rows[0].T).max(axis=0) <= over.highest(rows)[0]).all()
    only = -np.eye(5)[None]
    assert (over.highest(only)[0] >= 0.1).all()
