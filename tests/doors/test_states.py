"""State dicts: read with their architecture stated, refused without it."""

import numpy as np
import pytest

import slth

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
import safetensors.torch  # noqa: E402

from tests.doors.test_torch import Auto, Block, Functional, statistics  # noqa: E402

nn = torch.nn


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))


def forms(state):
    return {
        "plain": state,
        "checkpoint": {"epoch": 3, "model": state, "optimizer": {"lr": 0.1}},
        "DataParallel": {f"module.{name}": value for name, value in state.items()},
    }


@pytest.mark.parametrize("form", ["plain", "checkpoint", "DataParallel"])
@pytest.mark.parametrize("ending", ["pt", "pth"])
def test_with_a_module_a_network_or_layers(tmp_path, form, ending):
    module, path = mlp(), tmp_path / f"state.{ending}"
    torch.save(forms(module.state_dict())[form], path)
    expected = slth.as_network(module)
    like = slth.as_network(nn.Sequential(*mlp()))
    zeros = slth.DeepNetwork(
        [slth.Dense(0 * item.weight, 0 * item.bias) for item in like.items]
    )  # fmt: skip
    other = mlp()
    with torch.no_grad():
        other[0].weight.zero_()
    for options in (
        {"like": other},
        {"like": zeros},
        {"layers": "4,8,relu,6,relu,3"},
        {"layers": "4,relu,8,6,3"},
    ):
        assert slth.read_network(path, **options) == expected
    assert not other[0].weight.any()
    with pytest.raises(slth.InvalidInput, match="does not say what network"):
        slth.read_network(path)


def test_activations_are_as_stated(tmp_path):
    torch.save(mlp().state_dict(), tmp_path / "s.pt")
    weights = [item.weight for item in slth.as_network(mlp()).items]
    read = slth.read_network(tmp_path / "s.pt", layers="4,8,none,6,leaky:0.25,3")
    kinds = [type(item).__name__ for item in read.items]
    assert kinds == ["Dense", "Dense", "LeakyRelu", "Dense"]
    assert read.items[2].slope == 0.25
    assert (read.items[3].weight == weights[2]).all()
    straight = slth.read_network(tmp_path / "s.pt", layers="4,none,8,6,3")
    x = np.random.default_rng(0).normal(size=(5, 4))
    biases = [item.bias for item in slth.as_network(mlp()).items]
    for weight, bias in zip(weights, biases, strict=True):
        x = x @ weight.T + bias
    np.testing.assert_allclose(
        straight(np.random.default_rng(0).normal(size=(5, 4))), x, atol=1e-12
    )


@pytest.mark.parametrize("module", [Functional, Auto])
def test_modules_of_other_names(tmp_path, module):
    torch.manual_seed(3)
    made = module()
    torch.save(made.state_dict(), tmp_path / "s.pt")
    safetensors.torch.save_file(made.state_dict(), tmp_path / "s.safetensors")
    for name in ("s.pt", "s.safetensors"):
        assert slth.read_network(tmp_path / name, like=module()) == slth.as_network(made)


def test_statistics_and_counters_of_a_convolutional_module(tmp_path):
    torch.manual_seed(3)
    made = statistics(Block())
    torch.save(made.state_dict(), tmp_path / "s.pt")
    safetensors.torch.save_file(made.state_dict(), tmp_path / "s.safetensors")
    shape = (2, 6, 5)
    expected = slth.as_network(made, input_shape=shape)
    for name in ("s.pt", "s.safetensors"):
        read = slth.read_network(tmp_path / name, like=Block().eval(), input_shape=shape)
        assert read == expected


def test_weights_are_not_rounded_to_the_module_s_precision(tmp_path):
    made = mlp().double()
    with torch.no_grad():
        for value in made.parameters():
            value.mul_(np.pi)
    torch.save(made.state_dict(), tmp_path / "s.pt")
    assert slth.read_network(tmp_path / "s.pt", like=mlp()) == slth.as_network(made)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"layers": "4,8,relu,6,3"}, "not understood"),
        ({"layers": "4,8,relu,6,tanh,3"}, "not understood"),
        ({"layers": "4,8,relu,3"}, "3 weights for 2"),
        ({"layers": "4,8,relu,7,relu,3"}, "shape"),
        ({"like": nn.Linear(4, 3)}, "incompatible"),
        ({"like": "a module"}, "architecture"),
        ({"like": mlp(), "layers": "4,relu,8,6,3"}, "together"),
        ({"like": slth.DeepNetwork([slth.Dense(np.ones((8, 4)), np.ones(8))])}, "3 weights for 1"),
        ({"layers": "5,8,relu,6,relu,3"}, "where the architecture has"),
    ],
)
def test_architectures_that_do_not_fit_are_refused(tmp_path, options, reason):
    torch.save(mlp().state_dict(), tmp_path / "s.pt")
    with pytest.raises(slth.InvalidInput, match=reason):
        slth.read_network(tmp_path / "s.pt", **options)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of a pickle was run",))


def test_pickled_code_is_not_run_and_damage_is_named(tmp_path):
    path = tmp_path / "s.pt"
    for whole in (mlp(), {"model": mlp(), "epoch": 3}):
        torch.save(whole, path)
        with pytest.raises(slth.InvalidInput, match=r"it holds a torch\.nn\..*, no") as refused:
            slth.read_network(path, like=mlp())
        # torch's own advice is to run the pickle.
        assert "trust" not in str(refused.value)
        assert "\x1b" not in str(refused.value)
    torch.save({"model": Bomb()}, path)
    with pytest.raises(slth.InvalidInput, match="torch file not usable"):
        slth.read_network(path, layers="4,relu,3")
    torch.save({"a": mlp().state_dict(), "b": mlp().state_dict()}, path)
    with pytest.raises(slth.InvalidInput, match="several"):
        slth.read_network(path, like=mlp())
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(slth.InvalidInput, match="torch file not usable"):
        slth.read_network(path, like=mlp())
    with pytest.raises(slth.InvalidInput, match="no such file"):
        slth.read_network(tmp_path / "none.pt", like=mlp())


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_tensors_that_are_no_weights(tmp_path):
    path = tmp_path / "s.pt"
    for state in (
        {"0.weight": torch.zeros(3, 4, dtype=torch.complex64)},
        {"0.weight": torch.zeros(3, 4, device="meta")},
        {"0.weight": torch.quantize_per_tensor(torch.rand(3, 4), 0.1, 0, torch.qint8)},
    ):
        torch.save(state, path)
        for options in ({"layers": "4,3"}, {"like": nn.Sequential(nn.Linear(4, 3, bias=False))}):
            with pytest.raises(slth.InvalidInput):
                slth.read_network(path, **options)


def test_safetensors_of_a_state_need_an_order(tmp_path):
    path = tmp_path / "s.safetensors"
    state = {f"{name}.weight": torch.ones(4, 4) for name in ("up", "down")}
    safetensors.torch.save_file(state, path)
    with pytest.raises(slth.InvalidInput, match="without a description"):
        slth.read_network(path)
    with pytest.raises(slth.InvalidInput, match="no stated order"):
        slth.read_network(path, layers="4,relu,4,4")
    ten = nn.Sequential(*[nn.Linear(2, 2, bias=False) for _ in range(11)])
    safetensors.torch.save_file(ten.state_dict(), path)
    read = slth.read_network(path, layers="2," + ",relu,".join(["2"] * 11))
    for layer, own in zip(read.items, ten, strict=True):
        assert (layer.weight == own.weight.detach().numpy()).all()
