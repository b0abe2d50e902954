"""Networks that commands write."""

import json

import numpy as np
import pytest

import slth
from slth.cli import main
from tests.doors.test_onnx import SHORT


def run(capsys, *words):
    with pytest.raises(SystemExit) as done:
        main([*map(str, words)])
    return done.value.code, capsys.readouterr().out


@pytest.mark.parametrize("ending", ["onnx", "npz", "safetensors"])
def test_prune_writes_the_pruned_network(tmp_path, capsys, ending):
    out = tmp_path / f"pruned.{ending}"
    words = ["prune", "neurons", "--d", 2, "--width", 12, "--seed", 3]
    code, said = run(capsys, *words, "--out", out, "--json")
    assert code == 0
    kept = json.loads(said)["kept_units"]
    net, pruned = slth.random_network(2, 12, 3), slth.read_network(out)
    assert (pruned.hidden == net.hidden[kept]).all()
    assert (pruned.output == net.output[kept]).all()


@pytest.mark.parametrize("ending", ["onnx", "npz", "safetensors"])
def test_embed_writes_the_pruned_random_network(tmp_path, capsys, ending):
    model, module = tmp_path / "model.npz", tmp_path / f"module.{ending}"
    slth.write_network(SHORT, model)
    words = ["embed", model, "-o", tmp_path / "m.slt", "--eps", 0.1, "--box", 0, 1]
    code, said = run(capsys, *words, "--module", module, "--json")
    assert code == 0
    x = np.random.default_rng(0).random((50, 4))
    written = slth.read_network(module)
    assert written.digest() == slth.load(tmp_path / "m.slt").pruned.digest()
    assert np.abs(written(x) - SHORT(x)).max() <= json.loads(said)["error"]


@pytest.mark.parametrize("ending", ["onnx", "npz", "safetensors"])
def test_compress_writes_the_smaller_network(tmp_path, capsys, ending):
    model, out = tmp_path / "model.npz", tmp_path / f"small.{ending}"
    wide = [slth.Dense(np.vstack([SHORT.items[0].weight, 1e-6 * np.ones((1, 4))])),
            slth.Dense(np.hstack([SHORT.items[1].weight, np.ones((2, 1))]))]  # fmt: skip
    slth.write_network(slth.DeepNetwork(wide), model)
    code, said = run(capsys, "compress", model, "--box", 0, 1, "--eps", 1e-3, "-o", out, "--json")
    assert code == 0
    assert json.loads(said)["kept"] == [[True, True, True, False]]
    assert (slth.read_network(out).items[0].weight == SHORT.items[0].weight).all()


@pytest.mark.parametrize(
    "words",
    [
        ["compress", "{model}", "--box", 0, 1, "--eps", 1, "-o", "x.pt"],
        ["embed", "{model}", "-o", "m.slt", "--eps", 1, "--module", "x.txt"],
    ],
)
def test_an_ending_that_is_not_written_is_named_before_the_work(tmp_path, capsys, words):
    # The model is not there either: the ending comes first.
    words = [str(word).format(model=tmp_path / "none.npz") for word in words]
    code, said = run(capsys, *words, "--json")
    assert code == 2
    assert "unknown kind of network file" in said


def test_states_on_the_command_line(tmp_path, capsys):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    from tests.doors.test_states import mlp

    torch.save(mlp().state_dict(), tmp_path / "a.pt")
    slth.write_network(slth.as_network(mlp()), tmp_path / "b.onnx")
    words = ["certify", tmp_path / "a.pt", tmp_path / "b.onnx", "--box", 0, 1, "--json"]
    code, said = run(capsys, *words, "--layers", "4,relu,8,6,3")
    assert code == 0
    assert json.loads(said)["upper"] <= 1e-9
    code, said = run(capsys, *words)
    assert code == 2
    assert "does not say what network" in said


def test_states_to_prune(tmp_path, capsys):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    from torch import nn

    module = nn.Sequential(nn.Linear(2, 4, bias=False), nn.ReLU(), nn.Linear(4, 1, bias=False))
    state, net = tmp_path / "a.pt", tmp_path / "B.NPZ"
    torch.save(module.state_dict(), state)
    slth.write_network(slth.as_network(module), net)
    words = ["prune", "neurons", "--eps", 1e-6, "--json"]
    stated, goal = ["--layers", "2,4,relu,1"], ["--target-layers", "2,relu,4,1"]
    for given in (
        ["--net", state, *stated, "--target", net],
        ["--net", net, "--target", state, *goal],
        ["--net", state, *stated, "--target", state, *goal],
    ):
        code, said = run(capsys, *words, *given)
        assert code == 0
        assert json.loads(said)["kept_units"] == [0, 1, 2, 3]
    for given in (stated, goal, ["--target", "1,0", *goal], ["--net", net, *stated]):
        code, said = run(capsys, *words, *given)
        assert code == 2
        assert "an architecture" in said
