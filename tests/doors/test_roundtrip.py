"""Random networks of every kind of item, out through each door and in again: the same function, and
the same weights; and padding, which other libraries write as an operation of its own."""

import contextlib

import numpy as np
import onnx
import pytest

import slth
from slth.layers import output_shape, size_of
from tests.doors.graphs import evaluated, model_of, restart, weights

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
from torch import nn  # noqa: E402

restart()
SLOPES = [0.1, 0.25, float(np.float32(0.01)), 1e-300, 1.0 - 2.0**-53]


class Draw:
    """Random networks; shapes are followed, so that most fit."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def chance(self, part):
        return self.rng.random() < part

    def one_of(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def sizes(self, low, high, count):
        return tuple(int(size) for size in self.rng.integers(low, high, count))

    def numbers(self, *shape):
        values = self.rng.normal(size=shape)
        match self.rng.integers(4):
            case 0:
                return values
            case 1:
                return values.astype(np.float32).astype(np.float64)
            case 2:
                return np.round(4.0 * values) / 4.0
        return values * 10.0 ** self.rng.integers(-30, 30)

    def layer(self, shape):
        bias = self.chance(0.7)
        if len(shape) == 3 and self.chance(0.6):
            outs = int(self.rng.integers(1, 4))
            padding = self.one_of(0, 1, self.sizes(0, 3, 2), self.sizes(0, 3, 4))
            kernel = self.numbers(outs, shape[0], *self.sizes(1, 4, 2))
            shift = self.numbers(outs) if bias else None
            return slth.Conv(kernel, shift, self.sizes(1, 3, 2), padding)
        if len(shape) == 3 and self.chance(0.6):
            return slth.AveragePool(
                self.one_of(None, 2, (1, 2)), self.one_of(None, 1, (2, 1)),
                self.one_of(0, 1, (1, 0), (0, 1, 1, 0)), self.chance(0.5),
            )  # fmt: skip
        outs = int(self.rng.integers(1, 6))
        return slth.Dense(self.numbers(outs, size_of(shape)), self.numbers(outs) if bias else None)

    def same_shape(self, shape):
        if len(shape) == 3 and self.chance(0.7):
            side = self.one_of(1, 3)
            return slth.Conv(self.numbers(shape[0], shape[0], side, side), None, 1, side // 2)
        return slth.Dense(self.numbers(size_of(shape), size_of(shape)))

    def activation(self):
        return self.one_of(slth.Relu(), slth.LeakyRelu(self.one_of(*SLOPES)), slth.Identity())

    def network(self):
        shape = self.sizes(2, 6, 3) if self.chance(0.6) else self.sizes(1, 6, 1)
        begin, items, bare = shape, [], self.chance(0.3)
        for _ in range(self.rng.integers(1, 5)):
            if self.chance(0.3):
                body = [self.same_shape(shape)]
                if isinstance(body[0], slth.Conv) and self.chance(0.5):
                    body += [self.activation(), self.same_shape(shape)]
                items.append(slth.Residual(tuple(body)))
            else:
                items.append(self.layer(shape))
                shape = output_shape(items[-1], shape)
            if not bare and self.chance(0.7):
                items.append(self.activation())
        return slth.DeepNetwork(
            tuple(items), self.one_of(None, "relu", "softmax", "sigmoid"), begin
        )


def drawn(count):
    """That many networks."""
    found, seed = [], 0
    while len(found) < count:
        seed += 1
        # Else a window is larger than the image that was left of it.
        with contextlib.suppress(slth.InvalidInput):
            found.append(Draw(seed).network())
    return found


NETWORKS = drawn(60)


def same(network, other, x):
    """The same function up to what sums in another order round."""
    values = network(x)
    if np.isfinite(values).all():
        size = max(1e-300, float(np.abs(network.logits(x)).max()))
        np.testing.assert_allclose(other, values, rtol=1e-6, atol=1e-9 * size)
    return True


def points(network):
    x = np.random.default_rng(1).uniform(-1.0, 1.0, (4, network.d))
    return x.astype(np.float32).astype(np.float64)


def uncounted(network):
    """Whether a pool of it leaves padding out of the mean."""
    return any(
        isinstance(item, slth.AveragePool) and item.padding and not item.count_padding
        for item in network.items
    )


@pytest.mark.parametrize("ending", ["npz", "safetensors", "onnx"])
def test_files(tmp_path, ending):
    path = tmp_path / f"net.{ending}"
    for network in NETWORKS:
        if ending == "onnx" and uncounted(network):
            # Written where it is what runtimes take; tests of pools say when.
            continue
        slth.write_network(network, path)
        again = slth.DeepNetwork.of(slth.read_network(path))
        x = points(network)
        assert same(network, again(x), x)
        if ending != "onnx":
            assert again == network
        for (one, _), (other, _) in zip(network.affine(), again.affine(), strict=True):
            assert (one.weight == other.weight).all()
            assert (slth.layers.bias_of(one) == slth.layers.bias_of(other)).all()
        if ending == "onnx":
            onnx.checker.check_model(onnx.load(path), full_check=True)


def test_torch_modules():
    for network in NETWORKS:
        if uncounted(network):
            continue
        x = points(network)
        module = slth.doors.to_torch(network)
        with torch.no_grad():
            values = module(torch.from_numpy(x.reshape(len(x), *network.shape))).numpy()
        assert same(network, values, x)
        again = slth.DeepNetwork.of(slth.as_network(module, input_shape=network.shape))
        assert again.last == network.last
        assert same(network, again(x), x)


@pytest.mark.parametrize(
    ("padding", "kernel", "onnx_has_it", "torch_has_it"),
    [
        (1, 2, True, True),
        ((0, 1, 1, 0), 2, True, False),
        ((1, 0, 1, 0), 3, True, True),
        (1, 1, False, False),
        (2, 3, True, False),
    ],
)
def test_padding_that_does_not_count(tmp_path, padding, kernel, onnx_has_it, torch_has_it):
    pool = slth.AveragePool(kernel, 1, padding, False)
    network = slth.DeepNetwork([pool], None, (2, 4, 5))
    x, path = points(network), tmp_path / "a.onnx"
    if onnx_has_it:
        slth.write_network(network, path)
        assert same(network, slth.read_network(path)(x), x)
    else:
        with pytest.raises(slth.InvalidInput, match="not counted in the mean"):
            slth.write_network(network, path)
    if torch_has_it:
        module = slth.doors.to_torch(network)
        assert same(network, slth.as_network(module, input_shape=(2, 4, 5))(x), x)
    else:
        with pytest.raises(slth.InvalidInput, match="not counted in the mean"):
            slth.doors.to_torch(network)


IMAGE = ["n", 2, 4, 3]
KERNEL = {"K": weights(3, 2, 3, 3), "L": weights(4, 60)}


def padded(opset, pads, nodes, **options):
    """A graph that begins with a Pad, as the operator set writes it."""
    if opset < 11:
        first = ("Pad", ["x"], "p", {"pads": pads, **options})
        return model_of([first, *nodes], IMAGE, KERNEL, opset)
    tensors = {**KERNEL, "pads": np.array(pads, np.int64), "v": np.float32(options.pop("value", 0))}
    return model_of([("Pad", ["x", "pads", "v"], "p", options), *nodes], IMAGE, tensors, opset)


AROUND = [0, 0, 1, 2, 0, 0, 0, 1]
BEHIND = {
    "convolution": ([("Conv", ["p", "K"], "y", {"pads": [0, 1, 2, 0]})], (0 + 1, 2 + 1, 2, 1)),
    "counted pool": (
        [("AveragePool", ["p"], "y", {
            "kernel_shape": [3, 2], "pads": [1, 0, 0, 1], "count_include_pad": 1})],
        (1 + 1, 2, 0, 1 + 1),
    ),
    "pool": ([("AveragePool", ["p"], "y", {"kernel_shape": [3, 2]})], (1, 2, 0, 1)),
    "nothing that takes it": ([("Relu", ["p"], "y", {})], None),
    "dense": ([("Flatten", ["p"], "f", {}), ("Gemm", ["f", "L"], "y", {"transB": 1})], None),
}  # fmt: skip


@pytest.mark.parametrize("opset", [7, 10, 11, 13, 18, 21])
@pytest.mark.parametrize(("nodes", "padding"), BEHIND.values(), ids=BEHIND)
def test_padding_of_onnx(opset, nodes, padding):
    model = padded(opset, AROUND, nodes)
    network = slth.DeepNetwork.of(slth.as_network(model))
    x = points(network)
    np.testing.assert_allclose(network(x), evaluated(model, x), atol=1e-5)
    if padding is not None:
        (item,) = network.items
        assert item.padding == padding


@pytest.mark.parametrize(
    ("pads", "options"),
    [
        ([0, 0, -1, 0, 0, 0, 0, 0], {}),
        ([0, 1, 0, 0, 0, 0, 0, 0], {}),
        ([1, 0, 0, 0, 0, 0, 0, 0], {}),
        (AROUND, {"value": 0.5}),
        (AROUND, {"mode": "reflect"}),
        (AROUND, {"mode": "edge"}),
    ],
)
@pytest.mark.parametrize("opset", [10, 13])
def test_other_padding_of_onnx_is_refused(opset, pads, options):
    with pytest.raises(slth.InvalidInput, match="Pad"):
        slth.as_network(padded(opset, pads, [("Relu", ["p"], "y", {})], **options))


def test_padding_of_torch():
    module = nn.Sequential(
        nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(2, 3, 2, padding=1), nn.ReLU(),
        nn.ZeroPad2d((0, 1, 0, 0)), nn.AvgPool2d((2, 3)), nn.ZeroPad2d(1), nn.Flatten(),
    ).double()  # fmt: skip
    network = slth.DeepNetwork.of(slth.as_network(module, input_shape=(2, 4, 3)))
    assert [item.padding for item in network.items if hasattr(item, "padding")] == [
        (3, 2, 2, 1), (0, 0, 0, 1), 1
    ]  # fmt: skip
    x = points(network)
    with torch.no_grad():
        values = module(torch.from_numpy(x.reshape(-1, 2, 4, 3))).numpy()
    np.testing.assert_allclose(network(x), values, atol=1e-14)
    both = nn.Sequential(nn.ZeroPad2d(1), nn.AvgPool2d(2, 1, 1, count_include_pad=False))
    with pytest.raises(slth.InvalidInput, match="padding that counts"):
        slth.as_network(both, input_shape=(2, 4, 3))
    with pytest.raises(slth.InvalidInput, match="cuts off"):
        slth.as_network(nn.Sequential(nn.ZeroPad2d(-1), nn.Conv2d(2, 1, 1)), input_shape=(2, 4, 4))


# Of the older exporter: that it is older, and that it leaves this work to the reader.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Constant folding:UserWarning")
def test_padding_that_torch_exports_as_work_on_constants(tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.ZeroPad2d((0, 1, 2, 1)), nn.Conv2d(2, 3, 3, 2), nn.ReLU())
    path = tmp_path / "m.onnx"
    torch.onnx.export(module, (torch.zeros(1, 2, 6, 5),), path, dynamo=False)
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"Pad", "ConstantOfShape", "Concat", "Slice"} <= kinds
    network = slth.read_network(path)
    assert network == slth.as_network(module, input_shape=(2, 6, 5))


def test_constants_of_any_shape_are_not_made():
    nodes = [("ConstantOfShape", ["s"], "W", {}), ("MatMul", ["x", "W"], "y", {})]
    small, large = np.array([5, 3], np.int64), np.array([2**31, 2**31], np.int64)
    assert slth.as_network(model_of(nodes, ["n", 5], {"s": small})).outputs == 3
    with pytest.raises(slth.InvalidInput, match="products"):
        slth.as_network(model_of(nodes, ["n", 5], {"s": large}))


def test_large_logits_before_a_softmax():
    network = slth.DeepNetwork(
        [slth.Dense(1e7 * np.eye(3) + 0.3), slth.Dense(np.eye(3))], "softmax"
    )
    assert slth.DeepNetwork.of(slth.as_network(slth.doors.to_torch(network))) == network
