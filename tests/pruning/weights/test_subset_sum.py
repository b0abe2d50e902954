"""Subset sums against enumeration, exact rationals and planted answers."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slth.errors import InvalidInput
from slth.pruning.weights.subset_sum import best_by_count, subset_sum


def products(seed: int, batch: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples a * w and targets in [-1, 1]."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((batch, n)) * rng.standard_normal((batch, n))
    return samples, rng.uniform(-1.0, 1.0, batch)


def all_subsets(n: int) -> np.ndarray:
    return np.array(list(itertools.product([False, True], repeat=n)))


def brute_force(samples: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors of all subsets, float64 [batch, 2^n], and their sizes."""
    subsets = all_subsets(samples.shape[1])
    return np.abs(samples @ subsets.T - targets[:, None]), subsets.sum(axis=1)


def exact_error(samples: np.ndarray, mask: np.ndarray, target: float) -> Fraction:
    chosen = [Fraction(v) for v in samples[mask].tolist()]
    return abs(sum(chosen, Fraction(0)) - Fraction(target))


def test_brute_force_by_hand() -> None:
    errors, sizes = brute_force(np.array([[1.0, 2.0]]), np.array([2.5]))
    assert errors.tolist() == [[2.5, 0.5, 1.5, 0.5]]
    assert sizes.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13])
def test_optimal_matches_enumeration(n: int) -> None:
    samples, targets = products(n, 40, n)
    found = subset_sum(samples, targets)
    best = brute_force(samples, targets)[0].min(axis=1)
    np.testing.assert_allclose(found.upper, best, atol=1e-13 * n)
    assert (found.statuses == "optimal").all()
    assert (found.bound <= best + 1e-14).all()
    assert (found.upper - found.bound <= 1e-10).all()


@pytest.mark.parametrize("n", [20, 27, 34])
def test_planted_subset_is_found(n: int) -> None:
    rng = np.random.default_rng(n)
    samples = rng.standard_normal((3, n))
    planted = rng.random((3, n)) < 0.5
    targets = (samples * planted).sum(axis=1)
    found = subset_sum(samples, targets)
    assert (found.upper <= 1e-11).all(), found.upper


@pytest.mark.parametrize("n", [6, 21, 33])
def test_enclosures_hold_in_exact_arithmetic(n: int) -> None:
    samples, targets = products(n, 20, n)
    found = subset_sum(samples, targets)
    for t in range(len(targets)):
        exact = exact_error(samples[t], found.masks[t], targets[t])
        assert Fraction(found.lower[t]) <= exact <= Fraction(found.upper[t])
        assert found.upper[t] - found.lower[t] <= 1e-14 * found.upper[t]
        assert Fraction(found.bound[t]) <= exact


def test_shared_samples_agree_with_repeated_ones() -> None:
    samples, _ = products(0, 1, 17)
    targets = np.linspace(-2.0, 2.0, 31)
    shared = subset_sum(samples[0], targets)
    repeated = subset_sum(np.repeat(samples, 31, axis=0), targets)
    np.testing.assert_allclose(shared.upper, repeated.upper, atol=1e-13)


@pytest.mark.parametrize("n", [4, 9, 30, 60, 90])
def test_any_within_eps(n: int) -> None:
    samples, targets = products(n, 30, n)
    found = subset_sum(samples, targets, eps=1e-3)
    reached = found.statuses == "reached"
    assert (found.upper[reached] <= 1e-3).all()
    if n <= 9:
        best = brute_force(samples, targets)[0].min(axis=1)
        assert (reached == (best <= 1e-3)).all()
        assert (found.statuses[~reached] == "refuted").all()
    else:
        assert reached.all()


@pytest.mark.parametrize("eps", [0.3, 0.01, 1e-3])
def test_sparsest_matches_enumeration(eps: float) -> None:
    samples, targets = products(7, 40, 12)
    found = subset_sum(samples, targets, eps=eps, sparsest=True)
    errors, sizes = brute_force(samples, targets)
    fewest = np.where(errors <= eps, sizes, 13).min(axis=1)
    assert (found.kept_bound == fewest).all()
    reached = fewest <= 12
    assert (found.kept[reached] == fewest[reached]).all()
    assert (found.statuses == np.where(reached, "reached", "refuted")).all()


@pytest.mark.parametrize(("n", "eps"), [(20, 1e-5), (26, 1e-6), (40, 1e-6)])
def test_sparsest_by_every_route_agrees_with_the_front_of_sizes(n: int, eps: float) -> None:
    """Scan, join and counted search against the best error for every size."""
    samples, targets = products(n, 3, n)
    found = subset_sum(samples, targets, eps=eps, sparsest=True)
    front = best_by_count(samples, targets, at_most=n if n < 30 else 7)
    for t in range(3):
        within = np.flatnonzero(front.upper[t] <= eps)
        assert found.statuses[t] == "reached"
        if len(within):
            assert found.kept[t] == within[0] == found.kept_bound[t]
        else:
            assert found.kept[t] > 7


