"""Several target neurons at once, with signed outputs and biases: one more layer of ReLUs.

With one hidden layer no mask reaches a target of several neurons at a logarithmic width, whatever
the readout: linear, its kinks must lie near the target's (`slth.pruning.weights.kink_bound`); relu,
only a single neuron is the ReLU of a sum of functions of one coordinate. So the random network
here is

    G(x) = sum_m output[m] relu(h_m(x)),   h_m(x) = sum_i middle[m, i] relu(<hidden[i], x>),

the twice-deep network of Malach et al. and Pensia et al., whose hidden units all neurons share
(Burkholz 2022). The target is F(x) = sum_k c_k relu(<v_k, x>), c_k of either sign.

Signs: relu is positively homogeneous, so neuron k is given to a unit m(k) whose output weight has
the sign of c_k, and h_m(k) has to reach t_k(x) = <v_k, x> |c_k| / |output[m(k)]|.

Coordinates: hidden unit i keeps one incoming weight, so that h_m = sum_j P_mj x_j^+ + M_mj x_j^-,
P_mj = sum of middle[m, i] |hidden[i, j]| over the kept units of side (j, +): a subset-sum problem
for every (neuron, coordinate, side). The same units serve all neurons, by different middle weights.

Error: with e_kj = max(|P_mj - P*_kj|, |M_mj - M*_kj|), starred what t_k has, |h_m - t_k| is at most
sum_j e_kj |x_j|, and relu is 1-Lipschitz, so that over the unit ball

    |G - F| <= ( sum_j s_j^2 )^(1/2),   s_j = sum_k |output[m(k)]| e_kj.

Bias: relu(<v, x> + b) is the bias-free neuron (v, b) at (x, 1). With `bias` the last input is that
constant 1: it adds s_d with e_kd = |P_md - P*_kd|, as it is never negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slth.errors import InvalidInput, require_array, require_positive, require_time_limit
from slth.limits import Deadline
from slth.network import BoolArray, FloatArray, ReLUNetwork
from slth.pruning.weights.construct import root_above, round_up
from slth.pruning.weights.subset_sum import subset_sum
from slth.solution import Status

# Samples of one subset-sum problem: more do not help.
_MOST_SAMPLES = 40


@dataclass(frozen=True, eq=False)
class LayerTicket:
    """A mask on both layers, and a bound on its uniform error.

    Attributes:
        hidden: bool [width, d], one weight a row at most. middle: bool [units, width].
            output: bool [units]. The masks.
        upper: sup over the ball of |G masked - F| is at most this, over the reals.
        status: "reached" (upper <= eps) or "unknown".
        served: int64 [neurons], the unit m(k) of each target neuron.
    """

    hidden: BoolArray
    middle: BoolArray
    output: BoolArray
    upper: float
    status: Status
    served: NDArray[np.int64]

    @property
    def kept_weights(self) -> int:
        """Number of single weights kept, all layers."""
        return int(self.hidden.sum() + self.middle.sum() + self.output.sum())


def prune_layer(
    hidden: ArrayLike,
    middle: ArrayLike,
    output: ArrayLike,
    target: ReLUNetwork,
    *,
    eps: float,
    bias: bool = False,
    sparsest: bool = False,
    time_limit: float | None = 60.0,
) -> LayerTicket:
    """A mask on a random network of two hidden layers that approximates `target` on the unit ball.

    Args:
        hidden: float64 [width, d]. middle: float64 [units, width]. output: float64 [units].
        target: any bias-free network of linear readout; with `bias` its last input is the bias.
        eps: uniform error allowed over ||x||_2 <= 1; with `bias` over {(x, 1): ||x||_2 <= 1}.
        bias: whether the last coordinate is the constant 1.
        sparsest: keep the fewest middle weights that meet each share of eps, at more time.
        time_limit: seconds; None means no limit. Problems not reached keep nothing.

    Raises:
        InvalidInput: shapes that do not match, a target with a relu readout, too few units with
            output weights of the target's signs, eps <= 0, time_limit <= 0, bias with d = 1.
    """
    w = require_array("hidden", hidden, ndim=2)
    a = require_array("middle", middle, ndim=2)
    b = require_array("output", output, ndim=1)
    eps = require_positive("eps", eps)
    deadline = Deadline(require_time_limit(time_limit))
    _require_fit(w, a, b, target, bias)
    served = _matched(b, target.output)
    side_of = _sides(w, target.d, bias)
    kept_middle = np.zeros(a.shape, dtype=bool)
    live = np.flatnonzero((target.output != 0.0) & (target.hidden != 0.0).any(axis=1))
    # Shares of eps: of every neuron, and of every coordinate; the constant weighs like all others.
    share = eps / max(1, len(live)) * (1.0 - 1e-9)
    share = share / (1.0 + np.sqrt(target.d - 1)) if bias else share / np.sqrt(target.d)
    for j in range(target.d):
        for sign in (1, -1):
            units = np.flatnonzero(side_of == sign * (j + 1))
            wanted = sign * target.output[live] * target.hidden[live, j] / b[served[live]]
            if len(units) == 0 or len(live) == 0 or deadline.expired:
                continue
            values = a[np.ix_(served[live], units)] * np.abs(w[units, j])
            scale = np.abs(b[served[live]])
            limit = None if np.isinf(deadline.remaining) else max(1e-3, deadline.remaining)
            # In units of the output: one tolerance for all neurons.
            found = subset_sum(
                values * scale[:, None],
                wanted * scale,
                eps=share,
                sparsest=sparsest,
                time_limit=limit,
            )
            kept_middle[np.ix_(served[live], units)] = found.masks
    kept_hidden = np.zeros(w.shape, dtype=bool)
    used = np.flatnonzero(kept_middle.any(axis=0))
    kept_hidden[used, np.abs(side_of[used]) - 1] = True
    kept_output = np.zeros(b.shape, dtype=bool)
    kept_output[served[live]] = True
    upper = _upper(w, a * kept_middle, b, target, served, live, side_of, bias)
    status = Status.REACHED if upper <= eps else Status.UNKNOWN
    return LayerTicket(kept_hidden, kept_middle, kept_output, upper, status, served)


def _require_fit(
    hidden: FloatArray, middle: FloatArray, output: FloatArray, target: ReLUNetwork, bias: bool
) -> None:
    shapes = hidden.shape, middle.shape, output.shape
    if middle.shape != (len(output), len(hidden)) or hidden.shape[1] != target.d:
        raise InvalidInput(
            "layers incompatible with each other or the target",
            got=f"hidden, middle, output of shapes {shapes}, target with d = {target.d}",
            expected="hidden [width, d], middle [units, width], output [units]",
            fix="Draw layers that follow each other, on the target's inputs.",
        )
    if target.readout != "linear":
        raise InvalidInput(
            "target has a relu readout",
            got="readout 'relu'",
            expected="readout 'linear'",
            fix="Use prune_weights for a single neuron.",
        )
    if bias and target.d < 2:
        raise InvalidInput(
            "no input besides the constant",
            got=f"d = {target.d} with bias",
            expected="d >= 2, the last coordinate being the constant 1",
            fix="Append the biases to target.hidden as its last column.",
        )


def _matched(output: FloatArray, signs: FloatArray) -> NDArray[np.int64]:
    """For each target neuron a unit of its own whose output weight has its sign, largest first."""
    served = np.full(len(signs), -1)
    for sign in (1.0, -1.0):
        neurons = np.flatnonzero(signs * sign > 0.0)
        units = np.argsort(-output * sign, kind="stable")[: len(neurons)]
        if len(units) < len(neurons) or (output[units] * sign <= 0.0).any():
            raise InvalidInput(
                "too few units with output weights of the target's signs",
                got=f"{int((output * sign > 0.0).sum())} of sign {sign:+.0f}",
                expected=f"at least {len(neurons)}",
                fix="Draw a wider middle layer.",
            )
        served[neurons] = units
    return served


def _sides(hidden: FloatArray, d: int, bias: bool) -> NDArray[np.int64]:
    """int64 [width]: +-(j + 1), the coordinate and the side that each unit serves; 0 for none.

    Unit by unit, whichever side that it could serve has fewest units so far; of those the largest
    weight. The negative side of the constant is never active.
    """
    counts = np.zeros((2, d), dtype=np.int64)
    if bias:
        counts[1, d - 1] = np.iinfo(np.int64).max
    side_of = np.zeros(len(hidden), dtype=np.int64)
    for i, row in enumerate(hidden):
        sides = (row < 0.0).astype(np.int64)
        filled = np.where(row == 0.0, np.iinfo(np.int64).max, counts[sides, np.arange(d)])
        least = filled.min()
        if least >= _MOST_SAMPLES:
            continue
        j = int(np.where(filled == least, np.abs(row), 0.0).argmax())
        counts[sides[j], j] += 1
        side_of[i] = (j + 1) if row[j] > 0.0 else -(j + 1)
    return side_of


def _upper(
    hidden: FloatArray,
    kept: FloatArray,
    output: FloatArray,
    target: ReLUNetwork,
    served: NDArray[np.int64],
    live: NDArray[np.int64],
    side_of: NDArray[np.int64],
    bias: bool,
) -> float:
    """The closed form of the module, in exact rationals, rounded up. kept: middle, masked."""
    s = [Fraction(0)] * target.d
    for k in live:
        m = served[k]
        scale = Fraction(float(abs(output[m])))
        missing = {}
        for j in range(target.d):
            weight = abs(Fraction(float(target.output[k]))) * Fraction(float(target.hidden[k, j]))
            missing[j + 1], missing[-(j + 1)] = -weight, weight
        for i in np.flatnonzero(kept[m]):
            side = int(side_of[i])
            incoming = abs(Fraction(float(hidden[i, abs(side) - 1])))
            missing[side] += scale * Fraction(float(kept[m, i])) * incoming
        for j in range(target.d):
            ends = (j + 1,) if bias and j == target.d - 1 else (j + 1, -(j + 1))
            s[j] += max(abs(missing[end]) for end in ends)
    constant = s.pop() if bias else Fraction(0)
    root = Fraction(root_above(sum((v * v for v in s), Fraction(0))))
    return round_up(root + constant)
