"""The searchers that use several threads: better masks, honest errors, the same ones again."""

import numpy as np
import pytest

import slth
from slth.limits import Deadline
from slth.pruning.neurons import local, renewal
from slth.pruning.neurons.greedy import search_greedily
from slth.pruning.neurons.local import anneal
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.renewal import renew
from tests.pruning.neurons.brute import instance, least_error


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(local, "usable_threads", lambda: 2)
    monkeypatch.setattr(renewal, "usable_threads", lambda: 2)


@pytest.mark.parametrize(("d", "readout"), [(5, "linear"), (5, "relu")])
def test_renewal_betters_the_greedy_choice_by_a_tenth(two_threads, d, readout):
    problem = Problem(*instance(600, d, 1, readout))
    rng = np.random.default_rng(0)
    greedy = search_greedily(problem, rng, Deadline())
    goal = 0.9 * greedy.error
    better = renew(problem, greedy.keep, rng, Deadline(), goal=goal)
    assert better.error <= goal
    # What it says of its mask is what the mask errs, but for peaks that climbing missed.
    pruned = problem.masked(better.keep)
    lower = slth.certify(pruned, problem.target, rtol=0.02, time_limit=None).lower
    assert lower == pytest.approx(better.error, rel=0.02)


def test_renewal_never_loses_the_mask_it_starts_from(two_threads):
    net, target = instance(9, 3, 4)
    _, upper, best = least_error(net, target)
    found = renew(Problem(net, target), best, np.random.default_rng(0), Deadline())
    assert found.error == pytest.approx(upper, rel=1e-4)
    assert np.array_equal(found.keep, best)


def test_two_annealings_at_a_time_are_the_same_again(two_threads):
    net, target = instance(12, 3, 4)
    lower, _, _ = least_error(net, target)
    one, points = anneal(Problem(net, target), np.random.default_rng(3), Deadline())
    two, same = anneal(Problem(net, target), np.random.default_rng(3), Deadline())
    assert lower * (1 - 1e-4) <= one.error < 1.0
    assert np.array_equal(one.keep, two.keep)
    assert np.array_equal(points, same)
