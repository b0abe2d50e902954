import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from slth.limits import Deadline
from slth.pruning.neurons.plane.wedge import refute_on_wedges, wedge_bound
from tests.pruning.neurons.every_subset import errors_of_all, gaussian

# Optimal errors at width 60, proven by two independent methods (branch-and-bound, enumeration).
PROVEN_OPTIMA = {1: 0.0542, 2: 0.0412, 3: 0.0931}


def test_the_oracle_on_anchors_computed_by_hand():
    # Keeping the target itself, its mirror image, both (the linear function x_2 is |x_2| off by
    # relu(-x_2)), or nothing.
    errors = errors_of_all([[0.0, 1.0], [0.0, -1.0]], [1.0, 1.0], np.array([0.0, 1.0]))
    np.testing.assert_allclose(errors, [1.0, 0.0, 1.0, 1.0], atol=1e-15)
    # relu(x_1) against relu(x_2): 1 at both axes; -relu(x_1): -(x_1 + x_2) inside, sqrt(2).
    errors = errors_of_all([[1.0, 0.0], [-1.0, 0.0]], [1.0, -1.0], np.array([0.0, 1.0]))
    np.testing.assert_allclose(errors[:3], [1.0, 1.0, np.sqrt(2.0)], atol=1e-15)


@pytest.mark.parametrize("width", range(1, 15))
def test_never_above_the_best_subset(width):
    for seed in range(8 if width < 13 else 3):
        hidden, output, target = gaussian(width, seed)
        best = errors_of_all(hidden, output, target).min()
        bound = wedge_bound(hidden, output, target)
        assert 0.0 < bound <= best
        assert not refute_on_wedges(hidden, output, target, best * (1 + 1e-12))


def confined_optimum(hidden, output, target, reach=2.0):
    """The least eps for which some subset keeps |E(t)| <= eps sqrt(1 + t^2) at the breakpoints of
    |t| <= reach, at 0 and at +-reach, whatever farther units add (a value and a slope at 0): one
    linear programme a subset."""
    across = hidden @ [target[1], -target[0]]
    along = hidden @ target
    near = np.abs(across) < reach * np.abs(along)
    kinks, jumps = -across[near] / along[near], output[near] * np.abs(along[near])
    places = np.concatenate([kinks, [0.0, -reach, reach]])
    band = np.sqrt(1.0 + places**2)
    least = np.inf
    for keep in itertools.product([0.0, 1.0], repeat=len(kinks)):
        bent = np.concatenate([jumps * keep, [-1.0]])
        fixed = np.abs(places[:, None] - np.append(kinks, 0.0)) @ bent / 2.0
        # value + slope * t + fixed within +-eps * band
        rows = np.stack([np.ones_like(places), places], axis=1)
        solved = linprog(
            [0.0, 0.0, 1.0],
            A_ub=np.vstack([np.c_[rows, -band], np.c_[-rows, -band]]),
            b_ub=np.concatenate([-fixed, fixed]),
            bounds=[(None, None), (None, None), (0.0, None)],
        )
        least = min(least, solved.fun)
    return least


@pytest.mark.parametrize("seed", range(12))
def test_bound_is_sharp_for_what_it_relaxes(seed):
    hidden, output, target = gaussian(7, 100 + seed)
    exact = confined_optimum(hidden, output, target)
    bound = wedge_bound(hidden, output, target)
    assert 0.95 * exact < bound <= exact * (1 + 1e-9)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([-2, -1, -0.5, 0, 1, 3])),
        min_size=1,
        max_size=9,
    ),
    st.tuples(st.integers(-3, 3), st.integers(-3, 3)).filter(any),
    st.sampled_from([1.0, 1e-9, 1e9]),
)
def test_never_above_the_best_subset_of_coinciding_and_zero_units(units, target, scale):
    hidden = np.array([unit[:2] for unit in units], float) * scale
    output = np.array([unit[2] for unit in units], float) / scale
    goal = np.array(target, float)
    best = errors_of_all(hidden, output, goal).min()
    bound = wedge_bound(hidden, output, goal)
    assert bound <= best
    for eps in (best, 2.0 * best + 1e-9):
        assert not refute_on_wedges(hidden, output, goal, max(eps, 1e-12) * (1 + 1e-12))


@pytest.mark.parametrize("seed", PROVEN_OPTIMA)
def test_within_a_small_factor_of_the_optimum_at_width_60(seed):
    hidden, output, target = gaussian(60, seed)
    bound = wedge_bound(hidden, output, target)
    assert 0.2 * PROVEN_OPTIMA[seed] < bound < PROVEN_OPTIMA[seed]


