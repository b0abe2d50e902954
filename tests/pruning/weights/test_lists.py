"""The vector kernels and the plain ones do the same; both do what sorting does."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from slth.pruning.weights import plain_lists, vector_lists
from slth.pruning.weights.colex import BINOMIAL, add_row, subset_at

BOTH = [plain_lists, vector_lists]


def signed_sums(steps: list[int]) -> np.ndarray:
    signs = np.array(list(itertools.product([-1, 1], repeat=len(steps))), dtype=np.int64)
    return np.sort(signs @ np.array(steps, dtype=np.int64))


def room(keys: np.ndarray) -> np.ndarray:
    return np.concatenate([keys, np.zeros(vector_lists.LANES, dtype=np.int64)])


@pytest.mark.parametrize("lists", BOTH)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7])
def test_merge(lists: object, count: int) -> None:
    rng = np.random.default_rng(count)
    steps = [int(v) for v in rng.integers(0, 2**50, 2 * count + 2)]
    left, right = steps[: count + 1], steps[count + 1 :]
    m = 1 << count
    old = [
        room(signed_sums(side[:-1]) if count else np.zeros(1, np.int64)) for side in (left, right)
    ]
    new = [np.zeros(2 * m + vector_lists.LANES, dtype=np.int64) for _ in range(2)]
    lists.merge_both(old[0], left[-1], new[0], old[1], right[-1], new[1], m)  # type: ignore[attr-defined]
    assert (new[0][: 2 * m] == signed_sums(left)).all()
    assert (new[1][: 2 * m] == signed_sums(right)).all()
    new[0][:] = 0
    lists.merge(old[0], left[-1], new[0], m)  # type: ignore[attr-defined]
    assert (new[0][: 2 * m] == signed_sums(left)).all()


@pytest.mark.parametrize("lists", BOTH)
@pytest.mark.parametrize(("size_a", "size_b"), [(1, 1), (4, 16), (8, 8), (64, 32), (13, 40)])
def test_closest_pair(lists: object, size_a: int, size_b: int) -> None:
    rng = np.random.default_rng([size_a, size_b])
    for _ in range(30):
        a = np.sort(rng.integers(-(2**20), 2**20, size_a))
        b = np.sort(rng.integers(-(2**20), 2**20, size_b))
        goal = int(rng.integers(-(2**21), 2**21))
        distances = np.abs(a[:, None] + b[None, :] - goal)
        found, i, j = lists.closest_pair(a, size_a, b, size_b, goal, -1)  # type: ignore[attr-defined]
        assert found == distances.min() == distances[i, j]
        stop = int(np.median(distances))
        found, i, j = lists.closest_pair(a, size_a, b, size_b, goal, stop)  # type: ignore[attr-defined]
        assert found == distances[i, j] <= stop


def test_rows_of_sums_stand_in_colexicographic_order() -> None:
    """Every subset of every size: its sum lies at its place, and a hit names it."""
    rng = np.random.default_rng(0)
    n = 9
    x = rng.integers(-50, 50, n).astype(np.float32)
    old, new = np.zeros(2000, np.float32), np.zeros(2000, np.float32)
    for k in range(1, n + 1):
        place = 0
        for i in range(k - 1, n):
            count = int(BINOMIAL[i, k - 1])
            for start in range(0, count, 16):
                never = np.float32(1e9), np.float32(0.5)
                assert add_row(old, start, x[i], new, place + start, *never) == 0
            place += count
        assert place == math.comb(n, k)
        subsets = [int(subset_at(p, k, n)) for p in range(place)]
        assert sorted(subsets) == sorted(
            sum(1 << i for i in chosen) for chosen in itertools.combinations(range(n), k)
        )
        sums = [sum(x[i] for i in range(n) if s >> i & 1) for s in subsets]
        assert new[:place].tolist() == sums
        old, new = new, old


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_add_row_says_which_sums_are_near(kind: type) -> None:
    old = np.random.default_rng(1).integers(-9, 9, 40).astype(kind)
    new = np.zeros(60, kind)
    bits = add_row(old, 3, kind(2), new, 5, kind(3), kind(1))
    assert [bool(bits >> u & 1) for u in range(16)] == (np.abs(old[3:19] - 1) <= 1).tolist()
    assert (new[5:21] == old[3:19] + 2).all()
    assert (new[21:] == 0).all()
