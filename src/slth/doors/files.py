"""Files as networks: which door opens which file, and writes which."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.arrays import Refuse, dense_of, layers_of
from slth.doors.convert import simplest
from slth.doors.nnet import read_nnet
from slth.doors.npz import npz_bytes, read_npz
from slth.doors.onnx import onnx_bytes, onnx_for, read_onnx
from slth.doors.safetensors import (
    read_safetensors,
    safetensors_bytes,
    safetensors_for,
    safetensors_of,
)
from slth.doors.torch import array_of, load_tensors, read_state, tensors_of, torch_for
from slth.errors import InvalidInput
from slth.files import replacing
from slth.layers import Conv, Dense, Item, LeakyRelu, Relu, Residual
from slth.network import ReLUNetwork

_READERS = {
    ".npz": read_npz,
    ".onnx": read_onnx,
    ".safetensors": read_safetensors,
    ".nnet": read_nnet,
}
_WRITERS: dict[str, tuple[Callable[[], Any], Callable[[DeepNetwork], bytes]]] = {
    ".npz": (lambda: None, npz_bytes),
    ".onnx": (lambda: onnx_for("Writing an ONNX file"), onnx_bytes),
    ".safetensors": (lambda: safetensors_for("Writing a safetensors file"), safetensors_bytes),
}
# Files of tensors alone, which do not say what network they belong to.
_STATES = (".pt", ".pth", ".safetensors")


def read_network(
    path: str | os.PathLike[str],
    *,
    layers: str | None = None,
    like: Any = None,
    input_shape: Sequence[int] | None = None,
) -> ReLUNetwork | DeepNetwork:
    """The network in a file, exactly, as `slth.as_network` returns it.

    Args:
        path: .onnx, .safetensors, .npz, .nnet, or a .pt file with a state_dict.
        layers: the architecture of a state of dense layers: "4,8,relu,3", numbers of inputs and
            units with what stands between them: relu, leaky:0.01 or none. "4,relu,8,3", with one
            word behind the inputs, puts it between all layers.
        like: a torch module, or a DeepNetwork of the same shapes, that the state is filled into.
        input_shape: of one input of a module that begins with a convolution.

    Raises:
        MissingExtra: the format's library is not installed.
        InvalidInput: a missing or damaged file, a format that is not known, layers that have no
            counterpart, arrays that no layer uses, a state without its architecture.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    # Unlike those of Path, these raise nothing for names that no file can have.
    if os.path.exists(file) and not os.path.isfile(file):
        raise InvalidInput(
            "not a file",
            got=f"{file}, a folder, a pipe or a device",
            expected="a network file",
            fix="Pass the path of a file.",
        )
    if suffix in _STATES and (layers is not None or like is not None):
        return simplest(_from_state(file, suffix, layers, like, input_shape))
    if suffix in (".pt", ".pth"):
        raise InvalidInput(
            "a state_dict does not say what network it belongs to",
            got=str(file),
            expected="its architecture beside it",
            fix="slth.read_network(path, like=module), or layers='4,8,relu,3' (--layers on the "
            "command line); or export the module to ONNX.",
        )
    reader = _READERS.get(suffix)
    if reader is None:
        raise InvalidInput(
            "unknown kind of network file",
            got=str(file),
            expected=f"a file ending in {', '.join([*_READERS, '.pt'])}",
            fix="Convert the model to one of these.",
        )
    if layers is not None or like is not None:
        raise InvalidInput(
            "an architecture for a file that states its own",
            got=str(file),
            expected=f"layers or like for {', '.join(_STATES)} only",
            fix="Leave it out.",
        )
    return simplest(reader(file))


def _from_state(
    file: Path, suffix: str, layers: str | None, like: Any, input_shape: Sequence[int] | None
) -> DeepNetwork:
    def refuse(problem: str) -> InvalidInput:
        return InvalidInput(
            "state incompatible with what was stated",
            got=f"{file}: {problem}",
            expected="the weights and biases of the stated layers, all of them used",
            fix="slth.read_network(path, like=module), or layers='4,8,relu,3' "
            "(--layers on the command line).",
        )

    if layers is not None and like is not None:
        raise refuse("layers and like together")
    if suffix == ".safetensors":
        tensors, _ = safetensors_of(file)
        given: Any = tensors
    else:
        given = tensors_of(load_tensors(file), file)
        tensors = {name: array_of(tensor) for name, tensor in given.items()}
    if layers is not None:
        sizes, between = parsed_layers(layers)
        return dense_of(tensors, sizes, between, refuse)
    if isinstance(like, DeepNetwork | ReLUNetwork):
        return _filled(DeepNetwork.of(like), tensors, refuse)
    if suffix == ".safetensors":
        torch = torch_for("Filling a module")
        given = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
    return read_state(given, like, str(file), input_shape)


