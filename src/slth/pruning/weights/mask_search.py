"""Local search over all weight masks, for any readout and target: untrusted.

Every unit has a few options: dropped, whole, or one of some partial masks. The error is the largest
one over a finite set of points; one move changes one unit's option. Points where the certifier
found a mask to be worst are added and the search goes on.
"""

from __future__ import annotations

import itertools

import numpy as np
from numba import njit
from numpy.typing import NDArray

from slth.copying import copy_vector
from slth.network import BoolArray, FloatArray, Mask, ReLUNetwork
from slth.pruning.weights.assign import closest_values

# All 2^d masks of a unit are options up to this d; beyond, single weights and the whole unit.
_ALL_MASKS = 3
# Entries of the table of unit outputs [options, points]: 32 MiB.
_TABLE = 4_000_000
_POINTS = 512
_LEAST_POINTS = 64
# Passes over all units of one descent, at most; units changed by one kick.
_PASSES = 12
_KICKED = 3


@njit(cache=True, nogil=True)
def _descend(table, first, count, choice, before, target, relu, order):
    """One pass: each unit in turn takes the option with the smallest error over the points.

    table: float64 [options, points], outputs of unit u's options in the rows first[u] ..
    first[u] + count[u] - 1. choice: int64 [units] and before: float64 [points], the sum of the
    chosen rows, are updated. Returns the error reached.
    """
    points = before.shape[0]
    best = 0.0
    for x in range(points):
        value = max(before[x], 0.0) if relu else before[x]
        best = max(best, abs(value - target[x]))
    for u in order:
        own = first[u] + choice[u]
        winner = choice[u]
        for o in range(count[u]):
            row = first[u] + o
            if row == own:
                continue
            worst = 0.0
            for x in range(points):
                value = before[x] - table[own, x] + table[row, x]
                if relu:
                    value = max(value, 0.0)
                worst = max(worst, abs(value - target[x]))
                if worst >= best:
                    break
            if worst < best:
                best = worst
                winner = o
        if winner != choice[u]:
            row = first[u] + winner
            for x in range(points):
                before[x] += table[row, x] - table[own, x]
            choice[u] = winner
    return best


@njit(cache=True, nogil=True)
def _iterate(table, first, count, choice, target, relu, orders, kicked, options):
    """Iterated local search: descend, then change a few units at random and descend again.

    orders: int64 [passes, units]. kicked, options: int64 [kicks, strength], which units each kick
    changes and to what. choice is updated to the best found. Returns its error over the points.
    """
    units = choice.shape[0]
    points = target.shape[0]
    before = np.zeros(points)
    for u in range(units):
        before += table[first[u] + choice[u]]
    trial = choice.copy()
    trial_before = before.copy()
    best = np.inf
    for kick in range(kicked.shape[0] + 1):
        if kick > 0:
            copy_vector(trial, choice)
            copy_vector(trial_before, before)
            for s in range(kicked.shape[1]):
                u = kicked[kick - 1, s]
                trial_before += table[first[u] + options[kick - 1, s]] - table[first[u] + trial[u]]
                trial[u] = options[kick - 1, s]
        error = np.inf
        for p in range(orders.shape[0]):
            order = orders[p]
            reached = _descend(table, first, count, trial, trial_before, target, relu, order)
            if not reached < error:
                break
            error = reached
        if error <= best:
            best = error
            copy_vector(choice, trial)
            copy_vector(before, trial_before)
    return best


