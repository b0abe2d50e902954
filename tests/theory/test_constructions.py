"""Upper bounds as tickets, and the small statements of the planner."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi

import slth
from slth import theory
from slth.errors import InvalidInput
from slth.theory.small_units import _mean_coordinate, density_at_zero, expected_error, unit_size


@pytest.mark.parametrize("d", [2, 3, 5, 10])
def test_constants_of_small_units_against_sampling_and_quadrature(d):
    density = math.sqrt(2 / math.pi) * quad(lambda r: chi.pdf(r, d) / r, 0, np.inf)[0]
    assert float(density_at_zero(d)) == pytest.approx(density, rel=1e-6)
    rng = np.random.default_rng(d)
    v = rng.standard_normal((300_000, d))
    coordinate = np.abs(v[:, 0]) / np.linalg.norm(v, axis=1)
    error = coordinate.std() / math.sqrt(300_000)
    assert float(_mean_coordinate(d)) == pytest.approx(coordinate.mean(), abs=4.5 * error)


def test_the_mean_of_a_signed_unit_is_exactly_linear():
    # E sign(<v, w*>) relu(<v, x>) = E|v_1| <w*, x> / 2, at any x.
    rng = np.random.default_rng(0)
    d, count = 4, 1_000_000
    v = rng.standard_normal((count, d))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    for x in rng.standard_normal((4, d)):
        samples = np.sign(v[:, 0]) * np.maximum(v @ x, 0)
        error = samples.std() / math.sqrt(count)
        expected = float(_mean_coordinate(d)) * x[0] / 2
        assert samples.mean() == pytest.approx(expected, abs=4.5 * error)


def test_small_units_stay_below_their_bound_and_shrink_like_the_fourth_root():
    d = 5
    errors = {}
    for width in (10_000, 160_000):
        found = []
        for seed in range(4):
            net = slth.random_network(d, width, seed, "relu")
            target = np.eye(d)[0]
            kept = theory.small_units(net.hidden, net.output, target)
            sizes = np.abs(net.output) * np.linalg.norm(net.hidden, axis=1)
            assert sizes[kept].max() <= unit_size(d, width)
            assert (net.output[kept] * net.hidden[kept, 0] > 0).all()
            x = np.random.default_rng(seed).standard_normal((3000, d))
            x /= np.linalg.norm(x, axis=1, keepdims=True)
            g = np.maximum(np.maximum(x @ net.hidden[kept].T, 0) @ net.output[kept], 0)
            found.append(float(np.abs(g - np.maximum(x[:, 0], 0)).max()))
        assert max(found) <= expected_error(d, width, 0.05)
        errors[width] = np.mean(found)
    assert errors[160_000] == pytest.approx(errors[10_000] / 2, rel=0.35)


def test_a_ticket_of_small_units_is_certified():
    d, width = 2, 3000
    net = slth.random_network(d, width, 1, "relu")
    target = slth.neuron([1.0, 0.0])
    relu_target = slth.ReLUNetwork(target.hidden, target.output, "relu")
    kept = theory.small_units(net.hidden, net.output, np.eye(d)[0])
    pruned = slth.ReLUNetwork(net.hidden[kept], net.output[kept], "relu")
    error = slth.certify(pruned, relu_target, rtol=0.05, time_limit=None)
    assert error.upper <= expected_error(d, width, 0.05)


def test_small_units_width_suffices_and_scales():
    bound = theory.small_units_width(10, 0.1)
    assert expected_error(10, bound.value, 0.05) <= 0.1
    assert expected_error(10, bound.value // 2, 0.05) > 0.1
    finer = theory.small_units_width(10, 0.01).value / bound.value
    assert math.log10(finer) == pytest.approx(4.0, abs=0.2)
    wider = theory.small_units_width(40, 0.1).value / bound.value
    assert wider < 16
    assert theory.small_units_width(10, 0.2, 2.0).value == pytest.approx(bound.value, rel=2e-3)


def test_counting_against_brute_force_and_its_own_formula():
    d, eps, delta = 2, 0.01, 0.5
    width = theory.counting_width(d, eps, 1.0, delta).value
    assert 2**width * theory.cap_probability(d, 2 * eps) <= delta * (1 + 1e-9)
    assert 2 ** (width + 2) * theory.cap_probability(d, 2 * eps) > delta
    assert theory.counting_width(6, 1e-3, pruning="weights").value == pytest.approx(
        theory.counting_width(6, 1e-3).value / 6, abs=1
    )
    assert theory.counting_width(5, 0.6).vacuous
    with pytest.raises(InvalidInput, match="unknown pruning"):
        theory.counting_width(5, 0.1, pruning="both")


def test_one_unit_as_drawn_against_simulation():
    d, eps, delta = 2, 0.2, 0.5
    width = theory.drawn_unit_refuted_width(d, eps, 1.0, delta).value
    assert width >= 2
    rng = np.random.default_rng(4)
    angle = np.linspace(0, 2 * math.pi, 361)
    x = np.c_[np.cos(angle), np.sin(angle)]
    goal = np.maximum(x[:, 0], 0)
    won, draws = 0, 2000
    for _ in range(draws):
        w, a = rng.standard_normal((width, d)), rng.standard_normal(width)
        won += np.abs(np.maximum(x @ w.T, 0) * a - goal[:, None]).max(axis=0).min() <= eps
    assert won <= delta * draws + 4 * math.sqrt(draws / 4)
    refitted = theory.single_unit_refuted_width(d, eps, 1.0, delta).value
    assert width > refitted


def test_axis_masks_and_sparse_subset_sums():
    few = theory.axis_mask_width(0.25, 1.0, 0.5).value
    rng = np.random.default_rng(0)
    failures = 0
    for _ in range(20):
        a, w = rng.standard_normal((2, few))
        # Masks that keep w_1 and a of a unit with w > 0: sums of a w; greedy over pairs is enough
        # to be near 1 only if many sums are, so all sums of the first 16 such units are formed.
        steps = (a * w)[w > 0][:16]
        sums = np.zeros(1)
        for step in steps:
            sums = np.concatenate([sums, sums + step])
        failures += np.abs(sums - 1).min() > 0.25
    assert failures <= 10
    assert theory.subset_sum_needed(2.0**-11).value == 10
    quarter = theory.subset_sum_needed(2.0**-11, share=0.25).value
    assert math.comb(quarter, round(quarter / 4)) >= 2**10
    assert quarter > 10