@pytest.mark.parametrize("width", [100, 1000, 100_000])
def test_is_of_the_order_of_one_over_the_width(width):
    for seed in (1, 2, 3):
        assert 0.5 < width * wedge_bound(*gaussian(width, seed)) < 6.0


def test_planted_tickets_are_never_refuted():
    for seed in range(20):
        hidden, output, target = gaussian(300, seed)
        rng = np.random.default_rng(1000 + seed)
        # Two units at angles -tilt and +tilt from w* that add up to w*: the error is
        # max |sum - relu| = sin(tilt) / (2 cos(tilt)), attained on the boundary between them.
        tilt = 10.0 ** rng.uniform(-12, -2)
        turn = np.array([-target[1], target[0]])
        pair = [np.cos(tilt) * target + side * np.sin(tilt) * turn for side in (-1, 1)]
        hidden[[17, 200]] = pair
        output[[17, 200]] = 0.5 / np.cos(tilt)
        error = errors_of_all(pair, output[[17, 200]], target)[3]
        assert error == pytest.approx(np.tan(tilt) / 2, rel=1e-3)
        planted = max(error * (1 + 1e-9), 1e-15)
        assert wedge_bound(hidden, output, target) <= planted
        assert not refute_on_wedges(hidden, output, target, planted)


def test_an_exact_copy_of_the_target_leaves_nothing_to_prove():
    hidden, output, target = gaussian(500, 4)
    hidden[77], output[77] = 3.0 * target, 1.0 / 3.0
    assert wedge_bound(hidden, output, target) < 1e-12
    assert not refute_on_wedges(hidden, output, target, 1e-6)


def test_weights_out_of_range_prove_nothing():
    hidden, output, target = gaussian(50, 5)
    for place, size in ((3, 1e-200), (4, 1e200)):
        extreme = hidden.copy()
        extreme[place] *= size
        assert wedge_bound(extreme, output, target) == 0.0
        assert refute_on_wedges(extreme, output, target, 1e-3) is None
    # A large jump next to the kink spoils the rounding budget at a small eps.
    output[np.argmin(np.abs(hidden @ [-target[1], target[0]]))] = 1e12
    assert refute_on_wedges(hidden, output, target, 1e-3) is None


def test_zero_units_and_the_order_of_units_change_nothing():
    hidden, output, target = gaussian(80, 6)
    bound = wedge_bound(hidden, output, target)
    order = np.random.default_rng(0).permutation(80)
    assert wedge_bound(hidden[order], output[order], target) == bound
    padded = np.vstack([np.zeros((3, 2)), hidden, hidden[:2]])
    weights = np.concatenate([[1.0, 2.0, 3.0], output, [0.0, 0.0]])
    assert wedge_bound(padded, weights, target) == bound


def test_scales_with_target_and_output_and_ignores_how_units_share_scale():
    hidden, output, target = gaussian(80, 7)
    bound = wedge_bound(hidden, output, target)
    assert wedge_bound(hidden, 8.0 * output, 8.0 * target) == 8.0 * bound
    assert wedge_bound(4.0 * hidden, output / 4.0, target) == bound
    cosine, sine = np.cos(0.7), np.sin(0.7)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    turned = wedge_bound(hidden @ rotation.T, output, rotation @ target)
    assert turned == pytest.approx(bound, rel=1e-2)
    mirrored = wedge_bound(hidden * [1, -1], output, target * [1, -1])
    assert mirrored == pytest.approx(bound, rel=1e-2)


def test_more_breakpoints_prove_more():
    hidden, output, target = gaussian(1000, 1)
    eps = 2.3e-3
    assert refute_on_wedges(hidden, output, target, eps, units=1) is False
    assert refute_on_wedges(hidden, output, target, eps) is True


def test_without_units_the_target_alone_is_bounded():
    bound = wedge_bound(np.zeros((0, 2)), np.zeros(0), np.array([0.6, 0.8]))
    assert 0.25 < bound <= 0.5


def test_a_deadline_that_has_passed_leaves_the_closed_form():
    hidden, output, target = gaussian(1000, 1)
    assert refute_on_wedges(hidden, output, target, 1e-4, deadline=Deadline(0.0)) is None
    assert 0.0 < wedge_bound(hidden, output, target, Deadline(0.0)) < 1e-3
