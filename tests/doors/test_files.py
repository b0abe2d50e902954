"""Files of arrays and text: .npz, .safetensors and .nnet, in and out; missing libraries."""

import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

import slth
from slth.doors.files import writer_for
from tests.doors.test_onnx import WRITTEN
from tests.doors.test_roundings import written_nnet

NETWORKS = {
    **WRITTEN,
    "relu network": slth.random_network(3, 5, 0),
    "relu readout": slth.random_network(3, 5, 0, "relu"),
    "one layer": slth.DeepNetwork([slth.Dense([[1.0, 2.0]], [3.0])]),
}


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_what_is_written_is_read_again(tmp_path, network, ending):
    path = tmp_path / f"net.{ending}"
    slth.write_network(network, path)
    again = slth.read_network(path)
    assert slth.DeepNetwork.of(again) == slth.DeepNetwork.of(network)
    x = np.random.default_rng(0).normal(size=(4, again.d))
    np.testing.assert_array_equal(slth.DeepNetwork.of(again)(x), slth.DeepNetwork.of(network)(x))


def test_the_layout_of_npz(tmp_path):
    path = tmp_path / "net.npz"
    w, b, v = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0]), np.array([[7.0, 8.0]])
    np.savez(path, **{"0.weight": w, "0.bias": b, "2.weight": v, "last": "relu"})
    assert slth.read_network(path) == slth.DeepNetwork([slth.Dense(w, b), slth.Dense(v)], "relu")
    slth.write_network(slth.read_network(path), path)
    with np.load(path) as stored:
        assert {"0.weight", "0.bias", "1.weight"} <= set(stored)


def test_the_older_layout_of_npz(tmp_path):
    path = tmp_path / "net.npz"
    hidden, output = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0])
    np.savez(path, hidden=hidden, output=output)
    assert slth.read_network(path) == slth.ReLUNetwork(hidden, output)
    np.savez(path, hidden=hidden, output=output, readout="relu")
    assert slth.read_network(path) == slth.ReLUNetwork(hidden, output, "relu")
    np.savez(path, hidden=hidden, output=output, bias=[1.0, 0.0], output_bias=2.0)
    (one, other) = slth.read_network(path).items
    assert one.bias.tolist() == [1.0, 0.0]
    assert other.bias.tolist() == [2.0]


W = np.eye(2)
BAD_ARRAYS = {
    "another array": {"0.weight": W, "scale": W},
    "a bias alone": {"0.weight": W, "1.bias": np.ones(2)},
    "no arrays": {},
    "objects": {"0.weight": np.array([None, 1], object)},
    "complex": {"0.weight": W * 1j},
    "NaN": {"0.weight": W * np.nan},
    "shapes": {"0.weight": W, "1.weight": np.ones((2, 3))},
    "an unknown last": {"0.weight": W, "last": "tanh"},
    "a last that is no word": {"0.weight": W, "last": 3},
    "words for weights": {"0.weight": np.array([["a", "b"]])},
    "hidden without output": {"hidden": W},
    "hidden and more": {"hidden": W, "output": np.ones(2), "0.weight": W},
    "a readout that is none": {"hidden": W, "output": np.ones(2), "readout": "tanh"},
    "large integers": {"0.weight": np.array([[2**53 + 1]])},
}


@pytest.mark.parametrize("arrays", BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_arrays_that_are_no_network_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "net.npz", **arrays)
    with pytest.raises(slth.InvalidInput):
        slth.read_network(tmp_path / "net.npz")


def test_descriptions_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "net.npz"
    for items in (
        "[]",
        "{",
        '{"items": [{"kind": "dense"}]}',
        '{"items": 3, "input_shape": [2], "last": null}',
        '{"items": [{"kind": "lambda"}], "input_shape": [2], "last": null}',
        '{"items": [{"kind": "conv", "stride": -1, "padding": 0}], "input_shape": [2]}',
        "[" * 100_000,
    ):
        np.savez(path, **{"0.weight": W, "items": items})
        with pytest.raises(slth.InvalidInput):
            slth.read_network(path)
    tensors = {"0.weight": W, "9.weight": W}
    described = '{"items": [{"kind": "dense"}], "input_shape": [2], "last": null}'
    safetensors.numpy.save_file(tensors, tmp_path / "net.safetensors", {"slth": described})
    with pytest.raises(slth.InvalidInput, match=r"'9\.weight', which no layer uses"):
        slth.read_network(tmp_path / "net.safetensors")


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8"])
def test_numbers_of_safetensors_are_exact(tmp_path, kind):
    path = tmp_path / "net.safetensors"
    weight = np.random.default_rng(0).normal(size=(3, 2)).astype(kind)
    meta = {"slth": "dense layers with a ReLU between them"}
    safetensors.numpy.save_file({"0.weight": weight}, path, meta)
    assert (slth.read_network(path).items[0].weight == weight.astype(np.float64)).all()


