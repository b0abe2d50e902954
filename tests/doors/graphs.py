"""ONNX models of a few nodes."""

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

RNG = np.random.default_rng(0)


def restart():
    """Draw from the start again: no test, and no table of one, depends on what ran before it."""
    RNG.bit_generator.state = np.random.default_rng(7).bit_generator.state


def weights(*shape, dtype=np.float32):
    """Random float32 numbers."""
    return RNG.normal(size=shape).astype(dtype)


def model_of(nodes, shape, tensors=(), opset=17, *, output="y", elem=onnx.TensorProto.FLOAT):
    """A model from x to y. nodes: (kind, inputs, output, attributes); tensors: name to array, of
    which those are taken that a node uses."""
    made = [
        helper.make_node(kind, inputs, [out], name=f"node{k}", **options)
        for k, (kind, inputs, out, options) in enumerate(nodes)
    ]
    graph = helper.make_graph(
        made,
        "test",
        [helper.make_tensor_value_info("x", elem, shape)],
        [helper.make_tensor_value_info(output, elem, None)],
        [
            numpy_helper.from_array(array, name)
            for name, array in dict(tensors).items()
            if any(name in inputs for _, inputs, _, _ in nodes)
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def evaluated(model, points):
    """onnx's own values, [points, outputs]. Its evaluator takes the statistics of the batch for a
    batch normalisation before set 14, and one axis for a softmax before set 13: those nodes are
    written otherwise here, as the standard says."""
    given = model.graph.input[0]
    dims = [axis.dim_value or 1 for axis in given.type.tensor_type.shape.dim]
    dtype = helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)
    run = ReferenceEvaluator(_without_old_nodes(model)).run
    return np.stack(
        [run(None, {given.name: x.reshape(dims).astype(dtype)})[0].ravel() for x in points]
    ).astype(np.float64)


def _without_old_nodes(model):
    if model.opset_import[0].version >= 14:
        return model
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    del graph.node[:]
    rank = len(graph.input[0].type.tensor_type.shape.dim)
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Softmax" and model.opset_import[0].version < 13:
            axis = next((part.i for part in node.attribute if part.name == "axis"), 1)
            flat = f"{node.output[0]}_flat"
            graph.node.append(helper.make_node("Flatten", node.input, [flat], axis=axis))
            graph.node.append(helper.make_node("Softmax", [flat], node.output, axis=1))
            continue
        if node.op_type != "BatchNormalization":
            graph.node.append(node)
            continue
        options = {part.name: helper.get_attribute_value(part) for part in node.attribute}
        gain, shift, mean, variance = (
            arrays[name].astype(np.float64).reshape(-1, *[1] * (rank - 2))
            for name in node.input[1:]
        )
        factor = gain / np.sqrt(variance + options.get("epsilon", 1e-5))
        name = node.output[0]
        for suffix, array in (("_factor", factor), ("_shift", shift - mean * factor)):
            graph.initializer.append(
                numpy_helper.from_array(array.astype(np.float32), name + suffix)
            )
        graph.node.append(
            helper.make_node("Mul", [node.input[0], name + "_factor"], [name + "_scaled"])
        )
        graph.node.append(helper.make_node("Add", [name + "_scaled", name + "_shift"], [name]))
    return changed
