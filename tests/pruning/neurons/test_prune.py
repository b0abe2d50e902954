"""prune_neurons against every mask of small networks, planted tickets, bad input and limits."""

import _thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slth
from slth import InvalidInput, Status, prune_neurons
from tests import clocks
from tests.clocks import certified
from tests.pruning.neurons.brute import instance, least_error

WIDTHS = {1: 9, 2: 8, 3: 7, 4: 6, 5: 6, 6: 5}


def test_oracle_on_an_instance_worked_by_hand():
    # f = relu(x); units 2 relu(x), 1/2 relu(x), relu(-x): errors 1, 1/2, 1 alone; {0}: 1, {1}: 1/2.
    net = slth.ReLUNetwork([[1.0], [1.0], [-1.0]], [2.0, 0.5, 1.0])
    lower, upper, keep = least_error(net, slth.neuron([1.0]))
    assert lower == pytest.approx(0.5) == upper
    assert keep.tolist() == [False, True, False]


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", WIDTHS)
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_every_mask(d, readout, seed):
    net, target = instance(WIDTHS[d] - seed, d, seed, readout)
    lower, upper, _ = least_error(net, target)
    answer = prune_neurons(net, target, seed=seed)
    assert answer.bound <= upper
    assert answer.error.upper >= lower
    assert answer.status is Status.OPTIMAL
    assert answer.error.upper <= upper * (1 + 5e-4)
    assert answer.mask.is_neuron_mask


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_decides_eps_on_either_side_of_the_least_error(d, readout):
    net, target = instance(WIDTHS[d], d, 7, readout)
    lower, upper, _ = least_error(net, target)
    below = prune_neurons(net, target, eps=0.98 * lower)
    assert below.status is Status.REFUTED
    assert 0.98 * lower < below.bound <= upper
    above = prune_neurons(net, target, eps=1.02 * upper)
    assert above.status is Status.REACHED
    assert lower <= above.error.upper <= 1.02 * upper


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_targets_of_several_units(readout):
    for seed in range(3):
        net, target = instance(6, 3, seed, readout, units=3)
        lower, upper, _ = least_error(net, target)
        answer = prune_neurons(net, target)
        assert answer.bound <= upper
        assert lower <= answer.error.upper <= upper * (1 + 5e-4)


def test_relu_readout_with_a_target_of_both_signs():
    net, _ = instance(6, 2, 0, "relu")
    target = slth.ReLUNetwork([[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0])
    lower, upper, _ = least_error(net, target)
    answer = prune_neurons(net, target, time_limit=None)
    assert answer.bound <= upper
    assert lower <= answer.error.upper <= upper * (1 + 5e-4)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.sampled_from([0.25, 3.0, 1e6]))
def test_scales_with_the_radius(seed, factor):
    net, target = instance(5, 2, seed)
    one = prune_neurons(net, target)
    scaled = prune_neurons(net, target, radius=factor)
    assert scaled.error.upper == pytest.approx(factor * one.error.upper, rel=1e-3)
    assert scaled.bound <= factor * one.error.upper * (1 + 1e-12)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_units_does_not_matter(seed):
    net, target = instance(7, 2, seed)
    order = np.random.default_rng(seed).permutation(7)
    moved = slth.ReLUNetwork(net.hidden[order], net.output[order])
    errors = [prune_neurons(n, target).error.upper for n in (net, moved)]
    assert errors[0] == pytest.approx(errors[1], rel=5e-4)


@pytest.mark.parametrize(("d", "readout"), [(2, "linear"), (3, "linear"), (4, "relu")])
def test_planted_exact_tickets_are_found(d, readout):
    rng = np.random.default_rng(d)
    target = slth.neuron(rng.standard_normal(d), normalize=True)
    shares = np.array([0.5, 0.3, 0.2])
    hidden = np.concatenate([rng.standard_normal((20, d)), np.repeat(target.hidden, 3, axis=0)])
    net = slth.ReLUNetwork(hidden, np.concatenate([rng.standard_normal(20), shares]), readout)
    answer = prune_neurons(net, target, eps=1e-9)
    assert answer.status is Status.REACHED


def test_units_that_do_nothing_are_harmless():
    hidden = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1e-200, 0.0]])
    net = slth.ReLUNetwork(hidden, [1.0, 0.0, 0.25, 1.0])
    answer = prune_neurons(net, slth.neuron([1.0, 0.0]))
    assert answer.status is Status.OPTIMAL
    assert answer.error.upper == pytest.approx(0.75)


