"""Theorem 1 with numbers against single networks: at widths up to `max_refuted_width` neuron
tickets within eps must be rare draws (probability <= delta), and the certified search must not
find more of them than chance allows."""

import numpy as np
import pytest
from scipy.stats import binom

import slth
from slth import theory

RADIUS, DELTA, DRAWS = 2.0, 0.25, 6
# eps such that the proven width is neither 0 nor slow to search at.
CASES = ((2, 0.005), (3, 0.02), (4, 0.02), (5, 0.02), (6, 0.05), (7, 0.05), (8, 0.05))


def decide(d, width, eps, seed):
    """What the certified search says of one draw: "reached", "refuted" or "unknown"."""
    direction = np.random.default_rng([seed, d]).standard_normal(d)
    target = slth.neuron(direction, normalize=True)
    net = slth.random_network(d, width, seed)
    return slth.prune_neurons(net, target, RADIUS, eps, time_limit=300.0, seed=seed)


@pytest.mark.usefixtures("counted_time")
def test_instances_never_contradict_max_refuted_width():
    reached = 0
    for d, eps in CASES:
        width = int(theory.max_refuted_width(d, eps, RADIUS, DELTA).value)
        assert width >= 40
        for seed in range(DRAWS):
            answer = decide(d, width, eps, seed)
            if answer.status == "reached":
                assert answer.error.upper <= eps
                reached += 1
            else:
                assert answer.status == "unknown" or answer.bound > eps
    # More successes than this have probability < 1e-6 if the theorem's delta holds.
    assert reached <= binom.isf(1e-6, DRAWS * len(CASES), DELTA)


@pytest.mark.usefixtures("counted_time")
@pytest.mark.parametrize("seed", range(3))
def test_the_same_search_finds_tickets_where_they_exist(seed):
    assert decide(2, 150, 0.2, seed).status == "reached"
