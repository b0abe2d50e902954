"""From plans and masks to the random network's layers, its size, its arrays and its error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from slth.deep import DeepNetwork
from slth.embed.certificate import LayerErrors, certified_error
from slth.embed.paired import paired_error
from slth.embed.reach import Even, over_sides, signed
from slth.embed.samples import SPARE_COPIES, Layer, LayerPlan, copied_pools, split_pools
from slth.embed.shape import Shape, Target, network_of
from slth.embed.solve import Solved, unpacked
from slth.layers import FloatArray
from slth.rounding.outward import up

Construction = Literal["double", "plus-one"]


def layers_of(
    shapes: Sequence[Shape],
    plans: Sequence[LayerPlan],
    seed: int,
    construction: Construction,
    domain: Even,
) -> list[Layer]:
    """Where in the random network each layer of the target lies."""
    layers: list[Layer] = []
    copies = [1] * len(shapes)
    if construction == "plus-one":
        copies = [plan.samples + SPARE_COPIES for plan in plans[1:]] + [1]
    for k, (shape, plan) in enumerate(zip(shapes, plans, strict=True)):
        sides = 2 if k == 0 and signed(domain) else 1
        stacked = 0
        if construction == "double":
            pools = split_pools(seed, 2 * k, plan, shape.channels, sides)
            index = 2 * k + 1
        elif k == 0:
            pools = split_pools(seed, 0, plan, shape.channels, sides)
            index = 1
        else:
            stacked = copies[k - 1]
            pools = copied_pools(seed, k, plan, shape.channels, stacked)
            index = k + 1
        layers.append(Layer(shape, plan, pools, seed, index, copies[k], sides, stacked))
    return layers


def error_of(
    target: Target, layers: Sequence[Layer], solved: Sequence[Solved], domain: Even
) -> float:
    """The certified error of these masks: see slth.embed.certificate and, where no unit has copies,
    slth.embed.paired; the smaller bound of the two."""
    kernels = [
        over_sides(kernel, layer.sides)
        for layer, kernel in zip(layers, target.kernels, strict=True)
    ]
    errors = []
    for k, (layer, part) in enumerate(zip(layers, solved, strict=True)):
        wanted = np.repeat(kernels[k], layer.copies, axis=0)
        off = up(np.abs(part.bias - np.repeat(target.biases[k], layer.copies)))
        gain = part.kernel if part.stacked is None else part.stacked
        errors.append(
            LayerErrors(
                target=target.operators[k],
                bias=np.repeat(target.biases[k], layer.shape.area),
                error=layer.shape.operator(part.kernel - wanted),
                bias_error=np.repeat(off, layer.shape.area),
                gain=layer.shape.operator(gain),
                block=layer.shape.block,
            )
        )
    bound = certified_error(errors, domain)
    if any(layer.copies > 1 or layer.stacked for layer in layers):
        return bound
    effective = [part.kernel for part in solved], [part.bias for part in solved]
    both = (kernels, target.biases), effective
    return min(bound, paired_error(target.shapes, *both, domain, target.network.shape))


def widths(layers: Sequence[Layer]) -> list[int]:
    """Units (channels) of every layer of the random network, the last one's outputs included."""
    found = []
    for place, layer in enumerate(layers):
        if not layer.stacked:
            found.append(layer.pools.width)
        follows = place + 1 < len(layers) and layers[place + 1].stacked
        found.append(layers[place + 1].pools.width if follows else layer.rows)
    return found


def random_weights(layers: Sequence[Layer]) -> int:
    """Weights and biases of the whole random network, kept or not."""
    sizes = iter(widths(layers))
    total = 0
    for layer in layers:
        if not layer.stacked:
            total += next(sizes) * (layer.shape.channels + 1)
        total += next(sizes) * (layer.pools.width * layer.shape.taps + 1)
    return total


def kept_weights(layers: Sequence[Layer], solved: Sequence[Solved]) -> int:
    """Random weights and biases that the masks keep."""
    splits = sum(layer.pools.units.size for layer in layers if not layer.stacked)
    constants = sum(layer.pools.bias_units.size for layer in layers)
    return splits + constants + sum(part.kept for part in solved)


def pruned_network(
    layers: Sequence[Layer], solved: Sequence[Solved], input_shape: tuple[int, ...]
) -> DeepNetwork:
    """The pruned random network as arrays, without the units that no pool holds."""
    shapes: list[Shape] = []
    kernels: list[FloatArray] = []
    biases: list[FloatArray] = []
    for k, (layer, part) in enumerate(zip(layers, solved, strict=True)):
        shape, constants = layer.shape, layer.pools.bias_units.shape[1]
        if not layer.stacked:
            weight, bias = _split(layer)
            image = (shape.in_height, shape.in_width)
            shapes.append(Shape(len(bias), shape.channels, 1, 1, 1, 0, *image, shape.block))
            kernels.append(weight)
            biases.append(bias)
        products, slots = layer.draw(0, layer.rows)
        kept = np.where(unpacked(part.mask, products.shape), products, 0.0)
        weight = spread(kept, slots, layer.pools.gains)
        products, slots = layer.draw_bias(0, layer.rows)
        kept = np.where(unpacked(part.bias_mask, products.shape), products, 0.0)
        full = np.zeros((layer.rows, constants, shape.taps))
        full[:, :, layer.bias_tap] = spread(kept, slots, layer.pools.bias_gains)[:, :, 0]
        weight = np.concatenate([weight, full], axis=1)
        bias = np.zeros(layer.rows)
        if k + 1 < len(layers) and layers[k + 1].stacked:
            # The next layer's constant units stand behind the copies; no weight of theirs is kept.
            constant = layers[k + 1].pools.bias_gains[0]
            weight = np.pad(weight, ((0, len(constant)), (0, 0), (0, 0)))
            bias = np.concatenate([bias, constant])
        shapes.append(shape)
        kernels.append(weight)
        biases.append(bias)
    return network_of(shapes, kernels, biases, input_shape)


def spread(kept: FloatArray, slots: np.ndarray, gains: FloatArray) -> FloatArray:
    """The kept random weights at the units of their pools: float64 [rows, units, taps].

    A product a v divided by a is v again: both are exact."""
    rows, channels, taps, _ = kept.shape
    full = np.zeros((rows, channels, taps, gains.shape[1]))
    np.put_along_axis(full, slots.astype(np.int64), kept, axis=-1)
    full /= gains[None, :, None, :]
    return np.ascontiguousarray(full.transpose(0, 1, 3, 2)).reshape(rows, -1, taps)


def _split(layer: Layer) -> tuple[FloatArray, FloatArray]:
    """kernel [units, channels, 1] and bias [units] of the split layer: units in pool order."""
    pools, channels = layer.pools, layer.shape.channels
    lifted, pool = pools.units.shape
    constants = pools.bias_units.shape[1]
    weight = np.zeros((lifted * pool + constants, channels, 1))
    for side in range(lifted):
        sign = 1.0 if side < channels else -1.0
        weight[side * pool : (side + 1) * pool, side % channels, 0] = sign * pools.gains[side]
    return weight, np.concatenate([np.zeros(lifted * pool), pools.bias_gains[0]])
