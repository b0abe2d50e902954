"""Networks as torch modules."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.graph_value import unlike
from slth.doors.torch.library import array_of, torch_for
from slth.errors import InvalidInput
from slth.layers import (
    AveragePool,
    Conv,
    Dense,
    LeakyRelu,
    Residual,
    bias_of,
    output_shape,
    spelled_out,
)
from slth.network import ReLUNetwork


def to_torch(network: ReLUNetwork | DeepNetwork, dtype: Any = None) -> Any:
    """A torch.nn.Sequential that computes the network; flat outputs.

    Args:
        network: of either kind.
        dtype: of the weights; default torch.float64. Weights that it does not hold are an error.

    Raises:
        MissingExtra: torch is not installed.
        InvalidInput: weights that are known up to rounding only, or that dtype does not hold.
    """
    torch = torch_for("Making a torch module")
    dtype = torch.float64 if dtype is None else dtype
    kinds = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    if dtype not in kinds:
        raise InvalidInput(
            "type of a torch module's weights",
            got=repr(dtype),
            expected=f"one of {', '.join(map(str, kinds))}",
            fix="Pass dtype=torch.float32, or leave it out for torch.float64.",
        )
    network = DeepNetwork.of(network)
    modules = _modules(torch, network.items, network.shape, dtype)
    modules.append(torch.nn.Flatten())
    ends = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid}
    if network.last == "softmax":
        modules.append(torch.nn.Softmax(dim=-1))
    elif network.last is not None:
        modules.append(ends[network.last]())
    return torch.nn.Sequential(*modules)


def _modules(torch: Any, items: Any, shape: tuple[int, ...], dtype: Any) -> list[Any]:
    modules: list[Any] = []
    for item in spelled_out(items):
        if isinstance(item, Residual):
            body = torch.nn.Sequential(*_modules(torch, item.body, shape, dtype))
            modules.append(_residual(torch, body))
            continue
        if isinstance(item, Dense | Conv):
            modules += _affine(torch, item, shape, dtype)
        elif isinstance(item, AveragePool):
            modules += _average(torch, item, shape)
        elif isinstance(item, LeakyRelu):
            modules.append(torch.nn.LeakyReLU(item.slope))
        else:
            modules.append(torch.nn.ReLU())
        if isinstance(item, Dense | Conv | AveragePool):
            shape = output_shape(item, shape)
    return modules


def _affine(torch: Any, layer: Dense | Conv, before: tuple[int, ...], dtype: Any) -> list[Any]:
    outs, ins = layer.weight.shape[:2]
    made: list[Any] = []
    if isinstance(layer, Dense):
        if len(before) != 1:
            made.append(torch.nn.Flatten())
        with warnings.catch_warnings():
            # Of a layer without units, torch warns that there is nothing to draw.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            made.append(torch.nn.Linear(ins, outs, dtype=dtype))
    else:
        window = layer.window
        top, left, bottom, right = window.padding
        padding = (top, left)
        if (top, left) != (bottom, right):
            made.append(torch.nn.ZeroPad2d((left, right, top, bottom)))
            padding = (0, 0)
        kernel = tuple(int(size) for size in window.kernel)
        made.append(torch.nn.Conv2d(ins, outs, kernel, window.stride, padding, dtype=dtype))
    with torch.no_grad():
        for name, values in (("weight", layer.weight), ("bias", bias_of(layer))):
            if getattr(layer, f"{name}_rounding") is not None:
                raise unlike("layer", "weights that are known up to rounding", "exact weights")
            parameter = getattr(made[-1], name)
            parameter.copy_(torch.from_numpy(values.copy()))
            if not np.array_equal(array_of(parameter), values):
                raise unlike("layer", f"weights that {dtype} does not hold", "dtype=torch.float64")
    return made


def _average(torch: Any, pool: AveragePool, before: tuple[int, ...]) -> list[Any]:
    window = pool.window(before)
    top, left, bottom, right = window.padding
    kernel = tuple(int(size) for size in window.kernel)
    # More padding than half of the kernel is an error in torch.
    own = (top, left) == (bottom, right) and 2 * top <= kernel[0] and 2 * left <= kernel[1]
    if own:
        options = {"count_include_pad": pool.count_padding}
        return [torch.nn.AvgPool2d(kernel, window.stride, (top, left), **options)]
    if not pool.count_padding:
        raise unlike(
            "AveragePool",
            f"padding {window.padding}, not counted in the mean of a kernel {kernel}",
            "the same on opposite sides and at most half of the kernel, or count_padding=True",
        )
    around = torch.nn.ZeroPad2d((left, right, top, bottom))
    return [around, torch.nn.AvgPool2d(kernel, window.stride)]


def _residual(torch: Any, body: Any) -> Any:
    class Skip(torch.nn.Module):
        """h + body(h)."""

        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, h: Any) -> Any:
            return h + self.body(h).reshape(h.shape)

    return Skip()
