"""torch modules as what they do to a chain, and the operations that functions share with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.doors.graph_value import GraphValue, one_slope, unlike
from slth.doors.kernels import whole_kernel
from slth.doors.normalise import batch_normalised
from slth.doors.torch.library import array_of
from slth.layers import AveragePool, Conv, FloatArray, size_of


def layer_applied(torch: Any, part: Any, value: GraphValue, where: str) -> GraphValue:
    """The value after a module of torch.nn; subclasses with a forward of their own never come here,
    as the trace goes into them."""
    nn, kind = torch.nn, type(part)
    if kind is nn.Linear:
        return linear(value, array_of(part.weight), _bias(part), where)
    if kind is nn.Conv2d:
        if part.padding_mode != "zeros":
            raise unlike(where, f"padding_mode {part.padding_mode!r}", "zeros")
        weight, sizes = array_of(part.weight), (part.stride, part.padding, part.dilation)
        return convolution(value, weight, _bias(part), *sizes, part.groups, where)
    if kind in (nn.BatchNorm1d, nn.BatchNorm2d):
        return _batch_norm(value, part, where)
    if kind is nn.ReLU:
        return value.activated(0.0, where)
    if kind is nn.LeakyReLU:
        return value.activated(float(part.negative_slope), where)
    if kind is nn.PReLU:
        return one_slope(value, array_of(part.weight), where)
    if kind is nn.Flatten:
        return flattened(value, part.start_dim, part.end_dim, where)
    if kind is nn.Identity:
        return value
    if kind in (nn.Dropout, nn.Dropout1d, nn.Dropout2d):
        return dropped(value, part.p, part.training, where)
    if kind is nn.AvgPool2d:
        return _pooled(value, part, where)
    if kind is nn.AdaptiveAvgPool2d and part.output_size in (1, (1, 1)):
        return value.image(AveragePool(), where)
    if kind is nn.ZeroPad2d:
        left, right, top, bottom = part.padding
        return value.padded((top, left, bottom, right), where)
    if kind is nn.Softmax:
        return softmax(value, part.dim, where)
    if kind is nn.Sigmoid:
        return value.ended("sigmoid", where)
    # A quantised Linear is called Linear too.
    home = "" if kind.__module__.startswith("torch.nn.modules") else f"{kind.__module__}."
    raise unlike(where, f"{home}{kind.__name__}", "a layer that slth knows")


def linear(
    value: GraphValue, weight: FloatArray, bias: FloatArray | None, where: str
) -> GraphValue:
    """h W^T + b over the last axis."""
    return value.dense(weight, (*value.shape[:-1], weight.shape[0]), where, bias)


def flattened(value: GraphValue, begin: int, end: int, where: str) -> GraphValue:
    """Axes begin to end as one; the batch stays by itself."""
    count = len(value.shape)
    first, last = (axis + count if axis < 0 else axis for axis in (begin, end))
    if not 1 <= first <= last < count:
        raise unlike(where, f"flatten from {begin} to {end}", "axes behind the batch")
    whole = size_of(value.shape[first : last + 1])
    return value.reshaped((*value.shape[:first], whole, *value.shape[last + 1 :]), where)


def dropped(value: GraphValue, rate: float, training: bool, where: str) -> GraphValue:
    """Dropout, which does nothing in eval mode."""
    if training and rate != 0.0:
        raise unlike(where, "Dropout in training mode, which is random", "call module.eval() first")
    return value


def softmax(value: GraphValue, axis: int | None, where: str) -> GraphValue:
    """A last softmax over all outputs."""
    last = len(value.shape) - 1
    if axis is None:
        raise unlike(where, "a softmax of no stated axis", "dim=1")
    if axis in (0, -1 - last):
        raise unlike(
            where,
            f"a softmax over axis {axis}, which is the batch: its rows are different inputs",
            "a softmax over the outputs of each input, dim=1",
        )
    if last != 1 or axis not in (-1, 1):
        raise unlike(
            where,
            f"a softmax over axis {axis} of a value of shape {list(value.shape)}",
            "one over all outputs, dim=1 of [batch, outputs]",
        )
    return value.ended("softmax", where)


def averaged(
    value: GraphValue, kernel: Any, stride: Any, padding: Any, counted: bool, where: str
) -> GraphValue:
    """An average pool."""
    return value.image(AveragePool(kernel, stride or None, padding, counted), where)


def convolution(
    value: GraphValue,
    weight: FloatArray,
    bias: FloatArray | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    where: str,
) -> GraphValue:
    """A convolution of images; padding is one number, a pair, "same" or "valid"."""
    strides, dilations = _pair(stride), _pair(dilation)
    kernel = whole_kernel(weight, groups, dilations, where)
    sides: tuple[int, ...] = (0, 0)
    if padding == "same":
        total = [size - 1 for size in kernel.shape[2:]]
        begin = [size // 2 for size in total]
        sides = (*begin, total[0] - begin[0], total[1] - begin[1])
    elif padding != "valid":
        sides = _pair(padding)
    return value.image(Conv(kernel, bias, strides, sides), where)  # type: ignore[arg-type]


def _pair(value: Any) -> tuple[int, int]:
    """One number for rows and columns, or a number for each."""
    given = value if isinstance(value, tuple | list) else (value,)
    return int(given[0]), int(given[-1])


def _batch_norm(value: GraphValue, part: Any, where: str) -> GraphValue:
    if part.training or part.running_mean is None:
        raise unlike(where, "training mode or no statistics", "eval mode: call module.eval()")
    channels = part.num_features
    gain = np.ones(channels) if part.weight is None else array_of(part.weight)
    shift = np.zeros(channels) if part.bias is None else array_of(part.bias)
    mean, variance = array_of(part.running_mean), array_of(part.running_var)
    return batch_normalised(value, gain, shift, mean, variance, float(part.eps), where)


def _pooled(value: GraphValue, part: Any, where: str) -> GraphValue:
    if part.ceil_mode or part.divisor_override is not None:
        raise unlike(where, "ceil_mode or divisor_override", "a plain average pool")
    counted = bool(part.count_include_pad)
    return averaged(value, part.kernel_size, part.stride, part.padding, counted, where)


def _bias(part: Any) -> FloatArray | None:
    return None if part.bias is None else array_of(part.bias)
