"""Cone proofs of an error bound: a subdivision of the space with multipliers on every cone.

The prover works in floats and is not trusted: the checker re-evaluates its proof exactly. It
bisects each orthant until, on every cone, the convex units interpolated at the generators and the
concave units replaced by linear minorants give a linear function no steeper than the bound.
docs/check.md ("Cones") states what a proof consists of and why it proves the bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numba import njit

from slth.errors import require_positive, require_time_limit
from slth.limits import Deadline
from slth.network import FloatArray, ReLUNetwork, require_networks
from slth.proof import ONE, ErrorProof
from slth.solution import Enclosure

# The checker follows at most this many splits on one path.
_MOST_SPLITS = 300
# Effort on a cone before it is split instead: values of lambda, sweeps over the other multipliers
# for each, passes over the slope in each sweep.
_SWEEPS = 3000
_PASSES = 4
_TRIALS = 24
# Rounding of the float prover, relative to the sum of all |output| ||hidden||.
_MARGIN = 3e-14


def loosened(error: Enclosure, *, rtol: float = 1e-6, at_most: float = math.inf) -> Enclosure:
    """The enclosure with its upper bound raised, if need be, to a relative gap of `rtol`.

    A certified bound can be tighter than a proof in floats can follow; state this one instead.
    at_most: an eps that the upper bound is not to be raised above.
    """
    upper = max(error.upper, min(error.lower * (1.0 + rtol), at_most))
    return replace(error, upper=upper)


def prove_error(
    net: ReLUNetwork,
    target: ReLUNetwork,
    upper: float,
    *,
    radius: float = 1.0,
    time_limit: float | None = 60.0,
    max_leaves: int = 200_000,
) -> ErrorProof | None:
    """A proof that sup_{||x||_2 <= radius} |net(x) - target(x)| <= upper, or None.

    None means that the bound is false, too tight (closer than about 1e-13 to the supremum, in
    units of sum |output| ||hidden||; see `loosened`), or that time or leaves ran out. Practical for
    d <= 6 and some dozens of units, and for fewer units up to d = 8.

    Args:
        net: the pruned network, `solution.pruned`.
        target: of the same input dimension.
        upper: the bound to prove.

    Raises:
        InvalidInput: different input dimensions, upper, radius or time_limit <= 0.
    """
    require_networks(net, target)
    bound = require_positive("upper", upper) / require_positive("radius", radius)
    deadline = Deadline(require_time_limit(time_limit))
    tree = _Tree(bound, net.d, deadline, max_leaves)
    first, second = _Inner.of(net), _Inner.of(target)
    differences = []
    for sign, x, y in ((1, first, second), (-1, second, first)):
        differences.append((_Difference.of(1.0, x, y, sign, first, second), y.relu))
        if x.relu and not y.relu:
            differences.append((_Difference.of(0.0, x, y, sign, first, second), False))
    try:
        if not all(tree.grow(difference, free) for difference, free in differences):
            return None
    # A cone that is flat to working precision: the bound is too tight to be proven in floats.
    except np.linalg.LinAlgError:
        return None
    return tree.proof(len(first.rows) + len(second.rows))


@dataclass(frozen=True)
class _Inner:
    """rho(<linear, x> + sum_i sign_i max(<rows_i, x>, 0)), the checker's normal form."""

    rows: FloatArray
    sign: FloatArray
    linear: FloatArray
    relu: bool

    @classmethod
    def of(cls, network: ReLUNetwork) -> _Inner:
        rows = np.abs(network.output)[:, None] * network.hidden
        sign = np.where(network.output < 0.0, -1.0, 1.0)
        if network.width == 1 and network.output[0] >= 0.0:
            return cls(rows[:0], sign[:0], rows[0], True)
        return cls(rows, sign, np.zeros(network.d), network.readout == "relu")