def test_best_by_count_matches_enumeration() -> None:
    samples, targets = products(3, 10, 11)
    found = best_by_count(samples, targets)
    errors, sizes = brute_force(samples, targets)
    for k in range(12):
        best = errors[:, sizes == k].min(axis=1)
        np.testing.assert_allclose(found.upper[:, k], best, atol=1e-11)
        assert (found.masks[:, k].sum(axis=1) == k).all()
        assert (found.bound[:, k] <= best + 1e-14).all()


def test_at_most() -> None:
    samples, targets = products(4, 20, 10)
    errors, sizes = brute_force(samples, targets)
    for k in (1, 3, 10):
        best = errors[:, sizes <= k].min(axis=1)
        found = subset_sum(samples, targets, at_most=k)
        np.testing.assert_allclose(found.upper, best, atol=1e-11)
        assert (found.kept <= k).all()
        assert (found.statuses == "optimal").all()
        limited = subset_sum(samples, targets, at_most=k, eps=0.01)
        assert ((limited.statuses == "reached") == (best <= 0.01)).all()


@pytest.mark.parametrize("scale", [2.0**-400, 2.0**-90, 1.0, 2.0**90, 2.0**400])
def test_sparsest_in_either_precision(scale: float) -> None:
    """Wide errors are scanned in float32, tiny ones and extreme scales in float64."""
    samples, targets = products(11, 12, 11)
    errors, sizes = brute_force(samples, targets)
    for eps in (0.05, 1e-4):
        fewest = np.where(errors <= eps, sizes, 12).min(axis=1)
        found = subset_sum(samples * scale, targets * scale, eps=eps * scale, sparsest=True)
        assert (found.kept_bound == fewest).all()


def test_more_samples_than_every_search_holds_prove_nothing() -> None:
    samples, targets = products(12, 5, 70)
    few = subset_sum(samples, targets, at_most=2)
    assert (few.statuses == "feasible").all()
    assert (few.kept <= 2).all()
    sparse = subset_sum(samples, targets, eps=1e-3, sparsest=True)
    assert (sparse.statuses == "reached").all()
    assert (sparse.kept_bound == 0).all()
    assert (subset_sum(samples, targets, eps=0.0, at_most=1).statuses == "unknown").all()


def test_integer_ties_are_decided_exactly() -> None:
    """Errors equal to eps count as within; sums of small integers are exact."""
    found = subset_sum([[1.0, 2.0, 4.0]], [3.5], eps=0.5, sparsest=True)
    assert found.statuses[0] == "reached"
    assert found.kept[0] == 1
    assert found.lower[0] == found.upper[0] == 0.5
    assert subset_sum([[1.0, 2.0, 4.0]], [3.5], eps=0.49, sparsest=True).statuses[0] == "refuted"


def test_target_out_of_reach_says_by_how_much() -> None:
    found = subset_sum([[1.0, -2.0, 0.5]], [10.0], eps=1.0)
    assert found.statuses[0] == "refuted"
    assert 8.5 - 1e-9 <= found.bound[0] <= 8.5
    assert found.lower[0] == 8.5


@pytest.mark.parametrize("scale", [2.0**-900, 2.0**-60, 1.0, 2.0**60, 2.0**900])
def test_scaling_by_powers_of_two(scale: float) -> None:
    samples, targets = products(5, 8, 14)
    plain = subset_sum(samples, targets)
    scaled = subset_sum(samples * scale, targets * scale)
    assert (plain.masks == scaled.masks).all()
    np.testing.assert_array_equal(plain.upper * scale, scaled.upper)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=1, max_size=9),
    st.floats(-1e3, 1e3, allow_subnormal=False),
    st.floats(0.0, 1e3),
)
def test_laws_on_arbitrary_floats(values: list[float], target: float, eps: float) -> None:
    samples = np.array(values)
    exact = [exact_error(samples, subset, target) for subset in all_subsets(len(values))]
    best = min(exact)
    found = subset_sum(samples, target)
    assert Fraction(found.lower[0]) <= exact_error(samples, found.masks[0], target)
    assert exact_error(samples, found.masks[0], target) <= Fraction(found.upper[0])
    assert Fraction(found.bound[0]) <= best
    mirrored = subset_sum(-samples, -target)
    np.testing.assert_allclose(mirrored.upper, found.upper, atol=1e-8)
    near = subset_sum(samples, target, eps=eps, sparsest=True)
    if near.statuses[0] == "reached":
        assert best <= Fraction(eps)
    if near.statuses[0] == "refuted":
        assert best > Fraction(eps)


