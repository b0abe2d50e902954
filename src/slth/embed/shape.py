"""What a target becomes before it is embedded: a row of convolutions, some inside a skip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slth.deep import DeepNetwork
from slth.doors import as_network
from slth.embed.operator import Operator, spectral_above
from slth.errors import InvalidInput
from slth.layers import (
    Affine,
    Conv,
    Dense,
    FloatArray,
    Matrix,
    Residual,
    Window,
    bias_of,
    conv_matrix,
)
from slth.rounding.outward import up_float

# Beyond these sizes products and sums of layers leave the range of normal floats.
_SMALLEST, _LARGEST = 1e-100, 1e100


@dataclass(frozen=True)
class Shape:
    """One affine layer as a convolution: a dense layer is one whose kernel covers the image.

    Attributes:
        out, channels, height, width: shape of the kernel.
        stride, padding: of the convolution.
        in_height, in_width: the image it reads (1, 1 behind dense layers).
        block: index of the residual block it lies in, -1 outside.
    """

    out: int
    channels: int
    height: int
    width: int
    stride: int
    padding: int
    in_height: int
    in_width: int
    block: int

    @property
    def taps(self) -> int:
        """Weights from one channel to one output."""
        return self.height * self.width

    @property
    def out_sides(self) -> tuple[int, int]:
        """Height and width of the image it writes."""
        return tuple(
            (size + 2 * self.padding - kernel) // self.stride + 1
            for size, kernel in ((self.in_height, self.height), (self.in_width, self.width))
        )  # type: ignore[return-value]

    @property
    def area(self) -> int:
        """Places of the image it writes."""
        return self.out_sides[0] * self.out_sides[1]

    def matrix(self, kernel: FloatArray) -> Matrix:
        """The matrix of a kernel [rows, channels, taps] with this geometry (any rows, channels)."""
        rows, channels, _ = kernel.shape
        if self.taps == self.in_height * self.in_width and self.area == 1 and not self.padding:
            return kernel.reshape(rows, -1)
        image = (channels, self.in_height, self.in_width)
        shaped = kernel.reshape(rows, channels, self.height, self.width)
        sides = self.padding, self.padding, self.padding, self.padding
        window = Window((self.height, self.width), (self.stride, self.stride), sides)
        return conv_matrix(shaped, image, window)

    def operator(self, kernel: FloatArray) -> Operator:
        """The matrix with the bounds of a convolution's norm.

        y = K P x with P the patches, in which an input appears at most ceil(h/s) ceil(w/s) times;
        y = Q K' x with Q adding at most h w numbers up; and y is a sum over taps.
        """
        matrix = self.matrix(kernel)
        if not isinstance(matrix, np.ndarray):
            cover = -(-self.height // self.stride) * -(-self.width // self.stride)
            known = min(
                up_float(np.sqrt(cover) * spectral_above(kernel.reshape(len(kernel), -1))),
                up_float(
                    np.sqrt(self.taps)
                    * spectral_above(
                        np.ascontiguousarray(kernel.transpose(0, 2, 1)).reshape(-1, kernel.shape[1])
                    )
                ),
            )
            return Operator(matrix, known)
        return Operator(matrix)


@dataclass(frozen=True, eq=False)
class Target:
    """kernels[k]: float64 [out, channels, taps]; biases[k]: float64 [out]; shapes[k]."""

    network: DeepNetwork
    shapes: tuple[Shape, ...]
    kernels: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]

    @cached_property
    def operators(self) -> list[Operator]:
        """The layers as matrices, whose norms are computed once."""
        return [
            shape.operator(kernel) for shape, kernel in zip(self.shapes, self.kernels, strict=True)
        ]


def shape_of(layer: Affine, before: tuple[int, ...], block: int) -> Shape:
    """The layer as a convolution of an image of that shape."""
    image = before if len(before) == 3 else (before[0], 1, 1)
    out = layer.weight.shape[0]
    if isinstance(layer, Dense):
        return Shape(out, image[0], image[1], image[2], 1, 0, image[1], image[2], block)
    height, width = layer.weight.shape[2:]
    if not (isinstance(layer.stride, int) and isinstance(layer.padding, int)):
        raise InvalidInput(
            "convolution with different strides or paddings",
            got=f"stride {layer.stride}, padding {layer.padding}",
            expected="one stride and one padding for both axes and all sides",
            fix="Embed a network with such convolutions only.",
        )
    if (
        layer.bias is not None
        and 2 * layer.padding + 1 > min(height, width)
        and bias_of(layer).any()
    ):
        raise InvalidInput(
            "convolution with a bias and too much padding",
            got=f"padding {layer.padding} with a kernel of {height} by {width}",
            expected="2 padding + 1 <= kernel size: a bias comes through a constant channel",
            fix="Use less padding, or no bias.",
        )
    return Shape(
        out, image[0], height, width, layer.stride, layer.padding, image[1], image[2], block
    )


def target_of(network: DeepNetwork) -> Target:
    """Raises InvalidInput for anything but Dense, Conv and Residual items with a ReLU between them
    and none last, whose weights are exact and neither huge nor tiny; for a residual block at the
    input, a biased convolution whose padding leaves no tap that always reads the image."""
    _require_plain(network)
    blocks = _blocks(network)
    shapes, kernels, biases = [], [], []
    for (layer, before), block in zip(network.affine(), blocks, strict=True):
        shape = shape_of(layer, before, block)
        shapes.append(shape)
        kernels.append(
            np.ascontiguousarray(layer.weight).reshape(shape.out, shape.channels, shape.taps)
        )
        biases.append(bias_of(layer))
    return Target(network, tuple(shapes), tuple(kernels), tuple(biases))


def network_of(
    shapes: Sequence[Shape],
    kernels: Sequence[FloatArray],
    biases: Sequence[FloatArray],
    input_shape: tuple[int, ...],
) -> DeepNetwork:
    """The network of these layers: Dense on flat inputs, Conv on images."""
    items: list[Affine | Residual] = []
    body: list[Affine] = []
    for place, (shape, kernel, bias) in enumerate(zip(shapes, kernels, biases, strict=True)):
        layer: Affine
        if shape.in_height * shape.in_width == 1 and shape.taps == 1 and not shape.padding:
            layer = Dense(kernel.reshape(kernel.shape[0], -1), bias)
        else:
            sides = (shape.height, shape.width)
            layer = Conv(
                kernel.reshape(*kernel.shape[:2], *sides), bias, shape.stride, shape.padding
            )
        if shape.block < 0:
            items.append(layer)
            continue
        body.append(layer)
        if place + 1 == len(shapes) or shapes[place + 1].block != shape.block:
            items.append(Residual(tuple(body)))
            body = []
    return DeepNetwork(tuple(items), input_shape=input_shape)


def _blocks(network: DeepNetwork) -> list[int]:
    blocks: list[int] = []
    for index, item in enumerate(network.items):
        if not isinstance(item, Residual):
            blocks.append(-1)
        elif index == 0:
            raise InvalidInput(
                "residual block at the input",
                got="a Residual item first",
                expected="a Dense or Conv item first",
                fix="Begin the network with an affine layer.",
            )
        else:
            blocks += [index] * len(item.body)
    return blocks


def as_target(model: object) -> DeepNetwork:
    """The network that a model is, up to a last softmax or sigmoid."""
    return DeepNetwork.of(as_network(model)).before_last()


def _require_plain(network: DeepNetwork) -> None:
    layers = [part for item in network.items for part in getattr(item, "body", (item,))]
    affine = [layer for layer in layers if isinstance(layer, Dense | Conv)]
    if len(affine) < len(layers) or network.last is not None:
        raise InvalidInput(
            "network with other activations or layers than embedding knows",
            got=f"a network {network.summary()}",
            expected="Dense, Conv and Residual items with a ReLU between them and none last",
            fix="Embed the part of the network before that layer.",
        )
    for layer in affine:
        if layer.weight_rounding is not None or layer.bias_rounding is not None:
            raise InvalidInput(
                "network with weights that are known up to rounding",
                got="a folded normalisation or scaler",
                expected="weights that are float64 numbers",
                fix="Round the folded network to float64 first and embed that.",
            )
        for array in (layer.weight, bias_of(layer)):
            largest = float(np.abs(array).max(initial=0.0))
            if array.size == 0 or (largest != 0.0 and not _SMALLEST <= largest <= _LARGEST):
                raise InvalidInput(
                    "weights too large or too small",
                    got=f"largest magnitude {largest} of {array.size} numbers",
                    expected=f"all zero, or from {_SMALLEST} to {_LARGEST}",
                    fix="Rescale the layers.",
                )