class MaskSearch:
    """The search over some of the units of one network.

    Args:
        units: int64 [m], the units that may be kept.
        generator: draws the points, the orders and the kicks.
    """

    def __init__(
        self,
        net: ReLUNetwork,
        target: ReLUNetwork,
        units: NDArray[np.int64],
        generator: np.random.Generator,
    ) -> None:
        self._net = net
        self._target = target
        self._units = units
        self._generator = generator
        self._options = all_options(net.d) if net.d <= _ALL_MASKS else _few_options(net.d)
        rows = max(1, len(units) * len(self._options))
        count = max(_LEAST_POINTS, min(_POINTS, _TABLE // rows))
        self._points = sphere_points(net.d, count, generator)
        self._table = self._outputs(self._points)

    def add(self, point: FloatArray) -> None:
        """Let the search see its error at one more point."""
        norm = float(np.linalg.norm(point))
        if norm > 0.0:
            row = point[None, :] / norm
            self._points = np.concatenate([self._points, row])
            self._table = np.concatenate([self._table, self._outputs(row)], axis=1)

    def run(self, start: Mask | None, kicks: int) -> tuple[Mask, float]:
        """Descend from `start` (None: from random options), kick and descend again `kicks` times.

        Returns the best mask and its error over the points.
        """
        net, units, count = self._net, self._units, len(self._options)
        if start is None:
            choice = np.where(
                self._generator.random(len(units)) < 0.5,
                0,
                self._generator.integers(0, count, len(units)),
            )
        else:
            choice = self._closest_options(start)
        orders = np.stack([self._generator.permutation(len(units)) for _ in range(_PASSES)])
        shape = (kicks if len(units) else 0, _KICKED)
        error = _iterate(
            self._table,
            np.arange(len(units)) * count,
            np.full(len(units), count),
            choice,
            self._target(self._points),
            net.readout == "relu",
            orders,
            self._generator.integers(0, max(1, len(units)), shape),
            self._generator.integers(0, count, shape),
        )
        hidden = np.zeros(net.hidden.shape, dtype=bool)
        hidden[units] = self._options[choice]
        return Mask(hidden, hidden.sum(axis=1) > 0), float(error)

    def _outputs(self, points: FloatArray) -> FloatArray:
        """float64 [units * options, points]: every unit's output under every option."""
        masked = self._net.hidden[self._units][:, None, :] * self._options[None, :, :]
        table = np.maximum(masked.reshape(-1, self._net.d) @ points.T, 0.0)
        return table * np.repeat(self._net.output[self._units], len(self._options))[:, None]

    def _closest_options(self, mask: Mask) -> NDArray[np.int64]:
        """For each unit the option equal to its mask, else the dropped unit."""
        rows = mask.hidden[self._units] & mask.output[self._units][:, None]
        equal = (rows[:, None, :] == self._options[None, :, :]).all(axis=2)
        return np.where(equal.any(axis=1), equal.argmax(axis=1), 0)


def all_options(d: int) -> BoolArray:
    """All masks of one unit's incoming weights, bool [2^d, d]; the first drops the unit."""
    return np.array(list(itertools.product([False, True], repeat=d)))


def _few_options(d: int) -> BoolArray:
    """Dropped, each single weight, whole: bool [d + 2, d]."""
    return np.concatenate([np.zeros((1, d), bool), np.eye(d, dtype=bool), np.ones((1, d), bool)])


def aligned_mask(net: ReLUNetwork, target: ReLUNetwork, size: int) -> Mask:
    """Of the `size` units nearest in angle to the target's heaviest unit v, the subset whose
    sum of a_i ||w_i|| is nearest to c ||v||: a neuron mask."""
    lengths = np.linalg.norm(target.hidden, axis=1)
    keep = np.zeros(net.width, dtype=bool)
    if target.width and net.width and np.any(target.output * lengths):
        heaviest = int(np.argmax(np.abs(target.output) * lengths))
        norms = np.linalg.norm(net.hidden, axis=1)
        cosines = net.hidden @ target.hidden[heaviest] / np.maximum(norms, 1e-300)
        near = np.argsort(-cosines, kind="stable")[:size]
        wanted = float(target.output[heaviest] * lengths[heaviest])
        keep[near[closest_values(net.output[near] * norms[near], wanted)]] = True
    return Mask.of_units(keep, net.d)


def sphere_points(d: int, count: int, generator: np.random.Generator) -> FloatArray:
    """float64 [count, d] on the unit sphere: a fine circle for d = 2, axes and random beyond."""
    if d == 1:
        return np.array([[1.0], [-1.0]])
    if d == 2:
        angles = 2.0 * np.pi * (np.arange(count) + 0.5) / count
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    axes = np.concatenate([np.eye(d), -np.eye(d)])
    random = generator.standard_normal((max(0, count - len(axes)), d))
    return np.concatenate([axes, random / np.linalg.norm(random, axis=1)[:, None]])
