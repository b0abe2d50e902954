"""ONNX: graphs of affine layers, average pools, (leaky) ReLUs and residual sums, in and out."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.chain import Chain, reciprocal, unlike
from slth.doors.exact import exact_dtype
from slth.doors.kernels import whole_kernel
from slth.doors.normalise import batch_normalised
from slth.errors import InvalidInput, MissingExtra, require_array
from slth.layers import (
    AveragePool,
    Conv,
    Dense,
    FloatArray,
    LeakyRelu,
    Relu,
    Residual,
    bias_of,
    output_shape,
    size_of,
    spelled_out,
)

# Bytes of a file that are read: the largest networks that can be bounded are far smaller.
_MOST_BYTES = 1 << 31
# Operators on constants alone that are worked out.
_FOLDED = {
    "Constant",
    "Identity",
    "Transpose",
    "Reshape",
    "Cast",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
}


def read_onnx(path: Path) -> DeepNetwork:
    """The network of an ONNX file; external data only from files beside it.

    Raises:
        MissingExtra: onnx is not installed.
        InvalidInput: missing, damaged, or an operator without counterpart, named with its node.
    """
    onnx = _onnx("Reading an ONNX file")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise unusable(path, f"larger than {_MOST_BYTES} bytes")
        model = onnx.load(str(path), load_external_data=False)
        _load_beside(onnx, model, path)
    except FileNotFoundError as error:
        raise unusable(path, "no such file") from error
    except InvalidInput:
        raise
    except Exception as error:
        # protobuf and onnx raise whatever their parsers met; all of it means: not a usable model.
        raise unusable(path, f"unreadable ({_first_line(error)})") from error
    return from_onnx(model, str(path))


def from_onnx(model: Any, name: str = "the model") -> DeepNetwork:
    """The network of an onnx.ModelProto. Raises InvalidInput as `read_onnx`."""
    onnx = _onnx("Reading an ONNX model")
    try:
        return _Graph(onnx, model, name).network()
    except (InvalidInput, MemoryError):
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise unusable(name, f"not a valid graph ({_first_line(error)})") from error


def unusable(path: object, problem: str) -> InvalidInput:
    """The error for a file that is no ONNX network."""
    return InvalidInput(
        "ONNX file not usable",
        got=f"{path}: {problem}",
        expected="an ONNX model of one input and one output",
        fix="Export it with torch.onnx.export or slth.write_network.",
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def _load_beside(onnx: Any, model: Any, path: Path) -> None:
    """Fill in tensors that are stored in files of the same folder."""
    helper = onnx.external_data_helper
    for tensor in helper._get_all_tensors(model):
        if not helper.uses_external_data(tensor):
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        file = path.parent / location
        if (
            not location
            or Path(location).name != location
            or not file.is_file()
            or file.is_symlink()
        ):
            raise unusable(path, f"external data of {tensor.name!r} in {location!r}")
        if file.stat().st_size > _MOST_BYTES:
            raise unusable(path, f"external data larger than {_MOST_BYTES} bytes")
        helper.load_external_data_for_tensor(tensor, str(path.parent))


class _Graph:
    """One walk over a graph: constants and chains by the names of values."""

    def __init__(self, onnx: Any, model: Any, name: str) -> None:
        self.onnx, self.model, self.name = onnx, model, name
        graph = model.graph
        versions = {entry.domain: entry.version for entry in model.opset_import}
        self.opset = versions.get("", versions.get("ai.onnx", 0))
        self.constants: dict[str, np.ndarray] = {}
        for tensor in graph.initializer:
            if any(dim < 0 for dim in tensor.dims) or math.prod(tensor.dims) > _MOST_BYTES:
                raise unusable(name, f"a tensor {tensor.name!r} of shape {list(tensor.dims)}")
            self.constants[tensor.name] = onnx.numpy_helper.to_array(tensor)
        inputs = [value for value in graph.input if value.name not in self.constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise unusable(name, f"{len(inputs)} inputs and {len(graph.output)} outputs")
        self.input_shape = self._shape(inputs[0])
        self.chains = {inputs[0].name: Chain(None, None, self.input_shape)}

    def _shape(self, value: Any) -> tuple[int, ...]:
        """The input's shape without its batch: a first axis of 1 or of no fixed length."""
        axes = [
            axis.dim_value if axis.HasField("dim_value") else 0
            for axis in value.type.tensor_type.shape.dim
        ]
        if len(axes) > 1 and axes[0] in (0, 1):
            axes = axes[1:]
        if not axes or min(axes) < 1:
            raise unusable(self.name, f"an input of shape {axes}, not known beforehand")
        return tuple(axes)

    def network(self) -> DeepNetwork:
        graph = self.model.graph
        for node in graph.node:
            self._node(node)
        end = self.chains.get(graph.output[0].name)
        if end is None:
            raise unusable(self.name, f"an output {graph.output[0].name!r} that is no layer's")
        return end.network(self.input_shape)

    def _node(self, node: Any) -> None:
        where = f"ONNX operator {node.op_type} (node {node.name or node.output[0]!r})"
        if node.domain not in ("", "ai.onnx"):
            raise unlike(where, f"the operator set {node.domain!r}", "the standard operators")
        if all(name in self.constants or not name for name in node.input):
            self._fold(node, where)
            return
        handler = _HANDLERS.get(node.op_type)
        if handler is None:
            raise unlike(where, node.op_type, f"one of {', '.join(sorted(_HANDLERS))}")
        if sum(1 for name in node.output if name) != 1:
            raise unlike(where, f"{len(node.output)} outputs", "one output")
        options = {a.name: self.onnx.helper.get_attribute_value(a) for a in node.attribute}
        self.chains[node.output[0]] = handler(self, node, options, where)

    def _fold(self, node: Any, where: str) -> None:
        if node.op_type not in _FOLDED:
            raise unlike(where, "an operation on constants", f"one of {', '.join(sorted(_FOLDED))}")
        from onnx.reference import ReferenceEvaluator  # pyright: ignore[reportMissingImports]

        names = [name for name in node.input if name]
        helper = self.onnx.helper
        values = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(self.constants[name].dtype), None
            )
            for name in names
        ]
        outs = [helper.make_empty_tensor_value_info(name) for name in node.output]
        graph = helper.make_graph([node], "constant", values, outs)
        model = helper.make_model(graph, opset_imports=self.model.opset_import)
        results = ReferenceEvaluator(model).run(
            None, {name: self.constants[name] for name in names}
        )
        for name, value in zip(node.output, results, strict=True):
            self.constants[name] = np.asarray(value)

    def chain(self, name: str, where: str) -> Chain:
        """The value of that name, which depends on the input."""
        if name not in self.chains:
            raise unlike(where, f"a value {name!r} that is not known", "a layer's output")
        return self.chains[name]

    def constant(self, name: str, where: str) -> FloatArray:
        """The weights of that name, exactly."""
        if name not in self.constants:
            raise unlike(where, f"{name!r}, which depends on the input", "constant weights")
        value = self.constants[name]
        if value.dtype.kind not in "fV" and value.dtype.kind != "f":
            raise unlike(where, f"{name!r} of type {value.dtype}", "floating-point weights")
        wide = value.astype(np.float64)
        return require_array(name, wide, ndim=wide.ndim)

    def whole(self, name: str, where: str) -> list[int]:
        """A shape or a list of axes."""
        if name not in self.constants or self.constants[name].dtype.kind not in "iu":
            raise unlike(where, f"{name!r}", "constant integers")
        return [int(entry) for entry in self.constants[name].ravel()]


