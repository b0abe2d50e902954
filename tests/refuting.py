"""A small prover of refutations for the tests: branch-and-bound on linear programs by SciPy."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.optimize import linprog

import slth
from slth.proof import RefutationProof, RefutationRecorder


def points_on_sphere(d: int, count: int, seed: int = 0) -> np.ndarray:
    """Points just inside the sphere; for d = 2 an even cover of the circle."""
    if d == 2:
        angles = np.arange(count) * (2.0 * np.pi / count)
        points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:
        points = np.random.default_rng(seed).standard_normal((count, d))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def _rows(net, target, points, bound):
    """Signed constraints sigma (g - f)(x) <= t: points, signs, target values."""
    values = target(points)
    positive = np.ones(len(points), dtype=bool)
    # A ReLU readout is held up only where the target exceeds the bound.
    negative = positive if net.readout == "linear" else values > bound * (1 + 1e-9)
    index = np.concatenate([np.nonzero(positive)[0], np.nonzero(negative)[0]])
    signs = np.concatenate([np.ones(len(points)), -np.ones(int(negative.sum()))])
    return index, signs, values[index]


def _duals(features, signs, values, low, high):
    """min_t of the relaxation low <= s <= high, and its multipliers."""
    width = features.shape[1]
    matrix = np.column_stack([signs[:, None] * features, -np.ones(len(signs))])
    solved = linprog(
        np.append(np.zeros(width), 1.0),
        A_ub=matrix,
        b_ub=signs * values,
        bounds=[*zip(low, high, strict=True), (None, None)],
        method="highs",
    )
    return solved.fun, solved.x[:-1], np.maximum(-solved.ineqlin.marginals, 0.0)


def refute_neurons(net, target, bound, points) -> RefutationProof | None:
    """A tree that proves `error >= bound` for every neuron mask, if the points suffice."""
    index, signs, values = _rows(net, target, points, bound)
    features = np.maximum(points[index] @ net.hidden.T, 0.0) * net.output
    recorder = RefutationRecorder()

    def visit(low, high) -> bool:
        reached, s, y = _duals(features, signs, values, low, high)
        if reached >= bound * (1 + 1e-9):
            used = np.nonzero(y > 1e-12)[0]
            recorder.leaf(index[used], (y * signs)[used])
            return True
        free = np.nonzero(low < high)[0]
        if len(free) == 0:
            return False
        unit = int(free[np.argmin(np.abs(s[free] - 0.5))])
        recorder.branch(unit)
        kept, dropped = low.copy(), high.copy()
        kept[unit], dropped[unit] = 1.0, 0.0
        return visit(kept, high) and visit(low, dropped)

    if not visit(np.zeros(net.width), np.ones(net.width)):
        return None
    return recorder.proof(points)


def refute_weights(net, target, points) -> tuple[float, RefutationProof]:
    """The bound of the linear program over the hull of every unit's 2^d masks, and its proof."""
    index, signs, values = _rows(net, target, points, 0.0)
    columns, owner = [], []
    for unit in range(net.width):
        for mask in product((0.0, 1.0), repeat=net.d):
            weights = net.hidden[unit] * mask
            columns.append(np.maximum(points[index] @ weights, 0.0) * net.output[unit])
            owner.append(unit)
    matrix = np.column_stack([signs[:, None] * np.array(columns).T, -np.ones(len(signs))])
    one_each = np.zeros((net.width, len(owner) + 1))
    one_each[owner, np.arange(len(owner))] = 1.0
    solved = linprog(
        np.append(np.zeros(len(owner)), 1.0),
        A_ub=np.vstack([matrix, one_each]),
        b_ub=np.concatenate([signs * values, np.ones(net.width)]),
        bounds=[(0.0, 1.0)] * len(owner) + [(None, None)],
        method="highs",
    )
    y = np.maximum(-solved.ineqlin.marginals[: len(signs)], 0.0)
    used = np.nonzero(y > 1e-12)[0]
    recorder = RefutationRecorder()
    recorder.leaf(index[used], (y * signs)[used])
    return float(solved.fun), recorder.proof(points)


def all_masks(net: slth.ReLUNetwork):
    """Every weight mask; keep the network tiny."""
    entries = net.hidden.size
    for bits in product((False, True), repeat=entries + net.width):
        hidden = np.array(bits[:entries]).reshape(net.hidden.shape)
        yield slth.Mask(hidden, np.array(bits[entries:]))
