"""Guards and caps that keep a bound of pruning true, each on an input that needs it."""

from types import SimpleNamespace

import numpy as np
import pytest

import slth
from slth.limits import Deadline, silent
from slth.pruning.neurons import rung
from slth.pruning.neurons.dual import Certificate, certified_bound
from slth.pruning.neurons.entry import NeuronRace, enter_nothing
from slth.pruning.neurons.judging import sample_points, worst_error
from slth.pruning.neurons.plane.wedge import _meet
from slth.pruning.neurons.problem import Problem


def test_a_readout_at_zero_is_not_held_up_by_multipliers():
    """relu(-relu(x)) is 0 = f at (1, 0): that f - g is 1 before the readout proves nothing."""
    net = slth.ReLUNetwork([[1.0, 0.0]], [-1.0], "relu")
    problem = Problem(net, slth.neuron([0.0, 1.0]))
    certificate = Certificate(np.array([[1.0, 0.0]]), np.array([-1.0]), np.ones(1))
    kept = np.ones(1, np.bool_)
    assert certified_bound(problem, certificate, cutoff=0.5, kept=kept) == 0.0
    # Where the target exceeds the cutoff it does: f(0, 1) = 1, which the unit does not reach.
    above = Certificate(np.array([[0.0, 1.0]]), np.array([-1.0]), np.ones(1))
    assert certified_bound(problem, above, cutoff=0.5, kept=kept) == 0.5


def test_a_mask_is_judged_behind_its_readout():
    values, f = np.array([-3.0, 2.0]), np.array([0.0, 2.0])
    target = slth.neuron([1.0, 0.0])
    for readout, error in (("relu", 0.0), ("linear", 3.0)):
        problem = Problem(slth.random_network(2, 3, 0, readout), target)
        assert worst_error(problem, values, f) == error


def test_a_rung_proves_nothing_beyond_its_cutoff(monkeypatch):
    """With a ReLU readout a tree speaks of masks of errors below the cutoff only."""
    told = SimpleNamespace(nodes=1, bound=99.0, proof=None, finished=True)
    monkeypatch.setattr(rung, "search_tree", lambda *arguments: told)
    problem = Problem(slth.random_network(2, 8, 0, "relu"), slth.neuron([1.0, 0.0]))
    race = NeuronRace(problem, 1.0, None, Deadline(), silent)
    enter_nothing(race, seconds=1e6)
    rng = np.random.default_rng(0)
    cutoff = 0.9 * race.upper
    _, finished = rung.climb_rung(race, cutoff, sample_points(problem, rng)[:20], rng)
    assert finished
    assert race.counted("nodes") == 1
    assert race.bound == cutoff


@pytest.mark.parametrize("q", range(1, 13))
def test_slopes_at_the_edge_of_a_cell_meet(q):
    """Cells of width 1 in [-8, 8): right slopes p from q - 8 on, left ones -1 - p: at p = q - 8
    that is 7 - q, the lower edge of cell 15 - q, and inside the cell above it is in cell 14 - q."""
    for i in range(16):
        right, left = np.zeros((16, 1), np.uint64), np.zeros((16, 1), np.uint64)
        right[q], left[i] = 1, 1
        if i in (14 - q, 15 - q):
            assert _meet(right, left, 8.0)
        elif abs(i - 14.5 + q) > 2.0:
            assert not _meet(right, left, 8.0)
