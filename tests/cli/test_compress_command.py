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
