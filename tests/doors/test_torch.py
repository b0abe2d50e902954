"""torch modules of many styles: read as what they compute, or refused with the reason."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import slth
from slth.doors.torch import apply_masks, to_torch
from tests.embed.test_embed import IMAGE, MLP

functional = nn.functional
IMAGE_SHAPE = (2, 6, 5)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.last, self.first = nn.Linear(8, 3), nn.Linear(4, 8)

    def forward(self, x):
        return self.last(functional.relu(self.first(x)))


class Auto(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 4))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Own(nn.Sequential):
    """A subclass of Sequential with nothing of its own."""


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding="same")
        self.norm, self.end = nn.BatchNorm2d(2), nn.Linear(60, 3)

    def forward(self, x):
        h = torch.relu(self.norm(self.a(x)))
        h += self.b(h)
        return self.end(torch.flatten(torch.relu(h), 1))


class Doubled(nn.Linear):
    def forward(self, x):
        return 2.0 * functional.linear(x, self.weight, self.bias)


class Weights(nn.Module):
    """F.linear, a matrix product, views, and constants in every position."""

    def __init__(self):
        super().__init__()
        self.w, self.c = nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(6))
        self.v = nn.Parameter(torch.randn(2, 6))
        self.register_buffer("mean", torch.randn(4))

    def forward(self, x):
        x = (x - self.mean) / 3.0
        x = functional.linear(x.view(x.size(0), -1), self.w, bias=self.c).relu()
        return 1.0 - x.reshape(x.shape[0], 6) @ self.v.t() * 0.3


class Scaled(Weights):
    """Constants made of constants: rounded in the module's own precision before they meet x."""

    def forward(self, x):
        h = functional.linear(x, self.w * 0.3, self.c / 7.0).relu()
        return h @ (self.v.abs() + 0.1).t() - self.v.sum() * 0.01


class TopHalf(torch.autograd.Function):
    """The larger half of some scores, as in edge-popup."""

    @staticmethod
    def forward(ctx, scores):
        return (scores >= scores.median()).to(scores.dtype)


class MaskedConv(nn.Conv2d):
    """A strong lottery ticket: fixed weights, a mask from scores."""

    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.scores = nn.Parameter(torch.randn_like(self.weight))

    def forward(self, x):
        kernel = self.weight * TopHalf.apply(self.scores.abs())
        return functional.conv2d(
            x, kernel, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


def statistics(module):
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    return module.eval()


def repeated():
    layer, act = nn.Linear(4, 4), nn.ReLU()
    return nn.Sequential(layer, act, layer, act, nn.Linear(4, 2))


def masked():
    module = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 3))
    prune.ln_structured(module[0], "weight", amount=4, n=2, dim=0)
    prune.l1_unstructured(module[2], "weight", amount=0.3)
    return module


def stale():
    module = masked()
    with torch.no_grad():
        module[0].weight_orig += 1.0
    return module


def masked_and_called():
    module = masked()
    module(torch.zeros(1, 4))
    return module


def parametrized():
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    parametrizations.weight_norm(module[0])
    return module


class Symmetric(nn.Module):
    def forward(self, w):
        return w + w.T


def symmetric():
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    parametrize.register_parametrization(module[0], "weight", Symmetric())
    return module


