"""Single nodes by onnx's reference evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth.doors.onnx.library import options_of


def evaluated(onnx: Any, node: Any, given: dict[str, np.ndarray], opset: int) -> dict[str, Any]:
    """The outputs of a node of that operator set by name. The evaluator raises anything for a node
    that is not valid.

    Args:
        given: the node's inputs by name.
    """
    helper = onnx.helper
    nodes = [node]
    if node.op_type == "BatchNormalization" and opset < 14:
        # The evaluator takes the statistics of the batch before set 14, though one output means
        # the given ones; set 14 has neither momentum's other meaning nor `spatial`.
        nodes, opset = [_of_set_14(onnx, node)], 14
    elif node.op_type == "Softmax" and opset < 13:
        # The evaluator takes one axis where the standard of these sets takes all from it on.
        nodes, opset = _of_set_13(onnx, node, given[node.input[0]].shape), 13
    elif node.op_type == "AveragePool":
        nodes = _sums_over_counts(onnx, node, given[node.input[0]])
        given = given | _ones(onnx, node, given[node.input[0]])
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), None)
        for name, array in given.items()
    ]
    outs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph(nodes, "node", values, outs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    with np.errstate(all="ignore"):
        results = onnx.reference.ReferenceEvaluator(model).run(None, given)
    names = [name for name in node.output if name]
    return dict(zip(names, map(np.asarray, results), strict=True))


def _of_set_14(onnx: Any, node: Any) -> Any:
    later = onnx.NodeProto()
    later.CopyFrom(node)
    kept = [part for part in node.attribute if part.name == "epsilon"]
    del later.attribute[:]
    later.attribute.extend(kept)
    return later


def _of_set_13(onnx: Any, node: Any, shape: tuple[int, ...]) -> list[Any]:
    make, array = onnx.helper.make_node, onnx.numpy_helper.from_array(np.array(shape, np.int64))
    axis = options_of(onnx, node).get("axis", 1)
    return [
        make("Flatten", [node.input[0]], ["\0flat"], axis=axis),
        make("Softmax", ["\0flat"], ["\0soft"], axis=1),
        make("Constant", [], ["\0shape"], value=array),
        make("Reshape", ["\0soft", "\0shape"], [node.output[0]]),
    ]


# Names of values that no graph has.
_DOWN, _ACROSS, _IMAGE, _SIZE = "\0down", "\0across", "\0image", "\0size"


def _ones(onnx: Any, node: Any, value: np.ndarray) -> dict[str, np.ndarray]:
    """What `_sums_over_counts` reads beside the value."""
    options = options_of(onnx, node)
    height, width = options["kernel_shape"]
    channels = value.shape[1]
    made = {
        _DOWN: np.ones((channels, 1, height, 1), value.dtype),
        _ACROSS: np.ones((channels, 1, 1, width), value.dtype),
    }
    if options.get("count_include_pad", 0):
        return made | {_SIZE: np.array(height * width, value.dtype)}
    return made | {_IMAGE: np.ones_like(value)}


def _sums_over_counts(onnx: Any, node: Any, value: np.ndarray) -> list[Any]:
    """An average pool as sums over columns, then over rows, divided by how many are summed. The
    evaluator's own pool goes through every number under every kernel in Python: half a minute for
    a kernel of 5,000 x 5,000."""
    options, make = options_of(onnx, node), onnx.helper.make_node
    strides, pads = options.get("strides", [1, 1]), options.get("pads", [0, 0, 0, 0])
    group = value.shape[1]
    down = {"strides": [strides[0], 1], "pads": [pads[0], 0, pads[2], 0], "group": group}
    across = {"strides": [1, strides[1]], "pads": [0, pads[1], 0, pads[3]], "group": group}
    if options.get("auto_pad", b"NOTSET") not in (b"NOTSET", b""):
        for part in (down, across):
            part.pop("pads")
            part["auto_pad"] = options["auto_pad"]
    nodes = [
        make("Conv", [node.input[0], _DOWN], ["\0a"], **down),
        make("Conv", ["\0a", _ACROSS], ["\0sum"], **across),
    ]
    count = _SIZE
    if not options.get("count_include_pad", 0):
        count = "\0count"
        nodes += [
            make("Conv", [_IMAGE, _DOWN], ["\0c"], **down),
            make("Conv", ["\0c", _ACROSS], [count], **across),
        ]
    return [*nodes, make("Div", ["\0sum", count], [node.output[0]])]
