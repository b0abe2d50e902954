"""Copies of a module to read, with masks and parametrizations worked out."""

from __future__ import annotations

import copy
from typing import Any

from slth.doors.graph_value import unlike
from slth.doors.torch.library import oddity


def require_plain(torch: Any, module: Any) -> None:
    """Nothing that changes what the module computes behind its layers' backs.

    Raises:
        InvalidInput: hooks other than those of torch.nn.utils.prune, meta, quantised or complex
            tensors.
    """
    everywhere = torch.nn.modules.module
    if everywhere._global_forward_hooks or everywhere._global_forward_pre_hooks:
        raise unlike("torch", "a forward hook on all modules", "no hooks")
    for name, part in module.named_modules():
        where = f"module {name or type(part).__name__}"
        if isinstance(part, torch.jit.ScriptModule) or hasattr(part, "_orig_mod"):
            raise unlike(where, "a scripted or compiled module", "the module that it was made from")
        if torch.nn.parameter.is_lazy(next(part.parameters(recurse=False), None)):
            raise unlike(where, "weights that are not made yet", "a module after its first call")
        if "forward" in vars(part):
            raise unlike(where, "a forward of its own, set on the object", "its class's forward")
        caller = next(base for base in type(part).__mro__ if "__call__" in vars(base))
        if not caller.__module__.startswith("torch."):
            raise unlike(where, "a __call__ of its own, which a trace leaves out", "forward alone")
        hooks = [*part._forward_hooks.values(), *part._forward_pre_hooks.values()]
        if any(not isinstance(hook, torch.nn.utils.prune.BasePruningMethod) for hook in hooks):
            raise unlike(where, "a forward hook", "no hooks but those of torch.nn.utils.prune")
        tensors = [
            *part.named_parameters(recurse=False),
            *part.named_buffers(recurse=False),
            *_loose(torch, part),
        ]
        for kind, tensor in tensors:
            odd = oddity(torch, tensor)
            if odd:
                raise unlike(f"{where}, {kind}", f"{odd} tensor", "real weights")


def settled_copy(torch: Any, module: Any) -> Any:
    """The module with the weights that its next call would use: masks and parametrizations are
    worked out in its own precision."""
    copied = faithful_copy(torch, module)
    for part in list(copied.modules()):
        if torch.nn.utils.parametrize.is_parametrized(part):
            _unparametrized(torch, part)
        for hook in list(part._forward_pre_hooks.values()):
            torch.nn.utils.prune.remove(part, hook._tensor_name)
    return copied


def _unparametrized(torch: Any, part: Any) -> None:
    """The weights that the parametrizations make, as parameters. The library's own removal takes
    them from the part's class too, which the module that was copied shares."""
    before = {name: value.clone() for name, value in part.parametrizations.state_dict().items()}
    made = {name: getattr(part, name).detach().clone() for name in part.parametrizations}
    after = part.parametrizations.state_dict()
    if any(not torch.equal(value, after[name]) for name, value in before.items()):
        raise unlike(
            f"module {type(part).__name__}",
            "a parametrization whose state changes at every call",
            "eval mode: call module.eval() first",
        )
    part.__class__ = type(part).__bases__[0]
    del part._modules["parametrizations"]
    for name, tensor in made.items():
        part.register_parameter(name, torch.nn.Parameter(tensor, requires_grad=False))


def faithful_copy(torch: Any, module: Any) -> Any:
    """The module as it stands, on the processor."""
    return duplicate(torch, module).cpu()


def duplicate(torch: Any, module: Any) -> Any:
    """The module as it stands, where it stands."""
    # What a mask left behind is no leaf of autograd, which deepcopy refuses.
    memo = {
        id(tensor): tensor.detach().clone()
        for part in module.modules()
        for _, tensor in _loose(torch, part)
    }
    return copy.deepcopy(module, memo)


def _loose(torch: Any, part: Any) -> list[tuple[str, Any]]:
    """Tensors that are neither parameters nor buffers."""
    return [(name, value) for name, value in vars(part).items() if isinstance(value, torch.Tensor)]
