"""torch: Sequential modules in, modules and saved states; torch is imported only when asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.errors import InvalidInput, MissingExtra
from slth.layers import Affine, Conv, Dense, FloatArray, Item, Residual, bias_of


def from_torch(module: Any, input_shape: tuple[int, ...] | None = None) -> DeepNetwork:
    """The network of a torch.nn.Sequential of Linear, Conv2d, Flatten, ReLU and Dropout.

    Between two affine layers there must be a ReLU, behind the last none.

    Args:
        module: the Sequential, or one affine layer.
        input_shape: (channels, height, width), needed when the first layer is a Conv2d.

    Raises:
        InvalidInput: any other layer, a missing or additional ReLU, kernels or strides that are
            not square in stride and padding, dilation, groups.
    """
    layers: list[Item] = []
    active = True
    for child in _parts(module):
        kind = type(child).__name__
        if kind in ("Linear", "Conv2d"):
            if not active:
                raise _unlike(kind, "a ReLU between two affine layers")
            layers.append(_affine(child))
            active = False
        elif kind == "ReLU" and not active:
            active = True
        elif kind not in ("Flatten", "Dropout", "Identity"):
            raise _unlike(kind, "Linear, Conv2d, ReLU, Flatten and Dropout only")
    if active and layers:
        raise _unlike("ReLU", "an affine layer last")
    return DeepNetwork(tuple(layers), input_shape=input_shape)


def to_torch(network: DeepNetwork) -> Any:
    """A torch.nn.Sequential in float64 that computes the network; flat outputs.

    Raises:
        MissingExtra: torch is not installed.
    """
    torch = _torch("Making a torch module")
    modules = []
    shapes = iter(network.affine())
    for place, item in enumerate(network.items):
        if isinstance(item, Residual):
            body = []
            for depth, _ in enumerate(item.body):
                if depth:
                    body.append(torch.nn.ReLU())
                body += _modules(torch, *next(shapes))
            modules.append(_residual(torch, torch.nn.Sequential(*body)))
        else:
            modules += _modules(torch, *next(shapes))
        if place + 1 < len(network.items):
            modules.append(torch.nn.ReLU())
    return torch.nn.Sequential(*modules, torch.nn.Flatten())


def _parts(module: Any) -> list[Any]:
    """The layers of a Sequential in order, those that stand in it twice included."""
    if type(module).__name__ != "Sequential":
        return [module]
    return list(module)


def _modules(torch: Any, layer: Affine, before: tuple[int, ...]) -> list[Any]:
    outs, ins = layer.weight.shape[:2]
    if isinstance(layer, Dense):
        made = torch.nn.Linear(ins, outs, dtype=torch.float64)
    else:
        kernel = tuple(layer.weight.shape[2:])
        made = torch.nn.Conv2d(ins, outs, kernel, layer.stride, layer.padding, dtype=torch.float64)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(layer.weight.copy()))
        made.bias.copy_(torch.from_numpy(bias_of(layer).copy()))
    flat = isinstance(layer, Dense) and len(before) == 3
    return [torch.nn.Flatten(), made] if flat else [made]


def _residual(torch: Any, body: Any) -> Any:
    class Skip(torch.nn.Module):
        """h + body(h)."""

        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, h: Any) -> Any:
            return h + self.body(h).reshape(h.shape)

    return Skip()


def _affine(child: Any) -> Affine:
    bias = None if child.bias is None else _array(child.bias)
    if type(child).__name__ == "Linear":
        return Dense(_array(child.weight), bias)
    stride, padding = child.stride, child.padding
    if isinstance(padding, str) or len({*stride}) > 1 or len({*padding}) > 1:
        raise _unlike("Conv2d", "one stride and one number of padding for both axes")
    if child.groups != 1 or {*child.dilation} != {1} or child.padding_mode != "zeros":
        raise _unlike("Conv2d", "no groups, no dilation, zero padding")
    return Conv(_array(child.weight), bias, int(stride[0]), int(padding[0]))


def _array(tensor: Any) -> FloatArray:
    return np.asarray(tensor.detach().cpu().double().numpy())


def _torch(purpose: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "torch", purpose) from error
    return torch


def _unlike(kind: str, expected: str) -> InvalidInput:
    return InvalidInput(
        "module has no counterpart",
        got=f"a layer {kind}",
        expected=expected,
        fix="Rewrite the module as Sequential(Linear, ReLU, ..., Linear).",
    )