READ = {
    "functional relu, layers in another order": (Functional, (4,)),
    "encoder and decoder, in-place ReLU": (Auto, (4,)),
    "nested Sequentials": (
        lambda: nn.Sequential(Own(nn.Linear(4, 8), nn.ReLU()), nn.Sequential(nn.Linear(8, 3))),
        (4,),
    ),
    "repeated layers": (repeated, (4,)),
    "no activation between": (lambda: nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3)), (4,)),
    "ReLU first and last": (lambda: nn.Sequential(nn.ReLU(), nn.Linear(4, 3), nn.ReLU()), (4,)),
    "BatchNorm1d": (
        lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 7), nn.BatchNorm1d(7), nn.ReLU()),
        (4,),
    ),
    "residual convolutions, BatchNorm2d": (Block, IMAGE_SHAPE),
    "groups, dilation, strides": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, (2, 1), (1, 2), groups=2), nn.LeakyReLU(0.1), nn.BatchNorm2d(4),
            nn.Conv2d(4, 2, 2, dilation=(1, 2)), nn.Flatten(), nn.Dropout(), nn.LazyLinear(3),
        ),
        IMAGE_SHAPE,
    ),
    "one learned slope": (
        lambda: nn.Sequential(nn.Linear(4, 8), nn.PReLU(), nn.Linear(8, 3)).double(), (4,)),
    "zeros around an image": (
        lambda: nn.Sequential(
            nn.ZeroPad2d((1, 0, 2, 0)), nn.Conv2d(2, 3, 3, 2), nn.PReLU(3), nn.Flatten()),
        IMAGE_SHAPE,
    ),
    "average pools": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.AvgPool2d(3, 2, 1, False, False),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), nn.Softmax(dim=1),
        ),
        IMAGE_SHAPE,
    ),
    "normalised image": (
        lambda: nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()),
        IMAGE_SHAPE,
    ),
    "masks": (masked, (4,)),
    "stale masks": (stale, (4,)),
    "masks after a call": (masked_and_called, (4,)),
    "weight_norm": (parametrized, (4,)),
    "own parametrization": (symmetric, (4,)),
    "half precision": (lambda: Functional().half(), (4,)),
    "bfloat16": (lambda: Functional().bfloat16(), (4,)),
    "half precision, constants worked out": (lambda: Scaled().half(), (4,)),
    "bfloat16, constants worked out": (lambda: Scaled().bfloat16(), (4,)),
    "edge-popup convolutions": (
        lambda: nn.Sequential(
            MaskedConv(2, 4, 3, stride=(2, 1), padding=1, groups=2), nn.ReLU(),
            MaskedConv(4, 2, 2, dilation=(1, 2), bias=False), nn.Flatten(),
        ),
        IMAGE_SHAPE,
    ),
    "own Linear with another forward": (
        lambda: nn.Sequential(Doubled(4, 5), nn.ReLU(), nn.Linear(5, 2), nn.Sigmoid()),
        (4,),
    ),
    "bare weights, views, constants": (Weights, (4,)),
}  # fmt: skip


def made(make, shape):
    torch.manual_seed(0)
    module = make()
    dtype = next(module.parameters()).dtype
    if any(isinstance(part, nn.LazyLinear) for part in module.modules()):
        module.eval()(torch.zeros(1, *shape, dtype=dtype))
    return statistics(module)


@pytest.mark.parametrize(("make", "shape"), READ.values(), ids=READ)
def test_modules_are_read_as_what_they_compute(make, shape):
    module = made(make, shape)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    network = slth.DeepNetwork.of(slth.as_network(module, input_shape=shape))
    dtype = next(module.parameters()).dtype
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(20, *shape))).to(dtype)
    with torch.no_grad():
        values = module(x).double().numpy().reshape(20, -1)
    accuracy = 50.0 * torch.finfo(dtype).eps * max(1.0, np.abs(values).max())
    np.testing.assert_allclose(network(x.double().numpy()), values, atol=accuracy, rtol=0)
    # Nothing is done to the module itself.
    after = module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    if len(shape) == 1:
        assert slth.as_network(module).d == shape[0]


def test_weights_are_exact():
    torch.manual_seed(0)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        module = Functional().to(dtype)
        network = slth.DeepNetwork.of(slth.as_network(module))
        for layer, own in zip(network.items, (module.first, module.last), strict=True):
            assert (layer.weight == own.weight.detach().double().numpy()).all()
            assert (layer.bias == own.bias.detach().double().numpy()).all()
            assert layer.weight_rounding is None


