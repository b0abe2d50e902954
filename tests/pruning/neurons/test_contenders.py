"""Contenders against brute force over the masks that each may choose from, and by hand."""

import numpy as np
import pytest

import slth
from slth import InvalidInput, Status
from slth.cli import run
from slth.limits import Deadline
from slth.pruning.neurons.contenders import CONTENDERS, REFITS, contend
from slth.pruning.neurons.greedy import search_greedily
from slth.pruning.neurons.judging import sample_points
from slth.pruning.neurons.problem import Problem
from tests import clocks
from tests.pruning.neurons.brute import instance, least_error


def certified(net, target, units):
    mask = slth.Mask.of_units(np.isin(np.arange(net.width), units), net.d)
    return slth.certify(net.pruned(mask), target, rtol=1e-5).upper


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("strategy", CONTENDERS.names())
def test_certified_and_no_better_than_the_optimum(strategy, d, readout):
    net, target = instance(6, d, 3, readout)
    lower, _, _ = least_error(net, target)
    answer = contend(net, target, strategy)
    assert answer.status is Status.FEASIBLE
    assert answer.bound == 0.0
    kept = np.flatnonzero(answer.mask.output)
    assert answer.error.upper == pytest.approx(certified(net, target, kept), rel=1e-4)
    assert lower <= answer.error.upper
    assert answer.stats["searcher"] == strategy
    # All start from, or pass, the empty or the full mask; what they return errs no more.
    ends = [certified(net, target, []), certified(net, target, range(6))]
    assert answer.error.upper <= 1.02 * max(ends)


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_single_is_the_best_unit(readout):
    for seed in range(4):
        net, target = instance(8, 2, seed, readout)
        best = min(certified(net, target, units) for units in [[], *[[i] for i in range(8)]])
        assert contend(net, target, "single").error.upper == pytest.approx(best, rel=1e-3)


def test_magnitude_is_the_best_size_of_that_order():
    for seed in range(4):
        net, target = instance(8, 2, seed)
        sizes = np.abs(net.output) * np.linalg.norm(net.hidden, axis=1)
        order = np.argsort(-sizes)
        best = min(certified(net, target, order[:k]) for k in range(9))
        assert contend(net, target, "magnitude").error.upper == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize(("strategy", "first"), [("forward", False), ("backward", True)])
def test_greedy_takes_the_best_step_each_time(strategy, first):
    for seed in range(3):
        net, target = instance(7, 2, seed)
        points = sample_points(Problem(net, target), np.random.default_rng(0))
        phi = np.maximum(points @ net.hidden.T, 0.0) * net.output
        f = target(points)
        keep = np.full(7, first)
        seen = [(np.abs(phi @ keep - f).max(), keep.copy())]
        movable = set(range(7))
        while movable:
            flips = {i: np.where(np.arange(7) == i, ~keep, keep) for i in movable}
            errors = {i: np.abs(phi @ flip - f).max() for i, flip in flips.items()}
            unit = min(errors, key=errors.__getitem__)
            keep = flips[unit]
            movable.remove(unit)
            seen.append((errors[unit], keep.copy()))
        best = min(seen, key=lambda pair: pair[0])[1]
        assert contend(net, target, strategy).mask.output.tolist() == best.tolist()


def test_relevance_trims_what_hinders_by_hand():
    # g = relu(x) + relu(-x), f = relu(x), d = 1: the sample is x = 1 and x = -1. The second unit's
    # relevance is -1 (it only adds error), the first one's 0; trimmed first, it leaves f itself.
    net = slth.ReLUNetwork([[1.0], [-1.0]], [1.0, 1.0])
    answer = contend(net, slth.neuron([1.0]), "relevance")
    assert answer.mask.output.tolist() == [True, False]
    assert answer.error.upper < 1e-20


@pytest.mark.parametrize("strategy", ["forward", "backward", "relevance", "popup", "rounding"])
def test_finds_a_unit_that_is_the_target(strategy):
    noise = np.random.default_rng(5).standard_normal((3, 3))
    net = slth.ReLUNetwork(np.vstack([noise, [[0.0, 0.6, 0.8]]]), [3.0, -4.0, 5.0, 1.0])
    answer = contend(net, slth.neuron([0.0, 0.6, 0.8]), strategy, eps=1e-6)
    assert answer.status is Status.REACHED
    assert answer.mask.output.tolist() == [False, False, False, True]


