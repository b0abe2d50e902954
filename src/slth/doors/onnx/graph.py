"""Reading ONNX: one walk over a graph, constants and values by name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.agreement import agrees
from slth.doors.graph_value import GraphValue, unlike
from slth.doors.onnx.evaluate import evaluated
from slth.doors.onnx.library import onnx_for, options_of
from slth.doors.onnx.nodes import require_node
from slth.doors.onnx.operators import HANDLERS
from slth.errors import InvalidInput, require_array
from slth.layers import FloatArray

# Bytes of a file that are read: the largest networks that can be bounded are far smaller.
_MOST_BYTES = 1 << 31
# Nodes of a graph: each is worked out by onnx's evaluator, which takes about a millisecond.
_MOST_NODES = 10_000
# Products of all layers that are made on the way, with one for each constant (2 GiB, a minute): a
# small file may ask for more.
_MOST_PRODUCTS = 1 << 28
# Before set 7 sums broadcast otherwise; what stands above 25 may mean other things.
_OPSETS = range(7, 26)
# Operators on constants alone that are worked out: they move numbers, and round none but Cast,
# which rounds alike everywhere.
_ON_CONSTANTS = {
    "Cast", "Concat", "Constant", "ConstantOfShape", "Flatten", "Identity", "Reshape", "Slice",
    "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
# The network is held against onnx's reference evaluator at this many random points, in double
# precision.
_COMPARED = 4


def read_onnx(path: Path) -> DeepNetwork:
    """The network of an ONNX file; external data only from files beside it.

    Raises:
        MissingExtra: onnx is not installed.
        InvalidInput: missing, damaged, or an operator without counterpart, named with its node.
    """
    onnx = onnx_for("Reading an ONNX file")
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
    """The network of an onnx.ModelProto, held against onnx's reference evaluator.

    Raises:
        MissingExtra, InvalidInput: as `read_onnx`.
    """
    onnx = onnx_for("Reading an ONNX model")
    try:
        graph = Graph(onnx, model, name)
        network = graph.network()
    except InvalidInput:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise unusable(name, f"not a valid graph ({_first_line(error)})") from error
    _require_same_values(graph, network)
    return network


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
    loaded = 0
    for tensor in helper._get_all_tensors(model):
        if not helper.uses_external_data(tensor):
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if len(entries) != len(tensor.external_data):
            raise unusable(path, f"external data of {tensor.name!r} that is stated twice")
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
        loaded += len(tensor.raw_data)
        if loaded > _MOST_BYTES:
            # Every tensor may name the same bytes.
            raise unusable(path, f"external data of more than {_MOST_BYTES} bytes in all")


class Graph:
    """One walk over a graph: constants and chains by the names of values."""

    def __init__(self, onnx: Any, model: Any, name: str) -> None:
        self.onnx, self.model, self.name = onnx, model, name
        graph = model.graph
        # The standard operators go by two names.
        sets = [
            ("" if entry.domain == "ai.onnx" else entry.domain, entry.version)
            for entry in model.opset_import
        ]
        versions = dict(sets)
        if len(versions) != len(sets):
            raise unusable(name, "two operator sets of one domain")
        self.opset = versions.get("", 0)
        if self.opset not in _OPSETS:
            raise unusable(name, f"operator set {self.opset}, not one of 7 to {_OPSETS[-1]}")
        if len(model.functions) or len(graph.sparse_initializer):
            raise unusable(name, "functions of its own, or sparse tensors")
        if len(graph.node) > _MOST_NODES:
            raise unusable(name, f"{len(graph.node)} nodes, more than {_MOST_NODES}")
        self.products = 0
        self.constants: dict[str, np.ndarray] = {}
        self.chains: dict[str, GraphValue] = {}
        for tensor in graph.initializer:
            if any(dim < 0 for dim in tensor.dims) or math.prod(tensor.dims) > _MOST_BYTES:
                raise unusable(name, f"a tensor {tensor.name!r} of shape {list(tensor.dims)}")
            self._require_new(tensor.name)
            self.constants[tensor.name] = onnx.numpy_helper.to_array(tensor)
        inputs = [value for value in graph.input if value.name not in self.constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise unusable(name, f"{len(inputs)} inputs and {len(graph.output)} outputs")
        self.input, self.output = inputs[0].name, graph.output[0].name
        if len({value.name for value in graph.input}) != len(graph.input):
            raise unusable(name, "two inputs of one name")
        self.shape, self.fixed_batch = self._shape(inputs[0])
        self.chains[self.input] = GraphValue.start(self.shape)

    def _require_new(self, value: str) -> None:
        if not value:
            raise unusable(self.name, "a value without a name")
        if value in self.constants or value in self.chains:
            raise unusable(self.name, f"two values named {value!r}")

    def _shape(self, value: Any) -> tuple[tuple[int, ...], bool]:
        """The input's shape, with one for a first axis of no fixed length, which is a batch; and
        whether that axis is fixed."""
        kind = value.type.tensor_type
        proto = self.onnx.TensorProto
        if kind.elem_type not in (proto.FLOAT, proto.FLOAT16, proto.DOUBLE, proto.BFLOAT16):
            raise unusable(self.name, f"an input of element type {kind.elem_type}, no float")
        axes = [axis.dim_value if axis.HasField("dim_value") else 0 for axis in kind.shape.dim]
        fixed = len(axes) < 2 or axes[0] != 0
        if not fixed:
            axes[0] = 1
        if not axes or min(axes) < 1:
            raise unusable(self.name, f"an input of shape {axes}, which is not known")
        return tuple(axes), fixed

    def network(self) -> DeepNetwork:
        """The network of the graph."""
        for node in self.model.graph.node:
            self._node(node)
        used = {name for node in self.model.graph.node for name in node.input}
        unused = sorted({tensor.name for tensor in self.model.graph.initializer} - used)
        if unused:
            raise unusable(self.name, f"a tensor {unused[0]!r}, which no operator uses")
        end = self.chains.get(self.output)
        if end is None:
            raise unusable(self.name, f"an output {self.output!r} that is no layer's")
        return end.network()

    def _node(self, node: Any) -> None:
        where = f"ONNX operator {node.op_type} (node {node.name or node.output[0]!r})"
        if node.domain not in ("", "ai.onnx"):
            raise unlike(where, f"the operator set {node.domain!r}", "the standard operators")
        require_node(self.onnx, node, self.opset, where)
        for place, name in enumerate(node.output):
            # Only outputs behind the first may be left out.
            if name or not place:
                self._require_new(name)
        if all(name in self.constants or not name for name in node.input):
            self._fold(node, where)
            return
        handler = HANDLERS.get(node.op_type)
        if handler is None:
            raise unlike(where, node.op_type, f"one of {', '.join(sorted(HANDLERS))}")
        # Further outputs (the mask of a Dropout) are unknown values to whoever reads them.
        chain = handler(self, node, options_of(self.onnx, node), where)
        self.chains[node.output[0]] = chain
        self._count(chain.products)

    def _fold(self, node: Any, where: str) -> None:
        if node.op_type not in _ON_CONSTANTS:
            known = ", ".join(sorted(_ON_CONSTANTS))
            raise unlike(where, "an operation on constants", f"one of {known}")
        given = {name: self.constants[name] for name in node.input if name}
        size = sum(given[name].size for name in node.input if name)
        if node.op_type == "ConstantOfShape":
            size = math.prod(max(0, side) for side in self.whole(node.input[0], where))
        # Before it is made: no operator but that one gives more than it is given.
        self._count(size)
        try:
            made = evaluated(self.onnx, node, given, self.opset)
        except Exception as error:
            # The evaluator raises whatever a node that is not valid leads it to.
            raise unlike(where, _first_line(error), "constants that it can be done to") from error
        self.constants.update(made)

    def _count(self, products: int) -> None:
        self.products += products
        if self.products > _MOST_PRODUCTS:
            raise unusable(self.name, f"more than {_MOST_PRODUCTS} products to work out")

    def values(self, x: FloatArray) -> FloatArray:
        """What onnx's evaluator makes of an input in double precision, node by node; it raises
        anything for a node that is not valid."""
        known = {
            name: value if value.dtype.kind in "iub" else value.astype(np.float64)
            for name, value in self.constants.items()
        }
        known[self.input] = x.reshape(self.shape)
        for node in self.model.graph.node:
            if node.output[0] in self.chains:
                given = {name: known[name] for name in node.input if name}
                known.update(evaluated(self.onnx, node, given, self.opset))
        return np.asarray(known[self.output], np.float64).ravel()

    def chain(self, name: str, where: str) -> GraphValue:
        """The value of that name, which depends on the input."""
        if name not in self.chains:
            raise unlike(where, f"a value {name!r} that is not known", "a layer's output")
        return self.chains[name]

    def constant(self, name: str, where: str) -> FloatArray:
        """The weights of that name, exactly."""
        if name not in self.constants:
            raise unlike(where, f"{name!r}, which depends on the input", "constant weights")
        value = self.constants[name]
        if value.dtype.kind != "f" and value.dtype.name != "bfloat16":
            raise unlike(where, f"{name!r} of type {value.dtype}", "floating-point weights")
        with np.errstate(invalid="ignore"):
            wide = value.astype(np.float64)
        return require_array(name, wide, ndim=wide.ndim)

    def whole(self, name: str, where: str) -> list[int]:
        """A shape or a list of axes."""
        if name not in self.constants or self.constants[name].dtype.kind not in "iu":
            raise unlike(where, f"{name!r}", "constant integers")
        return [int(entry) for entry in self.constants[name].ravel()]


def _require_same_values(graph: Graph, network: DeepNetwork) -> None:
    """The network computes what onnx's own evaluator does in double precision."""
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (_COMPARED, network.d))
    try:
        values = np.stack([graph.values(point) for point in points])
    except Exception as error:
        # The evaluator raises whatever a graph that is not valid leads it to.
        raise unusable(graph.name, f"not a valid graph ({_first_line(error)})") from error
    if not np.isfinite(values).all():
        raise unusable(graph.name, "values that overflow")
    if not agrees(network, points, values):
        raise unusable(
            graph.name, f"values that differ from those of {network!r}, as which it would be read"
        )