@dataclass(frozen=True)
class _Difference:
    """outer X - lambda Y as convex minus concave units, all units of both networks in order.

    Attributes:
        rows: float64 [units, d].
        convex: bool [units], those that enter with a plus.
        of_y: bool [units], those that lambda scales.
        outer: 0.0 or 1.0, the scale of the others.
        linear: float64 [2, d], outer times the linear part of X, and that of Y.
    """

    rows: FloatArray
    convex: np.ndarray
    of_y: np.ndarray
    outer: float
    linear: FloatArray

    @classmethod
    def of(
        cls, outer: float, x: _Inner, y: _Inner, sign: int, first: _Inner, second: _Inner
    ) -> _Difference:
        of_net = np.arange(len(first.rows) + len(second.rows)) < len(first.rows)
        return cls(
            np.concatenate([first.rows, second.rows]),
            sign * np.concatenate([first.sign, -second.sign]) > 0,
            ~of_net if sign > 0 else of_net,
            outer,
            np.stack([outer * x.linear, y.linear]),
        )


class _Tree:
    """The proof as it grows: every orthant, depth first, in the order the checker reads."""

    def __init__(self, bound: float, d: int, deadline: Deadline, max_leaves: int) -> None:
        self._bound, self._d = bound, d
        self._deadline, self._max_leaves = deadline, max_leaves
        self._split: list[tuple[int, int, int, int]] = []
        self._tau: list[np.ndarray] = []
        self._mix: list[int] = []
        self._slope: list[FloatArray] = []

    def grow(self, difference: _Difference, free: bool) -> bool:
        """Prove one difference on all orthants; False if it cannot be done."""
        margin = _MARGIN * (
            np.linalg.norm(difference.rows, axis=1).sum() + np.abs(difference.linear).sum()
        )
        for signs in product((1.0, -1.0), repeat=self._d):
            cone = np.diag(signs)
            stack = [(cone, cone @ difference.rows.T, 1.0, 0)]
            while stack:
                cone, dots, mix, depth = stack.pop()
                proven, tau, whole_mix, slope, i, j = _bound_cone(
                    cone,
                    dots,
                    difference.rows,
                    difference.convex,
                    difference.of_y,
                    difference.outer,
                    difference.linear,
                    free,
                    mix,
                    self._bound,
                    margin,
                    depth,
                )
                if proven:
                    self._split.append((0, 0, 0, 0))
                    self._tau.append(tau)
                    self._mix.append(int(whole_mix))
                    self._slope.append(slope)
                    continue
                full = len(self._mix) + len(stack) > self._max_leaves
                if full or depth == _MOST_SPLITS or self._deadline.expired:
                    return False
                p, q = _balance(cone[i], cone[j])
                self._split.append((i, j, p, q))
                for replaced in (j, i):
                    child, inner = cone.copy(), dots.copy()
                    child[replaced] = p * cone[i] + q * cone[j]
                    inner[replaced] = p * dots[i] + q * dots[j]
                    stack.append((child, inner, whole_mix / ONE, depth + 1))
        return True

    def proof(self, units: int) -> ErrorProof:
        leaves = len(self._mix)
        return ErrorProof(
            np.array(self._split, dtype=np.uint16).reshape(-1, 4),
            np.array(self._tau, dtype=np.uint32).reshape(leaves, units),
            np.array(self._mix, dtype=np.uint32),
            np.array(self._slope, dtype=np.float64).reshape(leaves, self._d),
        )


def _balance(first: FloatArray, second: FloatArray) -> tuple[int, int]:
    """Small p, q >= 1 such that p first + q second lies near the middle of the edge."""
    ratio = float(np.linalg.norm(first) / np.linalg.norm(second))
    if ratio >= 1.0:
        return 1, min(65535, round(ratio))
    return min(65535, round(1.0 / ratio)), 1


@njit(cache=True, nogil=True)
def _dot(a, b):
    total = 0.0
    for k in range(a.shape[0]):
        total += a[k] * b[k]
    return total


