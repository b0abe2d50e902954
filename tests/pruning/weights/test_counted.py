"""Closest subsets of every number of members, and their bounds, against exact rationals."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from slth.pruning.weights.counted import closest_counted


@pytest.mark.parametrize("seed", range(40))
def test_bounds_are_below_every_subset_of_that_many_members(seed):
    rng = np.random.default_rng(seed)
    n = 8
    x = rng.standard_normal(n)
    target = float(rng.standard_normal())
    if seed % 2:
        # Nearly met: what the scaled integers round is all there is.
        target = float(x[rng.permutation(n)[: n // 2]].sum())
    keys, work = np.zeros(n, np.int64), np.zeros((4, 1 << (n - n // 2)), np.int64)
    masks, bounds = np.zeros(n + 1, np.uint64), np.zeros(n + 1)
    assert closest_counted(x, n, target, -1.0, 0, n, keys, work, masks, bounds) == n
    exact = [Fraction(value) for value in x.tolist()]
    for k in range(n + 1):
        errors = {
            sum(1 << i for i in chosen): abs(sum(exact[i] for i in chosen) - Fraction(target))
            for chosen in combinations(range(n), k)
        }
        least = min(errors.values())
        assert Fraction(float(bounds[k])) <= least
        assert float(errors[int(masks[k])]) == pytest.approx(float(least), abs=1e-8)
