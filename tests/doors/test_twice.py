"""What a file says twice: one of the two would be left out in silence, so it is refused."""

import json
import re
import struct

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import slth
from slth.doors.onnx import from_onnx
from slth.doors.vnnlib import read_boxes
from tests.doors.graphs import model_of, restart, weights

restart()
TENSORS = {"W": weights(4, 5), "b": weights(4)}
GEMM = ("Gemm", ["x", "W", "b"], "h", {"transB": 1})


def plain(opset=17):
    return model_of([GEMM, ("Relu", ["h"], "y", {})], ["n", 5], TENSORS, opset)


def attribute(name, value):
    return lambda model: model.graph.node[0].attribute.append(helper.make_attribute(name, value))


def referring(model):
    model.graph.node[0].attribute[0].ref_attr_name = "outer"


def another_type(model):
    part = model.graph.node[0].attribute[0]
    part.CopyFrom(helper.make_attribute("transB", 1.0))


def tensor(model):
    model.graph.initializer.append(numpy_helper.from_array(2 * TENSORS["W"], "W"))


def unnamed(model):
    model.graph.node[0].output[0] = ""
    model.graph.node[1].input[0] = ""


ONNX = {
    "attribute": (attribute("transB", 0), "attribute 'transB' twice"),
    "the same attribute": (attribute("transB", 1), "attribute 'transB' twice"),
    "unknown attribute": (attribute("transC", 1), "'transC', which the operator does not have"),
    "attribute of another type": (another_type, "of type 1"),
    "attribute of a function": (referring, "of type 2"),
    "tensor": (tensor, "two values named 'W'"),
    "output": (
        lambda model: model.graph.node.append(helper.make_node("Relu", ["x"], ["h"])),
        "two values named 'h'"),
    "two outputs of one node": (
        lambda model: model.graph.node[1].output.append("y"), "2 outputs; expected at most 1"),
    "no name": (unnamed, "without a name"),
    "input": (
        lambda model: model.graph.input.extend([helper.make_tensor_value_info(
            "W", TensorProto.FLOAT, [4, 5])] * 2), "two inputs of one name"),
    "input that is a node's": (
        lambda model: model.graph.node.append(helper.make_node("Relu", ["h"], ["x"])),
        "two values named 'x'"),
    "operator sets": (
        lambda model: model.opset_import.append(helper.make_opsetid("", 9)), "two operator sets"),
    "operator sets of two names": (
        lambda model: model.opset_import.append(helper.make_opsetid("ai.onnx", 9)),
        "two operator sets"),
    "too many inputs": (
        lambda model: model.graph.node[1].input.append("W"), "2 inputs; expected at most 1"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), ONNX.values(), ids=ONNX)
def test_onnx(change, said):
    model = plain()
    from_onnx(model)
    change(model)
    with pytest.raises(slth.InvalidInput, match=re.escape(said)):
        from_onnx(model)


def test_operators_and_attributes_of_later_sets():
    pool = ("AveragePool", ["x"], "y", {"kernel_shape": [2, 2], "count_include_pad": 1})
    ceiled = ("AveragePool", ["x"], "y", {"kernel_shape": [2, 2], "ceil_mode": 0})
    for node, first in ((pool, 7), (ceiled, 10)):
        from_onnx(model_of([node], [1, 1, 2, 2], opset=first))
    with pytest.raises(slth.InvalidInput, match="does not have in set 9"):
        from_onnx(model_of([ceiled], [1, 1, 2, 2], opset=9))
    model = plain()
    model.graph.node[1].op_type = "Nothing"
    with pytest.raises(slth.InvalidInput, match=r"Nothing.*set 17 does not have"):
        from_onnx(model)


@pytest.mark.parametrize("opset", [7, 11, 12, 13, 21])
def test_a_softmax_over_the_batch(opset):
    def softmax(shape, axis):
        return model_of([("Softmax", ["x"], "y", {"axis": axis})], shape, {}, opset)

    # Nothing else stands before it: a layer that does nothing is put there.
    def behind(shape, axis):
        made = softmax(shape, axis)
        made.graph.node.insert(0, helper.make_node("Mul", ["x", "two"], ["h"]))
        made.graph.node[1].input[0] = "h"
        made.graph.initializer.append(numpy_helper.from_array(np.float32([2.0]), "two"))
        return made

    for axis in (0, -2):
        with pytest.raises(slth.InvalidInput, match=rf"axis {axis}, which is the batch.*axis=1"):
            from_onnx(behind(["n", 5], axis))
    together = behind([1, 5], 0)
    if opset < 13:
        # All axes are taken together, and there is one row.
        values = from_onnx(together)(np.arange(5.0))
        np.testing.assert_allclose(values, np.exp(2 * np.arange(5.0)) / np.exp(
            2 * np.arange(5.0)).sum())  # fmt: skip
    else:
        with pytest.raises(slth.InvalidInput, match="axis 0, which is the batch"):
            from_onnx(together)
    with pytest.raises(slth.InvalidInput, match=r"axis 2 of a value of shape \[1, 2, 3\]"):
        from_onnx(behind([1, 2, 3], 2))
    assert from_onnx(behind(["n", 5], 1)).last == from_onnx(behind([5], 0)).last == "softmax"


def safetensors(path, header, body):
    text = header.replace("PLAIN", json.dumps("dense layers with a ReLU between them")).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


ENTRY = '"0.weight":{"dtype":"F64","shape":[2,2],"data_offsets":[0,32]}'


@pytest.mark.parametrize(
    "header",
    [
        f'{{"__metadata__":{{"slth":PLAIN}},{ENTRY},{ENTRY}}}',
        f'{{"__metadata__":{{"slth":"x","slth":PLAIN}},{ENTRY}}}',
        f'{{"__metadata__":{{"slth":PLAIN}},"__metadata__":{{"slth":PLAIN}},{ENTRY}}}',
    ],
)
def test_safetensors(tmp_path, header):
    once = f'{{"__metadata__":{{"slth":PLAIN}},{ENTRY}}}'
    body = np.eye(2).tobytes()
    assert slth.read_network(safetensors(tmp_path / "a.safetensors", once, body)).d == 2
    with pytest.raises(slth.InvalidInput, match=r"twice|duplicate"):
        slth.read_network(safetensors(tmp_path / "b.safetensors", header, body))


@pytest.mark.parametrize(
    "said",
    [
        '{"items":[{"kind":"dense"}],"input_shape":[2],"last":null,"last":"relu"}',
        '{"items":[{"kind":"dense"},{"kind":"leaky","slope":0.5,"slope":0.1}],'
        '"input_shape":[2],"last":null}',
    ],
)
def test_descriptions(tmp_path, said):
    path = tmp_path / "a.npz"
    np.savez(path, items=np.array(said), **{"0.weight": np.eye(2)})
    with pytest.raises(slth.InvalidInput, match="twice"):
        slth.read_network(path)


@pytest.mark.parametrize(
    "text",
    [
        "(declare-network f (declare-input X real [1]) (declare-output X real [1]))",
        "(declare-network f (declare-input X real [1]) (declare-hidden Y real [1] a)"
        " (declare-output Y real [1]))",
        "(declare-network f (declare-input X real [1]) (declare-output Y real [1]))"
        "(declare-network g (declare-input Z real [1]) (declare-output U real [1]))",
    ],
)
def test_vnnlib(tmp_path, text):
    path = tmp_path / "a.vnnlib"
    path.write_text(f"{text}(assert (<= X[0] 1))(assert (>= X[0] 0))")
    with pytest.raises(slth.InvalidInput, match="VNN-LIB"):
        read_boxes(path, 1)
