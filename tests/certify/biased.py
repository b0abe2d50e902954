"""Networks with biases for tests: their parts, and one number for each point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import slth


class Parts(NamedTuple):
    """rho(sum_i output[i] max(<hidden[i], x> + bias[i], 0) + output_bias)."""

    hidden: np.ndarray
    output: np.ndarray
    bias: np.ndarray
    output_bias: float
    readout: str


def biased_network(hidden, output, readout="linear", *, bias=None, output_bias=0.0):
    """The network of these parts."""
    hidden = np.asarray(hidden, dtype=np.float64)
    output = np.asarray(output, dtype=np.float64)
    layers = [slth.Dense(hidden, bias), slth.Dense(output[None, :], [output_bias])]
    return slth.DeepNetwork(layers, "relu" if readout == "relu" else None)


def drawn(generator, width, d, readout="linear", scale=1.0):
    """A random network with biases."""
    return biased_network(
        scale * generator.standard_normal((width, d)),
        generator.standard_normal(width),
        readout,
        bias=generator.standard_normal(width),
        output_bias=float(generator.standard_normal()),
    )


def parts(net):
    """What a network of one hidden layer is made of."""
    if isinstance(net, slth.ReLUNetwork):
        return Parts(net.hidden, net.output, np.zeros(net.width), 0.0, net.readout)
    inner, outer = net.items
    bias = np.zeros(len(inner.weight)) if inner.bias is None else inner.bias
    constant = 0.0 if outer.bias is None else float(outer.bias[0])
    readout = "relu" if net.last == "relu" else "linear"
    return Parts(inner.weight, outer.weight[0], bias, constant, readout)


def values(net, points):
    """float64 [points]."""
    return np.reshape(net(points), len(points))