class Branch(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        h = self.a(x)
        return h + torch.relu_(h)


class Random(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return self.a(x) + torch.rand(4)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return self.a(x), x


class Fork(Functional):
    def forward(self, x):
        h = self.first(x)
        return torch.relu(h) * torch.relu(-h)


def slopes(*values):
    module = nn.PReLU(len(values))
    module.weight.data = torch.tensor(values)
    return module


def hooked():
    module = Functional()
    module.first.register_forward_hook(lambda part, given, out: out + 1.0)
    return module


REFUSED = {
    "Tanh": (lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)), "Tanh"),
    "MaxPool": (lambda: nn.Sequential(nn.Conv2d(2, 1, 1), nn.MaxPool2d(2)), "got MaxPool2d"),
    "a branch on values": (Branch, "cannot be traced"),
    "hooks": (hooked, "forward hook"),
    "random numbers": (Random, "random numbers"),
    "a softmax over the batch": (
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(0)), "axis 0, which is the batch"),
    "an image too large": (
        lambda: nn.Sequential(nn.Conv2d(2, 1, 1), nn.AvgPool2d(18_000, padding=9000)),
        "padded inputs"),
    "an in-place operation on a value used again": (InPlace, "in-place"),
    "two results": (Twice, "several results"),
    "a product of layers": (Fork, "product of two"),
    "Dropout in training": (
        lambda: nn.Sequential(nn.Linear(4, 8), nn.Dropout()).train(), "training mode"),
    "BatchNorm in training": (
        lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)).train(), "training mode"),
    "meta tensors": (lambda: nn.Linear(4, 3, device="meta"), "meta"),
    "complex weights": (lambda: nn.Linear(4, 3, dtype=torch.complex64), "complex"),
    "learned slopes that differ": (
        lambda: nn.Sequential(nn.Linear(4, 3), slopes(0.1, 0.2, 0.3)), "slopes that differ"),
    "no layers": (nn.ReLU, "input shape"),
    "a softmax inside": (
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(1), nn.Linear(3, 2)), "after a softmax"),
}  # fmt: skip


def refusal(module):
    image = any(isinstance(part, nn.Conv2d) for part in module.modules())
    with pytest.raises(slth.InvalidInput) as caught:
        slth.as_network(module, input_shape=IMAGE_SHAPE if image else None)
    return str(caught.value)


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_others_are_refused_with_the_reason(make, reason):
    assert re.search(reason, refusal(make()))


def test_the_page_says_what_becomes_of_every_module():
    page = (Path(__file__).parents[2] / "docs" / "doors.md").read_text()
    rows = dict(re.findall(r"^\| ([^|]+) \| (read|refused: [^|]+) \|$", page, re.MULTILINE))
    assert rows.keys() == {*READ, *REFUSED}
    assert {name for name, said in rows.items() if said == "read"} == set(READ)
    for name, (make, _) in REFUSED.items():
        assert rows[name].removeprefix("refused: ") in refusal(make())


def test_a_convolution_behind_a_reshape_is_another_one():
    module = nn.Sequential(
        nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Unflatten(1, (1, 3, 2)), nn.Conv2d(1, 1, 2)
    )
    with pytest.raises(slth.InvalidInput, match="Unflatten"):
        slth.as_network(module, input_shape=(1, 2, 3))

    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 2)

        def forward(self, x):
            return self.b(self.a(x).view(-1, 1, 3, 2))

    with pytest.raises(slth.InvalidInput, match="reshaped"):
        slth.as_network(Turned(), input_shape=(1, 2, 3))


@pytest.mark.parametrize("network", [MLP, IMAGE], ids=["mlp", "residual image"])
def test_there_and_back(network):
    module = to_torch(network)
    x = np.random.default_rng(0).random((10, *network.shape))
    with torch.no_grad():
        values = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(values, network(x), atol=1e-12)
    again = slth.as_network(module, input_shape=network.shape)
    for one, other in zip(again.affine(), network.affine(), strict=True):
        assert (one[0].weight == other[0].weight).all()
    copy.deepcopy(module)