@pytest.mark.parametrize("d", [2, 3])
def test_refits_err_no_more_than_tickets(d):
    for seed in range(3):
        net, target = instance(6, d, seed)
        _, upper, _ = least_error(net, target)
        refits = {name: refit(net, target).error for name, refit in REFITS.items()}
        assert refits["minimax"].lower <= upper
        assert refits["minimax"].upper <= refits["least-squares"].upper * (1 + 1e-3)


def test_refits_recover_a_target_in_their_span():
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((8, 3))
    target = slth.ReLUNetwork(hidden[:3], [1.0, -2.0, 0.5])
    for refit in REFITS.values():
        fitted = refit(slth.ReLUNetwork(hidden, rng.standard_normal(8)), target)
        assert fitted.error.upper < 1e-6
        assert fitted.network.output[:3] == pytest.approx([1.0, -2.0, 0.5], abs=1e-5)


@pytest.mark.usefixtures("counted_time")
@pytest.mark.parametrize("strategy", CONTENDERS.names())
@pytest.mark.parametrize("width", [0, 1, 4_000])
def test_any_width_gets_a_certified_ticket(strategy, width):
    net, target = slth.random_network(3, width, 1), slth.neuron([1.0, 0.0, 0.0])
    answer = contend(net, target, strategy, time_limit=300.0)
    again = clocks.certified(answer.pruned, target)
    assert again.lower <= answer.error.upper
    if width == 0:
        assert answer.error.upper == pytest.approx(1.0)


def test_same_seed_same_ticket():
    net, target = instance(15, 3, 1)
    for strategy in ("popup", "rounding"):
        first, second = (contend(net, target, strategy, seed=4) for _ in range(2))
        assert first.mask == second.mask


@pytest.mark.parametrize(
    "bad",
    [
        {"strategy": "minimax"},
        {"strategy": ""},
        {"radius": 0.0},
        {"eps": -1.0},
        {"time_limit": 0.0},
        {"seed": -1},
        {"target": slth.neuron([1.0, 0.0, 0.0])},
    ],
)
def test_bad_input_is_named(bad):
    net, target = instance(3, 2, 0)
    with pytest.raises(InvalidInput):
        contend(**{"net": net, "target": target, "strategy": "single", **bad})


def test_command_line(capsys):
    arguments = ["prune", "neurons", "--width", "10", "--strategy"]
    assert run([*arguments, "magnitude", "--json"]) == 0
    assert '"searcher": "magnitude"' in capsys.readouterr().out
    assert run([*arguments, "nothing"]) == 2
    assert "unknown contender" in capsys.readouterr().err


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_greedy_search_of_a_wide_network_beats_its_best_unit(readout):
    net = slth.random_network(5, 150, 2, readout)
    target = slth.neuron(np.eye(5)[0])
    problem = Problem(net, target)
    found = search_greedily(problem, np.random.default_rng(0), Deadline(60))
    error = certified(net, target, np.flatnonzero(found.keep))
    assert error == pytest.approx(found.error, rel=0.02)
    assert error < 0.8 * contend(net, target, "single").error.upper


@pytest.mark.parametrize(("readout", "worst"), [("linear", 0.5), ("relu", 0.6)])
def test_the_theorems_tickets_are_built_and_certified_at_any_scale(readout, worst):
    net, target = slth.random_network(3, 3000, 5, readout), slth.neuron([0.0, 1.0, 0.0])
    found = contend(net, target, "theorem")
    assert 0.0 < found.error.upper < worst
    twice = slth.ReLUNetwork(net.hidden, 2.0 * net.output, readout)
    double = contend(twice, slth.ReLUNetwork([[0.0, 2.0, 0.0]], [1.0]), "theorem")
    assert double.mask == found.mask
    many = slth.ReLUNetwork(np.eye(3), np.ones(3))
    assert contend(net, many, "theorem").mask.kept_units == 0