def test_nnet_evaluates_as_its_definition_says(tmp_path):
    sizes, mean, spread = [3, 8, 5, 2], [0.5, -3.0, 11.0], [1.5, 0.7, 5.0]
    path, arrays = written_nnet(tmp_path, sizes, mean, spread, 2.5, 7.0)
    x = np.random.default_rng(0).normal(size=(10, 3)) * 3.0
    h = (x - mean) / spread
    for weight, bias in zip(arrays[:-2:2], arrays[1:-2:2], strict=True):
        h = np.maximum(h @ weight.T + bias, 0.0)
    expected = (h @ arrays[-2].T + arrays[-1]) * 7.0 + 2.5
    np.testing.assert_allclose(slth.read_network(path)(x), expected, rtol=1e-12, atol=1e-12)


def test_nnet_without_normalisation_is_exact(tmp_path):
    path, (w, b, v, c) = written_nnet(tmp_path, [3, 4, 2], [0.0] * 3, [1.0] * 3, 0.0, 1.0)
    assert slth.read_network(path) == slth.DeepNetwork([slth.Dense(w, b), slth.Dense(v, c)])


def test_damaged_nnet(tmp_path):
    path, _ = written_nnet(tmp_path, [3, 4, 2], [0.0] * 3, [1.0] * 3, 0.0, 1.0)
    text = path.read_text()
    lines = text.splitlines()
    cases = [lines[:k] for k in range(len(lines))]
    cases += [[*lines, "1.0,"], [line.replace("3,4,2", "3,4.5,2") for line in lines],
              [line.replace("2,3,2,4", "0,3,2,4") for line in lines],
              [line.replace("2,3,2,4", "inf,3,2,4") for line in lines],
              [line.replace("3,4,2", "3,1e9,2") for line in lines], [*lines[:-1], "nan,"],
              [*lines[:-1], "x,"], ["\0"], ["é"]]  # fmt: skip
    assert text
    for case in cases:
        path.write_text("\n".join(case))
        with pytest.raises(slth.InvalidInput):
            slth.read_network(path)


def test_endings_and_places(tmp_path):
    for name in ("net", "net.h5", "net.pkl"):
        with pytest.raises(slth.InvalidInput, match="unknown kind"):
            slth.read_network(tmp_path / name)
        with pytest.raises(slth.InvalidInput, match="unknown kind"):
            slth.write_network(WRITTEN["mlp"], tmp_path / name)
    for ending in ("onnx", "npz", "safetensors", "nnet"):
        with pytest.raises(slth.InvalidInput, match="no such file"):
            slth.read_network(tmp_path / f"net.{ending}")
        (tmp_path / f"folder.{ending}").mkdir()
        with pytest.raises(slth.InvalidInput):
            slth.read_network(tmp_path / f"folder.{ending}")
    with pytest.raises(slth.InvalidInput, match="states its own"):
        slth.read_network(tmp_path / "net.npz", layers="2,relu,2")
    with pytest.raises(slth.InvalidInput, match="no such folder"):
        slth.write_network(WRITTEN["mlp"], tmp_path / "no" / "net.npz")


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("onnx", "slth.read_network('x.onnx')"),
        ("onnx", "writer_for('x.onnx')"),
        ("safetensors", "slth.read_network('x.safetensors')"),
        ("safetensors", "writer_for('x.safetensors')"),
        ("torch", "slth.read_network('x.pt', layers='2,relu,2,1')"),
        ("torch", "to_torch(slth.random_network(2, 2, 0))"),
        ("sklearn", "to_sklearn(slth.random_network(2, 2, 0))"),
    ],
)
def test_a_missing_library_is_named_with_a_line_that_installs_it(library, call):
    code = f"""
import sys
sys.modules[{library!r}] = None
import slth
from slth.doors.files import writer_for
from slth.doors.sklearn import to_sklearn
from slth.doors.torch import to_torch
try:
    {call}
except slth.MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    name = "scikit-learn" if library == "sklearn" else library
    assert f"needs {name}, which is not installed" in done.stdout
    assert f"pip install {name} " in done.stdout


def test_a_writer_is_known_before_there_is_anything_to_write():
    assert writer_for("x.npz")(WRITTEN["mlp"])
    with pytest.raises(slth.InvalidInput, match="unknown kind"):
        writer_for("x.pt")
