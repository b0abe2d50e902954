"""The fewest units within eps, against every subset, by hand, and where nothing fits."""

import _thread
import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slth
from slth import InvalidInput, Status, prune_neurons
from slth.cli import run
from slth.limits import Deadline
from slth.pruning.neurons.dual import Certificate, certified_bound
from slth.pruning.neurons.problem import Problem, onto_sphere, random_sphere
from slth.pruning.neurons.relaxation import relax
from tests.pruning.neurons.brute import all_masks, instance
from tests.pruning.neurons.test_dual import exact_error_at

GENEROUS = None


def fewest_by_hand(net, target, eps):
    """The least count of units with a certified error <= eps, N + 1 if no subset has one.

    Subsets that exceed eps at a sampled point, by more than rounding, are out; the others are
    certified in order of their count. None when the certifier cannot tell.
    """
    points = random_sphere(np.random.default_rng(1), 400, net.d)
    masks = all_masks(net.width)
    values = masks @ (np.maximum(points @ net.hidden.T, 0.0) * net.output).T
    if net.readout == "relu":
        values = np.maximum(values, 0.0)
    seen = np.abs(values - target(points)).max(axis=1)
    masks = masks[seen <= eps + 1e-9]
    for keep in masks[np.argsort(masks.sum(axis=1), kind="stable")]:
        mask = slth.Mask.of_units(keep, net.d)
        error = slth.certify(net.pruned(mask), target, eps=eps, time_limit=None)
        if error.upper <= eps:
            return int(keep.sum())
        assert error.lower > eps, "an instance for the oracle must not lie on the border"
    return net.width + 1


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize(("d", "width"), [(1, 10), (2, 11), (3, 10), (4, 9)])
@pytest.mark.parametrize("part", [0.03, 0.15, 0.4])
def test_compression_agrees_with_every_subset(d, width, part, readout):
    net, _ = instance(width, d, 7 * d + width, readout)
    zero = slth.ReLUNetwork(np.zeros((0, d)), np.zeros(0))
    size = slth.certify(zero, net).upper
    assert size > 0.1, "the network is not zero"
    eps = part * size
    answer = prune_neurons(net, net, eps=eps, fewest=True, time_limit=GENEROUS)
    assert answer.status is Status.OPTIMAL
    assert answer.least_units == answer.mask.kept_units == fewest_by_hand(net, net, eps)
    again = slth.certify(net.pruned(answer.mask), net)
    assert again.lower <= answer.error.upper <= eps


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("units", [1, 3])
def test_other_targets_agree_with_every_subset(units, readout):
    for seed, d in enumerate((1, 2, 3, 4)):
        net, target = instance(8, d, seed, readout, units=units)
        best = prune_neurons(net, target, time_limit=GENEROUS).error.upper
        answer = prune_neurons(net, target, eps=1.02 * best, fewest=True, time_limit=GENEROUS)
        assert answer.status is Status.OPTIMAL
        assert answer.mask.kept_units == fewest_by_hand(net, target, 1.02 * best)
        assert answer.error.upper <= 1.02 * best


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_fourteen_units(readout):
    net, _ = instance(14, 3, 2, readout)
    answer = prune_neurons(net, net, eps=0.5, fewest=True, time_limit=GENEROUS)
    assert answer.status is Status.OPTIMAL
    assert answer.mask.kept_units == fewest_by_hand(net, net, 0.5)


def test_duplicates_by_hand():
    # relu(x) + relu(x)/2 + relu(x)/2 + relu(y) against 2 relu(x) + relu(y): all three halves are
    # needed within 0.1, the two larger within 0.6 on either axis.
    net = slth.ReLUNetwork([[1, 0], [1, 0], [1, 0], [0, 1]], [1.0, 0.5, 0.5, 1.0])
    target = slth.ReLUNetwork([[1, 0], [0, 1]], [2.0, 1.0])
    for eps, units in ((0.1, 4), (0.6, 3), (1.01, 2), (3.0, 0)):
        answer = prune_neurons(net, target, eps=eps, fewest=True, time_limit=GENEROUS)
        assert (answer.status, answer.mask.kept_units) == (Status.OPTIMAL, units)
        assert answer.least_units == units


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_no_subset_fits(readout):
    net, target = instance(7, 3, 5, readout)
    best = prune_neurons(net, target, time_limit=GENEROUS)
    answer = prune_neurons(net, target, eps=0.9 * best.bound, fewest=True, time_limit=GENEROUS)
    assert answer.status is Status.REFUTED
    assert answer.least_units == 8
    assert 0.9 * best.bound < answer.bound <= best.error.upper


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.sampled_from([0.25, 3.0, 1e6]))
def test_scales_with_the_radius(seed, factor):
    net, _ = instance(6, 2, seed)
    one = prune_neurons(net, net, eps=0.4, fewest=True, time_limit=GENEROUS)
    scaled = prune_neurons(net, net, factor, eps=0.4 * factor, fewest=True, time_limit=GENEROUS)
    assert scaled.mask.kept_units == one.mask.kept_units
    assert scaled.error.upper <= 0.4 * factor


def test_more_eps_needs_no_more_units():
    net, _ = instance(12, 3, 4)
    answers = [
        prune_neurons(net, net, eps=eps, fewest=True, time_limit=GENEROUS)
        for eps in (0.05, 0.2, 0.5, 1.0, 2.0)
    ]
    counts = [answer.mask.kept_units for answer in answers]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


