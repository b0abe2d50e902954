"""Screened units are in no good mask; finished trees prove no more than is true."""

import numpy as np
import pytest
from scipy.optimize import linprog

import slth
from slth.limits import Deadline
from slth.pruning.neurons.branch import Judgement, search_tree
from slth.pruning.neurons.pool import PointPool
from slth.pruning.neurons.problem import Problem, random_sphere
from slth.pruning.neurons.screening import screen
from slth.pruning.neurons.simplex import (
    OPTIMAL,
    add_row,
    dual_simplex,
    empty_dictionary,
    safe_multipliers,
    start,
    weights_of,
)
from tests.clocks import Ticking
from tests.pruning.neurons.brute import all_masks, instance, least_error


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", [2, 3, 5])
def test_no_mask_below_the_cutoff_keeps_a_screened_unit(d, readout):
    screened = 0
    for seed in range(4):
        net, target = instance(7, d, seed, readout)
        rng = np.random.default_rng(seed)
        points = random_sphere(rng, 400, d)
        values = (np.maximum(points @ net.hidden.T, 0.0) * net.output) @ all_masks(7).T
        values = values if readout == "linear" else np.maximum(values, 0.0)
        # At most the true error of each mask.
        seen = np.abs(values - target(points)[:, None]).max(axis=0)
        for cutoff in (0.02, 0.1, 0.4):
            dropped, _ = screen(Problem(net, target), cutoff, rng, Deadline(10))
            screened += dropped.sum()
            for keep in all_masks(7)[(seen < cutoff)]:
                if (keep & dropped).any():
                    error = slth.certify(net.pruned(slth.Mask.of_units(keep, d)), target)
                    assert error.upper >= cutoff
    assert screened > 10


def test_screening_keeps_a_planted_ticket():
    rng = np.random.default_rng(0)
    target = slth.neuron([0.6, 0.8, 0.0])
    hidden = np.concatenate([rng.standard_normal((40, 3)), target.hidden, target.hidden])
    output = np.concatenate([rng.standard_normal(40), [0.25, 0.75]])
    for readout in ("linear", "relu"):
        problem = Problem(slth.ReLUNetwork(hidden, output, readout), target)
        dropped, _ = screen(problem, 1e-3, rng, Deadline(10))
        assert not dropped[-2:].any()
        assert dropped[:40].sum() > 20


def judged(candidate):
    return Judgement(candidate.error, None, False)


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_finished_trees_prove_what_is_true(d, readout):
    for seed in range(3):
        net, target = instance(8, d, seed, readout)
        lower, upper, _ = least_error(net, target)
        rng = np.random.default_rng(seed)
        points = random_sphere(rng, 60, d)
        for cutoff in (0.5 * lower, 0.999 * lower, 1.3 * upper):
            outcome = search_tree(
                Problem(net, target), cutoff, points, points[:20], rng, Deadline(20), judged
            )
            assert outcome.finished
            assert outcome.bound <= upper
            assert outcome.bound >= min(cutoff, 0.999 * lower)


def test_a_tree_out_of_time_still_proves_something_true():
    net, target = instance(60, 2, 1)
    rng = np.random.default_rng(0)
    points = random_sphere(rng, 200, 2)
    outcome = search_tree(
        Problem(net, target), 0.054, points, points, rng, Deadline(20, Ticking()), judged
    )
    assert not outcome.finished
    assert 0.0 <= outcome.bound <= 0.0545


@pytest.mark.parametrize("seed", [0, 2, 4, 8, 12, 13])
def test_simplex_agrees_with_a_general_solver(seed):
    """Rows added one by one, bounds tightened, against scipy's HiGHS on the same program."""
    net, target = instance(12, 3, seed)
    problem = Problem(net, target)
    rng = np.random.default_rng(seed)
    pool = PointPool(problem, 50, 1.0)
    rows = pool.add(random_sphere(rng, 50, 3))
    dictionary = empty_dictionary(12, 120)
    start(dictionary, pool.arrays, rows[:4])
    for row in rows[4:]:
        status, _ = dual_simplex(dictionary, pool.arrays, np.inf, 1000)
        assert status == OPTIMAL
        assert add_row(dictionary, pool.arrays, row)
    dual_simplex(dictionary, pool.arrays, np.inf, 1000)
    z = np.zeros(12)
    weights_of(dictionary, z)
    # A basic unit fixed at 0 is infeasible, and the dual simplex must mend it.
    basic = np.setdiff1d(np.arange(12), dictionary.nonbasic)
    assert basic.size > 0, "choose a seed whose optimum is fractional"
    dictionary.high[basic[0]] = 0.0
    status, _ = dual_simplex(dictionary, pool.arrays, np.inf, 1000)
    assert status == OPTIMAL
    weights_of(dictionary, z)
    phi, f = problem.features(pool.points), problem.target_values(pool.points)
    reference = linprog(
        np.r_[np.zeros(12), 1.0],
        A_ub=np.block([[phi, -np.ones((50, 1))], [-phi, -np.ones((50, 1))]]),
        b_ub=np.r_[f, -f],
        bounds=[(0.0, high) for high in dictionary.high] + [(None, None)],
    )
    assert dictionary.value[0] == pytest.approx(reference.fun, abs=1e-5)
    assert np.abs(phi @ z - f).max() == pytest.approx(reference.fun, abs=1e-5)
    bound = safe_multipliers(dictionary, pool.arrays, np.zeros(12))
    assert reference.fun - 1e-5 <= bound <= reference.fun + 1e-9
