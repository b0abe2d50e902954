"""A bound of the end-to-end error, from the errors of the effective weights: rigorous.

Write h for the target's activations, g for those of the embedded network (stacked, where it holds
several copies of a unit: C h repeats every unit). A layer z = W h + b, and in the embedded
network V g + v, with effective error E = V C - W and e = v - b, so that

    (V g + v) - C z = E h + e + V (g - C h).

Three things travel through the layers: a set that contains h, a bound of |g - C h| for every unit
and one of its Euclidean norm. Each step takes the least of what the triangle inequality over
entries, row norms and spectral norms give; relu is 1-Lipschitz in every coordinate. On the first
layer W reads x and E the sides (max(x, 0), max(-x, 0)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from slth.domain import Ball
from slth.embed.operator import Operator, row_norms
from slth.embed.reach import Even, Reach, inputs, sides
from slth.layers import FloatArray
from slth.rounding.outward import UNIT, norm_above, up, up_float

# A sum of n floats depends on their order by n u of its size: 1e-10 for a million of them.
_MARGIN = 1e-9
# A bound is written down with 20 bits: this costs it a millionth.
_STEPS = 1 << 20


@dataclass(frozen=True, eq=False)
class LayerErrors:
    """One affine layer, target and embedded.

    Attributes:
        target: W, [units, inputs].
        bias: b of every unit, float64 [units].
        error: E, [stacked units, inputs or sides]; None stands for 0.
        bias_error: at least |e|, float64 [stacked units].
        gain: V, [stacked units, stacked inputs].
        block: index of its residual block, -1 outside.
    """

    target: Operator
    bias: FloatArray
    error: Operator | None
    bias_error: FloatArray
    gain: Operator
    block: int = -1


@dataclass(frozen=True, eq=False)
class _State:
    """Where h lies; |g - C h| <= apart elementwise; ||g - C h||_2 <= distance."""

    reach: Reach
    apart: FloatArray
    distance: float


def stated(error: float) -> float:
    """The bound as it is written down: up to the next number of few digits above a margin.

    Libraries add floats in other orders on other processors, so that a recomputed bound differs in
    its last digits; by far less than the margin. So every machine confirms what one has stated,
    and states the same number itself, unless the bound lies within such a difference of a step.
    """
    if not math.isfinite(error):
        return error
    part, power = math.frexp(error * (1.0 + _MARGIN))
    return math.ldexp(math.ceil(part * _STEPS) / _STEPS, power)


def certified_error(layers: Sequence[LayerErrors], domain: Even) -> float:
    """At least the supremum over the domain and over the outputs of |embedded - target|; its last
    digits depend on the machine."""
    width = layers[0].target.matrix.shape[1]
    state = _State(inputs(domain, width), np.zeros(1), 0.0)
    outer = state
    for place, layer in enumerate(layers):
        first = place == 0
        last = place + 1 == len(layers)
        if layer.block >= 0 and layer.block != layers[place - 1].block:
            outer = state
        lifted = sides(domain, width) if first else state.reach
        pairs = first and isinstance(domain, Ball)
        state = _affine(state, layer, lifted, pairs)
        ends = layer.block >= 0 and (last or layers[place + 1].block != layer.block)
        if ends:
            state = _sum(outer, state)
        if not last:
            state = _State(_relu(state.reach), state.apart, state.distance)
    return float(state.apart.max())


def _affine(state: _State, layer: LayerErrors, lifted: Reach, pairs: bool) -> _State:
    reach = _moved(state.reach, layer.target, layer.bias)
    own = layer.bias_error
    own_norm = norm_above(own)
    if layer.error is not None:
        centre, rounding = layer.error.image(lifted.centre)
        offset = up(np.abs(centre) + rounding + layer.bias_error)
        rows = _pair_rows(layer.error) if pairs else layer.error.rows
        spread = np.minimum(layer.error.above(lifted.radius), up(rows * lifted.ball))
        own = up(offset + spread)
        own_norm = up_float(norm_above(offset) + up_float(layer.error.spectral * lifted.ball))
    if state.distance == 0.0:
        return _State(reach, own, min(own_norm, norm_above(own)))
    passed = np.minimum(layer.gain.above(state.apart), up(layer.gain.rows * state.distance))
    apart = up(own + passed)
    distance = up_float(own_norm + up_float(layer.gain.spectral * state.distance))
    return _State(reach, apart, min(distance, norm_above(apart)))


def _pair_rows(error: Operator) -> FloatArray:
    """Rows of E over the sides of a ball: max(x_j, 0) and max(-x_j, 0) are never both positive,
    so sup |<e, sides of x>| <= ||(max(|e_j|, |e_j'|))_j||_2."""
    half = error.matrix.shape[1] // 2
    matrix = error.matrix
    if isinstance(matrix, scipy.sparse.csr_array):
        return row_norms(
            scipy.sparse.csr_array(abs(matrix[:, :half]).maximum(abs(matrix[:, half:])))
        )
    return row_norms(np.maximum(np.abs(matrix[:, :half]), np.abs(matrix[:, half:])))


def _moved(reach: Reach, operator: Operator, bias: FloatArray) -> Reach:
    """A set around W h + b. The centre is a float near W centre + b; the radii take its error."""
    image, rounding = operator.image(reach.centre)
    centre = image + bias
    off = up(rounding + 4.0 * UNIT * (np.abs(image) + np.abs(bias)))
    spread = np.minimum(operator.above(reach.radius), up(operator.rows * reach.ball))
    radius = up(spread + off)
    ball = up_float(up_float(operator.spectral * reach.ball) + norm_above(off))
    return Reach(centre, radius, min(ball, norm_above(radius)))


def _relu(reach: Reach) -> Reach:
    return Reach(np.maximum(reach.centre, 0.0), reach.radius, reach.ball)


def _sum(outer: _State, inner: _State) -> _State:
    """h + body(h): the skip is exact, so errors and radii add."""
    centre = outer.reach.centre + inner.reach.centre
    off = 2.0**-52 * np.abs(centre)
    radius = up(outer.reach.radius + inner.reach.radius + off)
    ball = up_float(outer.reach.ball + inner.reach.ball + norm_above(off))
    reach = Reach(centre, radius, min(ball, norm_above(radius)))
    apart = up(outer.apart + inner.apart)
    return _State(reach, apart, min(up_float(outer.distance + inner.distance), norm_above(apart)))