def test_both_kinds_of_network_and_the_dtype_asked_for():
    net = slth.ReLUNetwork([[0.5, 1.0], [2.0, -1.0]], [1.0, -0.25], "relu")
    module = to_torch(net, torch.float16)
    assert {value.dtype for value in module.parameters()} == {torch.float16}
    assert slth.as_network(module) == net
    with pytest.raises(slth.InvalidInput, match="does not hold"):
        to_torch(slth.random_network(2, 3, 0), torch.float32)
    folded = slth.as_network(statistics(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))))
    with pytest.raises(slth.InvalidInput, match="rounding"):
        to_torch(folded)


def small_image():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )


@pytest.mark.parametrize(
    ("make", "shape", "widths"),
    [
        (Functional, (4,), [8]),
        (Auto, (4,), [8, 4, 8]),
        (small_image, IMAGE_SHAPE, [4]),
    ],
)
def test_masks_on_a_module_are_the_network_without_the_units(make, shape, widths):
    torch.manual_seed(0)
    module = make().double()
    whole = slth.DeepNetwork.of(slth.as_network(module, input_shape=shape))
    rng = np.random.default_rng(0)
    kept = [rng.random(width) < 0.6 for width in widths]
    items, hidden = list(whole.items), iter(kept)
    layers = [k for k, item in enumerate(items) if isinstance(item, slth.Dense | slth.Conv)]
    for place in layers[:-1]:
        rows = next(hidden)
        spread = rows.reshape(-1, *[1] * (items[place].weight.ndim - 1))
        items[place] = type(items[place])(items[place].weight * spread, items[place].bias * rows)
    smaller = slth.DeepNetwork(tuple(items), whole.last, whole.shape)
    assert apply_masks(module, kept) is module
    assert prune.is_pruned(module)
    x = rng.normal(size=(10, *shape))
    with torch.no_grad():
        values = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(values, smaller(x), atol=1e-12)
    assert np.abs(values - whole(x)).max() > 1e-3
    np.testing.assert_allclose(slth.as_network(module, input_shape=shape)(x), values, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "shape"), [(Functional, (4,)), (Auto, (4,)), (small_image, IMAGE_SHAPE)]
)
def test_masks_of_single_weights_on_a_module(make, shape):
    torch.manual_seed(0)
    module = make()
    whole = slth.DeepNetwork.of(slth.as_network(module, input_shape=shape))
    found = slth.compress(
        whole, slth.Box(-1.0, 1.0), ratio=0.6, granularity="weights", time_limit=5.0
    )
    assert apply_masks(module, found.kept) is module
    assert prune.is_pruned(module)
    masked = slth.DeepNetwork.of(slth.as_network(module, input_shape=shape))
    for (one, _), (other, _) in zip(masked.affine(), found.network.affine(), strict=True):
        np.testing.assert_array_equal(one.weight, other.weight)
        np.testing.assert_array_equal(one.bias, other.bias)
    with pytest.raises(slth.InvalidInput, match="kept units"):
        apply_masks(make(), [*found.kept[:-1], found.kept[-1].T])


class Raised(Functional):
    """A masked unit would still add 0.5."""

    def forward(self, x):
        return self.last(functional.relu(self.first(x)) + 0.5)


class Skipping(Functional):
    """A masked unit of the block is still the block's input."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)

    def forward(self, x):
        return self.last(x + functional.relu(self.first(x)))


def test_masks_that_do_not_fit_are_refused_and_nothing_is_done():
    keep = [np.ones(8, bool)]
    for module, kept in (
        (Functional(), [np.ones(7, bool)]),
        (Functional(), [np.ones(8)]),
        (Functional(), [*keep, *keep]),
        (repeated(), [np.ones(4, bool)] * 2),
        (statistics(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))), keep),
        (Weights(), [np.ones(6, bool)]),
        (Raised(), keep),
        (Skipping(), keep),
    ):
        with pytest.raises(slth.InvalidInput, match="kept units"):
            apply_masks(module, kept)
        assert not prune.is_pruned(module)
