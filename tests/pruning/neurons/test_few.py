"""Tickets of a few units: what flips find, and what enters the race."""

import numpy as np
import pytest

import slth
from slth.limits import Deadline, silent
from slth.pruning.neurons import few
from slth.pruning.neurons.entry import NeuronRace, enter_nothing
from slth.pruning.neurons.few import search_few
from slth.pruning.neurons.flips import _best_flip, cycles
from slth.pruning.neurons.problem import Problem, random_sphere
from slth.pruning.neurons.sphere import Sample
from tests.pruning.neurons.brute import instance


def _sample(readout: str, width: int = 30, points: int = 300):
    problem = Problem(*instance(width, 4, 3, readout))
    sample = Sample.of(problem, random_sphere(np.random.default_rng(1), points, 4))
    phi, f, cap = sample.for_moves(problem)
    return problem, sample, (phi, np.ascontiguousarray(phi.T), f, cap)


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_the_best_flip_is_that_of_all_flips(readout):
    problem, sample, (phi, rows, f, cap) = _sample(readout)
    rng = np.random.default_rng(2)
    for _ in range(50):
        keep, barred = rng.random(30) < 0.5, rng.random(30) < 0.3
        sign = np.where(keep, -1.0, 1.0).astype(np.float32)
        residual = (phi.T @ keep.astype(np.float32) - f).astype(np.float32)
        places, floor = np.zeros(7, np.int64), np.empty(30, np.float32)
        chosen, reached = _best_flip(phi, rows, residual, cap, sign, barred, places, floor)
        errors = np.full(30, np.inf)
        for i in np.flatnonzero(~barred):
            flipped = keep.copy()
            flipped[i] = not flipped[i]
            errors[i] = np.abs(sample.residual(problem, flipped.astype(np.float64))).max()
        assert errors[chosen] == pytest.approx(errors.min(), rel=1e-5)
        assert reached == pytest.approx(errors.min(), rel=1e-5)


@pytest.mark.parametrize("most", [1, 3, 30])
def test_cycles_keep_to_their_number_of_units_and_tell_the_error(most):
    problem, sample, (phi, rows, f, cap) = _sample("linear")
    least, keep = cycles(
        phi, rows, f, cap, np.zeros(30, np.bool_), most, 40, np.random.default_rng(0)
    )
    assert 0 < keep.sum() <= most
    seen = np.abs(sample.residual(problem, keep.astype(np.float64))).max()
    assert least == pytest.approx(seen, rel=1e-4)
    assert least < np.abs(sample.f).max()


@pytest.mark.parametrize(("readout", "worst"), [("linear", 0.11), ("relu", 0.1)])
def test_few_units_of_a_wide_network_come_near_the_target(monkeypatch, still_time, readout, worst):
    """The same answer again, certified, of no more units than allowed: .083 and .074."""
    monkeypatch.setattr(few, "_STAGES", ((3, 2, 1.0), (1, 4, 1.0)))
    monkeypatch.setattr(few, "_PATIENCE", 2)
    monkeypatch.setattr(few, "usable_threads", lambda: 2)
    net, target = instance(2000, 4, 2, readout)
    found = []
    for _ in range(2):
        race = NeuronRace(Problem(net, target), 1.0, None, Deadline(), silent)
        enter_nothing(race)
        search_few(race, np.random.default_rng(0), race.deadline)
        found.append(race.solution())
    first, second = found
    assert first.mask == second.mask
    assert 0 < first.mask.kept_units <= few._MOST
    assert first.error.upper <= worst
    sure = slth.certify(net.pruned(first.mask), target, rtol=1e-3)
    assert sure.lower <= first.error.upper * (1 + 1e-12)
    assert first.error.lower <= sure.upper * (1 + 1e-12)
