"""The vector kernels and the plain ones do the same; both do what sorting does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from slth.weights import plain_lists, vector_lists

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


@pytest.mark.parametrize("lists", BOTH)
def test_near_bits(lists: object) -> None:
    keys = np.array([-3, -2, 0, 2, 3, 2**60, -(2**60), 1, 2], dtype=np.int64)
    for start in (0, 1):
        bits = lists.near_bits(keys, start, 2, 4)  # type: ignore[attr-defined]
        wanted = (keys[start : start + 8] + 2 >= 0) & (keys[start : start + 8] + 2 <= 4)
        assert [bool(bits >> u & 1) for u in range(8)] == wanted.tolist()