@njit(cache=True, nogil=True)
def _add(to, scale, a):
    for k in range(a.shape[0]):
        to[k] += scale * a[k]


@njit(cache=True, nogil=True)
def _shorten(unit, dual, free_slope, y, weights, lift, u):
    """Shorten u = free_slope + sum_k y_k dual_k over y >= 0, in place, from y.

    One pass of coordinate descent on y is exact when the shortest u lies inside the cone; passes
    on its other form, u = sum_k weights_k unit_k with <u, unit_k> >= <free_slope, unit_k>, when it
    lies at the boundary of a thin one. `lift` has inner products >= 1 with the generators.
    """
    d = y.shape[0]
    for k in range(d):
        u[k] = free_slope[k]
    for k in range(d):
        _add(u, y[k], dual[k])
    for k in range(d):
        step = max(-y[k], -_dot(u, dual[k]) / _dot(dual[k], dual[k]))
        y[k] += step
        _add(u, step, dual[k])
    other = np.zeros(d)
    for k in range(d):
        _add(other, weights[k], unit[k])
    for _ in range(_PASSES):
        for k in range(d):
            step = max(-weights[k], _dot(free_slope, unit[k]) - _dot(other, unit[k]))
            weights[k] += step
            _add(other, step, unit[k])
    violation = 0.0
    for k in range(d):
        violation = max(violation, _dot(free_slope, unit[k]) - _dot(other, unit[k]))
    _add(other, violation, lift)
    if _dot(other, other) < _dot(u, u):
        for k in range(d):
            u[k] = other[k]
        for k in range(d):
            y[k] = max(0.0, _dot(u, unit[k]) - _dot(free_slope, unit[k]))


