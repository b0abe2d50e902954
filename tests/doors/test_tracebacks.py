"""Odd models and files: an error that says what is wrong, and no more work than a file is worth."""

import json

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import slth
from slth.cli import main
from slth.doors.onnx import from_onnx
from slth.doors.vnnlib import read_boxes
from tests.doors.graphs import model_of

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
import safetensors.torch  # noqa: E402
from torch import nn  # noqa: E402

# More digits than Python makes integers of.
DIGITS = "9" * 5000


def test_names_of_many_digits(tmp_path):
    state = {f"{DIGITS}.weight": torch.ones(2, 2)}
    torch.save(state, tmp_path / "a.pt")
    safetensors.torch.save_file(state, tmp_path / "a.safetensors")
    for name in ("a.pt", "a.safetensors"):
        network = slth.DeepNetwork.of(slth.read_network(tmp_path / name, layers="2,2"))
        assert (network(np.eye(2)) == 1.0).all()
    with pytest.raises(slth.InvalidInput, match="layers not understood"):
        slth.read_network(tmp_path / "a.pt", layers=f"2,{DIGITS}")


def test_numbers_in_names_sort_as_numbers(tmp_path):
    rng = np.random.default_rng(0)
    state = {f"{k}.weight": torch.from_numpy(rng.normal(size=(2, 2))) for k in (2, 10, 100)}
    safetensors.torch.save_file(state, tmp_path / "a.safetensors")
    network = slth.read_network(tmp_path / "a.safetensors", layers="2,2,none,2,none,2")
    x = rng.normal(size=(5, 2))
    expected = x @ (state["100.weight"] @ state["10.weight"] @ state["2.weight"]).numpy().T
    assert slth.DeepNetwork.of(network)(x) == pytest.approx(expected)


def fitted(**options):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2))
    return MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", max_iter=200, **options).fit(
        x, np.abs(x[:, 0]) + 1.0
    )


def test_estimators_without_a_counterpart():
    short = fitted()
    short.intercepts_ = short.intercepts_[:1]
    odd = fitted()
    odd.out_activation_ = "exp"
    empty = (Pipeline([]), Pipeline([("none", "passthrough")]))
    for model in (short, odd, *empty):
        with pytest.raises(slth.InvalidInput, match="estimator"):
            slth.as_network(model)


@pytest.mark.parametrize(
    "text",
    [
        "(assert (<= X_0 1e-99999999999999999999))",
        "(declare-network f (declare-input X (a) b))",
    ],
)
def test_vnnlib_that_is_none(tmp_path, text):
    (tmp_path / "a.vnnlib").write_text(text)
    with pytest.raises(slth.InvalidInput, match="VNN-LIB"):
        read_boxes(tmp_path / "a.vnnlib", 1)


def test_alternatives_that_grow_are_refused(tmp_path):
    bounds = " ".join(f"(<= X_{k} 1)" for k in range(5000))
    both = f"(assert (or (and {bounds}) (and {bounds})))"
    path = tmp_path / "a.vnnlib"
    path.write_text(both + "(assert (or (<= X_0 1) (<= X_0 2)))" * 12)
    with pytest.raises(slth.InvalidInput, match="bounds in all alternatives"):
        read_boxes(path, 5)


def test_nested_claims_are_looked_at_once(tmp_path, monkeypatch):
    from slth.doors import vnnlib

    looks = []
    plain = vnnlib._Reader._input
    monkeypatch.setattr(
        vnnlib._Reader, "_input", lambda self, word: looks.append(word) or plain(self, word)
    )
    depth = 200
    path = tmp_path / "a.vnnlib"
    inner = "(and (<= Y_0 1) " * depth + "(and (<= X_0 1) (>= X_0 0))" + ")" * depth
    path.write_text(f"(assert {inner})")
    assert len(read_boxes(path, 1).unused) == depth
    # A few looks at each of the four words of a level.
    assert len(looks) < 20 * depth


@pytest.mark.parametrize("size", [2**20, 2**32, 2**63])
def test_windows_that_wrap_round(tmp_path, size):
    pool = {"kind": "pool", "kernel": size, "stride": 1, "padding": size, "count_padding": True}
    said = {"items": [pool], "input_shape": [1, 2, 2], "last": None}
    np.savez(tmp_path / "a.npz", items=np.array(json.dumps(said)))
    with pytest.raises(slth.InvalidInput):
        slth.read_network(tmp_path / "a.npz")


