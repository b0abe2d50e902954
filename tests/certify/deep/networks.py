"""Random networks of every kind of layer, and near copies of them."""

from __future__ import annotations

import numpy as np

import slth


def dense(generator, outs, ins, *, bias=True):
    weight = generator.standard_normal((outs, ins)) / np.sqrt(max(1, ins))
    return slth.Dense(weight, 0.3 * generator.standard_normal(outs) if bias else None)


def conv(generator, outs, ins, size, **geometry):
    weight = generator.standard_normal((outs, ins, size, size)) / (size * np.sqrt(ins))
    return slth.Conv(weight, 0.3 * generator.standard_normal(outs), **geometry)


def mlp(generator):
    return slth.DeepNetwork(
        [dense(generator, 7, 3), dense(generator, 6, 7), dense(generator, 2, 6)]
    )


def leaky(generator):
    items = [
        dense(generator, 6, 3),
        slth.LeakyRelu(0.125),
        dense(generator, 4, 6),
        slth.Identity(),
        dense(generator, 5, 4),
        slth.Relu(),
        dense(generator, 2, 5),
    ]
    return slth.DeepNetwork(items)


def residual(generator):
    body = slth.Residual((dense(generator, 4, 5), dense(generator, 5, 4)))
    items = [dense(generator, 5, 3), body, dense(generator, 2, 5)]
    return slth.DeepNetwork(items, "relu")


def image(generator):
    items = [
        conv(generator, 2, 1, 2, padding=(1, 0, 0, 1)),
        slth.Relu(),
        slth.AveragePool(2, stride=1),
        # (3, 2) padded to (4, 3), a kernel of 2: (3, 2); a pool of 2 at every place: (2, 1).
        dense(generator, 3, 4),
        slth.LeakyRelu(0.25),
        dense(generator, 2, 3),
    ]
    return slth.DeepNetwork(items, input_shape=(1, 3, 2))


KINDS = {"mlp": mlp, "leaky": leaky, "residual": residual, "image": image}


def rounded(network, dtype):
    """The network with its weights rounded to another type."""

    def changed(item):
        if isinstance(item, slth.Residual):
            return slth.Residual(tuple(changed(part) for part in item.body))
        if not isinstance(item, slth.Dense | slth.Conv):
            return item
        bias = None if item.bias is None else item.bias.astype(dtype).astype(np.float64)
        weight = item.weight.astype(dtype).astype(np.float64)
        if isinstance(item, slth.Dense):
            return slth.Dense(weight, bias)
        return slth.Conv(weight, bias, item.stride, item.padding)

    items = [changed(item) for item in network.items]
    return slth.DeepNetwork(items, network.last, network.input_shape)