@pytest.mark.usefixtures("counted_time")
def test_a_short_limit_leaves_an_honest_sandwich():
    net = slth.random_network(5, 300, 0)
    answer = prune_neurons(net, net, eps=0.5, fewest=True, time_limit=300.0)
    assert answer.status in (Status.FEASIBLE, Status.OPTIMAL)
    assert answer.error.upper <= 0.5
    assert 1 <= answer.least_units <= answer.mask.kept_units <= 300


@pytest.mark.usefixtures("counted_time")
def test_widths_beyond_the_relaxation_and_of_no_units():
    wide = slth.random_network(2, 1000, 0)
    answer = prune_neurons(wide, wide, eps=5.0, fewest=True, time_limit=300.0)
    assert answer.status is Status.FEASIBLE
    assert answer.error.upper <= 5.0
    none = slth.ReLUNetwork(np.zeros((0, 2)), np.zeros(0))
    target = slth.neuron([1.0, 0.0])
    assert prune_neurons(none, target, eps=0.9, fewest=True).status is Status.REFUTED
    empty = prune_neurons(none, target, eps=1.1, fewest=True)
    assert (empty.status, empty.least_units) == (Status.OPTIMAL, 0)


def test_interrupt_returns_the_best_so_far():
    net = slth.random_network(5, 200, 0)
    told = []

    def interrupt_once(progress):
        if not told and progress.lower >= 1.0:
            told.append(progress)
            _thread.interrupt_main()

    answer = prune_neurons(net, net, eps=0.5, fewest=True, time_limit=None, report=interrupt_once)
    assert answer.stats["interrupted"] is True
    assert answer.status is Status.FEASIBLE
    assert answer.error.upper <= 0.5


def test_progress_counts_units():
    told = []
    net, _ = instance(10, 3, 0)
    prune_neurons(net, net, eps=0.5, fewest=True, time_limit=GENEROUS, report=told.append)
    counts = [progress for progress in told if progress.what == "units"]
    assert [c.lower for c in counts] == sorted(c.lower for c in counts)
    assert [c.upper for c in counts] == sorted((c.upper for c in counts), reverse=True)
    assert counts[-1].lower == counts[-1].upper


@pytest.mark.parametrize("bad", [{"eps": None}, {"fewest": 1}, {"fewest": "yes"}, {"fewest": None}])
def test_bad_input_is_named(bad):
    net, target = instance(3, 2, 0)
    with pytest.raises(InvalidInput, match="fewest"):
        prune_neurons(**{"net": net, "target": target, "eps": 0.5, "fewest": True, **bad})


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    most=st.integers(0, 5),
    crowd=st.sampled_from([0.0, 0.1, 2.0]),
    readout=st.sampled_from(["linear", "relu"]),
)
def test_no_small_mask_errs_less_than_a_counted_certificate_says(seed, most, crowd, readout):
    rng = np.random.default_rng(seed)
    problem = Problem(*instance(5, 3, seed, readout))
    points = onto_sphere(rng.standard_normal((4, 3)))
    signs, multipliers = rng.choice([-1.0, 1.0], 4), rng.random(4)
    certificate = Certificate(points, signs, multipliers, crowd, most)
    bound = certified_bound(problem, certificate, cutoff=0.3)
    for keep in all_masks(5):
        if keep.sum() <= most:
            assert max(exact_error_at(problem, keep, p) for p in points) >= Fraction(bound)


def test_counted_relaxation_bounds_small_masks_and_rises_as_they_shrink():
    net, _ = instance(8, 3, 1)
    problem = Problem(net, net)
    points = random_sphere(np.random.default_rng(3), 3000, 3)
    phi, f = problem.features(points), problem.target_values(points)
    masks = all_masks(8)
    errors = np.array([math.inf] * 9)
    for keep in masks:
        error = float(np.abs(phi @ keep - f).max())
        errors[keep.sum()] = min(errors[keep.sum()], error)
    bounds = [
        relax(replace(problem, most=m), np.random.default_rng(0), Deadline(60)).bound
        for m in range(9)
    ]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > bounds[4] > bounds[8] == 0.0
    for m in range(9):
        # Sampled errors fall a little short of suprema.
        assert bounds[m] <= errors[: m + 1].min() * 1.02


def test_command_line_compresses_a_layer_and_writes_a_ticket(capsys, tmp_path):
    net, _ = instance(12, 2, 4)
    np.savez(tmp_path / "layer.npz", hidden=net.hidden, output=net.output)
    layer, file = str(tmp_path / "layer.npz"), str(tmp_path / "a.ticket")
    arguments = ["prune", "neurons", "--net", layer, "--target", layer, "--eps", "0.4", "--fewest"]
    assert run([*arguments, "--out", file, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "optimal"
    assert told["least_units"] == len(told["kept_units"]) < 12
    assert slth.Ticket.load(file).status is Status.REACHED
    assert slth.check(file)
    assert run([*arguments]) == 0
    assert "no fewer than" in capsys.readouterr().out
    assert run([*arguments, "--strategy", "single"]) == 2


def test_command_line_needs_eps_to_count(capsys):
    assert run(["prune", "neurons", "--fewest"]) == 2
    assert "fewest without eps" in " ".join(capsys.readouterr().err.split())