def test_padding_beyond_memory_is_refused():
    step = 30_000
    options = {"pads": [step] * 4, "strides": [step] * 2}
    node = ("Conv", ["x", "w"], "y", options)
    weight = np.ones((1, 1, 2, 2), np.float32)
    with pytest.raises(slth.InvalidInput, match="padded inputs"):
        from_onnx(model_of([node], [1, 1, 2, 2], {"w": weight}))


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 6)

    def forward(self, x):
        return nn.functional.linear(x, self.a.weight[:3])


def test_parts_of_weights():
    module = Rows()
    read = slth.DeepNetwork.of(slth.as_network(module))
    assert (read.items[0].weight == module.a.weight[:3].detach().double().numpy()).all()


EMPTY = slth.DeepNetwork(
    (slth.Dense(np.zeros((0, 3))), slth.Dense(np.zeros((2, 0)), np.array([1.0, 2.0])))
)


def test_networks_without_units_leave_and_come_back(tmp_path):
    x = np.ones((4, 3))
    for name in ("a.onnx", "a.npz", "a.safetensors"):
        slth.write_network(EMPTY, tmp_path / name)
        assert (slth.DeepNetwork.of(slth.read_network(tmp_path / name))(x) == [1.0, 2.0]).all()
    module = slth.doors.to_torch(EMPTY, torch.float32)
    assert (module(torch.ones(4, 3)).detach().numpy() == [1.0, 2.0]).all()


@pytest.mark.parametrize("dtype", [torch.int32, torch.complex64, "float32", np.float32])
def test_types_that_are_none_of_torch(dtype):
    with pytest.raises(slth.InvalidInput, match="type of a torch"):
        slth.doors.to_torch(EMPTY, dtype)


@pytest.mark.parametrize("ending", [".npz", ".onnx", ".safetensors", ".nnet", ".pt"])
@pytest.mark.parametrize("stem", ["x" * 300, "x" * 5000, "a\0b"])
def test_names_that_no_file_can_have(tmp_path, stem, ending):
    path = tmp_path / f"{stem}{ending}"
    stated = {"layers": "2,relu,3,1"} if ending == ".pt" else {}
    with pytest.raises(slth.InvalidInput, match="not usable"):
        slth.read_network(path, **stated)
    if ending in (".npz", ".onnx", ".safetensors"):
        with pytest.raises(slth.InvalidInput, match="cannot be written"):
            slth.write_network(slth.neuron([1.0, 0.0]), path)


def test_commands_with_names_that_no_file_can_have(tmp_path, capsys):
    net, long = tmp_path / "a.npz", tmp_path / f"{'x' * 300}.onnx"
    slth.write_network(slth.neuron([1.0, 0.0]), net)
    for words in (
        ["certify", long, net],
        ["certify", net, long],
        ["prune", "neurons", "--net", long],
        ["prune", "neurons", "--target", long],
        ["prune", "neurons", "--net", net, "--out", long],
        ["compress", net, "--ball", 1, "--eps", 1, "-o", long],
        ["embed", net, "--eps", 1, "-o", long],
    ):
        with pytest.raises(SystemExit, match="2"):
            main([str(word) for word in words])
        said = capsys.readouterr().err
        assert "File name too long" in said or "no such file" in said


@pytest.mark.parametrize("shape", [4, 4.0, (4.0,), "4", b"4", (True,), (0,), ("4",), ((4,),)])
def test_input_shapes_that_are_none(shape):
    with pytest.raises(slth.InvalidInput, match="input_shape"):
        slth.as_network(nn.Linear(4, 3), input_shape=shape)


def damaged(change):
    model = Pipeline([("scaler", StandardScaler()), ("mlp", MLPRegressor(max_iter=1))])
    rng = np.random.default_rng(0)
    with pytest.warns(ConvergenceWarning):
        model.fit(rng.normal(size=(20, 2)), rng.normal(size=20))
    change(*model)
    return model


@pytest.mark.parametrize(
    "change",
    [
        lambda scaler, mlp: delattr(scaler, "mean_"),
        lambda scaler, mlp: setattr(scaler, "n_features_in_", 7),
        lambda scaler, mlp: setattr(mlp, "n_features_in_", 7),
        lambda scaler, mlp: setattr(mlp, "coefs_", 3),
        lambda scaler, mlp: setattr(mlp, "n_layers_", None),
        lambda scaler, mlp: delattr(mlp, "out_activation_"),
    ],
)
def test_estimators_that_lost_a_part(change):
    with pytest.raises(slth.InvalidInput, match="estimator that does not predict"):
        slth.as_network(damaged(change))