def _gemm(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    value = graph.chain(node.input[0], where)
    weight = graph.constant(node.input[1], where)
    if options.get("transA", 0) or weight.ndim != 2:
        raise unlike(where, "transA, or weights that are no matrix", "rows of inputs")
    if not options.get("transB", 0):
        weight = weight.T
    alpha, beta = float(options.get("alpha", 1.0)), float(options.get("beta", 1.0))
    value = value.then(Dense(weight), where)
    if alpha != 1.0:
        value = value.scaled(np.full(value.shape, alpha), where)
    if len(node.input) < 3 or not node.input[2] or beta == 0.0:
        return value
    bias = np.broadcast_to(_row(graph.constant(node.input[2], where)), value.shape)
    product = beta * bias
    if beta != 1.0 and not np.array_equal(product / beta, bias):
        raise unlike(where, f"beta = {beta}", "beta = 1")
    return value.shifted(product, where)


def _matmul(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    left, right = node.input
    if right in graph.constants:
        weight = graph.constant(right, where)
        weight = weight if weight.ndim == 2 else weight.reshape(-1, 1)
        value = graph.chain(left, where)
        if value.shape[-1] != weight.shape[0] or size_of(value.shape) != value.shape[-1]:
            raise unlike(where, f"a value of shape {value.shape}", f"{weight.shape[0]} inputs")
        return value.then(Dense(weight.T), where)
    weight = graph.constant(left, where)
    value = graph.chain(right, where)
    if weight.ndim != 2 or size_of(value.shape) != weight.shape[1]:
        raise unlike(where, f"a value of shape {value.shape}", f"{weight.shape[-1]} inputs")
    return value.then(Dense(weight), where)


def _add(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    left, right = node.input
    for one, other in ((left, right), (right, left)):
        if other in graph.constants:
            return graph.chain(one, where).shifted(graph.constant(other, where), where)
    return graph.chain(left, where).plus(graph.chain(right, where), where)


def _sub(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    left, right = node.input
    if right in graph.constants:
        return graph.chain(left, where).shifted(-graph.constant(right, where), where)
    if left not in graph.constants:
        raise unlike(where, "a difference of two layers' outputs", "one constant side")
    value = graph.chain(right, where)
    negated = value.scaled(np.full(value.shape, -1.0), where)
    return negated.shifted(graph.constant(left, where), where)


def _mul(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    left, right = node.input
    for one, other in ((left, right), (right, left)):
        if other in graph.constants:
            return graph.chain(one, where).scaled(graph.constant(other, where), where)
    raise unlike(where, "a product of two layers' outputs", "one constant side")


def _div(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    left, right = node.input
    if right not in graph.constants:
        raise unlike(where, "a division by a layer's output", "a constant divisor")
    inverse, off = reciprocal(graph.constant(right, where), where)
    return graph.chain(left, where).scaled(inverse, where, off)


def _relu(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    return graph.chain(node.input[0], where).then(Relu(), where)


def _leaky(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    # The default is the float32 nearest to 0.01.
    slope = float(options.get("alpha", np.float32(0.01)))
    return graph.chain(node.input[0], where).then(LeakyRelu(slope), where)


def _prelu(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    slopes = graph.constant(node.input[1], where)
    if not (slopes == slopes.ravel()[0]).all():
        raise unlike(where, "slopes that differ", "one slope for all units")
    slope = float(slopes.ravel()[0])
    if slope == 0.0:
        return graph.chain(node.input[0], where).then(Relu(), where)
    return graph.chain(node.input[0], where).then(LeakyRelu(slope), where)


def _conv(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    value = graph.chain(node.input[0], where)
    weight = graph.constant(node.input[1], where)
    if weight.ndim != 4:
        raise unlike(where, f"weights of shape {weight.shape}", "[out, in, height, width]")
    weight = whole_kernel(weight, int(options.get("group", 1)), options.get("dilations", [1, 1]))
    strides = tuple(options.get("strides", [1, 1]))
    padding = _padding(value.shape, weight.shape[2:], strides, options, where)
    value = value.then(Conv(weight, None, strides, padding), where)  # type: ignore[arg-type]
    if len(node.input) > 2 and node.input[2]:
        return value.shifted(graph.constant(node.input[2], where)[:, None, None], where)
    return value


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
    for size, width, step in zip(shape[1:], kernel, strides, strict=True):
        total = max(0, (-(-size // step) - 1) * step + width - size)
        small, large = total // 2, total - total // 2
        begin.append(small if kind == "SAME_UPPER" else large)
        end.append(large if kind == "SAME_UPPER" else small)
    return (*begin, *end)


def _pool(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    value = graph.chain(node.input[0], where)
    kernel = tuple(options["kernel_shape"])
    if options.get("ceil_mode", 0) or {*options.get("dilations", [1])} != {1} or len(kernel) != 2:
        raise unlike(where, "ceil_mode, dilations or other than two axes", "a plain average pool")
    strides = tuple(options.get("strides", [1, 1]))
    padding = _padding(value.shape, kernel, strides, options, where)
    counted = bool(options.get("count_include_pad", 0)) or not any(padding)
    pool = AveragePool(kernel, strides, padding, counted)  # type: ignore[arg-type]
    return value.then(pool, where)


def _global_pool(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    return graph.chain(node.input[0], where).then(AveragePool(), where)


def _batch_norm(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    if options.get("training_mode", 0) or graph.opset < 9:
        raise unlike(where, "training mode or an operator set below 9", "fixed statistics")
    gain, shift, mean, variance = (graph.constant(name, where) for name in node.input[1:5])
    epsilon = float(options.get("epsilon", np.float32(1e-5)))
    value = graph.chain(node.input[0], where)
    return batch_normalised(value, gain, shift, mean, variance, epsilon, where)


def _flatten(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    value = graph.chain(node.input[0], where)
    if options.get("axis", 1) not in (0, 1):
        raise unlike(where, f"axis {options['axis']}", "axis 1: all inputs of a row")
    return value.reshaped((size_of(value.shape),), where)


def _reshape(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    value = graph.chain(node.input[0], where)
    wanted = graph.whole(node.input[1], where)
    count = size_of(value.shape)
    given = [1 if entry == 0 else entry for entry in wanted]
    known = math.prod(entry for entry in given if entry > 0)
    shape = [entry if entry > 0 else max(1, count // max(1, known)) for entry in given]
    if len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return value.reshaped(tuple(shape), where)


def _same(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    return graph.chain(node.input[0], where)


def _squeeze(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    value = graph.chain(node.input[0], where)
    return value.reshaped((size_of(value.shape),), where)


def _softmax(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    value = graph.chain(node.input[0], where)
    axis = options.get("axis", -1 if graph.opset >= 13 else 1)
    if len(value.shape) != 1 or axis not in (-1, 1):
        raise unlike(
            where, f"axis {axis} of a value of shape {value.shape}", "all outputs of a row"
        )
    return value.ended("softmax", where)


def _sigmoid(graph: _Graph, node: Any, options: Any, where: str) -> Chain:
    return graph.chain(node.input[0], where).ended("sigmoid", where)


_HANDLERS: dict[str, Callable[[_Graph, Any, Any, str], Chain]] = {
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
    "BatchNormalization": _batch_norm,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Identity": _same,
    "Dropout": _same,
    "Softmax": _softmax,
    "Sigmoid": _sigmoid,
}


def _row(array: FloatArray) -> FloatArray:
    return array[0] if array.ndim == 2 and array.shape[0] == 1 else array


def onnx_bytes(network: DeepNetwork) -> bytes:
    """The bytes of an ONNX file of the network, in float32 where that holds every weight, else in
    float64.

    Raises:
        MissingExtra: onnx is not installed.
        InvalidInput: weights that are known up to rounding only.
    """
    onnx = _onnx("Writing an ONNX file")
    return _Writer(onnx, network).model().SerializeToString()


class _Writer:
    def __init__(self, onnx: Any, network: DeepNetwork) -> None:
        self.onnx, self.network = onnx, network
        self.dtype = exact_dtype(network)
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.count = 0

    def model(self) -> Any:
        helper, network = self.onnx.helper, self.network
        kind = (
            self.onnx.TensorProto.FLOAT
            if self.dtype == np.float32
            else self.onnx.TensorProto.DOUBLE
        )
        shape = network.shape
        name = self._items(network.items, "x", shape)
        if len(network.output_shape) != 1:
            name = self._emit("Flatten", [name], axis=1)
        if network.last is not None:
            kinds = {"relu": "Relu", "softmax": "Softmax", "sigmoid": "Sigmoid"}
            options = {"axis": -1} if network.last == "softmax" else {}
            name = self._emit(kinds[network.last], [name], **options)
        graph = helper.make_graph(
            self.nodes,
            "slth",
            [helper.make_tensor_value_info("x", kind, ["batch", *shape])],
            [helper.make_tensor_value_info(name, kind, ["batch", network.outputs])],
            self.tensors,
        )
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="slth")
        self.onnx.checker.check_model(model)
        return model

    def _items(self, items: Any, name: str, shape: tuple[int, ...]) -> str:
        for item in spelled_out(items):
            if isinstance(item, Residual):
                inner = self._items(item.body, name, shape)
                if len(shape) == 3:
                    target = self._tensor(np.array([-1, *shape], np.int64))
                    inner = self._emit("Reshape", [inner, target])
                name = self._emit("Add", [name, inner])
            elif isinstance(item, Dense):
                if len(shape) != 1:
                    name = self._emit("Flatten", [name], axis=1)
                weights = [self._weights(item.weight), self._weights(bias_of(item))]
                name = self._emit("Gemm", [name, *weights], transB=1)
                shape = output_shape(item, shape)
            elif isinstance(item, Conv):
                window = item.window
                inputs = [name, self._weights(item.weight), self._weights(bias_of(item))]
                name = self._emit(
                    "Conv", inputs, strides=list(window.stride), pads=list(window.padding)
                )
                shape = output_shape(item, shape)
            elif isinstance(item, AveragePool):
                window = item.window(shape)
                name = self._emit(
                    "AveragePool",
                    [name],
                    kernel_shape=list(window.kernel),
                    strides=list(window.stride),
                    pads=list(window.padding),
                    count_include_pad=int(item.count_padding),
                )
                shape = output_shape(item, shape)
            elif isinstance(item, LeakyRelu):
                name = self._leaky(name, item.slope)
            else:
                name = self._emit("Relu", [name])
        return name

    def _leaky(self, name: str, slope: float) -> str:
        """LeakyRelu's attribute is a float32; other slopes are PRelu's tensor."""
        if float(np.float32(slope)) == slope:
            return self._emit("LeakyRelu", [name], alpha=slope)
        return self._emit("PRelu", [name, self._tensor(np.array([slope], np.float64))])

    def _emit(self, kind: str, inputs: list[str], **options: Any) -> str:
        self.count += 1
        name = f"v{self.count}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], **options))
        return name

    def _weights(self, array: FloatArray) -> str:
        return self._tensor(array.astype(self.dtype))

    def _tensor(self, array: np.ndarray) -> str:
        self.count += 1
        name = f"w{self.count}"
        self.tensors.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


def _onnx(purpose: str) -> Any:
    try:
        import onnx
        import onnx.external_data_helper
    except ImportError as error:
        raise MissingExtra("onnx", "onnx", purpose) from error
    return onnx
