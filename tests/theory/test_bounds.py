"""Theorem 1, Lemma 10, subset sums and the paper's route against simulation and brute force."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import k0

from slth import theory
from slth.errors import InvalidInput
from slth.theory.single import unit_ball_probability


def best_subset_error(hidden, output, target, radius):
    """min over subsets of the sup-norm at d = 2, sampled at every kink and 720 directions: a
    lower estimate of the true minimum, so it contradicts a refutation whenever it can."""
    angles = np.r_[
        np.linspace(0, 2 * math.pi, 720, endpoint=False),
        *[
            np.arctan2(w[1], w[0]) + turn * math.pi / 2
            for w in (*hidden, target)
            for turn in (0, 1, 2, 3)
        ],
    ]
    x = radius * np.c_[np.cos(angles), np.sin(angles)]
    units = np.maximum(x @ hidden.T, 0) * output
    f = np.maximum(x @ target, 0)
    best = math.inf
    for keep in itertools.product((0.0, 1.0), repeat=len(output)):
        best = min(best, np.abs(units @ np.array(keep) - f).max())
    return best


def test_the_refuted_width_is_never_contradicted_by_brute_force_in_the_plane():
    eps, radius, delta = 0.02, 2.0, 0.3
    bound = theory.max_refuted_width(2, eps, radius, delta)
    assert bound.status == "proven"
    assert not bound.vacuous
    width = min(int(bound.value), 8)
    assert width == 8
    rng = np.random.default_rng(12)
    trials, failures = 60, 0
    for _ in range(trials):
        hidden, output = rng.standard_normal((width, 2)), rng.standard_normal(width)
        error = best_subset_error(hidden, output, np.array([1.0, 0.0]), radius)
        failures += error <= eps
    assert failures <= trials * delta + 4 * math.sqrt(trials * delta * (1 - delta))


def test_an_uncut_arc_forces_the_error_it_says_with_any_coefficients():
    # Least squares over all coefficients cannot beat (R/2) tan(phi/2) on an arc no unit cuts.
    rng = np.random.default_rng(3)
    radius, phi, checked = 2.0, 0.15, 0
    for _ in range(40):
        hidden = rng.standard_normal((6, 2))
        cut = np.arctan2(np.abs(hidden[:, 1]), np.abs(hidden[:, 0]))
        # w* = e_1, x0 = e_2: a unit cuts the arc iff its kink direction is within phi of e_2.
        if (np.pi / 2 - cut > np.pi / 2 - phi).any():
            continue
        s = np.linspace(-phi, phi, 801)
        x = radius * np.c_[np.sin(s), np.cos(s)]
        features = np.maximum(x @ hidden.T, 0)
        f = np.maximum(x[:, 0], 0)
        coefficients = np.linalg.lstsq(features, f, rcond=None)[0]
        error = np.abs(features @ coefficients - f).max()
        assert error >= radius / 2 * math.tan(phi / 2) - 1e-9
        checked += 1
    assert checked >= 10


@pytest.mark.parametrize(("d", "width", "eps"), [(2, 5, 0.05), (3, 8, 0.05), (3, 25, 0.02)])
def test_covering_failure_bounds_the_simulated_probability(d, width, eps):
    from slth.theory.audit.theorem import _circle_covered

    rng = np.random.default_rng(d + width)
    half = math.tan(2 * math.atan(2 * eps / 2.0))
    trials = 3000
    if d == 2:
        z, w = rng.standard_normal((2, trials, width))
        covered = float((np.abs(z) <= half * np.abs(w)).any(axis=1).mean())
    else:
        covered = sum(_circle_covered(rng, width, half) for _ in range(trials)) / trials
    bound = theory.covering_failure(d, width, eps, 2.0)
    assert covered <= bound + 4 * math.sqrt(covered * (1 - covered) / trials) + 1e-12
    if d == 2:
        assert covered == pytest.approx(bound, abs=4.5 * math.sqrt(bound / trials))


def test_circle_coverage_oracle():
    from slth.theory.audit.theorem import _circle_covered

    rng = np.random.default_rng(0)
    for _ in range(300):
        seed = int(rng.integers(2**31))
        covered = _circle_covered(np.random.default_rng(seed), 9, 0.3)
        again = np.random.default_rng(seed)
        z, w = again.standard_normal((9, 2)), np.abs(again.standard_normal(9))
        angle = np.linspace(0, math.pi, 20_001)
        x = np.c_[np.cos(angle), np.sin(angle)]
        margin = (np.abs(x @ z.T) - 0.3 * w).min(axis=1).max()
        assert covered == (margin <= 0) or abs(margin) < 1e-3


def test_refuted_width_is_monotone_as_theory_says():
    def value(d, eps, radius, delta):
        return theory.max_refuted_width(d, eps, radius, delta).value

    base = (10, 0.01, 2.0, 0.05)
    assert value(*base) > 1000
    in_d = [value(d, 0.02, 2.0, 0.05) for d in (2, 3, 6, 14, 30)]
    assert in_d == sorted(in_d)
    in_eps = [value(5, eps, 2.0, 0.05) for eps in (0.3, 0.1, 0.01, 0.003)]
    assert in_eps == sorted(in_eps)
    in_radius = [value(5, 0.02, radius, 0.05) for radius in (2.0, 8.0)]
    assert in_radius == sorted(in_radius)
    in_delta = [value(5, 0.02, 2.0, delta) for delta in (0.001, 0.1, 0.5)]
    assert in_delta == sorted(in_delta)
    # The width of the covering argument does not fail, by its probability evaluated by itself.
    covering = int(theory.covering_width(*base).value)
    assert theory.covering_failure(10, covering, 0.01, 2.0) <= 0.05
    assert theory.covering_failure(10, 4 * covering, 0.01, 2.0) > 0.05


def test_the_refuted_width_is_the_best_of_three_and_says_which():
    cases = {
        (3, 0.01): "covering bound",
        (10, 0.01): "zonal bound",
        (100, 0.001): "spectral bound",
    }
    for (d, eps), name in cases.items():
        best = theory.max_refuted_width(d, eps, 2.0, 0.05)
        widths = [
            argument(d, eps, 2.0, 0.05).value
            for argument in (theory.covering_width, theory.zonal_width, theory.spectral_width)
        ]
        assert best.value == max(widths)
        assert best.name == f"Theorem 1, {name}"
        assert best.constants["log10_spectral"] == pytest.approx(math.log10(widths[2]))


def test_vacuous_is_said():
    bound = theory.max_refuted_width(2, 0.9, 2.0, 0.01)
    assert bound.value == 0
    assert bound.vacuous
    assert theory.covering_failure(4, 3, 0.9, 1.0) == 1.0
    assert theory.route_width(4, 0.1, 2.0, 0.05).vacuous


@pytest.mark.parametrize("d", [2, 3, 8, 50])
def test_cap_law_against_simulation(d):
    eps, trials = (0.3 if d < 5 else 0.9), 100_000
    w = np.random.default_rng(d).standard_normal((trials, d))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    hits = np.mean((w[:, 0] > 0) & (np.sqrt(np.maximum(0, 1 - w[:, 0] ** 2)) <= eps))
    exact = theory.cap_probability(d, eps)
    assert hits == pytest.approx(exact, abs=4 * math.sqrt(exact / trials))


def test_cap_law_closed_forms_and_best_single_unit_error():
    # d = 2: an arc of half-angle arcsin eps out of a turn; d = 3: area (1 - cos) / 2.
    assert theory.cap_probability(2, 0.3) == pytest.approx(math.asin(0.3) / math.pi)
    assert theory.cap_probability(3, 0.3) == pytest.approx((1 - math.sqrt(1 - 0.09)) / 2)
    angle = np.linspace(0, 2 * math.pi, 7201)
    for theta in (0.1, 0.7, 1.4):
        f = np.maximum(np.cos(angle), 0)
        unit = np.maximum(np.cos(angle - theta), 0)
        best = min(np.abs(f - a * unit).max() for a in np.linspace(-0.5, 2.0, 1001))
        assert best == pytest.approx(math.sin(theta), abs=2e-3)


def test_single_unit_widths_bracket_simulation():
    d, eps, radius, delta = 2, 0.3, 1.0, 0.5
    low = theory.single_unit_refuted_width(d, eps, radius, delta).value
    high = theory.single_unit_sufficient_width(d, eps, radius, delta).value
    assert 1 <= low < high
    rng = np.random.default_rng(6)
    trials = 400

    def success(width):
        won = 0
        for _ in range(trials):
            v = rng.standard_normal((width, 1)) * rng.standard_normal((width, d))
            theta = np.arctan2(np.abs(v[:, 1]), v[:, 0])
            size = np.linalg.norm(v, axis=1)
            distance = np.sqrt(1 + size**2 - 2 * size * np.cos(theta))
            won += bool((distance <= eps).any())
        return won / trials

    slack = 4 * math.sqrt(0.25 / trials)
    assert success(low) <= delta + slack
    assert success(high) >= 1 - delta - slack


@pytest.mark.parametrize("d", [2, 3])
def test_unit_ball_probability_is_a_lower_bound(d):
    from flint import arb

    rng = np.random.default_rng(d)
    trials = 400_000
    a, w = rng.standard_normal(trials), rng.standard_normal((trials, d))
    v = a[:, None] * w
    v[:, 0] -= 1.0
    hits = np.mean((a > 0) & (np.linalg.norm(v, axis=1) <= 0.2))
    bound = float(unit_ball_probability(d, arb(0.2)))
    assert bound <= hits + 4 * math.sqrt(hits / trials)
    assert bound >= 0.5 * hits


def test_success_by_chance_is_below_simulated_success():
    # k = 1, d = 2: the event bounded implies success.
    log_bound = theory.success_by_chance(2, 1, 0.8, 1.0)
    rng = np.random.default_rng(1)
    v = np.abs(rng.standard_normal((200_000, 1))) * rng.standard_normal((200_000, 2))
    v[:, 0] -= 1.0
    share = np.mean(np.linalg.norm(v, axis=1) <= 0.8) / 2
    assert math.exp(log_bound) <= share
    assert theory.success_by_chance(2, 3, 0.8, 1.0) < log_bound


def subset_sums(samples):
    sums = np.zeros(1)
    for x in samples:
        sums = np.concatenate([sums, sums + x])
    return np.sort(sums)


def test_subset_sum_width_suffices_in_simulation():
    eps, delta = 0.25, 0.5
    bound = theory.subset_sum_width(eps, delta)
    needed = theory.subset_sum_needed(eps)
    assert needed.value <= bound.value <= 18
    rng = np.random.default_rng(9)
    targets = np.linspace(-0.5, 0.5, 201)
    failures = 0
    for _ in range(40):
        sums = subset_sums(rng.uniform(-1, 1, bound.value))
        nearest = np.abs(targets[:, None] - sums[None, :]).min(axis=1)
        failures += nearest.max() > eps
    assert failures <= 40 * delta


def test_subset_sum_growth_inequality():
    # E[v'] >= v + v (1 - v) / 2 for uniform samples, on random covered sets of a fine grid.
    rng = np.random.default_rng(10)
    cells = 400
    grid = (np.arange(cells) + 0.5) / cells - 0.5
    for _ in range(5):
        covered = rng.random(cells) < rng.uniform(0.05, 0.9)
        v = covered.mean()
        gain = 0.0
        for shift in range(-cells, cells + 1):
            moved = np.zeros(cells, dtype=bool)
            source = np.arange(cells) - shift
            ok = (source >= 0) & (source < cells)
            moved[ok] = covered[source[ok]]
            gain += (moved & ~covered).mean() / (2 * cells)
        assert grid.size == cells
        assert gain >= v * (1 - v) / 2 - 1e-3


def test_widths_of_weight_pruning_are_logarithmic_in_eps():
    widths = [theory.weight_pruning_width(5, 10.0**-e, 1.0, 0.05).value for e in (2, 4, 6)]
    assert widths[1] - widths[0] == pytest.approx(widths[2] - widths[1], rel=0.02)
    product = theory.subset_sum_width(0.01, 0.05, samples="product", reach=1.0).value
    assert product > theory.subset_sum_width(0.01, 0.05).value
    assert theory.weight_pruning_width(3, 5.0, 1.0, 0.05).value == 0


def test_neuron_pruning_suffices_above_what_it_needs():
    for d, eps in [(2, 0.1), (3, 0.05), (6, 0.01)]:
        enough = theory.neuron_pruning_sufficient_width(d, eps, 2.0, 0.05)
        assert enough.value > theory.max_refuted_width(d, eps, 2.0, 0.05).value
        assert enough.value <= enough.constants["cluster"]
    tiny = theory.neuron_pruning_sufficient_width(2, 1e-9, 2.0, 0.05)
    assert tiny.constants["cluster"] < tiny.constants["one_unit"]


def test_constants_of_the_route():
    chosen = theory.constants(0.001, 2.0, gamma=0.7, margin=0.2, share=0.05)
    assert chosen.c2 == pytest.approx(2 / 3)
    assert chosen.c3 == pytest.approx(2 / math.pi * quad(k0, 0.7, 50)[0], rel=1e-9)
    assert chosen.q0 <= 2 / math.pi * math.atan(chosen.cap * chosen.bins.length / 2) * (1 + 1e-9)
    # A steep unit in a bin fitted within eps leaves it broken: Lemma 6 with its best constant.
    inside, outside = 0.2 * chosen.bins.length, 0.8 * chosen.bins.length
    assert theory.kink_error(0.7, inside, outside) > 2 * chosen.tolerance
    rng = np.random.default_rng(2)
    count = 400_000
    both = theory.kinks(rng.standard_normal((count, 2)), rng.standard_normal(count))
    place = (both.breakpoints[0] - chosen.bins.left) / chosen.bins.length
    middle = abs(chosen.bins.count / 2 - place)
    outer = (middle > chosen.cap / 2 + 1) & (place >= 0) & (place < chosen.bins.count)
    within = place - np.floor(place)
    good = outer & (within >= 0.2) & (within <= 0.8) & (np.abs(both.jumps[0]) >= 0.7)
    assert chosen.p0 <= np.mean(good) * 1.1


def test_lemma_8_and_9_combine_the_chain():
    chosen = theory.constants(0.0005, 2.0, gamma=1.0, margin=0.2, share=0.04)
    bound = theory.lemma8(20, 50, chosen)
    assert bound.status == "conditional"
    assert bound.value == pytest.approx(10 * theory.lemma7(chosen.chain, 50), abs=1e-9)
    chain = theory.Chain(0.1, 0.3, 2)
    first, second = theory.lemma9(6, 30, chain)
    split = int(min(max(1 - chain.log_stationary_zero / chain.gap_rate, 2), 7))
    explicit = sum(
        math.comb(6, k) * math.exp(30 * theory.lemma7(chain, k)) for k in range(1, split)
    )
    assert math.exp(first) == pytest.approx(explicit, rel=1e-6)
    rest = sum(math.comb(6, k) * math.exp(30 * theory.lemma7(chain, k)) for k in range(split, 7))
    assert math.exp(second) >= rest


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theory.max_refuted_width(1, 0.1, 2.0, 0.05), "weight pruning"),
        (lambda: theory.max_refuted_width(0, 0.1, 2.0, 0.05), "d out of range"),
        (lambda: theory.max_refuted_width(3, 0.1, 1.5, 0.05), "radius >= 2"),
        (lambda: theory.max_refuted_width(3, 1.0, 2.0, 0.05), "eps out of range"),
        (lambda: theory.max_refuted_width(3, 0.1, 2.0, 1.0), "delta out of range"),
        (lambda: theory.route_width(3, 0.1, 1.0, 0.05), "radius >= 2"),
        (lambda: theory.cap_probability(3, 1.5), "eps out of range"),
        (lambda: theory.constants(0.01, 2.0, gamma=1, margin=0.6, share=0.1), "margin"),
        (lambda: theory.subset_sum_width(0.6, 0.1), "eps out of range"),
        (lambda: theory.subset_sum_width(0.1, 0.1, samples="cauchy"), "unknown samples"),
        (lambda: theory.subset_sum_width(0.1, 0.1, reach=0.7), "reach too large"),
        (lambda: theory.covering_failure(3, -1, 0.1, 2.0), "width out of range"),
        (lambda: theory.plan(3, 0.1, 0.05, readout="softmax"), "unknown readout"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InvalidInput, match=words):
        call()
