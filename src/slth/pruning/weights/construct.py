"""Single-coordinate networks: their error in closed form, in exact rational arithmetic.

A mask is *single-coordinate* if every live unit keeps one incoming weight. Such a unit,
a relu(w x_j), is a |w| times x_j^+ (w > 0) or x_j^- (w < 0), x_j^+- = max(+-x_j, 0), so before
the readout the network is

    h(x) = sum_j P_j x_j^+ + M_j x_j^-,
    P_j = sum {a_i |w_ij|: unit i keeps w_ij > 0},   M_j = the same over w_ij < 0.

A target neuron relu(<w*, x>) is the relu of the same kind of function, with sides (w*_j, -w*_j).
With p_j = P_j - P*_j and q_j = M_j - M*_j the difference h - t = sum_j p_j x_j^+ + q_j x_j^- has

    sup over the unit ball of +-(h - t) = (sum_j max(+-p_j, +-q_j, 0)^2)^(1/2)

(on an orthant it is linear in |x|; the best orthant takes the larger side of every coordinate, or
leaves the coordinate out). The larger of the two signs is the error for the linear readout, and
bounds it for the relu readout, because relu is 1-Lipschitz. It is attained for the relu readout
if the maximiser x of the winning sign can be chosen with t(x) >= 0 and h(x) >= 0. For d = 1 the
relu readout's error is max(|relu(P) - relu(P*)|, |relu(M) - relu(M*)|) exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from slth.network import FloatArray, Mask, Readout, ReLUNetwork
from slth.rounding.ball import into_ball
from slth.solution import Enclosure, Status

# How often the multiplier of the constraint "the target is active" is halved for a witness.
_WITNESS_STEPS = 12
# A closed-form enclosure counts as closed below this relative width.
_CLOSED = 1e-6


@dataclass(frozen=True)
class Sides:
    """h(x) = sum_j positive[j] max(x_j, 0) + negative[j] max(-x_j, 0), exact rationals."""

    positive: tuple[Fraction, ...]
    negative: tuple[Fraction, ...]

    def __call__(self, x: tuple[Fraction, ...]) -> Fraction:
        """The value at an exact point x of length d."""
        total = Fraction(0)
        for t, p, m in zip(x, self.positive, self.negative, strict=True):
            total += p * t if t >= 0 else -m * t
        return total

    def floats(self) -> FloatArray:
        """float64 [2, d]: the positive and the negative sides, rounded."""
        return np.array([[float(v) for v in self.positive], [float(v) for v in self.negative]])


def sides_of(net: ReLUNetwork) -> Sides | None:
    """The sides of a single-coordinate network; None if some live unit keeps several weights."""
    kept = net.hidden != 0.0
    live = (net.output != 0.0) & kept.any(axis=1)
    if (kept[live].sum(axis=1) > 1).any():
        return None
    sides = [[Fraction(0)] * net.d, [Fraction(0)] * net.d]
    for i in np.flatnonzero(live):
        j = int(np.argmax(kept[i]))
        weight = Fraction(net.hidden[i, j].item())
        sides[int(weight < 0)][j] += Fraction(net.output[i].item()) * abs(weight)
    return Sides(tuple(sides[0]), tuple(sides[1]))


def target_sides(target: ReLUNetwork, readout: Readout) -> Sides | None:
    """t with target = rho(t), rho the readout of the network to prune; None if there is none.

    For the relu readout: one live unit with a positive output weight, c relu(<v, x>), has the
    sides (c v_j, -c v_j); for both: a single-coordinate target with the same readout.
    """
    live = np.flatnonzero((target.output != 0.0) & (target.hidden != 0.0).any(axis=1))
    if readout == "relu" and len(live) == 1 and target.output[live[0]] > 0.0:
        scale = Fraction(target.output[live[0]].item())
        weights = [scale * Fraction(v) for v in target.hidden[live[0]].tolist()]
        return Sides(tuple(weights), tuple(-v for v in weights))
    if readout == target.readout:
        return sides_of(target)
    return None


def closed_form(net: ReLUNetwork, mask: Mask, target: ReLUNetwork) -> Enclosure | None:
    """Enclosure of sup_{||x||_2 <= 1} |masked net - target|; None where the form does not apply.

    Applies to single-coordinate masks and the targets of `target_sides`. The upper bound is the
    closed form above, rounded up once; the lower bound is the exact error at a witness.
    """
    found = sides_of(net.masked(mask))
    wanted = target_sides(target, net.readout)
    if found is None or wanted is None:
        return None
    if net.d == 1 and net.readout == "relu":
        lower, upper, witness = _line(found, wanted)
    else:
        square = max(norm_square(found, wanted, +1), norm_square(found, wanted, -1))
        upper = root_above(square)
        lower, witness = _attained(found, wanted, net.readout)
    status = Status.CLOSED if upper - lower <= _CLOSED * upper else Status.OPEN
    return Enclosure(lower, upper, witness, status, "closed form of coordinate sides")


def norm_square(found: Sides, wanted: Sides, sign: int) -> Fraction:
    """(sup over the unit ball of sign * (h - t))^2, exactly."""
    total = Fraction(0)
    for j in range(len(found.positive)):
        p = sign * (found.positive[j] - wanted.positive[j])
        q = sign * (found.negative[j] - wanted.negative[j])
        total += max(p, q, Fraction(0)) ** 2
    return total


def root_above(square: Fraction) -> float:
    """The smallest float found whose square is at least the rational `square`; at most inf."""
    if square == 0:
        return 0.0
    # Squares of floats may be none: the root of square / 4^shift, which is near 1, is taken.
    shift = (square.numerator.bit_length() - square.denominator.bit_length()) // 2
    root = math.sqrt(float(square / Fraction(4) ** shift))
    with np.errstate(over="ignore", under="ignore"):
        root = float(np.ldexp(root, shift))
    while math.isfinite(root) and Fraction(root) ** 2 < square:
        root = math.nextafter(root, math.inf)
    return root


def round_down(value: Fraction) -> float:
    """A float <= value, at most one ulp below."""
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)


def round_up(value: Fraction) -> float:
    """A float >= value, at most one ulp above."""
    return -round_down(-value)


def _line(found: Sides, wanted: Sides) -> tuple[float, float, FloatArray | None]:
    """d = 1, relu readout: the difference is linear on either side of 0."""
    zero = Fraction(0)
    errors = [
        abs(max(f, zero) - max(w, zero))
        for f, w in (
            (found.positive[0], wanted.positive[0]),
            (found.negative[0], wanted.negative[0]),
        )
    ]
    worst = max(errors)
    witness = np.array([1.0 if errors[0] == worst else -1.0]) if worst > 0 else None
    return round_down(worst), round_up(worst), witness


def _attained(found: Sides, wanted: Sides, readout: Readout) -> tuple[float, FloatArray | None]:
    """The largest exact error among the candidate witnesses, rounded down, and where."""
    best, where = Fraction(0), None
    for point in _candidates(found.floats(), wanted.floats(), readout):
        x = into_ball(point)
        exact = tuple(Fraction(v) for v in x.tolist())
        h, t = found(exact), wanted(exact)
        error = abs(h - t) if readout == "linear" else abs(max(h, 0) - max(t, 0))
        if error > best and sum(v * v for v in exact) <= 1:
            best, where = Fraction(error), x
    return round_down(best), where


def _candidates(found: FloatArray, wanted: FloatArray, readout: Readout) -> list[FloatArray]:
    """Maximisers of +-(h - t); with the relu readout also of the active part.

    relu(h) - relu(t) = min(h - t, h) where h >= 0, and the maximiser of a minimum of two linear
    functions maximises h - lam t for some lam in [0, 1]: bisect on the sign of t there.
    """
    points = []
    for a, b in ((found, wanted), (wanted, found)):
        points.append(_maximiser(a - b))
        if readout == "relu" and points[-1] is not None:
            low, high = 0.0, 1.0
            for _ in range(_WITNESS_STEPS):
                lam = 0.5 * (low + high)
                x = _maximiser(a - lam * b)
                if x is None:
                    break
                points.append(x)
                active = float(np.maximum(x, 0.0) @ b[0] + np.maximum(-x, 0.0) @ b[1])
                low, high = (lam, high) if active > 0.0 else (low, lam)
            # lam is too large where the target is inactive at the maximiser.
    return [x for x in points if x is not None]


def _maximiser(sides: FloatArray) -> FloatArray | None:
    """argmax over the unit sphere of sum_j sides[0, j] x_j^+ + sides[1, j] x_j^-."""
    positive, negative = sides
    x = np.where(positive >= negative, np.maximum(positive, 0.0), -np.maximum(negative, 0.0))
    return x if (x != 0.0).any() else None
