"""ONNX operators on values that depend on the input, each as what it does to a chain."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from slth.doors.folding import product
from slth.doors.graph_value import GraphValue, one_slope, reciprocal, unlike
from slth.doors.kernels import whole_kernel
from slth.doors.normalise import batch_normalised
from slth.layers import AveragePool, Conv, FloatArray, size_of

if TYPE_CHECKING:
    from slth.doors.onnx.graph import Graph

Handler = Callable[["Graph", Any, dict[str, Any], str], GraphValue]


def _gemm(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    value = graph.chain(node.input[0], where)
    weight = graph.constant(node.input[1], where)
    if options.get("transA", 0) or weight.ndim != 2 or value.shape[:-1] != (1,):
        raise unlike(where, f"transA, or a value of shape {value.shape}", "one row of inputs")
    if not options.get("transB", 0):
        weight = weight.T
    value = value.dense(weight, (1, weight.shape[0]), where)
    value = value.scaled(float(options.get("alpha", 1.0)), where)
    if len(node.input) < 3 or not node.input[2]:
        return value
    beta, bias = np.float64(options.get("beta", 1.0)), graph.constant(node.input[2], where)
    zeros = np.zeros_like(bias)
    bias, off = product(bias, zeros, beta + zeros, zeros)
    return value.shifted(bias, where, off)


def _matmul(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    left, right = node.input
    if right in graph.constants:
        value, weight = graph.chain(left, where), _matrix(graph.constant(right, where), where)
        if weight.ndim == 1:
            return value.dense(weight[None, :], value.shape[:-1], where)
        return value.dense(weight.T, (*value.shape[:-1], weight.shape[1]), where)
    value, weight = graph.chain(right, where), _matrix(graph.constant(left, where), where)
    if weight.ndim == 1:
        weight = weight[None, :]
        shape: tuple[int, ...] = ()
    elif len(value.shape) == 1:
        shape = (weight.shape[0],)
    else:
        shape = (*value.shape[:-2], weight.shape[0], 1)
    if len(value.shape) > 1 and (value.shape[-1] != 1 or not shape):
        raise unlike(where, f"a value of shape {value.shape}", "one column of inputs")
    return value.dense(weight, shape, where)


def _matrix(weight: FloatArray, where: str) -> FloatArray:
    if weight.ndim not in (1, 2):
        raise unlike(where, f"weights of shape {weight.shape}", "a matrix")
    return weight


def _add(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    left, right = node.input
    for one, other in ((left, right), (right, left)):
        if other in graph.constants:
            return graph.chain(one, where).shifted(graph.constant(other, where), where)
    return graph.chain(left, where).plus(graph.chain(right, where), where)


def _sub(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    left, right = node.input
    if right in graph.constants:
        return graph.chain(left, where).shifted(-graph.constant(right, where), where)
    if left not in graph.constants:
        raise unlike(where, "a difference of two layers' outputs", "one constant side")
    negated = graph.chain(right, where).scaled(-1.0, where)
    return negated.shifted(graph.constant(left, where), where)


def _mul(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    left, right = node.input
    for one, other in ((left, right), (right, left)):
        if other in graph.constants:
            return graph.chain(one, where).scaled(graph.constant(other, where), where)
    raise unlike(where, "a product of two layers' outputs", "one constant side")


def _div(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    left, right = node.input
    if right not in graph.constants:
        raise unlike(where, "a division by a layer's output", "a constant divisor")
    inverse, off = reciprocal(graph.constant(right, where), where)
    return graph.chain(left, where).scaled(inverse, where, off)


def _relu(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    return graph.chain(node.input[0], where).activated(0.0, where)


def _leaky(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    # The default is the float32 nearest to 0.01.
    slope = float(options.get("alpha", np.float32(0.01)))
    return graph.chain(node.input[0], where).activated(slope, where)


def _prelu(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    slopes = graph.constant(node.input[1], where)
    return one_slope(graph.chain(node.input[0], where), slopes, where)


def _conv(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    value = graph.chain(node.input[0], where)
    weight = graph.constant(node.input[1], where)
    if list(options.get("kernel_shape", weight.shape[2:])) != list(weight.shape[2:]):
        raise unlike(where, "kernel_shape other than the weights'", "the same")
    groups, dilations = int(options.get("group", 1)), options.get("dilations", [1, 1])
    weight = whole_kernel(weight, groups, dilations, where)
    strides = tuple(options.get("strides", [1, 1]))
    padding = _padding(value.shape, weight.shape[2:], strides, options, where)
    bias = None
    if len(node.input) > 2 and node.input[2]:
        bias = graph.constant(node.input[2], where)
    return value.image(Conv(weight, bias, strides, padding), where)  # type: ignore[arg-type]


def _padding(shape: Any, kernel: Any, strides: Any, options: Any, where: str) -> tuple[int, ...]:
    """Top, left, bottom, right."""
    kind = options.get("auto_pad", b"NOTSET").decode()
    if kind in ("NOTSET", ""):
        return tuple(options.get("pads", [0, 0, 0, 0]))
    if kind == "VALID":
        return (0, 0, 0, 0)
    if kind not in ("SAME_UPPER", "SAME_LOWER"):
        raise unlike(where, f"auto_pad {kind}", "explicit padding")
    begin, end = [], []
    for size, width, step in zip(shape[2:], kernel, strides, strict=True):
        total = max(0, (-(-size // step) - 1) * step + width - size)
        small, large = total // 2, total - total // 2
        begin.append(small if kind == "SAME_UPPER" else large)
        end.append(large if kind == "SAME_UPPER" else small)
    return (*begin, *end)


def _pool(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    value = graph.chain(node.input[0], where)
    kernel = tuple(options["kernel_shape"])
    if options.get("ceil_mode", 0) or {*options.get("dilations", [1])} != {1} or len(kernel) != 2:
        raise unlike(where, "ceil_mode, dilations or other than two axes", "a plain average pool")
    strides = tuple(options.get("strides", [1, 1]))
    padding = _padding(value.shape, kernel, strides, options, where)
    counted = bool(options.get("count_include_pad", 0)) or not any(padding)
    return value.image(AveragePool(kernel, strides, padding, counted), where)  # type: ignore[arg-type]


def _pad(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    """Zeros around an image. Pads and value are attributes before operator set 11, then inputs."""
    value, inputs = graph.chain(node.input[0], where), [*node.input, "", "", ""]
    pads = graph.whole(inputs[1], where) if inputs[1] else list(options.get("pads", []))
    fill = graph.constant(inputs[2], where) if inputs[2] else np.array(options.get("value", 0.0))
    if options.get("mode", b"constant") != b"constant" or fill.any() or inputs[3]:
        raise unlike(where, "a mode, a value or axes", "zeros around all axes")
    if len(pads) != 8 or any(pads[k] for k in (0, 1, 4, 5)):
        raise unlike(where, f"pads {pads}", "pads of height and width of an image")
    return value.padded((pads[2], pads[3], pads[6], pads[7]), where)


def _global_pool(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    return graph.chain(node.input[0], where).image(AveragePool(), where)


def _batch_norm(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    several = sum(1 for name in node.output if name) > 1
    if options.get("training_mode", 0) or not options.get("spatial", 1) or several:
        raise unlike(where, "training mode, or statistics for each place", "one a channel")
    gain, shift, mean, variance = (graph.constant(name, where) for name in node.input[1:5])
    epsilon = float(options.get("epsilon", np.float32(1e-5)))
    value = graph.chain(node.input[0], where)
    return batch_normalised(value, gain, shift, mean, variance, epsilon, where)


def _flatten(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    value = graph.chain(node.input[0], where)
    axis = _axis(options.get("axis", 1), len(value.shape) + 1, where, len(value.shape))
    return value.reshaped((size_of(value.shape[:axis]), size_of(value.shape[axis:])), where)


def _axis(axis: int, count: int, where: str, wrap: int) -> int:
    """An axis in 0 .. count - 1; negative ones are counted from `wrap`."""
    found = axis + wrap if axis < 0 else axis
    if not 0 <= found < count:
        raise unlike(where, f"axis {axis}", f"an axis from {-wrap} to {count - 1}")
    return found


def _reshape(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    value = graph.chain(node.input[0], where)
    wanted = graph.whole(node.input[1], where)
    copied = 0 in wanted and not options.get("allowzero", 0)
    if sum(size < 0 for size in wanted) > 1 or (copied and wanted.index(0) >= len(value.shape)):
        raise unlike(where, f"the shape {wanted}", "a shape with one size left open")
    sizes = [
        value.shape[place] if size == 0 and copied else size for place, size in enumerate(wanted)
    ]
    known = math.prod(size for size in sizes if size >= 0)
    open_size = size_of(value.shape) // known if known else 0
    return value.reshaped(tuple(size if size >= 0 else open_size for size in sizes), where)


def _squeeze(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    value = graph.chain(node.input[0], where)
    axes, count = _axes(graph, node, options, where), len(value.shape)
    dropped = {_axis(axis, count, where, count) for axis in axes or ()}
    if axes is None:
        dropped = {axis for axis, size in enumerate(value.shape) if size == 1}
    return value.reshaped(
        tuple(size for axis, size in enumerate(value.shape) if axis not in dropped), where
    )


def _unsqueeze(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    value = graph.chain(node.input[0], where)
    axes = _axes(graph, node, options, where) or []
    count = len(value.shape) + len(axes)
    added = {_axis(axis, count, where, count) for axis in axes}
    sizes = iter(value.shape)
    return value.reshaped(tuple(1 if k in added else next(sizes) for k in range(count)), where)


def _axes(graph: Graph, node: Any, options: Any, where: str) -> list[int] | None:
    """An attribute before operator set 13, since then an input."""
    if len(node.input) > 1 and node.input[1]:
        return graph.whole(node.input[1], where)
    return list(options["axes"]) if "axes" in options else None


def _transpose(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    """Only axes of size 1 may move: then the numbers stay in their order."""
    value = graph.chain(node.input[0], where)
    count = len(value.shape)
    order = list(options.get("perm", range(count)[::-1]))
    moved = [axis for axis in order if value.shape[axis] != 1]
    if sorted(order) != list(range(count)) or moved != sorted(moved):
        raise unlike(where, f"perm {order} of a value of shape {value.shape}", "the same order")
    return value.reshaped(tuple(value.shape[axis] for axis in order), where)


def _same(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    return graph.chain(node.input[0], where)


def _dropout(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    if len(node.input) > 2 and node.input[2]:
        mode = graph.constants.get(node.input[2])
        if mode is None or mode.any():
            raise unlike(where, "training mode, which is random", "training_mode = false")
    return graph.chain(node.input[0], where)


def _softmax(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    value = graph.chain(node.input[0], where)
    count, said = len(value.shape), options.get("axis", -1 if graph.opset >= 13 else 1)
    axis = _axis(said, count, where, count)
    # Before operator set 13 the axes behind are taken together.
    together = value.shape[axis : axis + 1] if graph.opset >= 13 else value.shape[axis:]
    all_of_one = size_of(together) == size_of(value.shape)
    if axis == 0 and count > 1 and not (all_of_one and graph.fixed_batch):
        raise unlike(
            where,
            f"a softmax over axis {said}, which is the batch: its rows are different inputs",
            "one over the outputs of each input, axis=1 or -1",
        )
    if not all_of_one:
        shape = list(value.shape)
        raise unlike(
            where,
            f"a softmax over axis {said} of a value of shape {shape}",
            "one over all outputs of an input",
        )
    return value.ended("softmax", where)


def _sigmoid(graph: Graph, node: Any, options: Any, where: str) -> GraphValue:
    return graph.chain(node.input[0], where).ended("sigmoid", where)


HANDLERS: dict[str, Handler] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Relu": _relu,
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "Conv": _conv,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_pool,
    "Pad": _pad,
    "BatchNormalization": _batch_norm,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Identity": _same,
    "Dropout": _dropout,
    "Softmax": _softmax,
    "Sigmoid": _sigmoid,
}
