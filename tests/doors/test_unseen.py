"""What a comparison of values would not show: parts of a model too small to be seen, words of a
file that nothing reads, masks where a unit at 0 still adds something."""

import json

import numpy as np
import pytest

import slth
from slth.cli.models import read_model
from slth.doors.vnnlib import read_boxes

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations  # noqa: E402

# Far below the accuracy to which values are compared.
TINY = 1e-9
KEPT = [np.array([True, False, True, True])]


class Called(nn.Linear):
    """A layer that adds something outside of its forward."""

    def __call__(self, x):
        return super().__call__(x) + TINY


def test_a_call_of_its_own_is_refused():
    for module in (Called(3, 2), nn.Sequential(nn.Linear(3, 3), nn.ReLU(), Called(3, 2))):
        with pytest.raises(slth.InvalidInput, match="__call__ of its own"):
            slth.as_network(module)


@pytest.mark.parametrize("when", ["forward_hook", "forward_pre_hook"])
def test_hooks_on_all_modules_are_refused(when):
    register = getattr(nn.modules.module, f"register_module_{when}")
    handle = register(lambda module, given, *result: None)
    try:
        with pytest.raises(slth.InvalidInput, match="hook on all modules"):
            slth.as_network(nn.Linear(3, 2))
    finally:
        handle.remove()
    slth.as_network(nn.Linear(3, 2))


def test_traced_modules_are_read():
    slth.as_network(torch.fx.symbolic_trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU())))


@pytest.mark.parametrize("between", [nn.Sigmoid(), nn.Softmax(1)])
def test_masks_before_what_moves_0_are_refused(between):
    module = nn.Sequential(nn.Linear(3, 4), between, nn.Linear(4, 2))
    with pytest.raises(slth.InvalidInput, match="between layers"):
        slth.doors.apply_masks(module, KEPT)
    assert not list(module.buffers())
    last = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), between)
    masked = slth.doors.apply_masks(last, KEPT)
    assert (masked[0].weight[1] == 0.0).all()
    assert masked[0].bias[1] == 0.0


def test_masks_of_parametrized_layers_are_refused():
    module = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2)
    )
    with pytest.raises(slth.InvalidInput, match="a parametrized layer"):
        slth.doors.apply_masks(module, KEPT)


CONV = {"kind": "conv", "stride": 1, "padding": 0}
POOL = {"kind": "pool", "kernel": 2, "stride": 2, "padding": 0, "count_padding": True}


@pytest.mark.parametrize(
    ("item", "more"),
    [
        (CONV | {"groups": 2}, {}),
        (CONV | {"dilation": 2}, {}),
        (POOL | {"count_padding": "false"}, {}),
        (CONV, {"scale": 3.0}),
        (CONV, {"last": "softmax"}),
    ],
)
def test_descriptions_with_words_that_nothing_reads_are_refused(tmp_path, item, more):
    path = tmp_path / "a.npz"
    arrays = {"0.weight": np.ones((1, 1, 2, 2))} if item["kind"] == "conv" else {}
    said = {"items": [item], "input_shape": [1, 2, 2], "last": None}
    beside = {"last": np.array(more.pop("last"))} if "last" in more else {}
    np.savez(path, items=np.array(json.dumps(said | more)), **arrays, **beside)
    with pytest.raises(slth.InvalidInput, match="not usable"):
        slth.read_network(path)


def test_nnet_headers_that_lie_are_refused(tmp_path):
    path = tmp_path / "a.nnet"
    lines = ["1,2,{},2,", "2,1,", "0,", "0,0,", "1,1,", "0,0,0,", "1,1,1,", "1,2,", "3,"]
    path.write_text("\n".join(lines).format(1))
    assert slth.DeepNetwork.of(slth.read_network(path)).outputs == 1
    path.write_text("\n".join(lines).format(1).replace("\n3,", "\n3_0,"))
    with pytest.raises(slth.InvalidInput, match="3_0"):
        slth.read_network(path)
    path.write_text("\n".join(lines).format(5))
    with pytest.raises(slth.InvalidInput, match="5 outputs"):
        slth.read_network(path)


@pytest.mark.parametrize("text", ["(push 1) (assert (<= X_0 0)) (pop 1)", "(assert (<= X_0 1_0))"])
def test_boxes_that_would_be_read_as_others_are_refused(tmp_path, text):
    path = tmp_path / "a.vnnlib"
    path.write_text(f"(assert (<= X_0 1)) (assert (>= X_0 -1)) {text}")
    with pytest.raises(slth.InvalidInput, match="VNN-LIB"):
        read_boxes(path, 1)


@pytest.mark.parametrize("last", ["softmax", "sigmoid", None])
def test_commands_say_what_errors_are_of(tmp_path, capsys, last):
    path = tmp_path / "a.npz"
    layers = (slth.Dense(np.eye(2)), slth.Dense(np.eye(2)))
    slth.write_network(slth.DeepNetwork(layers, last), path)
    read_model(path)
    assert (f"argument of the last {last}" in capsys.readouterr().err) == (last is not None)
