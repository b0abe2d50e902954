"""Writing ONNX: a network as a graph that onnx's checker accepts."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.exact import exact_dtype
from slth.doors.graph_value import unlike
from slth.doors.onnx.library import onnx_for
from slth.layers import (
    AveragePool,
    Conv,
    Dense,
    FloatArray,
    LeakyRelu,
    Residual,
    bias_of,
    output_shape,
    spelled_out,
)


def onnx_bytes(network: DeepNetwork) -> bytes:
    """The bytes of an ONNX file of the network, in float32 where that holds every weight, else in
    float64.

    Raises:
        MissingExtra: onnx is not installed.
        InvalidInput: weights that are known up to rounding only.
    """
    onnx = onnx_for("Writing an ONNX file")
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
                name = self._average(name, item, shape)
                shape = output_shape(item, shape)
            elif isinstance(item, LeakyRelu):
                name = self._leaky(name, item.slope)
            else:
                name = self._emit("Relu", [name])
        return name

    def _average(self, name: str, item: AveragePool, shape: tuple[int, ...]) -> str:
        window = item.window(shape)
        top, left, bottom, right = window.padding
        options: dict[str, Any] = {
            "kernel_shape": list(window.kernel),
            "strides": list(window.stride),
        }
        small = max(top, bottom) < window.kernel[0] and max(left, right) < window.kernel[1]
        if small:
            options |= {"pads": list(window.padding), "count_include_pad": int(item.count_padding)}
        elif item.count_padding:
            # Runtimes want less padding than kernel.
            pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
            name = self._emit("Pad", [name, self._tensor(pads)])
        else:
            raise unlike(
                "AveragePool",
                f"padding {window.padding}, not counted in the mean of a kernel {window.kernel}",
                "less padding than kernel, or count_padding=True",
            )
        return self._emit("AveragePool", [name], **options)

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
