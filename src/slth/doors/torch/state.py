"""Files of torch tensors: a state_dict, and the module that it is filled into."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slth.deep import DeepNetwork
from slth.doors.torch.library import torch_for
from slth.doors.torch.plain import duplicate
from slth.doors.torch.trace import from_torch
from slth.errors import InvalidInput

# Bytes that a file, and the tensors in it, may take.
_MOST_BYTES = 1 << 31


def read_state(
    state: Any, like: Any, name: str, input_shape: Sequence[int] | None = None
) -> DeepNetwork:
    """The network of a state_dict, filled into a module of its architecture.

    Args:
        state: names to tensors, or a checkpoint that holds one.
        like: a torch module with these names.
        input_shape: as for `from_torch`.
    """
    torch = torch_for("Reading a state_dict")
    if not isinstance(like, torch.nn.Module):
        raise InvalidInput(
            "no architecture",
            got=type(like).__name__,
            expected="a torch.nn.Module or a DeepNetwork",
            fix="slth.read_network(path, like=module).",
        )
    # A module of meta tensors states an architecture as well as any.
    module = duplicate(torch, like)
    own, tensors = module.state_dict(), tensors_of(state, name)
    if not tensors.keys() & own.keys() and all(key.startswith("module.") for key in tensors):
        # What torch.nn.DataParallel puts before every name.
        tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    try:
        # Assigned, as a copy would round to the module's own precision.
        module.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise InvalidInput(
            "state_dict incompatible with the module",
            got=str(error).splitlines()[-1].strip()[:300],
            expected=f"the tensors of {type(like).__name__}",
            fix="State the module that was saved.",
        ) from error
    return from_torch(module, input_shape)


def load_tensors(path: Path) -> Any:
    """What a .pt file holds; nothing but tensors and plain containers is unpickled."""
    torch = torch_for("Reading a .pt file")
    try:
        size = path.stat().st_size
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = max(size, sum(member.file_size for member in archive.infolist()))
        if size > _MOST_BYTES:
            raise _unreadable(path, f"more than {_MOST_BYTES} bytes")
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise _unreadable(path, "no such file") from error
    except InvalidInput:
        raise
    except Exception as error:
        # torch raises whatever its unpickler met; all of it means: not a file of tensors.
        raise _unreadable(path, _reason(error)) from error


def _reason(error: Exception) -> str:
    """Why torch did not read a file, without its advice to run what is in it."""
    text = str(error)
    if "TorchScript" in text:
        return "a TorchScript archive"
    other = re.search(r"Unsupported global: GLOBAL (\S+)", text)
    if other is not None:
        return f"it holds a {other[1]}, no tensor or plain container"
    found = re.search(r"WeightsUnpickler error:\s*(.*)", text)
    said = (text.splitlines() or [""])[0] if found is None else found[1]
    return f"no file of tensors ({type(error).__name__}: {said:.200})"


def tensors_of(state: Any, name: Any) -> dict[str, Any]:
    """The state_dict itself, or the only one in a checkpoint: a second mapping with tensors in it
    makes it ambiguous."""
    torch = torch_for("Reading a state_dict")

    def tensors_in(value: Any) -> int:
        entries = value.values() if isinstance(value, Mapping) else ()
        return sum(isinstance(entry, torch.Tensor) for entry in entries)

    if not isinstance(state, Mapping):
        raise _unreadable(name, f"no state_dict but a {type(state).__name__}")
    inner = [value for value in state.values() if tensors_in(value)]
    found: Any = state if tensors_in(state) else inner[0] if len(inner) == 1 else {}
    if not found or (found is state and inner) or tensors_in(found) != len(found):
        raise _unreadable(name, "no state_dict, several, or entries in it that are no tensors")
    if not all(isinstance(key, str) for key in found):
        raise _unreadable(name, "names that are no text")
    # A tensor may repeat one number along an axis, in a file of a few bytes.
    if sum(8 * tensor.numel() for tensor in found.values()) > _MOST_BYTES:
        raise _unreadable(name, f"tensors of more than {_MOST_BYTES} bytes")
    return dict(found)


def _unreadable(path: object, problem: str) -> InvalidInput:
    return InvalidInput(
        "torch file not usable",
        got=f"{path}: {problem}",
        expected="a state_dict saved by torch.save (whole pickled modules would run code)",
        fix="Save module.state_dict() and state the architecture, or export the module to ONNX.",
    )
