"""Files of torch tensors: a state_dict, and the module that it is filled into."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from slth.deep import DeepNetwork
from slth.doors.torch.library import torch_for
from slth.doors.torch.trace import from_torch
from slth.errors import InvalidInput


def read_state(state: Any, like: Any, name: str) -> DeepNetwork:
    """The network of a state_dict, filled into a module of its architecture.

    Args:
        state: names to tensors, or a checkpoint that holds one.
        like: a torch module with these names.
    """
    torch = torch_for("Reading a state_dict")
    module = copy.deepcopy(like)
    try:
        module.load_state_dict(tensors_of(state, name))
    except RuntimeError as error:
        raise InvalidInput(
            "state_dict incompatible with the module",
            got=str(error).splitlines()[-1].strip()[:300],
            expected=f"the tensors of {type(like).__name__}",
            fix="State the module that was saved.",
        ) from error
    assert isinstance(module, torch.nn.Module)
    return from_torch(module)


def load_tensors(path: Any) -> Any:
    """What a .pt file holds; nothing but tensors and plain containers is unpickled."""
    torch = torch_for("Reading a .pt file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise _unreadable(path, "no such file") from error
    except Exception as error:
        # torch raises whatever its unpickler met; all of it means: not a file of tensors.
        text = str(error).splitlines() or [type(error).__name__]
        raise _unreadable(path, text[0][:200]) from error


def tensors_of(state: Any, name: Any) -> dict[str, Any]:
    """The state_dict itself, or the only one in a checkpoint."""
    torch = torch_for("Reading a state_dict")
    if isinstance(state, Mapping):
        if state and all(isinstance(value, torch.Tensor) for value in state.values()):
            return dict(state)
        inner = [
            value
            for value in state.values()
            if isinstance(value, Mapping)
            and value
            and all(isinstance(entry, torch.Tensor) for entry in value.values())
        ]
        if len(inner) == 1:
            return dict(inner[0])
    raise _unreadable(name, "no state_dict, or several")


def _unreadable(path: object, problem: str) -> InvalidInput:
    return InvalidInput(
        "torch file not usable",
        got=f"{path}: {problem}",
        expected="a state_dict saved by torch.save (whole pickled modules would run code)",
        fix="Save module.state_dict() and state the architecture, or export the module to ONNX.",
    )
