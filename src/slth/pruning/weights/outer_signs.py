"""Closest subset sum of more samples than two half lists hold: the outer samples' signs in turn.

The first INNER samples make two sorted half lists, once. Each of the 2^(n - INNER) choices of the
other samples only shifts the goal, and one pass over the lists solves it. Memory stays that of
INNER samples, time doubles with every sample; choices whose goal is nearest the lists' middle come
first. The search ends at the first subset that fixed point cannot tell from a perfect one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from slth.limits import Deadline
from slth.network import FloatArray
from slth.pruning.weights.meet_in_middle import LARGEST as INNER
from slth.pruning.weights.meet_in_middle import (
    PAD,
    closest_pair,
    half_lists,
    quanta_within,
    recover,
)

# Subsets carried as the bits of one uint64.
LARGEST = 64

# Choices of the outer samples tried by one compiled call: about a quarter of a second.
_SLICE = 4


@njit(cache=True, nogil=True)
def _pass(left, right, shifts, order, goal, reach, stop, best, first, last):
    """Choices order[first:last] in turn. Returns (best, choice or -1, left key, right key)."""
    winner = np.int64(-1)
    key_a = np.int64(0)
    key_b = np.int64(0)
    for c in range(first, last):
        rest = goal - shifts[order[c]]
        if abs(rest) - reach >= best:
            continue
        found, i, j = closest_pair(left, left.shape[0], right, right.shape[0], rest, stop)
        if found < best:
            best = found
            winner = order[c]
            key_a = left[i]
            key_b = right[j]
            if best <= stop:
                break
    return best, winner, key_a, key_b


class OuterSigns:
    """Scratch lists for samples INNER < n <= LARGEST, 0.5 GiB, used again for every problem."""

    def __init__(self) -> None:
        self._keys = np.empty(INNER, dtype=np.int64)
        self._work = np.empty((4, (1 << (INNER - INNER // 2)) + PAD), dtype=np.int64)

    def closest(
        self, x: FloatArray, target: float, eps: float, deadline: Deadline
    ) -> tuple[int, float, bool]:
        """The nearest subset of x [n], or with eps >= 0 the first surely within eps.

        Returns (mask, bound, proven): every subset errs by at least `bound`, and `proven` says
        that the search was not cut off.
        """
        n, half = len(x), INNER // 2
        reach = abs(target) + float(np.abs(x[INNER:]).sum())
        prepared = half_lists(x, INNER, reach, np.int64(0), self._keys, self._work)
        scale, total_a, total_b, flip, negative, row_a, row_b = prepared
        left = self._work[row_a][: 1 << half]
        right = self._work[row_b][: 1 << (INNER - half)]
        outer = np.rint(np.abs(x[INNER:]) * scale).astype(np.int64)
        negative += int(outer[x[INNER:] < 0.0].sum())
        goal = 2 * (int(np.rint(target * scale)) + int(negative))
        goal -= int(total_a + total_b + outer.sum())
        shifts = np.zeros(1, dtype=np.int64)
        for q in outer:
            shifts = np.concatenate([shifts - q, shifts + q])
        order = np.argsort(np.abs(goal - shifts), kind="stable")
        slack = 0.5 * (n + 1) + 0.5
        # Nearer than the rounding, no bound above 0 follows whatever else is found.
        stop = max(int(2.0 * slack), quanta_within(eps, scale, slack, 0))
        best, choice, key_a, key_b = 1 << 62, 0, int(left[0]), int(right[0])
        done = 0
        while done < len(order) and best > stop and not deadline.expired:
            last = min(done + _SLICE, len(order))
            found = _pass(
                left,
                right,
                shifts,
                order,
                goal,
                int(total_a + total_b),
                stop,
                best,
                done,
                last,
            )
            if found[1] >= 0:
                best, choice, key_a, key_b = (int(v) for v in found)
            done = last
        mask = int(recover(self._keys, 0, half, key_a))
        mask |= int(recover(self._keys, half, INNER - half, key_b)) << half
        outer_flip = sum(1 << k for k in range(n - INNER) if x[INNER + k] < 0.0)
        mask = (mask ^ int(flip)) | ((choice ^ outer_flip) << INNER)
        proven = bool(best <= stop or done == len(order))
        bound = 0.0
        if proven and best > stop:
            bound = max(0.0, (best * 0.5 * (1.0 - 1e-12) - slack) * (1.0 - 1e-12) / scale)
        return mask, bound, proven
