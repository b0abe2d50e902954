"""Modules, states and files that look like one network and are another, or ask for too much."""

import zipfile

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import slth
from slth.doors.onnx import from_onnx
from tests.doors.graphs import model_of, restart, weights

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
import safetensors.torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations  # noqa: E402

functional = nn.functional
restart()
# Within the unit cube these biases decide every ReLU: a module that differs elsewhere is not told
# apart by its values there.
FAR = 100.0


class Two(nn.Module):
    """Two square layers with far biases; what is done with them is in a subclass."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        with torch.no_grad():
            self.a.bias += FAR
            self.b.bias -= FAR


class ReluThenRead(Two):
    def forward(self, x):
        h = self.a(x)
        return h + torch.relu_(h)


class SumThenRead(Two):
    def forward(self, x):
        h = self.a(x)
        skip = h
        h += torch.relu(self.b(h))
        return h + skip


class ViewBefore(Two):
    def forward(self, x):
        h = self.a(x)
        seen = h.view(-1, 4)
        functional.relu(h, inplace=True)
        return seen


class MethodThenRead(Two):
    def forward(self, x):
        h = self.a(x)
        h.mul_(torch.tensor(2.0)) if False else h.relu_()
        return self.b(h)


class ModuleThenRead(Two):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        h = self.a(x)
        flat = torch.flatten(h, 1)
        self.act(flat)
        return self.b(h)


class SubtractThenRead(Two):
    def forward(self, x):
        h = self.a(x)
        kept = h
        kept -= 1.0
        return h


class WrittenInto(Two):
    def forward(self, x):
        h = self.a(x)
        g = torch.add(h, 1.0, out=h)
        return g + h


class AsksForTensors(Two):
    def forward(self, x):
        h = self.a(x)
        return h.clamp(-500.0, 500.0) if isinstance(x, torch.Tensor) else h


class LargeOnly(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.a.forward = lambda x: nn.Linear.forward(self.a, x).clamp(-500.0, 500.0)

    def forward(self, x):
        return self.a(x)


IN_PLACE = [ReluThenRead, SumThenRead, ViewBefore, MethodThenRead, ModuleThenRead, SubtractThenRead]


@pytest.mark.parametrize("kind", IN_PLACE)
def test_values_changed_in_place_and_read_again_are_refused(kind):
    torch.manual_seed(0)
    with pytest.raises(slth.InvalidInput, match="changed in place"):
        slth.as_network(kind())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(WrittenInto, "argument out"), (AsksForTensors, "clamp"), (LargeOnly, "forward of its own")],
)
def test_what_values_near_0_do_not_show_is_refused(kind, reason):
    torch.manual_seed(0)
    with pytest.raises(slth.InvalidInput, match=reason):
        slth.as_network(kind())


class ResNet(nn.Module):
    """In place as usual: nothing is read again."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.act = nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU(inplace=True)

    def forward(self, x):
        h = self.b(self.act(self.a(x)))
        h += x
        h *= 2.0
        h -= 0.5
        h /= 4.0
        return functional.leaky_relu_(h, 0.25)


class OwnMask(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4))
        self.register_buffer("mask", (torch.rand(3, 4) > 0.5).float())
        self.register_buffer("shift", torch.randn(3))

    def forward(self, x):
        return functional.linear(x, (self.weight * self.mask).abs(), -self.shift * 0.25)


@pytest.mark.parametrize("kind", [ResNet, OwnMask])
def test_their_harmless_relatives_are_read(kind):
    torch.manual_seed(0)
    module = kind()
    x = 1000.0 * torch.randn(50, 4)
    network = slth.DeepNetwork.of(slth.as_network(module))
    with torch.no_grad():
        np.testing.assert_allclose(network(x.double().numpy()), module(x), rtol=1e-4, atol=1e-3)
    if kind is OwnMask:
        worked_out = (module.weight * module.mask).abs().detach().double().numpy()
        assert (network.items[0].weight == worked_out).all()