def test_time_limit_keeps_honest_statuses() -> None:
    for n in (30, 60, 80):
        samples, targets = products(6, 4, n)
        found = subset_sum(samples, targets, time_limit=1e-9)
        assert (found.statuses == "feasible").all()
        assert (found.bound == 0.0).all()


@pytest.mark.parametrize(
    ("samples", "targets", "options", "message"),
    [
        (np.zeros((0, 3)), [], {}, "empty batch"),
        (np.zeros((2, 0)), [1.0, 1.0], {}, "no samples"),
        ([[np.nan, 1.0]], [1.0], {}, "not finite"),
        ([[1.0, 1.0]], [np.inf], {}, "not finite"),
        ([[5e-324, 1.0]], [1.0], {}, "denormal"),
        ([[1e300, 1e300]], [1.0], {}, "too large"),
        ([[1.0, 2.0]], [1.0, 2.0], {}, "incompatible"),
        ([[1.0, 2.0]], [1.0], {"eps": -1.0}, "eps out of range"),
        ([[1.0, 2.0]], [1.0], {"eps": float("nan")}, "eps out of range"),
        ([[1.0, 2.0]], [1.0], {"sparsest": True}, "sparsest without eps"),
        ([[1.0, 2.0]], [1.0], {"at_most": 3}, "at_most larger"),
        ([[1.0, 2.0]], [1.0], {"at_most": 0}, "at_most out of range"),
        ([[1.0, 2.0]], [1.0], {"time_limit": 0.0}, "time_limit out of range"),
    ],
)
def test_bad_input(samples: object, targets: object, options: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        subset_sum(samples, targets, **options)  # type: ignore[arg-type]


def test_more_samples_than_two_lists_hold_match_enumeration() -> None:
    """All but twelve samples are zero: enumeration over those twelve is the oracle."""
    n = 50
    rng = np.random.default_rng(n)
    samples = np.zeros((1, n))
    places = np.concatenate([rng.choice(n - 2, 10, replace=False), [n - 2, n - 1]])
    samples[0, places] = rng.standard_normal(12)
    target = np.array([0.7])
    best = brute_force(samples[:, places], target)[0].min()
    found = subset_sum(samples, target)
    assert found.statuses[0] == "optimal"
    assert found.upper[0] == pytest.approx(best, abs=1e-14)
    assert best - 1e-12 <= found.bound[0] <= best
    assert subset_sum(samples, target, eps=0.9 * best).statuses[0] == "refuted"
    assert subset_sum(samples, target, eps=1.1 * best).statuses[0] == "reached"


def test_sixty_four_samples_end_at_the_resolution() -> None:
    samples, targets = products(64, 1, 64)
    found = subset_sum(samples, targets)
    assert found.statuses[0] == "optimal"
    assert found.upper[0] - found.bound[0] <= 2.0**-50 * np.abs(samples).sum()


def test_beyond_sixty_four_nothing_is_called_optimal() -> None:
    rng = np.random.default_rng(0)
    samples = np.abs(rng.standard_normal((3, 300)))
    targets = np.array([0.5, 0.5, 0.9]) * samples.sum(axis=1)
    found = subset_sum(samples, targets)
    assert (found.statuses == "feasible").all()
    assert (found.upper < 1e-9).all()
    assert (found.bound == 0.0).all()
    assert (subset_sum(samples, targets, eps=1e-6).statuses == "reached").all()
    out = subset_sum(samples, -targets, eps=0.5)
    assert (out.statuses == "refuted").all()
    np.testing.assert_allclose(out.bound, targets, rtol=1e-12)
    assert (out.kept == 0).all()


@pytest.mark.parametrize("n", [5, 30, 64, 100])
def test_targets_out_of_reach_are_settled_by_the_extremes(n: int) -> None:
    samples, _ = products(n, 2, n)
    beyond = np.array([samples[0][samples[0] > 0].sum(), samples[1][samples[1] < 0].sum()])
    found = subset_sum(samples, beyond + np.array([3.0, -3.0]))
    assert (found.statuses == "optimal").all()
    assert (found.masks[0] == (samples[0] > 0)).all()
    assert (found.masks[1] == (samples[1] < 0)).all()
    np.testing.assert_allclose(found.bound, 3.0, rtol=1e-11)
    assert (found.bound <= found.lower).all()
    few = subset_sum(samples, beyond + np.array([3.0, -3.0]), at_most=2)
    assert (few.kept <= 2).all()


def test_best_by_count_refuses_many_samples() -> None:
    with pytest.raises(InvalidInput, match="n <= 40"):
        best_by_count(np.ones((1, 41)), [1.0])
