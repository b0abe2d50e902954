"""compress against every subset of small networks of one input, whose errors are known exactly."""

import itertools

import numpy as np
import pytest

import slth
from slth.pruning.trained.free import free_units
from slth.pruning.trained.hidden import HiddenUnits
from slth.pruning.trained.least import least_units
from tests.pruning.trained.exact_line import fewest, largest_difference

BOX = slth.Box(-1.0, 1.0)
NETWORKS = 24


def small(seed):
    """One or two hidden layers, one or two outputs, weights that are multiples of 1/16; some units
    are dead, some are read by nothing, some are multiples of others."""
    rng = np.random.default_rng(seed)
    widths = [(5,), (3, 3), (6,), (2, 3)][seed % 4]
    sizes = [1, *widths, 1 + seed % 2]
    layers = []
    for ins, outs in itertools.pairwise(sizes):
        weight = np.round(rng.normal(size=(outs, ins)) * 16) / 16
        bias = np.round(rng.normal(size=outs) * 8) / 16
        if ins > 1:
            weight *= rng.choice([0.0, 0.0625, 1.0, 1.0], ins)
        layers.append(slth.Dense(weight, bias))
    if seed % 3 == 0:
        first = layers[0]
        weight, bias = first.weight.copy(), first.bias.copy()
        weight[1], bias[1] = 2.0 * weight[0], 2.0 * bias[0]
        bias[-1] = -8.0
        layers[0] = slth.Dense(weight, bias)
    return slth.DeepNetwork(layers)


def errors_of(network):
    """The exact error of every subset: {kept as a tuple: error}."""
    hidden = HiddenUnits(network)
    found = {}
    for flags in itertools.product((False, True), repeat=hidden.total):
        pruned = hidden.pruned(hidden.split(np.array(flags)))
        found[flags] = largest_difference(pruned, network, -1, 1)
    return found


def judged(seed, share):
    """One network against all its subsets; the status that was given."""
    network = small(seed)
    errors = errors_of(network)
    eps = share * float(max(errors.values())) + 1e-6
    found = slth.compress(network, BOX, eps=eps, time_limit=None)
    flags = tuple(np.concatenate(found.kept).tolist())
    assert found.error.lower <= errors[flags] <= found.error.upper <= eps
    assert found.least_units <= fewest(errors, eps) <= found.units
    if found.status == "optimal":
        assert found.units == fewest(errors, eps)
    hidden = HiddenUnits(network)
    points = np.random.default_rng(seed).uniform(-1.0, 1.0, (64, 1))
    assert least_units(hidden, points, eps) <= fewest(errors, eps)
    return found.status


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_every_claim_against_every_subset(seed):
    assert judged(seed, [0.02, 0.1, 0.3][seed % 3]) == "optimal"


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_what_goes_for_nothing_changes_nothing(seed):
    network = small(seed)
    errors = errors_of(network)
    free = free_units(network, BOX)
    assert errors[tuple(free.needed.tolist())] == 0
    # What can always go can go whatever else does.
    for flags, error in errors.items():
        fewer = tuple((np.array(flags) & ~free.always).tolist())
        assert errors[fewer] == error
    merged = free_units(network, BOX, merge=True)
    hidden = HiddenUnits(merged.network)
    small_one = hidden.pruned(hidden.split(merged.needed))
    assert largest_difference(small_one, network, -1, 1) == 0
    if seed % 3 == 0:
        assert merged.parallel >= 1 or free.unread or free.dead
        assert free.dead >= 1


def test_dead_and_parallel_units_are_counted():
    inner = slth.Dense([[1.0], [2.0], [1.0], [0.5], [3.0]], [0.5, 1.0, -2.0, 0.25, 0.0])
    outer = slth.Dense([[1.0, 0.25, 7.0, 1.0, 0.0]], [1.0])
    network = slth.DeepNetwork([inner, outer])
    free = free_units(network, BOX)
    assert (free.dead, free.unread, free.parallel) == (1, 1, 0)
    assert free.needed.tolist() == [True, True, False, True, False]
    free = free_units(network, BOX, merge=True)
    assert (free.dead, free.unread, free.parallel) == (1, 1, 2)
    assert free.needed.sum() == 1
    # 1 + 2 * 0.25 + 0.5 * 1
    assert free.network.items[1].weight.tolist() == [[2.0, 0.0, 7.0, 0.0, 0.0]]
    found = slth.compress(network, BOX, eps=1e-12, merge=True, time_limit=None)
    assert found.units == 1
    assert found.error.upper == 0.0
    assert found.stats["parallel"] == 2
    assert slth.compress(network, BOX, eps=1e-12, time_limit=None).units == 3


def test_a_sum_that_is_no_float_is_not_merged():
    network = slth.DeepNetwork([slth.Dense([[1.0], [1.0]]), slth.Dense([[1.0, 2.0**-60]])])
    assert free_units(network, BOX, merge=True).parallel == 0
    third = slth.DeepNetwork([slth.Dense([[3.0], [1.0]]), slth.Dense([[1.0, 1.0]])])
    assert free_units(third, BOX, merge=True).parallel == 0
    opposite = slth.DeepNetwork([slth.Dense([[1.0], [-1.0]]), slth.Dense([[1.0, 1.0]])])
    assert free_units(opposite, BOX, merge=True).parallel == 0


def test_a_unit_that_lives_without_those_before_it_is_not_always_dead():
    # relu(relu(x + 2) * -1 + 0.5) is 0 on the box; without the first unit it is 0.5.
    network = slth.DeepNetwork(
        [slth.Dense([[1.0]], [2.0]), slth.Dense([[-1.0]], [0.5]), slth.Dense([[1.0]])]
    )
    free = free_units(network, BOX)
    assert free.needed.tolist() == [True, False]
    assert free.always.tolist() == [False, False]


def test_a_lower_bound_beyond_what_is_enumerated():
    rng = np.random.default_rng(0)
    # Units that break at different places, all of the same size: few can go.
    breaks = np.linspace(-0.9, 0.9, 24)
    inner = slth.Dense(np.ones((24, 1)), -breaks)
    outer = slth.Dense(rng.choice([-1.0, 1.0], (1, 24)))
    network = slth.DeepNetwork([inner, outer])
    found = slth.compress(network, BOX, eps=0.05, time_limit=None)
    assert 4 <= found.least_units <= found.units
    assert found.error.upper <= 0.05
    first = slth.Dense(np.ones((9, 1)), np.linspace(-0.9, 0.9, 9))
    second, last = slth.Dense(rng.normal(size=(9, 9))), slth.Dense(np.ones((1, 9)))
    deep = slth.DeepNetwork([first, second, last])
    points = rng.uniform(-1.0, 1.0, (64, 1))
    # A unit in each layer, as the values are not constant.
    assert least_units(HiddenUnits(deep), points, 1e-3) == 2
    assert least_units(HiddenUnits(deep), points, 1e3) == 0
