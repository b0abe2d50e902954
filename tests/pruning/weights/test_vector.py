"""Vector-valued subset sums against enumeration and planted answers."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.limits import Deadline
from slth.pruning.weights.vector import vector_subset_sum
from slth.pruning.weights.vector_tree import _join, best_depth, bits_to_hit, tree_search


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("eps", [0.02, 0.3])
def test_matches_enumeration(d: int, eps: float) -> None:
    rng = np.random.default_rng(d)
    subsets = np.array(list(itertools.product([False, True], repeat=11)))
    statuses = set()
    for _ in range(10):
        samples = rng.standard_normal((11, d))
        target = rng.uniform(-1.0, 1.0, d)
        best = np.abs(subsets @ samples - target).max(axis=1).min()
        found = vector_subset_sum(samples, target, eps=eps)
        statuses.add(found.status)
        assert (found.status == "reached") == (best <= eps)
        assert (found.status == "refuted") == (best > eps)
        if found.status == "reached":
            assert found.upper == pytest.approx(best, abs=1e-12)
            assert found.lower <= found.upper <= eps
    assert statuses <= {"reached", "refuted"}


def test_planted_subset_of_many_coordinates() -> None:
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((26, 8))
    planted = rng.random(26) < 0.5
    found = vector_subset_sum(samples, samples[planted].sum(axis=0), eps=1e-9)
    assert found.status == "reached"
    assert (found.mask == planted).all()


def test_more_samples_than_can_be_searched() -> None:
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((80, 2))
    found = vector_subset_sum(samples, [0.3, -0.4], eps=0.01)
    assert found.status == "reached"
    assert found.method == "selection"
    assert np.abs(samples[found.mask].sum(axis=0) - [0.3, -0.4]).max() <= 0.01


def test_samples_to_spare_take_a_tree() -> None:
    """60 bits are wanted: no selection of forty samples can be expected to have them."""
    rng = np.random.default_rng(2)
    samples = rng.standard_normal((160, 6))
    target = rng.uniform(-1.0, 1.0, 6)
    found = vector_subset_sum(samples, target, eps=0.005)
    assert found.status == "reached"
    assert found.method == "k-tree"
    exact = [
        abs(sum(map(Fraction, samples[found.mask, c].tolist())) - Fraction(target[c]))
        for c in range(6)
    ]
    assert Fraction(found.lower) <= max(exact) <= Fraction(found.upper) <= Fraction(0.005)


def test_a_tree_that_finds_nothing_proves_nothing() -> None:
    samples = np.random.default_rng(3).standard_normal((48, 8))
    target = np.full(8, 1000.0)
    assert tree_search(samples, target, 1e-3, np.random.default_rng(0), Deadline()) is None
    found = vector_subset_sum(samples, target, eps=1e-3)
    assert found.status == "unknown"
    assert found.lower <= 1000.0 <= found.upper


def test_join_finds_every_near_pair() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((300, 5)), rng.standard_normal((200, 5))
    window = np.array([0.5, 1.0, 0.7, 2.0, 0.9])
    near = (np.abs(a[:, None] + b[None, :]) <= window).all(axis=2)
    left, right = _join(a, b, window, 4, 5, 10_000)
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == set(
        zip(*(k.tolist() for k in np.nonzero(near)), strict=True)
    )
    assert len(_join(a, b, window, 4, 5, 7)[0]) == 7


def test_planned_depth_grows_with_the_samples() -> None:
    spread = np.ones(8)
    depths = [best_depth(n, spread, 0.01) for n in (48, 128, 256, 512)]
    assert depths == sorted(depths)
    assert depths[-1] > depths[0]
    # One coordinate, 16 samples: deviation 2, so chance 2 eps / (2 sqrt(2 pi)).
    assert bits_to_hit(16, np.ones(1), 0.01) == pytest.approx(np.log2(200 * np.sqrt(np.pi / 2)))


def test_time_limit_proves_nothing() -> None:
    samples = np.random.default_rng(2).standard_normal((20, 2))
    found = vector_subset_sum(samples, [100.0, 0.0], eps=0.01, time_limit=1e-9)
    assert found.status == "unknown"
    assert vector_subset_sum(samples, [100.0, 0.0], eps=0.01).status == "refuted"


@pytest.mark.parametrize(
    ("samples", "target", "options", "message"),
    [
        (np.zeros((0, 2)), [0.0, 0.0], {"eps": 0.1}, "incompatible"),
        (np.ones((3, 9)), np.ones(9), {"eps": 0.1}, "incompatible"),
        (np.ones((3, 2)), [1.0], {"eps": 0.1}, "incompatible"),
        (np.full((3, 2), np.nan), [1.0, 1.0], {"eps": 0.1}, "not finite"),
        (np.full((3, 2), 1e200), [1.0, 1.0], {"eps": 0.1}, "too large"),
        (np.ones((3, 2)), [1.0, 1.0], {"eps": 0.0}, "eps out of range"),
        (np.ones((3, 2)), [1.0, 1.0], {"eps": 0.1, "time_limit": 0.0}, "time_limit"),
    ],
)
def test_bad_input(samples: np.ndarray, target: object, options: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        vector_subset_sum(samples, target, **options)  # type: ignore[arg-type]
