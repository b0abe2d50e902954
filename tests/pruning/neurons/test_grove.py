"""Several trees sharing one search prove what one proves, whenever it is broken off."""

import numpy as np
import pytest

from slth import Status, prune_neurons
from slth.limits import Deadline
from slth.pruning.neurons import branch, grove
from slth.pruning.neurons.branch import Judgement, search_tree
from slth.pruning.neurons.local import anneal
from slth.pruning.neurons.problem import Problem
from tests.pruning.neurons.brute import instance, least_error


@pytest.fixture
def three_trees(monkeypatch):
    """Three threads, and rounds so short that work is handed out again and again."""
    monkeypatch.setattr(branch, "usable_threads", lambda: 3)
    monkeypatch.setattr(grove, "_ROUND_ENTRIES", 0)


class Rounds(Deadline):
    """Expires after so many looks at it."""

    def __init__(self, looks):
        super().__init__()
        self.looks = looks

    @property
    def expired(self):
        self.looks -= 1
        return self.looks < 0


def searched(problem, cutoff, deadline):
    rng = np.random.default_rng(0)
    _, points = anneal(problem, rng, Deadline(), moves=2000, runs=2)

    def judge(candidate):
        return Judgement(candidate.error, None, False)

    return search_tree(problem, cutoff, points, points[:20], rng, deadline, judge)


@pytest.mark.parametrize(("d", "readout"), [(2, "relu"), (3, "linear"), (3, "relu"), (5, "linear")])
def test_three_trees_prove_the_least_error(three_trees, d, readout):
    net, target = instance(7, d, 5, readout)
    lower, upper, _ = least_error(net, target)
    answer = prune_neurons(net, target)
    assert answer.status is Status.OPTIMAL
    assert answer.bound <= upper
    assert lower <= answer.error.upper <= upper * (1 + 5e-4)


def test_the_schedule_of_the_threads_changes_nothing(three_trees):
    net, target = instance(30, 3, 2)
    one, two = prune_neurons(net, target), prune_neurons(net, target)
    assert one.status is two.status is Status.OPTIMAL
    assert one.stats["nodes"] == two.stats["nodes"] > 100
    assert (one.bound, one.error.upper) == (two.bound, two.error.upper)
    assert np.array_equal(one.mask.output, two.mask.output)


def test_work_is_handed_out_and_what_is_left_is_bounded(three_trees, monkeypatch):
    problem = Problem(*instance(26, 3, 1))
    least = prune_neurons(problem.net, problem.target).error
    handed = []
    take_over = grove.Branch.take_over

    def counted(self, donor, depth):
        handed.append(depth)
        take_over(self, donor, depth)

    monkeypatch.setattr(grove.Branch, "take_over", counted)
    bounds = []
    for looks in (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 10_000):
        outcome = searched(problem, 1.02 * least.upper, Rounds(looks))
        assert outcome.finished == (looks == 10_000)
        assert outcome.bound <= least.upper
        bounds.append(outcome.bound)
    assert bounds[0] == 0.0 < bounds[-2] < bounds[-1]
    assert bounds[-1] >= 0.999 * least.lower
    assert len(handed) > 20
