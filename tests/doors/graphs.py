"""ONNX models of a few nodes."""

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

RNG = np.random.default_rng(0)


def weights(*shape, dtype=np.float32):
    """Random float32 numbers."""
    return RNG.normal(size=shape).astype(dtype)


def model_of(nodes, shape, tensors=(), opset=17, *, output="y", elem=onnx.TensorProto.FLOAT):
    """A model from x to y. nodes: (kind, inputs, output, attributes); tensors: name to array."""
    made = [
        helper.make_node(kind, inputs, [out], name=f"node{k}", **options)
        for k, (kind, inputs, out, options) in enumerate(nodes)
    ]
    graph = helper.make_graph(
        made,
        "test",
        [helper.make_tensor_value_info("x", elem, shape)],
        [helper.make_tensor_value_info(output, elem, None)],
        [numpy_helper.from_array(array, name) for name, array in dict(tensors).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def evaluated(model, points):
    """onnx's own values, [points, outputs]."""
    given = model.graph.input[0]
    dims = [axis.dim_value or 1 for axis in given.type.tensor_type.shape.dim]
    dtype = helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)
    run = ReferenceEvaluator(model).run
    return np.stack(
        [run(None, {given.name: x.reshape(dims).astype(dtype)})[0].ravel() for x in points]
    ).astype(np.float64)