def test_no_units():
    net = slth.ReLUNetwork(np.zeros((0, 3)), np.zeros(0))
    answer = prune_neurons(net, slth.neuron([1.0, 0.0, 0.0]))
    assert answer.status is Status.OPTIMAL
    assert answer.error.upper == pytest.approx(1.0)
    refuted = prune_neurons(net, slth.neuron([1.0, 0.0, 0.0]), eps=0.9)
    assert refuted.status is Status.REFUTED


@pytest.mark.usefixtures("counted_time")
@pytest.mark.parametrize("width", [1, 30, 500, 8_000])
@pytest.mark.parametrize(("d", "readout"), [(2, "linear"), (2, "relu"), (5, "linear")])
def test_any_width_gives_an_honest_sandwich(width, d, readout):
    net = slth.random_network(d, width, 3, readout)
    target = slth.neuron(np.eye(d)[0])
    answer = prune_neurons(net, target, time_limit=300.0)
    assert 0.0 <= answer.bound <= answer.error.upper
    again = certified(net.pruned(answer.mask), target)
    assert again.lower <= answer.error.upper
    assert answer.bound <= again.upper


def test_same_seed_same_answer():
    net, target = instance(12, 3, 1)
    first, second = (prune_neurons(net, target, seed=4) for _ in range(2))
    assert first.mask == second.mask
    assert first.bound == second.bound


def test_time_limit_is_kept_and_progress_told(monkeypatch):
    clock = clocks.Ticking()
    clocks.use(monkeypatch, clock)
    net, target = instance(100, 3, 0)
    told = []
    answer = prune_neurons(net, target, time_limit=200.0, report=told.append)
    # After the limit only what leads to the answer looks at the clock.
    assert 200 <= clock.readings < 400
    assert answer.status is Status.FEASIBLE
    lowers = [progress.lower for progress in told]
    assert lowers == sorted(lowers)
    assert told[-1].upper == answer.error.upper


def test_masks_that_err_almost_alike_are_told_apart():
    """The two best masks differ by 2e-4; a coarse enclosure of one once hid it behind the other."""
    rng = np.random.default_rng(1)
    hidden, output = rng.standard_normal((60, 5)), rng.standard_normal(60)
    target = slth.neuron(rng.standard_normal(5), normalize=True)
    answer = prune_neurons(slth.ReLUNetwork(hidden, output), target, time_limit=None)
    assert answer.status is Status.OPTIMAL
    assert answer.error.upper == pytest.approx(0.602639, abs=2e-6)


def test_interrupt_returns_the_best_so_far():
    net, target = instance(100, 3, 0)
    told = []

    def interrupt_once(progress):
        if not told and progress.lower > 0.0 and progress.upper < 1.0:
            told.append(progress)
            _thread.interrupt_main()

    answer = prune_neurons(net, target, time_limit=None, report=interrupt_once)
    assert answer.stats["interrupted"] is True
    assert 0.0 < answer.bound <= answer.error.upper < 1.0


@pytest.mark.parametrize(
    "bad",
    [
        {"radius": 0.0},
        {"radius": float("nan")},
        {"eps": 0.0},
        {"eps": -1.0},
        {"eps": float("inf")},
        {"time_limit": 0},
        {"time_limit": -1.0},
        {"seed": -1},
        {"seed": 0.5},
        {"target": slth.neuron([1.0, 0.0, 0.0])},
        {"target": [1.0, 0.0]},
        {"net": "net"},
    ],
)
def test_bad_input_is_named(bad):
    net, target = instance(3, 2, 0)
    with pytest.raises(InvalidInput):
        prune_neurons(**{"net": net, "target": target, **bad})


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize(("d", "width"), [(2, 300), (3, 1000)])
def test_a_target_cut_into_parts_is_found_among_many(d, width, readout):
    rng = np.random.default_rng(width)
    target = slth.neuron(rng.standard_normal(d), normalize=True)
    shares = np.array([0.5, 0.3, 0.2])
    hidden = np.concatenate([rng.standard_normal((width, d)), np.repeat(target.hidden, 3, axis=0)])
    net = slth.ReLUNetwork(hidden, np.concatenate([rng.standard_normal(width), shares]), readout)
    answer = prune_neurons(net, target, eps=1e-9)
    assert answer.status is Status.REACHED
