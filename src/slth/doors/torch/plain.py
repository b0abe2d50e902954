"""Copies of a module to read: masks and parametrizations worked out, in double precision."""

from __future__ import annotations

import copy
from typing import Any

from slth.doors.chain import unlike


def require_plain(torch: Any, module: Any) -> None:
    """Nothing that changes what the module computes behind its layers' backs.

    Raises:
        InvalidInput: hooks other than those of torch.nn.utils.prune, meta, quantised or complex
            tensors.
    """
    for name, part in module.named_modules():
        where = f"module {name or type(part).__name__}"
        hooks = [*part._forward_hooks.values(), *part._forward_pre_hooks.values()]
        if any(not isinstance(hook, torch.nn.utils.prune.BasePruningMethod) for hook in hooks):
            raise unlike(where, "a forward hook", "no hooks but those of torch.nn.utils.prune")
        tensors = [
            *part.named_parameters(recurse=False),
            *part.named_buffers(recurse=False),
            *_loose(torch, part),
        ]
        for kind, tensor in tensors:
            if tensor.is_meta or tensor.is_quantized or tensor.is_complex() or tensor.is_sparse:
                raise unlike(
                    f"{where}, {kind}",
                    "a meta, quantised, complex or sparse tensor",
                    "real weights",
                )


def plain_copy(torch: Any, module: Any) -> Any:
    """The module with the weights that its next call would use, as double precision numbers."""
    copied = faithful_copy(torch, module)
    for part in list(copied.modules()):
        if torch.nn.utils.parametrize.is_parametrized(part):
            _unparametrized(torch, part)
        for hook in list(part._forward_pre_hooks.values()):
            torch.nn.utils.prune.remove(part, hook._tensor_name)
        for name, tensor in _loose(torch, part):
            part.__dict__[name] = tensor.detach().double().cpu()
    return copied.double().cpu()


def _unparametrized(torch: Any, part: Any) -> None:
    """The weights that the parametrizations make, as parameters. The library's own removal takes
    them from the part's class too, which the module that was copied shares."""
    made = {name: getattr(part, name).detach().clone() for name in part.parametrizations}
    part.__class__ = type(part).__bases__[0]
    del part._modules["parametrizations"]
    for name, tensor in made.items():
        part.register_parameter(name, torch.nn.Parameter(tensor, requires_grad=False))


def faithful_copy(torch: Any, module: Any) -> Any:
    """The module as it stands, on the processor."""
    # What a mask left behind is no leaf of autograd, which deepcopy refuses.
    memo = {
        id(tensor): tensor.detach().clone()
        for part in module.modules()
        for _, tensor in _loose(torch, part)
    }
    return copy.deepcopy(module, memo).cpu()


def _loose(torch: Any, part: Any) -> list[tuple[str, Any]]:
    """Tensors that are neither parameters nor buffers."""
    return [(name, value) for name, value in vars(part).items() if isinstance(value, torch.Tensor)]
