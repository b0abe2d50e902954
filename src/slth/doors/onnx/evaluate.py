"""Single nodes by onnx's reference evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np


def evaluated(onnx: Any, node: Any, given: dict[str, np.ndarray], opset: int) -> dict[str, Any]:
    """The outputs of a node of that operator set by name. The evaluator raises anything for a node
    that is not valid.

    Args:
        given: the node's inputs by name.
    """
    helper = onnx.helper
    if node.op_type == "BatchNormalization" and opset < 14:
        # The evaluator takes the statistics of the batch before set 14, though one output means
        # the given ones; set 14 has neither momentum's other meaning nor `spatial`.
        node, opset = _of_set_14(onnx, node), 14
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), None)
        for name, array in given.items()
    ]
    outs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([node], "node", values, outs)
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