def test_a_parametrization_that_moves_at_every_call_is_refused_in_training():
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    parametrizations.spectral_norm(module[0])
    with pytest.raises(slth.InvalidInput, match="changes at every call"):
        slth.as_network(module)
    assert slth.as_network(module.eval()).d == 4


def test_integers_that_no_float_holds(tmp_path):
    class Shifted(nn.Module):
        def __init__(self, shift):
            super().__init__()
            self.register_buffer("shift", torch.tensor([shift, 0]))
            self.a = nn.Linear(2, 1).double()

        def forward(self, x):
            return self.a(x - self.shift)

    assert slth.as_network(Shifted(2**53)).d == 2
    with pytest.raises(slth.InvalidInput, match="cannot hold"):
        slth.as_network(Shifted(2**53 + 1))
    for value, fits in ((2**60, True), (2**60 + 1, False)):
        torch.save({"0.weight": torch.tensor([[value, 2]])}, tmp_path / "s.pt")
        if fits:
            assert slth.read_network(tmp_path / "s.pt", layers="2,1").items[0].weight[0, 0] == value
        else:
            with pytest.raises(slth.InvalidInput, match="cannot hold"):
                slth.read_network(tmp_path / "s.pt", layers="2,1")


class Coder(nn.Module):
    """All layers are square, and sorted by the numbers in their names they are another network."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        self.decoder = nn.Sequential(nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class LastFirst(nn.Module):
    """Registered in another order than used."""

    def __init__(self, outputs=4):
        super().__init__()
        self.last, self.first = nn.Linear(4, outputs), nn.Linear(4, 4)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
@pytest.mark.parametrize("kind", [Coder, LastFirst])
def test_square_layers_are_not_put_in_an_order_that_is_only_guessed(tmp_path, kind, ending):
    torch.manual_seed(0)
    module, path = kind(), tmp_path / f"s.{ending}"
    save = torch.save if ending == "pt" else safetensors.torch.save_file
    save(module.state_dict(), path)
    count = len(module.state_dict()) // 2
    like = slth.DeepNetwork([slth.Dense(np.zeros((4, 4)), np.zeros(4))] * count)
    for stated in ({"layers": ",".join(["4", "relu", *"4" * count])}, {"like": like}):
        with pytest.raises(slth.InvalidInput, match="no stated order"):
            slth.read_network(path, **stated)
    assert slth.read_network(path, like=kind()) == slth.as_network(module)


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_layers_of_different_shapes_need_no_order(tmp_path, ending):
    torch.manual_seed(0)
    module, path = LastFirst(3), tmp_path / f"s.{ending}"
    save = torch.save if ending == "pt" else safetensors.torch.save_file
    save(module.state_dict(), path)
    like = slth.DeepNetwork([slth.Dense(np.zeros((n, 4)), np.zeros(n)) for n in (4, 3)])
    for stated in ({"layers": "4,relu,4,3"}, {"like": like}):
        assert slth.read_network(path, **stated) == slth.as_network(module)
    for bare in (None, np.zeros(4)):
        layers = [slth.Dense(np.zeros((4, 4)), bare), slth.Dense(np.zeros((3, 4)))]
        with pytest.raises(slth.InvalidInput, match="bias"):
            slth.read_network(path, like=slth.DeepNetwork(layers))


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_numbered_square_layers_come_in_the_order_of_their_numbers(tmp_path, ending):
    torch.manual_seed(0)
    module = nn.Sequential(*[nn.Linear(4, 4) for _ in range(12)])
    path = tmp_path / f"s.{ending}"
    save = torch.save if ending == "pt" else safetensors.torch.save_file
    save(module.state_dict(), path)
    read = slth.read_network(path, layers=",none,".join("4" * 13).replace("4,none,", "4,", 1))
    assert read == slth.as_network(module)


def test_a_module_without_numbers_states_an_architecture(tmp_path):
    torch.manual_seed(0)
    module = Coder()
    torch.save(module.state_dict(), tmp_path / "s.pt")
    with torch.device("meta"):
        empty = Coder()
    assert slth.read_network(tmp_path / "s.pt", like=empty) == slth.as_network(module)


def test_checkpoints_with_several_states_are_refused(tmp_path):
    state = {"0.weight": torch.ones(2, 2)}
    for kept in (
        {"model": {**state, "extra": None}, "ema": state},
        {"model": state, "ema": state},
        {**state, "ema": state},
        {"model": {**state, 3: torch.ones(1)}},
        [state],
        {},
    ):
        torch.save(kept, tmp_path / "s.pt")
        with pytest.raises(slth.InvalidInput, match="torch file not usable"):
            slth.read_network(tmp_path / "s.pt", layers="2,2")


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_tensors_that_are_larger_than_their_files(tmp_path, monkeypatch):
    path = tmp_path / "s.pt"
    torch.save({"0.weight": torch.zeros(1).expand(10**6, 10**6)}, path)
    assert path.stat().st_size < 10_000
    for stated in ({"layers": "2,2"}, {"like": nn.Linear(2, 2)}):
        with pytest.raises(slth.InvalidInput, match="more than"):
            slth.read_network(path, **stated)
    monkeypatch.setattr("slth.doors.torch.state._MOST_BYTES", 1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(1 << 21))
    assert path.stat().st_size < 1 << 13
    with pytest.raises(slth.InvalidInput, match="more than"):
        slth.read_network(path, layers="2,2")
    torch.save({"0.weight": torch.eye(3).to_sparse_csr()}, path)
    with pytest.raises(slth.InvalidInput, match="sparse"):
        slth.read_network(path, layers="3,3")


def test_what_is_no_file(tmp_path):
    for ending in ("onnx", "npz", "nnet", "safetensors", "pt"):
        path = tmp_path / f"x.{ending}"
        path.symlink_to("/dev/zero")
        with pytest.raises(slth.InvalidInput, match="not a file"):
            slth.read_network(path)


def chain_of(count, node, last):
    """`count` nodes in a row behind the input."""
    return [
        (*node(f"h{k}" if k else "x", k), f"h{k + 1}" if k < count - 1 else last, {})
        for k in range(count)
    ]


BOMBS = {
    "diagonal matrices": (
        [part for k in range(40) for part in (
            ("Mul", [f"r{k}" if k else "x", "v"], f"m{k}", {}),
            ("Relu", [f"m{k}"], f"r{k + 1}" if k < 39 else "y", {}))],
        ["n", 2048], {"v": weights(2048)},
    ),
    "copies of constants": (
        [*chain_of(300, lambda _, k: ("Identity", ["W"]), "h300"),
         ("MatMul", ["x", "W"], "y", {})],
        ["n", 1000], {"W": weights(1000, 1000)},
    ),
    "large images": (
        [("Reshape", ["x", "to"], "h", {}),
         *[("Conv", [f"c{k}" if k else "h", "K"], f"c{k + 1}" if k < 19 else "y",
            {"pads": [1000] * 4}) for k in range(20)]],
        ["n", 4], {"to": np.int64([1, 1, 2, 2]), "K": weights(1, 1, 1, 1)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("nodes", "shape", "tensors"), BOMBS.values(), ids=BOMBS)
def test_small_graphs_that_ask_for_much_are_refused(monkeypatch, nodes, shape, tensors):
    monkeypatch.setattr("slth.doors.onnx.graph._MOST_PRODUCTS", 1 << 24)
    with pytest.raises(slth.InvalidInput, match="products"):
        from_onnx(model_of(nodes, shape, tensors))


def test_long_graphs_are_refused(monkeypatch):
    monkeypatch.setattr("slth.doors.onnx.graph._MOST_NODES", 50)
    nodes = chain_of(51, lambda name, _: ("Relu", [name]), "y")
    with pytest.raises(slth.InvalidInput, match="51 nodes"):
        from_onnx(model_of(nodes, ["n", 2]))


def test_many_tensors_that_are_the_same_bytes_of_another_file(tmp_path, monkeypatch):
    nodes = chain_of(5, lambda name, k: ("MatMul", [name, f"W{k}"]), "y")
    model = model_of(nodes, ["n", 8], {f"W{k}": np.eye(8, dtype=np.float32) for k in range(5)})
    path = tmp_path / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert slth.read_network(path).d == 8
    # Twelve tensors of 256 bytes, all at the same place of a small file.
    model = onnx.load(path, load_external_data=False)
    for k in range(7):
        tensor = model.graph.initializer.add()
        tensor.CopyFrom(model.graph.initializer[0])
        tensor.name = f"more{k}"
    path.write_bytes(model.SerializeToString())
    monkeypatch.setattr("slth.doors.onnx.graph._MOST_BYTES", 3000)
    assert path.stat().st_size < 3000
    with pytest.raises(slth.InvalidInput, match="external data of more"):
        slth.read_network(path)


def test_a_sparse_constant_is_refused():
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.float32([1.0]), "v"),
        numpy_helper.from_array(np.int64([[0, 0]]), "i"),
        [10**6, 10**6],
    )
    nodes = [("Constant", [], "W", {"sparse_value": sparse}), ("MatMul", ["x", "W"], "y", {})]
    with pytest.raises(slth.InvalidInput):
        from_onnx(model_of(nodes, ["n", 10**6]))


X = np.random.default_rng(0).normal(size=(40, 4))


def pipeline(kind=Pipeline):
    model = MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=500, tol=1.0)
    return kind([("scale", StandardScaler()), ("model", model)]).fit(X, X[:, 0])


class Doubled(Pipeline):
    def predict(self, X):
        return 2.0 * super().predict(X)


def test_pipelines_that_are_something_else_are_refused():
    assert slth.as_network(pipeline()).d == 4
    with pytest.raises(slth.InvalidInput, match="not a multilayer perceptron"):
        slth.as_network(pipeline(Doubled))
    changed = pipeline()
    changed.steps[0][1].mean_ = np.zeros(1)
    with pytest.raises(slth.InvalidInput, match="incompatible with the perceptron"):
        slth.as_network(changed)


class Chosen(nn.Module):
    """A symbol where torch looks for a number, which it reads from a tensor's memory."""

    def __init__(self, chosen):
        super().__init__()
        self.chosen = chosen
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.chosen(self.layer(x))