def _filled(like: DeepNetwork, tensors: dict[str, np.ndarray], refuse: Refuse) -> DeepNetwork:
    """The network with its weights and biases replaced by the tensors."""
    affine = [item for item, _ in like.affine()]
    found = iter(layers_of(tensors, [item.weight.shape for item in affine], refuse))

    def changed(item: Any) -> Any:
        if isinstance(item, Residual):
            return Residual(tuple(changed(part) for part in item.body))
        if not isinstance(item, Dense | Conv):
            return item
        weight, bias = next(found)
        if (bias is None) != (item.bias is None):
            stated = "no bias" if item.bias is None else "one"
            raise refuse(f"a layer {'without' if bias is None else 'with'} a bias, stated {stated}")
        return replace(item, weight=weight, bias=bias, weight_rounding=None, bias_rounding=None)

    return DeepNetwork(tuple(changed(item) for item in like.items), like.last, like.input_shape)


def parsed_layers(text: str) -> tuple[list[int], list[Item | None]]:
    """Sizes, and what stands after each layer, of "4,8,relu,3".

    Raises:
        InvalidInput: other words, fewer than two sizes, layers with nothing said between them.
    """
    words = [word.strip().lower() for word in text.split(",")]
    sizes: list[int] = []
    between: list[Item | None] = []
    said: list[bool] = []
    everywhere: list[Item | None] = []
    for place, word in enumerate(words):
        if re.fullmatch("[1-9][0-9]{0,8}", word):
            sizes.append(int(word))
            between.append(None)
            said.append(False)
        elif place == 1 and sum(not other.isdecimal() for other in words) == 1:
            everywhere = [_activation(word, text)]
        elif len(sizes) < 2 or said[-1]:
            raise _misspelt(text)
        else:
            between[-1] = _activation(word, text)
            said[-1] = True
    if len(sizes) < 2:
        raise _misspelt(text)
    after = between[1:]
    if everywhere:
        return sizes, [*everywhere * (len(after) - 1), None]
    if not all(said[1:-1]):
        raise _misspelt(text)
    return sizes, after


def _activation(word: str, text: str) -> Item | None:
    if word == "relu":
        return Relu()
    if word == "none":
        return None
    name, _, slope = word.partition(":")
    try:
        if name == "leaky":
            return LeakyRelu(float(slope))
    except ValueError:
        pass
    raise _misspelt(text)


def _misspelt(text: str) -> InvalidInput:
    return InvalidInput(
        "layers not understood",
        got=repr(text),
        expected="sizes with what stands between the layers: relu, leaky:0.01 or none",
        fix="For example 4,8,relu,3, or 4,relu,8,8,3 for a ReLU between all layers.",
    )


def is_network_file(path: str | os.PathLike[str]) -> bool:
    """Whether `write_network` writes a file of that ending."""
    return Path(path).suffix.lower() in _WRITERS


def writer_for(path: str | os.PathLike[str]) -> Callable[[DeepNetwork], bytes]:
    """What makes the bytes of a file of that ending. Ask for it before a long search: what cannot
    be written is known at once.

    Raises:
        MissingExtra: the format's library is not installed.
        InvalidInput: another ending.
    """
    file = Path(path)
    entry = _WRITERS.get(file.suffix.lower())
    if entry is None:
        raise InvalidInput(
            "unknown kind of network file",
            got=str(file),
            expected=f"a file ending in {', '.join(_WRITERS)}",
            fix="Choose one of these.",
        )
    library, writer = entry
    library()
    return writer


def write_network(net: ReLUNetwork | DeepNetwork, path: str | os.PathLike[str]) -> None:
    """Write a network that `slth.read_network` reads as the same function: .onnx (float32 where it
    holds every weight, else float64), .safetensors or .npz.

    Raises:
        MissingExtra: the format's library is not installed.
        InvalidInput: another ending, a network whose weights are known up to rounding only, a path
            that cannot be written.
    """
    file = Path(path)
    writer = writer_for(file)
    data = writer(DeepNetwork.of(net))
    with replacing(file, "the network") as stream:
        stream.write(data)
