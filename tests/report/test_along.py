"""Restrictions to input families agree with the network itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.network import ReLUNetwork, random_network
from slth.report.along import PiecewiseLinear, interval, restricted


@given(
    seed=st.integers(0, 10_000),
    d=st.integers(2, 7),
    width=st.integers(0, 30),
    readout=st.sampled_from(["linear", "relu"]),
)
def test_restriction_is_the_network_on_the_family(seed, d, width, readout):
    net = random_network(d, width, seed, readout)
    t = np.linspace(-1.7, 1.7, 101)
    for family in range(d // 2):
        points = np.zeros((101, d))
        points[:, 2 * family], points[:, 2 * family + 1] = t, 1.0
        function = restricted(net, family, 1.7)
        np.testing.assert_allclose(function(t), net(points), atol=1e-10 * (1 + width))
        assert (np.diff(function.t) > 0).all()
        assert function.t[[0, -1]].tolist() == [-1.7, 1.7]


def test_units_constant_along_the_family_have_no_breakpoint():
    net = ReLUNetwork([[0.0, 2.0], [0.0, -2.0]], [1.0, 5.0])
    function = restricted(net, 0, 1.0)
    assert function.t.tolist() == [-1.0, 1.0]
    assert function.values.tolist() == [2.0, 2.0]


def test_difference_and_window_by_hand():
    kink = PiecewiseLinear(np.array([-1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]))
    line = PiecewiseLinear(np.array([-1.0, 1.0]), np.array([1.0, 1.0]))
    gap = kink.minus(line)
    assert gap.t.tolist() == [-1.0, 0.0, 1.0]
    assert gap.values.tolist() == [-1.0, -1.0, 0.0]
    window = gap.within(-0.5, 0.5)
    assert window.t.tolist() == [-0.5, 0.0, 0.5]
    assert window.values.tolist() == [-1.0, -1.0, -0.5]


def test_positive_part_bends_where_the_sign_changes():
    line = PiecewiseLinear(np.array([-1.0, 1.0]), np.array([-1.0, 3.0]))
    part = line.positive_part()
    assert part.t.tolist() == [-1.0, -0.5, 1.0]
    assert part.values.tolist() == [0.0, 0.0, 3.0]


def test_interval_is_where_the_family_lies_in_the_ball():
    half = interval(2.0)
    assert np.hypot(half, 1.0) == pytest.approx(2.0, rel=1e-15)
