import numpy as np
import pytest

from slth.limits import Deadline
from slth.pruning.neurons.plane.walk_search import search_circle
from slth.pruning.neurons.plane.wedge import wedge_bound
from tests.pruning.neurons.every_subset import errors_of_all, gaussian


def sampled_error(hidden, output, target, keep):
    angles = np.linspace(0.0, 2.0 * np.pi, 200_001)
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    kept = np.maximum(x @ hidden[keep].T, 0.0) @ output[keep]
    return np.abs(kept - np.maximum(x @ target, 0.0)).max()


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 11, 14, 15, 16])
def test_finds_the_best_subset_of_a_narrow_network(width):
    for seed in range(2):
        hidden, output, target = gaussian(width, 40 + seed)
        keep, error = search_circle(hidden, output, target, 0.0, Deadline(120.0), seed)
        errors = errors_of_all(hidden, output, target)
        assert error == pytest.approx(errors.min(), rel=1e-9)
        assert errors[(keep * 2 ** np.arange(width)).sum()] == pytest.approx(error, rel=1e-9)


def test_finds_the_proven_optimum_at_width_60():
    hidden, output, target = gaussian(60, 2)
    keep, error = search_circle(hidden, output, target, 0.0413047, Deadline(60.0), 0)
    assert error <= 0.0413047
    assert sampled_error(hidden, output, target, keep) == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize(("width", "factor"), [(150, 4.0), (1000, 1.5), (20_000, 3.0)])
def test_comes_near_the_proven_bound(width, factor):
    hidden, output, target = gaussian(width, 2 if width == 1000 else 1)
    lower = wedge_bound(hidden, output, target)
    goal = factor * lower
    keep, error = search_circle(hidden, output, target, goal, Deadline(60.0), 1)
    assert lower < error <= goal
    assert sampled_error(hidden, output, target, keep) == pytest.approx(error, rel=0.02)


def test_same_seed_same_ticket():
    hidden, output, target = gaussian(120, 3)
    goal = 3.0 * wedge_bound(hidden, output, target)
    first = search_circle(hidden, output, target, goal, Deadline(60.0), 5)
    second = search_circle(hidden, output, target, goal, Deadline(60.0), 5)
    assert first[1] == second[1] <= goal
    np.testing.assert_array_equal(first[0], second[0])


def test_scales_with_the_target():
    hidden, output, target = gaussian(30, 3)
    keep, error = search_circle(hidden, output, target, 0.0, Deadline(20.0), 0)
    scaled, larger = search_circle(hidden, 4.0 * output, 4.0 * target, 0.0, Deadline(20.0), 0)
    np.testing.assert_array_equal(keep, scaled)
    assert larger == pytest.approx(4.0 * error, rel=1e-12)


def test_awkward_networks_get_an_honest_answer():
    target = np.array([0.6, 0.8])
    keep, error = search_circle(np.zeros((0, 2)), np.zeros(0), target, 0.0, Deadline(1.0), 0)
    assert keep.shape == (0,)
    assert error == pytest.approx(1.0)
    # Zero units, an exact copy of the target, its mirror image, and copies of those.
    hidden = np.array([[0.0, 0.0], [0.3, 0.4], [-0.3, -0.4], [0.3, 0.4], [-0.6, -0.8]])
    output = np.array([1.0, 2.0, 2.0, 2.0, 0.0])
    keep, error = search_circle(hidden, output, target, 1e-6, Deadline(5.0), 0)
    assert error <= 1e-6
    assert sampled_error(hidden, output, target, keep) < 1e-9
    hidden, output, target = gaussian(40, 0)
    keep, error = search_circle(hidden, 1e-8 * output, target, 0.0, Deadline(2.0), 0)
    assert error == pytest.approx(sampled_error(hidden, 1e-8 * output, target, keep), rel=1e-6)


def test_a_deadline_that_has_passed_leaves_the_empty_ticket():
    hidden, output, target = gaussian(500, 1)
    keep, error = search_circle(hidden, output, target, 0.0, Deadline(0.0), 0)
    assert not keep.any()
    assert error == pytest.approx(1.0)
