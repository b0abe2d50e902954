"""What each weight does to the outputs: orders in which weights are tried, no bounds that anything
rests on.

Without the weight w_ij the layer's value i changes by w_ij h_j, and the outputs by that times
their slope in it. *Certified*: |w_ij| sup |h_j| times the product of absolute weights behind it
(through units that may be on): at least what goes with the weight, alone or after others.
*Sampled*: the largest at points, by the gradient there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slth.certify.deep.bounds import Difference, relax
from slth.certify.deep.program import Add, Bend, Keep, Move, program_of
from slth.certify.deep.region import Region
from slth.deep import Activate, DeepNetwork, Skip, Step
from slth.domain import Domain
from slth.layers import Activation, Affine, Conv, Dense, FloatArray, Residual, spelled_out
from slth.windows import conv_matrix

# Products that are held at once: 32 MiB.
_AT_ONCE = 1 << 22


def certified_effects(network: DeepNetwork, domain: Domain) -> FloatArray:
    """float64 [weights], as `Connections` counts them."""
    region = Region.of(domain, network.d)
    program = program_of(network, network)
    trace = relax(Difference.of(program, region), region).trace
    slopes = np.eye(network.outputs)
    found: list[tuple[FloatArray, FloatArray]] = []
    waiting: list[FloatArray] = []
    for operation, values in zip(reversed(program.operations), reversed(trace.before), strict=True):
        assert values.net is not None
        match operation:
            case Move():
                assert operation.net is not None
                found.append((slopes, np.tile(values.net.size, (len(slopes), 1))))
                slopes = slopes @ operation.net.size
            case Bend():
                slopes = np.where(values.net.high[0] > 0.0, slopes, operation.slope * slopes)
            case Add():
                waiting.append(slopes)
            case Keep():
                slopes = slopes + waiting.pop()
    return _by_weight(network, found[::-1])


def sampled_effects(network: DeepNetwork, points: FloatArray, rows: FloatArray) -> FloatArray:
    """The largest |change| of <row, outputs> over points and rows, to first order.

    points: float64 [n, d]; rows: float64 [n, m, outputs], what is looked at at each point.
    Returns float64 [weights].
    """
    count, many, _ = rows.shape
    tape: list[tuple[Step, FloatArray, list]] = []
    _forward(network.steps, np.repeat(points, many, axis=0), tape)
    found: list[tuple[FloatArray, FloatArray]] = []
    _back(tape, rows.reshape(count * many, -1), found)
    return _by_weight(network, found[::-1])


def _forward(steps: Sequence[Step], values: FloatArray, tape: list) -> FloatArray:
    """values [n, outputs] of [n, inputs]; the tape takes every step with what it reads."""
    for step in steps:
        inner: list = []
        tape.append((step, values, inner))
        if isinstance(step, Activate):
            values = np.maximum(values, step.slope * values)
        elif isinstance(step, Skip):
            values = values + _forward(step.body, values, inner)
        else:
            values = (step.matrix @ values.T).T + step.bias
    return values


def _back(tape: list, slopes: FloatArray, found: list) -> FloatArray:
    """Slopes in what the first step reads; `found` takes those behind and the values before each
    affine step, last first."""
    for step, values, inner in reversed(tape):
        if isinstance(step, Activate):
            slopes = np.where(values > 0.0, slopes, step.slope * slopes)
        elif isinstance(step, Skip):
            slopes = slopes + _back(inner, slopes, found)
        else:
            found.append((slopes, values))
            slopes = slopes @ step.matrix
    return slopes


def _by_weight(network: DeepNetwork, found: list[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """From (slopes behind, values before) of every affine step, rows of the same number."""
    own: list[bool] = []
    for item in spelled_out(network.items):
        parts = spelled_out(item.body) if isinstance(item, Residual) else (item,)
        own += [
            isinstance(part, Dense | Conv) for part in parts if not isinstance(part, Activation)
        ]
    steps = [pair for pair, mine in zip(found, own, strict=True) if mine]
    return np.concatenate(
        [
            _largest(layer, shape, *pair)
            for (layer, shape), pair in zip(network.affine(), steps, strict=True)
        ]
    )


def _largest(
    layer: Affine, shape: tuple[int, ...], slopes: FloatArray, values: FloatArray
) -> FloatArray:
    """max over rows of |w slope value|, float64 [weights of the layer]."""
    best = np.zeros(layer.weight.size)
    if isinstance(layer, Dense):
        step = max(1, _AT_ONCE // max(1, best.size))
        for start in range(0, len(slopes), step):
            part = slice(start, start + step)
            change = np.abs(slopes[part])[:, :, None] * np.abs(values[part])[:, None, :]
            best = np.maximum(best, change.max(axis=0).ravel())
    else:
        numbers = np.arange(1, best.size + 1, dtype=np.float64).reshape(layer.weight.shape)
        entries = conv_matrix(numbers, shape, layer.window).tocoo()
        weight = entries.data.astype(np.int64) - 1
        for slope, value in zip(slopes, values, strict=True):
            change = slope[entries.row] * value[entries.col]
            best = np.maximum(best, np.abs(np.bincount(weight, change, best.size)))
    return best * np.abs(layer.weight).ravel()
