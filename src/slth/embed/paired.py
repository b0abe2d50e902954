"""The bound of an embedding's error by the differential engine: target and effective network side
by side.

On the sides max(x, 0), max(-x, 0) of the inputs the target reads w max(x, 0) - w max(-x, 0), which
is w x exactly; the effective network the sums of products that are kept. Both take the same steps,
so their difference travels through them, and what ReLUs do to it is bounded by lines
(docs/networks.md) rather than by norms of the layers. One relaxation of the whole domain, no
search: the answer does not depend on a clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slth.certify.deep import DeepComparison
from slth.deep import DeepNetwork
from slth.domain import Ball, Domain, Orthant
from slth.embed.reach import Even
from slth.embed.shape import Shape, network_of
from slth.layers import Conv, Dense, FloatArray

# Products of the relaxation, about: some seconds. Beyond, norms alone bound the error.
_MOST_WORK = 2e10


def paired_error(
    shapes: Sequence[Shape],
    target: tuple[Sequence[FloatArray], Sequence[FloatArray]],
    effective: tuple[Sequence[FloatArray], Sequence[FloatArray]],
    domain: Even,
    input_shape: tuple[int, ...],
) -> float:
    """At least the supremum over domain and outputs of |effective - target|; inf where that is too
    much work. Both are (kernels [out, sides, taps], biases [out]) of every layer.
    """
    channels = shapes[0].channels
    sides = target[0][0].shape[1] // channels
    if _work(shapes, sides) > _MOST_WORK:
        return np.inf
    read = (sides * input_shape[0], *input_shape[1:])
    net, goal = (network_of(shapes, *parts, read) for parts in (effective, target))
    where: Domain = domain
    if sides == 2 and isinstance(domain, Ball):
        # Sides are >= 0 and as long as their input.
        where = Orthant(domain.radius)
    elif sides == 2:
        net, goal = _of_inputs(net, input_shape), _of_inputs(goal, input_shape)
    return DeepComparison(net, goal, where).floor


def _of_inputs(network: DeepNetwork, shape: tuple[int, ...]) -> DeepNetwork:
    """The network of the sides as one of the inputs."""
    eye = np.eye(shape[0])
    both = np.concatenate([eye, -eye])
    first = Dense(both) if len(shape) == 1 else Conv(both[:, :, None, None])
    return DeepNetwork((first, *network.items), input_shape=shape)


def _work(shapes: Sequence[Shape], sides: int) -> float:
    """Products of pulling three functionals of every value back through all layers before it."""
    total, before = 0.0, 0.0
    for place, shape in enumerate(shapes):
        places = shape.in_height * shape.in_width
        entries = float(shape.out * shape.area * shape.channels * shape.taps)
        entries *= sides if place == 0 else 1
        values = float(shape.out * shape.area)
        before += entries + shape.channels * places
        total += 3.0 * values * before
    return total
