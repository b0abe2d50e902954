"""Biased networks of one hidden layer as homogeneous ones with a constant coordinate.

A network with biases on x is one without on (x, 1):
h(x, s) = rho(sum_i a_i max(<w_i, x> + b_i s, 0) + c max(s, 0)), so that h(x, 1) = g(x). The bias is
the weight of the constant coordinate, the output's bias one more unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from slth.deep import Activate, DeepNetwork
from slth.layers import AffineMap, FloatArray
from slth.network import Readout, ReLUNetwork

# A convolution's matrix is written out up to here (128 MiB).
_MOST_ENTRIES = 1 << 24


@dataclass(frozen=True)
class Homogenised:
    """One output of a network, in one coordinate more.

    Attributes:
        network: h, of d + 1 inputs.
        biased: whether the constant coordinate is used; else h(x, s) = g(x) for every s.
    """

    network: ReLUNetwork
    biased: bool


def homogenised(network: ReLUNetwork | DeepNetwork) -> tuple[Homogenised, ...] | None:
    """Every output of the network; None if it has other than one hidden layer of ReLUs or leaky
    ReLUs (or none), weights that are known up to rounding only, products with a leaky ReLU's slope
    that float64 does not hold, or weights too large for the engines."""
    if isinstance(network, ReLUNetwork):
        flat = np.column_stack([network.hidden, np.zeros(network.width)])
        return (Homogenised(ReLUNetwork(flat, network.output, network.readout), False),)
    layers = _layers_of(network)
    if layers is None:
        return None
    inner, outer, readout = layers
    hidden = np.column_stack([inner.matrix, inner.bias])
    with np.errstate(over="ignore"):
        sizes = np.abs(outer.matrix) @ np.abs(hidden).sum(axis=1) + np.abs(outer.bias)
    # What `ReLUNetwork` takes.
    if not (sizes < 1e299).all():
        return None
    constant = np.zeros((1, hidden.shape[1]))
    constant[0, -1] = 1.0
    return tuple(
        _one_output(hidden, constant, outer.matrix[k], outer.bias[k], readout)
        for k in range(len(outer.bias))
    )


def _one_output(
    hidden: FloatArray, constant: FloatArray, output: FloatArray, bias: float, readout: Readout
) -> Homogenised:
    biased = bool(bias != 0.0 or hidden[output != 0.0, -1].any())
    if bias != 0.0:
        hidden, output = np.vstack([hidden, constant]), np.append(output, bias)
    return Homogenised(ReLUNetwork(hidden, output, readout), biased)


def _layers_of(network: DeepNetwork) -> tuple[AffineMap, AffineMap, Readout] | None:
    """The hidden layer, the output layer and the readout of a network that has no more."""
    steps = list(network.steps)
    readout: Readout = "linear"
    if len(steps) > 1 and steps[-1] == Activate(0.0):
        readout = "relu"
        steps.pop()
    if len(steps) == 1:
        # <v, x> + c = max(<v, x>, 0) - max(-<v, x>, 0) + c.
        only = _written_out(steps[0])
        if only is None:
            return None
        count = len(only.bias)
        inner = AffineMap(np.vstack([only.matrix, -only.matrix]), np.zeros(2 * count))
        return inner, AffineMap(np.hstack([np.eye(count), -np.eye(count)]), only.bias), readout
    if len(steps) != 3 or not isinstance(steps[1], Activate):
        return None
    inner, outer = _written_out(steps[0]), _written_out(steps[2])
    if inner is None or outer is None:
        return None
    layers = _without_leak(inner, outer, steps[1].slope)
    return None if layers is None else (*layers, readout)


def _without_leak(
    inner: AffineMap, outer: AffineMap, slope: float
) -> tuple[AffineMap, AffineMap] | None:
    """Twice the units, for max(z, s z) = max(z, 0) - s max(-z, 0); None where s a is rounded."""
    if slope == 0.0:
        return inner, outer
    leaked = -slope * outer.matrix
    exact = (Fraction(-slope) * Fraction(a) == Fraction(p) for a, p in _pairs(outer.matrix, leaked))
    if not all(exact):
        return None
    twice = AffineMap(
        np.vstack([inner.matrix, -inner.matrix]), np.concatenate([inner.bias, -inner.bias])
    )
    return twice, AffineMap(np.hstack([outer.matrix, leaked]), outer.bias)


def _pairs(first: FloatArray, second: FloatArray) -> Iterator[tuple[float, float]]:
    return zip(first.ravel().tolist(), second.ravel().tolist(), strict=True)


def _written_out(step: object) -> AffineMap | None:
    """The step with a dense matrix; None if it is none, not exact or too large."""
    if not isinstance(step, AffineMap):
        return None
    if step.matrix_rounding is not None or step.bias_rounding is not None:
        return None
    if isinstance(step.matrix, np.ndarray):
        return step
    rows, columns = step.matrix.shape
    if rows * columns > _MOST_ENTRIES:
        return None
    return AffineMap(step.matrix.toarray(), step.bias)
