"""torch at the border; skipped where torch is not installed."""

import numpy as np
import pytest

import slth
from slth.doors import as_network
from slth.doors.torch import from_torch, to_torch
from tests.embed.test_embed import IMAGE, MLP

torch = pytest.importorskip("torch")
nn = torch.nn


def values(module, x):
    with torch.no_grad():
        return module(torch.from_numpy(x).to(next(module.parameters()).dtype)).double().numpy()


def test_a_sequential_of_linear_layers(tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3, bias=False))
    x = np.random.default_rng(0).random((30, 5))
    network = as_network(module)
    np.testing.assert_allclose(network(x), values(module.double(), x), atol=1e-12)
    found = slth.embed(module, 0.05, domain=slth.Box(0.0, 1.0), workers=1)
    pruned = found.torch()
    np.testing.assert_allclose(values(pruned, x), found(x), atol=1e-12)
    assert np.abs(values(pruned, x) - network(x)).max() <= found.error
    # Every weight of the pruned network is a float32.
    for parameter in pruned.parameters():
        assert torch.equal(parameter, parameter.float().double())


def test_convolutions():
    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 2, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(16, 3),
    ).double()  # fmt: skip
    x = np.random.default_rng(0).random((10, 2, 5, 4))
    network = from_torch(module, (2, 5, 4))
    np.testing.assert_allclose(network(x), values(module, x), atol=1e-12)
    np.testing.assert_allclose(values(to_torch(network), x), network(x), atol=1e-12)


@pytest.mark.parametrize("network", [MLP, IMAGE], ids=["mlp", "residual image"])
def test_there_and_back(network):
    x = np.random.default_rng(0).random((10, *network.shape))
    np.testing.assert_allclose(values(to_torch(network), x), network(x), atol=1e-12)
    found = slth.embed(network, 0.1, domain=slth.Box(0.0, 1.0), workers=1)
    np.testing.assert_allclose(values(found.torch(), x), found(x), atol=1e-12)


BAD = {
    "another activation": lambda: nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)),
    "a maximum": lambda: nn.Sequential(nn.Conv2d(2, 2, 1), nn.MaxPool2d(2)),
    "padding same": lambda: nn.Sequential(nn.Conv2d(2, 2, 3, padding="same")),
    "no layers": lambda: nn.Sequential(nn.Flatten()),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_other_modules_are_refused(make):
    with pytest.raises(slth.InvalidInput):
        from_torch(make(), (2, 4, 4))
