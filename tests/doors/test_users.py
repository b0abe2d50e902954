"""What users bring and take away: states under any names, exported files, modules and their pruned
copies, through verbs and commands."""

import copy
import warnings

import numpy as np
import pytest

import slth
from slth.cli import run
from slth.doors import to_torch

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
import safetensors.torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402

from tests.doors.test_torch import Auto, Functional  # noqa: E402

X = np.random.default_rng(0).uniform(-1.0, 1.0, (200, 4))


def values(module):
    with torch.no_grad():
        return module(torch.from_numpy(X).float()).double().numpy()


def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 3))


def ended_by_relu():
    return nn.Sequential(*plain(), nn.ReLU())


def deep():
    layers = [part for _ in range(11) for part in (nn.Linear(4, 4), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(4, 1))


def nested():
    body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
    return nn.Sequential(body, nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4)))


def masked():
    module = plain()
    prune.ln_structured(module[0], "weight", amount=4, n=2, dim=0)
    return module


def normalised():
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).eval()


# How a state's dense layers are stated, where that can be.
STATES = {
    "plain": (plain, "4,relu,12,3"),
    "two layers, no ReLU": (lambda: nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 4)), "4,none,8,4"),
    "a ReLU last": (ended_by_relu, "4,12,relu,3,relu"),
    "twelve layers": (deep, ",".join(["4", "relu", *["4"] * 11, "1"])),
    "fc1, fc2": (Functional, "4,relu,8,3"),
    "encoder, decoder": (Auto, None),
    "nested": (nested, "4,relu,8,4,8,4"),
    "masks": (masked, None),
    "BatchNorm": (normalised, None),
}


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
@pytest.mark.parametrize(("make", "layers"), STATES.values(), ids=STATES)
def test_a_state_is_read_as_the_module_it_is_of_or_not_at_all(tmp_path, make, layers, ending):
    torch.manual_seed(1)
    module, path = make(), tmp_path / f"s.{ending}"
    save = torch.save if ending == "pt" else safetensors.torch.save_file
    save(module.state_dict(), path)
    with pytest.raises(slth.InvalidInput):
        slth.read_network(path)
    torch.manual_seed(2)
    found = [slth.read_network(path, like=make())]
    if layers is None:
        with pytest.raises(slth.InvalidInput):
            slth.read_network(path, layers="4,relu,8,4,8,4")
    else:
        found.append(slth.read_network(path, layers=layers))
    for network in found:
        # The relative rounding of float32, through up to twelve layers.
        np.testing.assert_allclose(network(X).reshape(200, -1), values(module), atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("make", [plain, nested, ended_by_relu, Functional, Auto, normalised])
def test_what_torch_exports_is_the_module(tmp_path, make):
    torch.manual_seed(1)
    module, path = make(), tmp_path / "m.onnx"
    torch.onnx.export(module, (torch.zeros(1, 4),), path, dynamo=False)
    network = slth.read_network(path)
    np.testing.assert_allclose(network(X), values(module), atol=1e-5)
    if make is not normalised:
        assert network == slth.as_network(module)


@pytest.mark.usefixtures("counted_time")
def test_a_module_against_its_pruned_copy():
    module, pruned = plain(), masked()
    seen = float(np.abs(values(module) - values(pruned)).max())
    for pair in ((module, pruned), (slth.as_network(module), slth.as_network(pruned))):
        found = slth.certify(*pair, domain=slth.Box(-1.0, 1.0), rtol=0.1, time_limit=300.0)
        assert seen * (1.0 - 1e-6) <= found.upper
        assert found.lower > 0.5 * seen
    with pytest.raises(slth.InvalidInput):
        slth.prune_neurons(module, module, eps=0.1)


@pytest.mark.usefixtures("counted_time")
def test_a_ticket_and_a_smaller_network_leave_as_modules():
    net = slth.random_network(4, 20, 1)
    target = slth.neuron([1.0, 2.0, 2.0, 0.0], normalize=True)
    found = slth.prune_neurons(net, target, time_limit=300.0)
    module = to_torch(found.pruned)
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.from_numpy(X)).numpy()[:, 0], found.pruned(X))
    small = slth.compress(plain(), slth.Box(0.0, 1.0), units=10, time_limit=300.0)
    # In the dtype that the module came in.
    module = to_torch(small.network, torch.float32)
    assert {part.dtype for part in module.parameters()} == {torch.float32}
    np.testing.assert_allclose(values(module), small.network(X), atol=1e-5)


@pytest.mark.usefixtures("counted_time")
def test_an_embedding_leaves_as_a_module():
    embedded = slth.embed(plain(), eps=0.05)
    module = copy.deepcopy(embedded.torch())
    with torch.no_grad():
        given = module(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(given, embedded(X), atol=1e-9)


@pytest.mark.usefixtures("counted_time")
def test_units_that_several_outputs_share_go_together():
    rng = np.random.default_rng(0)
    into, out = rng.normal(size=(8, 3)), rng.normal(size=(2, 8))
    out[:, 3] *= 1e-4
    network = slth.DeepNetwork([slth.Dense(into), slth.Dense(out)])
    found = slth.compress(network, slth.Ball(1.0), eps=0.1, time_limit=300.0)
    assert found.units <= 7
    assert found.error.upper <= 0.1


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (plain, ["--layers", "4,relu,12,3"]),
        (plain, []),
        (normalised, ["--layers", "4,relu,5,3"]),
        (masked, ["--layers", "4,relu,12,3"]),
    ],
)
def test_states_at_the_command_line(tmp_path, capsys, make, options):
    path = tmp_path / "m.pt"
    torch.save(make().state_dict(), path)
    words = ["embed", str(path), "-o", str(tmp_path / "o.slt"), "--eps", "0.1", "--workers", "1"]
    right = make is plain and bool(options)
    assert run([*words, *options]) == (0 if right else 2)
    said = capsys.readouterr().err
    if right:
        assert "read 4-12-3, relu between, nothing after the last, float32, from" in said
    else:
        assert "slth: " in said


def test_whole_pickled_modules_are_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(plain(), tmp_path / "m.pt")
    with pytest.raises(slth.InvalidInput, match="torch file not usable"):
        slth.read_network(tmp_path / "m.pt", like=plain())