@njit(cache=True, nogil=True)
def _bound_cone(cone, dots, rows, convex, of_y, outer, linear, free, mix, bound, margin, depth):
    """Search multipliers that prove outer X - lambda Y <= bound on the cone.

    cone: [d, d], a generator a row; dots: [d, units]. With the dual basis <dual_k, v_l> = 1 if
    k = l else 0, every u = flat + lambda tilt - sum_j scale_j tau_j rows_j + sum_k y_k dual_k,
    y >= 0, satisfies the leaf's inequalities; coordinate descent makes it short.
    Returns (proven, tau, mix, slope, i, j): the multipliers, and the edge to split otherwise.
    """
    d, units = dots.shape
    unit = np.zeros((d, d))
    at = np.empty((d, units))
    fixed = np.empty(d)
    scaled = np.empty(d)
    middle = np.zeros(d)
    for k in range(d):
        shrink = 1.0 / math.sqrt(_dot(cone[k], cone[k]))
        _add(unit[k], shrink, cone[k])
        _add(middle, 1.0, unit[k])
        fixed[k] = _dot(linear[0], unit[k])
        scaled[k] = -_dot(linear[1], unit[k])
        for m in range(units):
            at[k, m] = dots[k, m] * shrink
            if convex[m] and at[k, m] > 0.0:
                if of_y[m]:
                    scaled[k] += at[k, m]
                else:
                    fixed[k] += outer * at[k, m]
    least = np.inf
    for k in range(d):
        least = min(least, _dot(middle, unit[k]))
    lift = np.zeros(d)
    _add(lift, 1.0 / least, middle)
    dual = np.ascontiguousarray(np.linalg.inv(unit).T)
    tau = np.zeros(units)
    # The slopes of the two scaled parts: exact where a unit keeps its sign, else interpolated.
    flat = linear[0].copy()
    tilt = np.zeros(d)
    _add(tilt, -1.0, linear[1])
    bent = np.zeros((2, d))
    for m in range(units):
        low, high = np.inf, -np.inf
        for k in range(d):
            low, high = min(low, at[k, m]), max(high, at[k, m])
        if not convex[m]:
            # The chord of max(., 0) over the values at the generators.
            tau[m] = 1.0 if low >= 0.0 else (0.0 if high <= 0.0 else high / (high - low))
        elif low >= 0.0:
            _add(tilt if of_y[m] else flat, 1.0 if of_y[m] else outer, rows[m])
        elif high > 0.0:
            for k in range(d):
                bent[1 if of_y[m] else 0, k] += max(at[k, m], 0.0)
    for k in range(d):
        _add(flat, outer * bent[0, k], dual[k])
        _add(tilt, bent[1, k], dual[k])
    free_slope = flat.copy()
    _add(free_slope, mix, tilt)
    for m in range(units):
        if not convex[m]:
            _add(free_slope, -(mix if of_y[m] else outer) * tau[m], rows[m])
    y = np.zeros(d)
    weights = np.zeros(d)
    u = np.zeros(d)
    enough = bound * (1.0 - 1e-12) - 2.0 * margin
    low, high, reached = 0.0, 1.0, np.inf
    for trial in range(_TRIALS if free else 1):
        previous = np.inf
        for _ in range(_SWEEPS):
            _shorten(unit, dual, free_slope, y, weights, lift, u)
            reached = math.sqrt(_dot(u, u))
            if reached <= enough or previous - reached < 1e-7 * (reached - enough):
                break
            previous = reached
            for m in range(units):
                scale = mix if of_y[m] else outer
                size = scale * _dot(rows[m], rows[m])
                if not convex[m] and size > 0.0:
                    step = min(1.0 - tau[m], max(-tau[m], _dot(u, rows[m]) / size))
                    tau[m] += step
                    _add(u, -step * scale, rows[m])
                    _add(free_slope, -step * scale, rows[m])
        if reached <= enough or not free:
            break
        # The shortest |u| is convex in lambda, with a derivative of the sign of <along, u>.
        along = tilt.copy()
        for m in range(units):
            if of_y[m] and not convex[m]:
                _add(along, -tau[m], rows[m])
        rising = _dot(along, u) > 0.0
        low, high = (low, mix) if rising else (mix, high)
        if high - low < 1e-9:
            break
        before = mix
        mix = 0.5 * (low + high) if trial > 0 else (low if rising else high)
        _add(free_slope, mix - before, along)
    # The multipliers as they are written, and a slope that is safe against rounding.
    whole_tau = np.empty(units, np.uint32)
    for m in range(units):
        whole_tau[m] = np.uint32(round(tau[m] * ONE))
        tau[m] = whole_tau[m] / ONE
    whole_mix = np.uint32(round(mix * ONE))
    mix = whole_mix / ONE
    violation = 0.0
    for k in range(d):
        needed = fixed[k] + mix * scaled[k]
        for m in range(units):
            if not convex[m]:
                needed -= (mix if of_y[m] else outer) * tau[m] * at[k, m]
        violation = max(violation, needed - _dot(u, unit[k]))
    _add(u, violation + margin, lift)
    proven = math.sqrt(_dot(u, u)) <= bound * (1.0 - 1e-15)
    # Split where the interpolation of the convex units is worst, now and then the longest edge.
    best_i, best_j, worst, longest, long_i, long_j = 0, 1, 0.0, 2.0, 0, 1
    for i in range(d):
        for j in range(i + 1, d):
            cosine = _dot(unit[i], unit[j])
            if cosine < longest:
                longest, long_i, long_j = cosine, i, j
            gap = 0.0
            for m in range(units):
                if convex[m] and at[i, m] * at[j, m] < 0.0:
                    gap += (mix if of_y[m] else outer) * min(abs(at[i, m]), abs(at[j, m]))
            if gap > worst:
                worst, best_i, best_j = gap, i, j
    if worst == 0.0 or depth % 3 == 2:
        best_i, best_j = long_i, long_j
    return proven, whole_tau, whole_mix, u, best_i, best_j