@pytest.mark.parametrize(
    "chosen",
    [
        lambda h: torch.where(h > 0, h, 0.0),
        lambda h: torch.where(h > 0, 0.0, h),
        lambda h: torch.clamp(h, min=h),
        lambda h: torch.pow(2.0, h),
        lambda h: torch.full((3,), h),
        lambda h: torch.add(h, h, alpha=h),
        lambda h: nn.functional.threshold(h, h, 0.0),
        lambda h: torch.ones(3).masked_fill(h > 0, h),
    ],
)
def test_symbols_in_place_of_numbers(chosen):
    with pytest.raises(slth.InvalidInput, match="no counterpart"):
        slth.as_network(Chosen(chosen))


def test_isinstance_is_as_before():
    before = isinstance
    slth.as_network(nn.Linear(4, 3))
    with pytest.raises(slth.InvalidInput):
        slth.as_network(Chosen(lambda h: h.none_such))
    assert isinstance is before


@pytest.mark.filterwarnings("ignore")
def test_quantised_layers_are_named():
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    quantised = torch.ao.quantization.quantize_dynamic(module)
    for shape in (None, (3,)):
        with pytest.raises(slth.InvalidInput, match=r"got torch\.ao\..*quantized.*Linear"):
            slth.as_network(quantised, input_shape=shape)
