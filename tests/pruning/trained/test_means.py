"""Biases that stand for units that are gone, against exact rationals."""

import numpy as np
import pytest

import slth
from slth.pruning.trained.hidden import HiddenUnits
from slth.pruning.trained.means import compensated, means_of
from tests.certify.deep.networks import KINDS
from tests.pruning.trained.exact_line import largest_difference
from tests.pruning.trained.test_fold import mostly_on

BOX = slth.Box(-1.0, 1.0)


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "residual"])
def test_the_compensated_network_is_the_one_with_means(kind):
    generator = np.random.default_rng(len(kind))
    network = KINDS[kind](generator)
    hidden = HiddenUnits(network)
    means = means_of(hidden, BOX)
    points = generator.uniform(-1.0, 1.0, (50, network.d))
    for _ in range(4):
        kept = [generator.random(width) < 0.6 for width in hidden.widths]
        for mask in kept:
            mask[0] = True
        smaller = compensated(hidden, kept, means)
        expected = hidden.values(points, kept, means)
        np.testing.assert_allclose(smaller(points), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_certified_errors_hold_the_exact_ones(seed):
    network = mostly_on(seed)
    found = slth.compress(network, BOX, units=5, compensate=True, time_limit=1.0)
    exact = largest_difference(found.network, network, -1, 1)
    assert found.units <= 5
    assert found.error.lower <= exact <= found.error.upper
    assert found.stats["compensated"] is True
    assert found.least_units == 0
    assert found.status == "feasible"


def test_one_unit_that_goes_leaves_half_its_range():
    # The unit is in [9, 11]: without it the error is 11, with its mean in the bias 1.
    network = slth.DeepNetwork([slth.Dense([[1.0]], [10.0]), slth.Dense([[2.0]], [-1.0])])
    assert slth.compress(network, BOX, eps=2.5, time_limit=None).units == 1
    found = slth.compress(network, BOX, eps=2.5, compensate=True, time_limit=None)
    assert found.units == 0
    assert found.network.items[1].bias.tolist() == [pytest.approx(19.0)]
    assert 2.0 <= found.error.upper <= 2.5
    assert largest_difference(found.network, network, -1, 1) <= found.error.upper


def test_labels_are_refused():
    network = slth.DeepNetwork([slth.Dense(np.eye(2)), slth.Dense(np.eye(2))])
    with pytest.raises(slth.InvalidInput, match="compensate with labels"):
        slth.compress(network, BOX, agree_on=[[0.5, 0.1]], radius=0.1, compensate=True)
