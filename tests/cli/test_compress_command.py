"""`slth compress`: what goes for nothing, and labels of rows."""

import json

import numpy as np
import pytest

import slth
from slth.cli import run

INNER = slth.Dense([[1.0], [2.0], [1.0], [0.5], [3.0]], [0.5, 1.0, -2.0, 0.25, 0.0])
NETWORK = slth.DeepNetwork([INNER, slth.Dense([[1.0, 0.25, 7.0, 1.0, 0.0]], [1.0])])


def printed(capsys, *words):
    assert run([str(word) for word in (*words, "--json")]) == 0
    return json.loads(capsys.readouterr().out)


def test_units_that_go_for_nothing(tmp_path, capsys):
    slth.write_network(NETWORK, tmp_path / "net.npz")
    words = ["compress", tmp_path / "net.npz", "--box", -1, 1, "--eps", 1e-12]
    found = printed(capsys, *words)
    assert found["units"] == 3
    assert found["stats"] == {"dead": 1, "unread": 1, "parallel": 0, "folded": 0}
    merged = printed(capsys, *words, "--merge", "-o", tmp_path / "small.npz")
    assert merged["units"] == 1
    assert merged["error"]["upper"] == 0.0
    assert merged["stats"]["parallel"] == 2
    x = np.linspace(-1.0, 1.0, 41)[:, None]
    small = slth.read_network(tmp_path / "small.npz")
    np.testing.assert_allclose(small(x), NETWORK(x), atol=1e-14)


def test_units_that_are_always_on(tmp_path, capsys):
    inner = slth.Dense([[1.0], [3.0], [-0.7]], [2.0, 4.0, 1.0])
    network = slth.DeepNetwork([inner, slth.Dense([[0.1, 0.2, 0.3]])])
    slth.write_network(network, tmp_path / "net.npz")
    out = tmp_path / "small.npz"
    words = ["compress", tmp_path / "net.npz", "--box", -1, 1, "--eps", 1e-9, "--fold", "-o", out]
    found = printed(capsys, *words)
    assert found["units"] == 1
    assert found["stats"]["folded"] == 2
    assert 0.0 < found["error"]["upper"] < 1e-9
    x = np.linspace(-1.0, 1.0, 41)[:, None]
    np.testing.assert_allclose(slth.read_network(out)(x), network(x), atol=1e-14)


def test_biases_take_units_over(tmp_path, capsys):
    network = slth.DeepNetwork([slth.Dense([[1.0]], [10.0]), slth.Dense([[2.0]], [-1.0])])
    slth.write_network(network, tmp_path / "net.npz")
    words = ["compress", tmp_path / "net.npz", "--box", -1, 1, "--eps", 2.5]
    assert printed(capsys, *words)["units"] == 1
    found = printed(capsys, *words, "--compensate")
    assert found["units"] == 0
    assert found["error"]["upper"] <= 2.5
    assert found["stats"]["compensated"] is True


@pytest.mark.parametrize("ending", ["npz", "onnx"])
def test_labels_of_rows(tmp_path, capsys, ending):
    rng = np.random.default_rng(0)
    inner = slth.Dense(rng.normal(size=(8, 2)), rng.normal(size=8))
    weight = rng.normal(size=(3, 8)) * np.where(np.arange(8) < 4, 1.0, 1e-3)
    network = slth.DeepNetwork([inner, slth.Dense(weight)])
    path, data = tmp_path / f"net.{ending}", tmp_path / "rows.npy"
    slth.write_network(network, path)
    rows = rng.uniform(-1.0, 1.0, (12, 2))
    np.save(data, rows)
    out = tmp_path / f"small.{ending}"
    words = ["compress", path, "--box", -2, 2, "--agree-on", data, 0.01, "-o", out]
    found = printed(capsys, *words)
    assert found["stats"]["rows"] + found["stats"]["rows left out"] == 12
    assert found["stats"]["rows"] >= 8
    assert found["units"] <= 5
    small, kept = slth.read_network(out), 0
    for row in rows:
        points = row + rng.uniform(-0.01, 0.01, (100, 2))
        kept += (small(points).argmax(axis=1) == network(row).argmax()).all()
    assert kept >= found["stats"]["rows"]


def test_single_weights(tmp_path, capsys):
    slth.write_network(NETWORK, tmp_path / "net.npz")
    out = tmp_path / "sparse.npz"
    words = ["compress", tmp_path / "net.npz", "--box", -1, 1, "--granularity", "weights"]
    found = printed(capsys, *words, "--weights", 6, "-o", out)
    assert found["granularity"] == "weights"
    assert found["weights"] == sum(np.sum(mask) for mask in found["kept"]) <= 6
    sparse = slth.read_network(out)
    assert sum(np.count_nonzero(layer.weight) for layer, _ in sparse.affine()) == found["weights"]
    x = np.linspace(-1.0, 1.0, 41)[:, None]
    assert np.abs(sparse(x) - NETWORK(x)).max() <= found["error"]["upper"]
    assert run([str(word) for word in (*words, "--units", 2)]) == 2
    assert "granularity" in capsys.readouterr().err


@pytest.mark.parametrize("granularity", ["neurons", "weights"])
def test_a_written_proof_of_the_smaller_network(tmp_path, capsys, granularity):
    rng = np.random.default_rng(0)
    first = slth.Dense(rng.normal(size=(6, 2)), rng.normal(size=6))
    net = slth.DeepNetwork([first, slth.Dense(rng.normal(size=(2, 6)) * [1, 1, 1, 1, 0.01, 0.01])])
    paths = [tmp_path / name for name in ("net.npz", "small.npz", "small.proof")]
    slth.write_network(net, paths[0])
    words = ["compress", paths[0], "--box", -1, 1, "--eps", 0.2, "--granularity", granularity]
    found = printed(capsys, *words, "-o", paths[1], "--proof", paths[2])
    assert found["proof"]["verified"] is True
    assert run(["check", *map(str, (paths[2], paths[0], paths[1])), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is True
    # It is about these two networks alone.
    assert run(["check", *map(str, (paths[2], paths[0], paths[0])), "--json"]) == 1
    capsys.readouterr()
    for wrong in (words, [*words[:5], "--ratio", 0.5, "-o", paths[1]]):
        assert run([str(word) for word in (*wrong, "--proof", paths[2], "--force")]) == 2
