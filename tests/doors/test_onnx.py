"""ONNX in and out: every operator alone and together, over the operator sets, held against onnx's
reference evaluator; and what is refused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import slth
from slth.doors.onnx import from_onnx, onnx_bytes
from tests.doors.graphs import RNG, evaluated, model_of, restart, weights
from tests.embed.test_embed import IMAGE, MLP

OPSETS = range(7, 22)
restart()


def ints(*values):
    return np.array(values, np.int64)


def dense(name="y", source="x", ins=5, outs=4):
    return ("Gemm", [source, "W", "b"], name, {"transB": 1}), {
        "W": weights(outs, ins),
        "b": weights(outs),
    }


LAYER, TENSORS = dense()
HIDDEN = dense("h")[0]
PLAIN = {"A": weights(5, 4), "b": weights(4)}
CONV = ("Conv", ["x", "K", "k"], "c", {"pads": [1, 1, 1, 1]})
KERNEL = {"K": weights(3, 2, 3, 3), "k": weights(3)}
NORM = {
    "g": weights(3), "s": weights(3), "m": weights(3), "v": np.abs(weights(3)) + np.float32(0.5),
}  # fmt: skip
ROW, IMAGE_IN = ["n", 5], ["n", 2, 6, 5]

# name: nodes, input shape, tensors
ALONE = {
    "Gemm": ([LAYER], ROW, TENSORS),
    "Gemm plain": ([("Gemm", ["x", "A", "b"], "y", {})], ROW, PLAIN),
    "Gemm without bias": ([("Gemm", ["x", "A", "b"], "y", {"beta": 0.0})], ROW,
                          {"A": weights(5, 4), "b": weights(1)}),
    "Gemm alpha beta": ([("Gemm", ["x", "W", "b"], "y", {"transB": 1, "alpha": 0.3, "beta": -0.7})],
                        ROW, TENSORS),
    "Gemm row of biases": ([("Gemm", ["x", "A", "b"], "y", {})], ROW,
                           {"A": weights(5, 4), "b": weights(1, 4)}),
    "MatMul": ([("MatMul", ["x", "A"], "y", {})], ROW, {"A": weights(5, 4)}),
    "MatMul left": ([("MatMul", ["A", "x"], "y", {})], [5], {"A": weights(4, 5)}),
    "MatMul left column": ([("MatMul", ["A", "x"], "y", {})], [5, 1], {"A": weights(4, 5)}),
    "MatMul left batch": ([("MatMul", ["A", "x"], "y", {})], [1, 5, 1], {"A": weights(4, 5)}),
    "MatMul vector": ([("MatMul", ["x", "a"], "y", {})], ROW, {"a": weights(5)}),
    "MatMul vector left": ([("MatMul", ["a", "x"], "y", {})], [5], {"a": weights(5)}),
    "MatMul deep": ([("MatMul", ["x", "A"], "y", {})], [1, 1, 1, 5], {"A": weights(5, 4)}),
    "Add": ([("Add", ["x", "b"], "y", {})], ROW, {"b": weights(5)}),
    "Add left one": ([("Add", ["b", "x"], "y", {})], ROW, {"b": weights(1)}),
    "Sub": ([("Sub", ["x", "b"], "y", {})], ROW, {"b": weights(1, 5)}),
    "Sub left": ([("Sub", ["b", "x"], "y", {})], ROW, {"b": weights(5)}),
    "Mul": ([("Mul", ["x", "b"], "y", {})], ROW, {"b": weights(5)}),
    "Div": ([("Div", ["x", "b"], "y", {})], ROW, {"b": weights(5)}),
    "Relu": ([("Relu", ["x"], "h", {}), dense("y", "h")[0]], ROW, TENSORS),
    "LeakyRelu": ([HIDDEN, ("LeakyRelu", ["h"], "y", {"alpha": 0.2})], ROW, TENSORS),
    "LeakyRelu plain": ([HIDDEN, ("LeakyRelu", ["h"], "y", {})], ROW, TENSORS),
    "PRelu": ([HIDDEN, ("PRelu", ["h", "a"], "y", {})], ROW, {**TENSORS, "a": np.float32([0.25])}),
    "Conv": ([("Conv", ["x", "K"], "y", {})], IMAGE_IN, {"K": weights(3, 2, 3, 3)}),
    "Conv strides and pads": ([("Conv", ["x", "K", "k"], "y",
                                {"strides": [2, 1], "pads": [1, 0, 2, 1]})], IMAGE_IN, KERNEL),
    "Conv groups": ([("Conv", ["x", "K"], "y", {"group": 2})], IMAGE_IN,
                    {"K": weights(4, 1, 2, 3)}),
    "Conv dilations": ([("Conv", ["x", "K"], "y", {"dilations": [2, 1]})], IMAGE_IN,
                       {"K": weights(3, 2, 3, 2)}),
    "Conv same upper": ([("Conv", ["x", "K"], "y", {"auto_pad": "SAME_UPPER", "strides": [2, 2]})],
                        IMAGE_IN, {"K": weights(3, 2, 4, 3)}),
    "Conv same lower": ([("Conv", ["x", "K"], "y", {"auto_pad": "SAME_LOWER"})],
                        IMAGE_IN, {"K": weights(3, 2, 2, 4)}),
    "AveragePool": ([("AveragePool", ["x"], "y", {"kernel_shape": [2, 3]})], IMAGE_IN, {}),
    "AveragePool pads": ([("AveragePool", ["x"], "y", {"kernel_shape": [3, 3], "strides": [2, 2],
                                                       "pads": [1, 1, 1, 1]})], IMAGE_IN, {}),
    "AveragePool counts": ([("AveragePool", ["x"], "y", {
        "kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1})], IMAGE_IN, {}),
    "GlobalAveragePool": ([("GlobalAveragePool", ["x"], "y", {})], IMAGE_IN, {}),
    "BatchNormalization": ([CONV, ("BatchNormalization", ["c", "g", "s", "m", "v"], "y",
                                   {"epsilon": 1e-3})], IMAGE_IN, {**KERNEL, **NORM}),
    "BatchNormalization first": ([("BatchNormalization", ["x", "g", "s", "m", "v"], "y", {})],
                                 ["n", 3, 2, 2], NORM),
    "BatchNormalization rows": ([("BatchNormalization", ["x", "g", "s", "m", "v"], "y", {})],
                                ["n", 3], NORM),
    "Flatten": ([CONV, ("Flatten", ["c"], "y", {})], IMAGE_IN, KERNEL),
    "Flatten axis": ([("Flatten", ["x"], "h", {"axis": 3}), dense("y", "h")[0]],
                     [1, 1, 1, 5], TENSORS),
    "Reshape": ([CONV, ("Reshape", ["c", "to"], "y", {})], IMAGE_IN, {**KERNEL, "to": ints(0, -1)}),
    "Reshape to an image": ([("Reshape", ["x", "to"], "h", {}), ("Conv", ["h", "K"], "y", {})],
                            ["n", 60], {"K": weights(3, 2, 3, 3), "to": ints(-1, 2, 6, 5)}),
    "Transpose of weights": ([("Transpose", ["W"], "T", {"perm": [1, 0]}),
                              ("MatMul", ["x", "T"], "y", {})], ROW, {"W": weights(4, 5)}),
    "Transpose of ones": ([("Transpose", ["x"], "h", {"perm": [0, 2, 3, 1]}),
                           ("MatMul", ["h", "A"], "y", {})], ["n", 5, 1, 1], {"A": weights(5, 4)}),
    "Identity": ([("Identity", ["x"], "h", {}), dense("y", "h")[0]], ROW, TENSORS),
    "Identity of weights": ([("Identity", ["W"], "V", {}),
                             ("Gemm", ["x", "V"], "y", {"transB": 1})],
                            ROW, {"W": weights(4, 5)}),
    "Dropout": ([("Dropout", ["x"], "h", {}), dense("y", "h")[0]], ROW, TENSORS),
    "residual": ([dense("h", "x", 5, 5)[0], ("Relu", ["h"], "r", {}), ("Add", ["x", "r"], "y", {})],
                 ROW, dense("h", "x", 5, 5)[1]),
    "residual image": ([("Conv", ["x", "K"], "c", {"pads": [1, 1, 1, 1]}), ("Relu", ["c"], "r", {}),
                        ("Add", ["r", "x"], "s", {}), ("Flatten", ["s"], "y", {})],
                       IMAGE_IN, {"K": weights(2, 2, 3, 3)}),
    "twice": ([dense("h")[0], ("Add", ["h", "h"], "y", {})], ROW, TENSORS),
    "last Softmax": ([dense("h")[0], ("Softmax", ["h"], "y", {})], ROW, TENSORS),
    "last Sigmoid": ([dense("h")[0], ("Sigmoid", ["h"], "y", {})], ROW, TENSORS),
    "last Relu": ([dense("h")[0], ("Relu", ["h"], "y", {})], ROW, TENSORS),
}  # fmt: skip


def held_against_the_evaluator(model):
    network = from_onnx(model)
    points = RNG.uniform(-1.0, 1.0, (5, network.d)).astype(np.float32).astype(np.float64)
    values = evaluated(model, points)
    accuracy = 2e-5 * max(1.0, np.abs(values).max())
    np.testing.assert_allclose(network(points), values, atol=accuracy, rtol=0)
    return network


@pytest.mark.parametrize(("nodes", "shape", "tensors"), ALONE.values(), ids=ALONE)
def test_every_operator_alone_in_every_set(nodes, shape, tensors):
    for opset in OPSETS:
        held_against_the_evaluator(model_of(nodes, shape, tensors, opset))


def test_squeeze_and_unsqueeze_take_their_axes_from_where_the_set_has_them():
    for opset in OPSETS:
        later = opset >= 13
        tensors = {"A": weights(5, 4), "two": ints(1), "last": ints(-1)}
        nodes = [
            ("Unsqueeze", ["x", "two"] if later else ["x"], "h", {} if later else {"axes": [1]}),
            ("MatMul", ["h", "A"], "g", {}),
            ("Squeeze", ["g", "two"] if later else ["g"], "s", {} if later else {"axes": [1]}),
            ("Relu", ["s"], "y", {}),
        ]
        held_against_the_evaluator(model_of(nodes, ROW, tensors, opset))
        held_against_the_evaluator(
            model_of([("Squeeze", ["x"], "h", {}), ("MatMul", ["h", "A"], "y", {})],
                     [1, 1, 5], tensors, opset)
        )  # fmt: skip


def test_a_whole_convolutional_network():
    nodes = [
        ("Sub", ["x", "mean"], "x0", {}),
        ("Div", ["x0", "std"], "x1", {}),
        ("Conv", ["x1", "K", "k"], "c", {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", ["c", "g", "s", "m", "v"], "n", {}),
        ("Relu", ["n"], "r", {}),
        ("Conv", ["r", "L"], "d", {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", ["d", "g", "s", "m", "v"], "e", {}),
        ("Add", ["e", "r"], "f", {}),
        ("LeakyRelu", ["f"], "l", {"alpha": 0.1}),
        ("AveragePool", ["l"], "p", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("GlobalAveragePool", ["p"], "q", {}),
        ("Flatten", ["q"], "t", {}),
        ("Gemm", ["t", "W", "b"], "z", {"transB": 1}),
        ("Mul", ["z", "two"], "w", {}),
        ("Softmax", ["w"], "y", {}),
    ]
    tensors = {
        "mean": weights(2, 1, 1), "std": np.abs(weights(2, 1, 1)) + np.float32(0.3), **KERNEL,
        **NORM, "L": weights(3, 3, 3, 3), "W": weights(4, 3), "b": weights(4),
        "two": np.float32(2.0),
    }  # fmt: skip
    for opset in OPSETS:
        network = held_against_the_evaluator(model_of(nodes, IMAGE_IN, tensors, opset))
        assert network.last == "softmax"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_are_exact(dtype):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    tensors = {"W": weights(4, 5, dtype=dtype), "b": weights(4, dtype=dtype)}
    network = from_onnx(model_of([dense()[0]], ROW, tensors, elem=kind))
    (layer,) = network.items
    assert (layer.weight == tensors["W"].astype(np.float64)).all()
    assert (layer.bias == tensors["b"].astype(np.float64)).all()
    assert layer.weight_rounding is None
    assert layer.bias_rounding is None


def test_bfloat16_weights_are_exact():
    bits = np.array([0x3F80, 0x4049, 0xBEAA, 0x0001, 0x3C00], np.uint16)
    tensor = helper.make_tensor("W", TensorProto.BFLOAT16, [1, 5], bits.tobytes(), raw=True)
    model = model_of([("Gemm", ["x", "W"], "y", {"transB": 1})], ROW, elem=TensorProto.BFLOAT16)
    model.graph.initializer.append(tensor)
    wide = (bits.astype(np.uint32) << 16).view(np.float32)
    (layer,) = from_onnx(model).items
    assert (layer.weight[0] == wide).all()


def test_constants_from_nodes_are_read_as_initializers_are():
    tensors = {"W": weights(4, 5), "b": weights(4)}
    nodes = [
        ("Constant", [], "W", {"value": numpy_helper.from_array(tensors["W"])}),
        ("Constant", [], "b", {"value_floats": tensors["b"].tolist()}),
        dense()[0],
    ]
    one = from_onnx(model_of(nodes, ROW))
    assert one == from_onnx(model_of([dense()[0]], ROW, tensors))
    # A cast of constants is what the model says it is: rounded.
    cast = [("Cast", ["W"], "V", {"to": TensorProto.FLOAT}), ("MatMul", ["x", "V"], "y", {})]
    wide = weights(5, 4, dtype=np.float64)
    (layer,) = from_onnx(model_of(cast, ROW, {"W": wide})).items
    assert (wide.astype(np.float32) == layer.weight.T).all()


def test_an_initializer_may_stand_among_the_inputs():
    model = model_of([dense()[0]], ROW, TENSORS)
    model.graph.input.insert(0, helper.make_tensor_value_info("W", TensorProto.FLOAT, [4, 5]))
    assert from_onnx(model) == from_onnx(model_of([dense()[0]], ROW, TENSORS))


def edited(**changes):
    model = model_of([dense()[0]], ROW, TENSORS)
    for name, change in changes.items():
        change(getattr(model, name))
    return model


def of(*nodes, shape=ROW, tensors=TENSORS, **options):
    return lambda: model_of(list(nodes), shape, tensors, **options)


IMAGES = {"K": weights(2, 2, 1, 1), "to": ints(1, 2, 5, 6)}
REFUSED = {
    "unknown operator": (of(dense("h")[0], ("Tanh", ["h"], "y", {})), r"Tanh \(node 'node1'\)"),
    "MaxPool": (of(("MaxPool", ["x"], "y", {"kernel_shape": [2, 2]}), shape=IMAGE_IN), "MaxPool"),
    "int weights": (of(("MatMul", ["x", "W"], "y", {}), tensors={"W": np.eye(5, dtype=np.int32)}),
                    "floating-point weights"),
    "int input": (of(("Relu", ["x"], "y", {}), elem=TensorProto.INT64), "no float"),
    "softmax inside": (of(("Softmax", ["x"], "h", {}), dense("y", "h")[0]), "after a softmax"),
    "softmax over channels": (of(("Softmax", ["x"], "y", {"axis": 1}), shape=IMAGE_IN, opset=13),
                              "all outputs"),
    "product of layers": (of(dense("h")[0], ("Mul", ["h", "h"], "y", {})), "product of two"),
    "division by a layer": (of(("Div", ["one", "x"], "y", {}), tensors={"one": np.float32([1.0])}),
                            "division by a layer"),
    "division by 0": (of(("Div", ["x", "c"], "y", {}), tensors={"c": np.zeros(5, np.float32)}),
                      "division by 0"),
    "difference of layers": (of(dense("h")[0], ("Sub", ["h", "h"], "y", {})), "difference of two"),
    "two branches": (of(dense("h")[0], dense("g")[0], ("Add", ["h", "g"], "y", {})),
                     "both compute"),
    "a sum that spreads": (of(("Add", ["x", "b"], "y", {}), shape=[5],
                              tensors={"b": weights(5, 1)}), "for a value of shape"),
    "training Dropout": (of(("Dropout", ["x", "r", "t"], "y", {}), opset=13,
                            tensors={"r": np.float32(0.5), "t": np.array(True)}), "training"),
    "opset 6": (of(dense()[0], opset=6), "operator set 6"),
    "no opset": (lambda: edited(opset_import=lambda sets: sets.pop()), "operator set 0"),
    "other domain": (lambda: edited(graph=lambda g: setattr(g.node[0], "domain", "own")), "own"),
    "two inputs": (lambda: edited(graph=lambda g: g.input.append(g.output[0])), "2 inputs"),
    "unknown size": (of(dense()[0], shape=["n", "m"]), "which is not known"),
    "missing weights": (of(dense()[0], tensors={}), "depends on the input"),
    "two values of one name": (of(("Relu", ["x"], "W", {}), dense("y", "W")[0]), "two values"),
    "nothing at the output": (lambda: model_of([dense()[0]], ROW, TENSORS, output="z"), "no layer"),
    "NaN": (of(("Add", ["x", "b"], "y", {}), tensors={"b": np.float32([np.nan] * 5)}), "finite"),
    "a stride of 0": (of(("Conv", ["x", "K"], "y", {"auto_pad": "SAME_UPPER", "strides": [0, 1]}),
                         shape=IMAGE_IN, tensors={"K": weights(3, 2, 2, 2)}), "ZeroDivision"),
    "a shape that wraps round": (of(("Reshape", ["x", "to"], "y", {}), tensors={
        "to": ints(2**32, 2**32, 5)}), "as many entries"),
    "NaN alpha": (of(("Gemm", ["x", "W", "b"], "y", {"transB": 1, "alpha": np.nan})), "finite"),
    "convolution behind a reshape": (
        of(("Conv", ["x", "K"], "c", {}), ("Reshape", ["c", "to"], "h", {}),
           ("Conv", ["h", "K"], "y", {}), shape=IMAGE_IN, tensors=IMAGES), "reshaped"),
    "a transposed image": (of(("Transpose", ["x"], "y", {"perm": [0, 1, 3, 2]}), shape=IMAGE_IN),
                           "perm"),
    "rows of no batch": (of(("BatchNormalization", ["x", "g", "s", "m", "v"], "y", {}),
                            shape=[3, 4], tensors=NORM), "statistics"),
    "pool of no batch": (of(("GlobalAveragePool", ["x"], "y", {}), shape=[3, 4, 5]), "image"),
    "groups that do not divide": (of(("Conv", ["x", "K"], "y", {"group": 2}), shape=IMAGE_IN,
                                     tensors={"K": weights(3, 1, 1, 1)}), "groups"),
    "a monstrous dilation": (of(("Conv", ["x", "K"], "y", {"dilations": [10**6, 10**6]}),
                                shape=IMAGE_IN, tensors=KERNEL), "kernel of"),
    "slopes that differ": (of(("PRelu", ["x", "a"], "y", {}), tensors={"a": weights(5)}), "slopes"),
    "slope above 1": (of(("LeakyRelu", ["x"], "y", {"alpha": 2.0})), "slope"),
    "per-place statistics": (
        of(("BatchNormalization", ["x", "g", "s", "m", "v"], "y", {"spatial": 0}), opset=7,
           shape=["n", 3], tensors=NORM), "each place"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_counterpart_is_refused_with_its_reason(make, reason):
    with pytest.raises(slth.InvalidInput, match=reason):
        from_onnx(make())


def test_a_tensor_that_nothing_uses_is_refused():
    model = model_of([dense()[0]], ROW, TENSORS)
    model.graph.initializer.append(numpy_helper.from_array(weights(2), "scale"))
    with pytest.raises(slth.InvalidInput, match="'scale', which no operator uses"):
        from_onnx(model)


def saved_beside(tmp_path, name="weights.bin"):
    model = model_of([dense()[0]], ROW, TENSORS)
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location=name,
              size_threshold=0)  # fmt: skip
    return tmp_path / "net.onnx"


def test_external_data_beside_the_file(tmp_path):
    path = saved_beside(tmp_path)
    assert (tmp_path / "weights.bin").stat().st_size > 0
    assert slth.read_network(path) == from_onnx(model_of([dense()[0]], ROW, TENSORS))


@pytest.mark.parametrize("place", ["../secret.bin", "/etc/passwd", "", "sub/../w.bin", "link.bin"])
def test_external_data_elsewhere_is_refused(tmp_path, place):
    (tmp_path / "here").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    (tmp_path / "here" / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = saved_beside(tmp_path / "here")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    path.write_bytes(model.SerializeToString())
    with pytest.raises(slth.InvalidInput, match="external data"):
        slth.read_network(path)


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(slth.InvalidInput, match="no such file"):
        slth.read_network(tmp_path / "none.onnx")
    path = tmp_path / "net.onnx"
    data = model_of([dense()[0]], ROW, TENSORS).SerializeToString()
    for part in (b"", b"ONNX", data[: len(data) // 2]):
        path.write_bytes(part)
        with pytest.raises(slth.InvalidInput):
            slth.read_network(path)


SHORT = slth.DeepNetwork([slth.Dense(weights(3, 4), weights(3)), slth.Dense(weights(2, 3))])
WRITTEN = {
    "mlp": MLP,
    "residual image": IMAGE,
    "leaky, softmax": slth.DeepNetwork(
        [SHORT.items[0], slth.LeakyRelu(0.3), SHORT.items[1]], "softmax"
    ),
    "no activation, sigmoid": slth.DeepNetwork(
        [SHORT.items[0], slth.Identity(), SHORT.items[1]], "sigmoid"
    ),
    "float32, relu": slth.DeepNetwork(SHORT.items, "relu"),
    "pools": slth.DeepNetwork(
        [slth.Conv(weights(2, 1, 2, 2), None, (2, 1), (1, 0, 0, 1)), slth.Relu(),
         slth.AveragePool(2, 1, 1, False), slth.AveragePool()],
        input_shape=(1, 5, 4),
    ),
    "much padding": slth.DeepNetwork(
        [slth.AveragePool(2, 1, (2, 0, 1, 1)), slth.Conv(weights(2, 1, 2, 2))],
        input_shape=(1, 3, 4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("network", WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_is_read_again_and_evaluates_the_same(network, tmp_path):
    path = tmp_path / "net.onnx"
    slth.write_network(network, path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    again = slth.DeepNetwork.of(slth.read_network(path))
    for (one, _), (other, _) in zip(again.affine(), network.affine(), strict=True):
        assert (one.weight == other.weight).all()
        assert (slth.layers.bias_of(one) == slth.layers.bias_of(other)).all()
    assert again.last == network.last
    points = RNG.uniform(-1.0, 1.0, (5, network.d)).astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(again(points), network(points), atol=1e-13)
    np.testing.assert_allclose(evaluated(model, points), network(points), atol=2e-5)


def test_float32_where_it_holds_every_weight():
    def kind(network):
        model = onnx.load_from_string(onnx_bytes(slth.DeepNetwork.of(network)))
        return {tensor.data_type for tensor in model.graph.initializer}

    assert kind(SHORT) == {TensorProto.FLOAT}
    assert kind(slth.random_network(2, 3, 0)) == {TensorProto.DOUBLE}


def test_folded_weights_are_not_written():
    folded = from_onnx(
        model_of([("BatchNormalization", ["x", "g", "s", "m", "v"], "y", {})], ["n", 3], NORM)
    )
    with pytest.raises(slth.InvalidInput, match="rounding"):
        onnx_bytes(folded)
