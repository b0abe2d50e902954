"""What is read of a torch module held against the module: constants in its own precision, random
numbers of any size, what a trace does not show, large images."""

import math
import random
import re
import time

import numpy as np
import pytest

import slth

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
from torch import nn  # noqa: E402

functional = nn.functional


class Of(nn.Module):
    """A layer, a free matrix, and a forward that is given."""

    def __init__(self, body):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.w, self.body = nn.Linear(4, 4), nn.Parameter(torch.randn(3, 4)), body
        self.calls = 0

    def forward(self, x):
        return self.body(self, x)


def reason(body, dtype=torch.float32, shape=(4,)):
    with pytest.raises(slth.InvalidInput) as caught:
        slth.as_network(Of(body).to(dtype), input_shape=shape)
    return str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    "made",
    [
        lambda w: w * 0.3,
        lambda w: (w + 1.0) / 7.0,
        lambda w: w / w.norm(dim=1, keepdim=True),
        lambda w: w.softmax(1).clamp(max=0.4),
        lambda w: torch.where(w > 0, w, -0.1 * w),
        lambda w: w if w.sum() > 1e9 else w.tanh(),
    ],
    ids=["scaled", "shifted", "normed", "softmax", "where", "branch"],
)
def test_constants_are_what_torch_makes_of_them_in_their_own_precision(made, dtype):
    module = Of(lambda self, x: functional.linear(x, made(self.w))).to(dtype)
    (layer,) = slth.DeepNetwork.of(slth.as_network(module, input_shape=(4,))).items
    worked_out = made(module.w.detach()).double().numpy()
    assert (layer.weight == worked_out).all()
    assert layer.weight_rounding is None
    # In double precision it would be another network.
    assert (made(module.w.detach().double()).numpy() != worked_out).any()


DRAWS = {
    "rand": lambda self, x: self.a(x) + 1e-30 * torch.rand(4),
    "randn": lambda self, x: self.a(x) + 1e-30 * torch.randn(4),
    "rand_like": lambda self, x: self.a(x) * (1.0 + 0.0 * torch.rand_like(self.a.bias)),
    "in place": lambda self, x: self.a(x) + 1e-30 * torch.empty(4).normal_(),
    "of constants": lambda self, x: functional.linear(
        x, torch.bernoulli(torch.ones(3, 4)) * self.w),
    "dropped weights": lambda self, x: functional.linear(x, functional.dropout(self.w, 1e-9)),
    "of an own generator": lambda self, x: self.a(x) + 1e-30 * torch.rand(
        4, generator=torch.Generator()),
}  # fmt: skip


@pytest.mark.parametrize("body", DRAWS.values(), ids=DRAWS)
def test_random_operators_are_refused_however_little_they_add(body):
    assert re.search(r"torch operator aten\.\w+.* got random numbers", reason(body))


CHANGES = {
    "Python's generator": lambda self, x: self.a(x) + 1e-300 * random.random(),
    "numpy's generator": lambda self, x: self.a(x) + 1e-300 * np.random.rand(),  # noqa: NPY002
    "an own generator": lambda self, x: self.a(x) + 1e-12 * DRAWN.random(),
    "the time": lambda self, x: self.a(x) + 1e-12 * time.perf_counter(),
}
DRAWN = random.Random(0)


@pytest.mark.parametrize("body", CHANGES.values(), ids=CHANGES)
def test_values_that_change_between_calls_are_refused_however_little(body):
    assert "other values at a second call, or random numbers" in reason(body)


def counted(self, x):
    self.calls += 1
    return self.a(x) + 1e-12 * self.calls


def grown(self, x):
    y = functional.linear(x, self.w)
    self.w.mul_(1.0 + 1e-6)
    return y


@pytest.mark.parametrize("body", [counted, grown])
def test_state_that_changes_between_calls_is_refused(body):
    assert "other values at a second call" in reason(body)


def test_what_the_trace_does_not_show_is_refused_however_small():
    def body(self, x):
        return self.a(x) + (0.0 if type(x) is not torch.Tensor else 1e-12)

    assert "something else than its trace shows" in reason(body)


def test_modules_of_half_precision_with_large_sums_inside_are_read():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)).half()
    with torch.no_grad():
        module[0].weight *= 100.0
        # What is added is taken away again, so that values are small beside the sums inside.
        module[0].weight[::2], module[0].bias[::2] = module[0].weight[1::2], module[0].bias[1::2]
        module[2].weight[:, ::2] = -module[2].weight[:, 1::2]
    read = slth.DeepNetwork.of(slth.as_network(module))
    assert (read.items[0].weight == module[0].weight.detach().double().numpy()).all()


def test_layers_of_precisions_that_do_not_go_together():
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3).double())
    with pytest.raises(slth.InvalidInput, match="forward that fails"):
        slth.as_network(module)


REASONS = {
    "a softmax over the batch": (
        lambda self, x: self.a(x).softmax(0), r"axis 0, which is the batch.*dim=1"),
    "a softmax over channels": (
        lambda self, x: functional.softmax(self.a(x).view(-1, 2, 2), dim=1),
        r"axis 1 of a value of shape \[1, 2, 2\]"),
    "a softmax of no axis": (
        lambda self, x: functional.softmax(self.a(x)), "no stated axis; expected dim=1"),
    "an integer between two floats": (
        lambda self, x: self.a(x) + (2**53 + 1), "9007199254740993"),
    "a quotient that overflows": (lambda self, x: self.a(x) / 1e-310, "reciprocal overflows"),
    "a product that overflows": (
        lambda self, x: self.a(x) * 1e200 * 1e200, "the weights before them overflow"),
    "values that overflow": (
        lambda self, x: self.a(self.a(x).relu() * 1e200) * 1e200, "values that overflow"),
    "an infinite constant": (lambda self, x: self.a(x) * math.inf, "not finite"),
    "an operation with arguments": (
        lambda self, x: functional.hardtanh(self.a(x), -2.0), "got hardtanh"),
    "rows of another place": (lambda self, x: self.a(x)[:, 1:], "getitem"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "said"), REASONS.values(), ids=REASONS)
def test_refusals_say_what_is_in_the_way(body, said):
    assert re.search(said, reason(body))


# Torch's own, of the compiler's parts.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kinds_of_modules_are_told_apart():
    for module, said in (
        (nn.Sequential(nn.LazyLinear(3)), "not made yet"),
        (torch.compile(nn.Linear(4, 3)), "compiled"),
        (nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect")), "padding_mode"),
    ):
        with pytest.raises(slth.InvalidInput, match=said):
            slth.as_network(module, input_shape=(2, 5, 5))


def test_one_row_of_inputs_of_three_axes():
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert slth.as_network(module, input_shape=(1, 4)) == slth.as_network(module)


def test_images_too_large_to_bound_are_refused_at_once():
    with pytest.raises(slth.InvalidInput, match="1 to 3000000 numbers"):
        slth.as_network(nn.Sequential(nn.AdaptiveAvgPool2d(1)), input_shape=(1, 5000, 5000))
