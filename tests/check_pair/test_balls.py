"""Boxes cut with a ball: no point of both is lost, by the engine or by the checker."""

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify.deep.region import Region, Round
from slth.certify.prove.pair import prove_pair
from slth.check_pair.leaves import Box, cut_to_ball
from slth.limits import Deadline
from slth.pair_proof import PairClaim
from tests.check_pair.proven import pair_of


def by_engine(low, high, center, radius):
    found, some = Region(low[None], high[None], Round(center, radius)).near_ball()
    return (found.low[0], found.high[0]) if len(some) else None


def by_checker(low, high, center, radius):
    box, empty = cut_to_ball(Box(low[None], high[None], center, radius))
    return None if empty[0] else (box.low[0], box.high[0])


def in_ball(x, center, radius):
    pairs = zip(x.tolist(), center.tolist(), strict=True)
    return sum((Fraction(a) - Fraction(b)) ** 2 for a, b in pairs) <= Fraction(radius) ** 2


@pytest.mark.parametrize("cut", [by_engine, by_checker])
class TestCut:
    @pytest.mark.parametrize("scale", [1.0, 2.0**-400, 2.0**300, 2.0**-520, 2.0**-1060, 2.0**700])
    @pytest.mark.parametrize("triple", [(3.0, 4.0, 5.0), (20.0, 21.0, 29.0), (0.0, 1.0, 1.0)])
    def test_a_point_where_they_touch_is_kept(self, cut, scale, triple):
        a, b, radius = (scale * part for part in triple)
        for signs in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
            x = np.array([a, b]) * signs
            far = x + scale * np.array(signs)
            low, high = np.minimum(x, far), np.maximum(x, far)
            found = cut(low, high, np.zeros(2), radius)
            assert found is not None
            assert (found[0] <= x).all()
            assert (x <= found[1]).all()

    def test_points_of_both_are_kept(self, cut):
        generator = np.random.default_rng(0)
        kept = dropped = 0
        for _ in range(3000):
            d = int(generator.integers(1, 6))
            center = generator.standard_normal(d) * 10.0 ** generator.integers(-3, 6)
            radius = float(10.0 ** generator.uniform(-3, 2))
            # A point near the sphere, and a box that it is a corner or an inner point of.
            way = generator.standard_normal(d)
            x = center + radius * way / np.linalg.norm(way) * (
                1.0 - generator.choice([0, 1e-15, 0.3])
            )
            room = radius * 10.0 ** generator.uniform(-12, 0.3, (2, d))
            room[generator.random((2, d)) < 0.3] = 0.0
            found = cut(x - room[0], x + room[1], center, radius)
            if in_ball(x, center, radius):
                kept += 1
                assert found is not None
                assert (found[0] <= x).all()
                assert (x <= found[1]).all()
            dropped += found is None
        assert kept > 1000

    def test_boxes_away_from_the_ball_are_dropped(self, cut):
        assert cut(np.full(3, 0.6), np.ones(3), np.zeros(3), 1.0) is None
        low, high = cut(np.array([0.6, -1.0]), np.array([0.8, 1.0]), np.zeros(2), 1.0)
        assert abs(low[1] + 0.8) < 1e-12
        assert abs(high[1] - 0.8) < 1e-12
        assert (low[0], high[0]) == (0.6, 0.8)


def test_enclosures_on_balls_close():
    """Corners of the box are no part of the ball."""
    net, target = pair_of("mlp", 3, False)
    found = slth.certify(net, target, domain=slth.Ball(1.0), rtol=1e-2, time_limit=None)
    assert found.status == "closed"
    proof = prove_pair(net, target, slth.Ball(1.0), PairClaim(1.01 * found.upper), Deadline())
    assert slth.check(proof, net, target)


def test_balls_whose_squares_overflow_are_not_cut():
    net, target = pair_of("mlp", 3, False)
    huge = slth.Ball(1e200)
    assert slth.certify(net, target, domain=huge, time_limit=1.0).upper > 1e199
    assert slth.agree(net, target, huge, time_limit=1.0).status == "unknown"
