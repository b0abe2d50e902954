"""Masks of hidden units or single weights on a user's own module, with torch.nn.utils.prune."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from slth.doors.torch.library import torch_for
from slth.doors.torch.plain import require_plain
from slth.doors.torch.tracer import kind_of, traced_copy
from slth.errors import InvalidInput

# What may stand between the layers: a unit that is 0 adds nothing behind it.
_KEEP_ZERO = {
    "ReLU", "relu", "relu_", "LeakyReLU", "leaky_relu", "leaky_relu_", "Dropout", "Dropout1d",
    "Dropout2d", "dropout", "Identity", "Flatten", "flatten", "view", "reshape", "contiguous",
    "detach", "clone", "size", "getattr", "getitem", "AvgPool2d", "avg_pool2d",
    "AdaptiveAvgPool2d", "adaptive_avg_pool2d", "PReLU", "ZeroPad2d", "placeholder",
}  # fmt: skip
# What may stand behind the last layer only: a sigmoid of 0 is 1/2.
_LAST = {"Softmax", "softmax", "Sigmoid", "sigmoid"}


def apply_masks(module: Any, kept: Sequence[ArrayLike]) -> Any:
    """Mask the hidden units, or weights, that are not kept in the module itself, and return it.

    Every row of weights into such a unit (for a convolution: every kernel) and its bias get a mask
    of torch.nn.utils.prune; after a ReLU the unit is 0, so the module computes what the network
    without it does. Masks of single weights are put on the weights as they are.
    `torch.nn.utils.prune.remove` makes the masks permanent.

    Args:
        module: whose Linear and Conv2d layers, in the order of their use, are the hidden layers
            and then the last one; where units go, nothing but activations, pools and reshapes
            between them.
        kept: as of `slth.compress`: bool [width] for each hidden layer, or bool of the weight's
            shape for every layer.

    Raises:
        MissingExtra: torch is not installed.
        InvalidInput: a module that cannot be traced, other numbers of layers or units, a layer
            that is used twice, a normalisation behind a masked layer.
    """
    torch = torch_for("Masking a torch module")
    require_plain(torch, module)
    traced = traced_copy(torch, module)
    own, parts = dict(module.named_modules()), dict(traced.named_modules())
    names: list[Any] = []
    masks = [np.asarray(mask) for mask in kept]
    single = any(mask.ndim > 1 for mask in masks)
    ended = ""
    for node in traced.graph.nodes:
        part = parts.get(node.target) if node.op == "call_module" else None
        if isinstance(part, torch.nn.Linear | torch.nn.Conv2d):
            if ended and not single:
                raise _unfit(f"a {ended} between layers", "operations that leave 0 at 0")
            names.append(node.target)
        elif kind_of(node, parts) in _LAST:
            ended = kind_of(node, parts)
        elif node.op != "output" and not single and kind_of(node, parts) not in _KEEP_ZERO:
            raise _unfit(f"{kind_of(node, parts)} ({node.name})", "operations that leave 0 at 0")
    wanted = len(masks) + (not single)
    if len(set(names)) != len(names) or len(names) != wanted:
        raise _unfit(f"{len(names)} uses of {len(set(names))} layers", f"{wanted} layers")
    layers = [own[name] for name in names[: len(masks)]]
    for layer, mask in zip(layers, masks, strict=True):
        if torch.nn.utils.parametrize.is_parametrized(layer):
            raise _unfit("a parametrized layer", "weights that are parameters of their own")
        shape = tuple(layer.weight.shape) if single else (layer.weight.shape[0],)
        if mask.dtype != np.bool_ or mask.shape != shape:
            raise _unfit(f"a layer of {shape} numbers", f"{mask.shape} booleans")
    for layer, mask in zip(layers, masks, strict=True):
        rows = torch.from_numpy(mask.copy()).to(layer.weight.device)
        for kind in ("weight",) if single else ("weight", "bias"):
            tensor = getattr(layer, kind)
            if tensor is not None:
                whole = rows
                if not single:
                    whole = rows.reshape(-1, *[1] * (tensor.ndim - 1)).expand_as(tensor)
                torch.nn.utils.prune.custom_from_mask(layer, kind, whole.to(tensor.dtype))
    return module


def _unfit(got: str, expected: str) -> InvalidInput:
    return InvalidInput(
        "module incompatible with the kept units",
        got=got,
        expected=expected,
        fix="Pass the module that was compressed and result.kept.",
    )
