"""One layout of arrays for .npz and .safetensors: "0.weight", "0.bias", "1.weight", ..., and for
networks of more than dense layers with a ReLU between them a description of the items."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.errors import InvalidInput
from slth.layers import AveragePool, Conv, Dense, Identity, Item, LeakyRelu, Relu, Residual, bias_of

Refuse = Callable[[str], InvalidInput]
# What a description says of each kind of item; another word would be left out in silence.
_WORDS = {
    "dense": set(),
    "conv": {"stride", "padding"},
    "pool": {"kernel", "stride", "padding", "count_padding"},
    "residual": {"body"},
    "leaky": {"slope"},
    "relu": set(),
    "identity": set(),
}
# Bytes of a description that are parsed.
_LONGEST = 1 << 20


def arrays_of(network: DeepNetwork) -> tuple[dict[str, np.ndarray], str | None]:
    """The weights by name, and the items' description; None for a plain network."""
    arrays: dict[str, np.ndarray] = {}
    described = [_described(item, str(place), arrays) for place, item in enumerate(network.items)]
    plain = all(isinstance(item, Dense) for item in network.items) and len(network.shape) == 1
    if plain and network.last is None:
        return arrays, None
    whole = {"items": described, "input_shape": list(network.shape), "last": network.last}
    return arrays, json.dumps(whole, sort_keys=True)


def _described(item: Item, name: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    match item:
        case Dense() | Conv():
            if item.weight_rounding is not None or item.bias_rounding is not None:
                raise InvalidInput(
                    "network with weights that are known up to rounding",
                    got="a folded normalisation or scaler",
                    expected="weights that are float64 numbers",
                    fix="Write the network before it was folded.",
                )
            arrays[f"{name}.weight"] = item.weight
            if item.bias is not None:
                arrays[f"{name}.bias"] = bias_of(item)
            if isinstance(item, Dense):
                return {"kind": "dense"}
            return {"kind": "conv", "stride": item.stride, "padding": item.padding}
        case AveragePool():
            return {
                "kind": "pool",
                "kernel": item.kernel,
                "stride": item.stride,
                "padding": item.padding,
                "count_padding": item.count_padding,
            }
        case Residual():
            body = [_described(part, f"{name}.{k}", arrays) for k, part in enumerate(item.body)]
            return {"kind": "residual", "body": body}
        case LeakyRelu():
            return {"kind": "leaky", "slope": item.slope}
        case Identity():
            return {"kind": "identity"}
        case _:
            return {"kind": "relu"}


def network_of(
    arrays: Mapping[str, np.ndarray], description: str | None, refuse: Refuse
) -> DeepNetwork:
    """The network of these arrays; every one is used, or refused by name."""
    left = dict(arrays)
    if description is None:
        return DeepNetwork(_plain(left, refuse))
    try:
        if len(description) > _LONGEST:
            raise ValueError("too long")
        whole = json.loads(description, object_pairs_hook=unique)
        _require_words(whole, {"items", "input_shape", "last"})
        items = [_item(part, str(k), left) for k, part in enumerate(whole["items"])]
        shape = tuple(whole["input_shape"])
        last = whole["last"]
    except InvalidInput:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise refuse(f"a description that is none ({type(error).__name__}: {error})") from error
    if left:
        raise refuse(f"an array {sorted(left)[0]!r}, which no layer uses")
    return DeepNetwork(tuple(items), last, shape)


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these members, for `json.loads`, which would keep the last of two of a name.

    Raises:
        ValueError: two of one name.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} twice")
    return found


def _require_words(part: Any, words: set[str]) -> None:
    if not isinstance(part, dict) or part.keys() != words:
        raise ValueError(f"{part!r:.100} in place of {sorted(words)}")


def _item(part: Any, name: str, left: dict[str, np.ndarray]) -> Item:
    kind = part["kind"]
    _require_words(part, {"kind"} | _WORDS[kind])
    if kind in ("dense", "conv"):
        weight, bias = left.pop(f"{name}.weight"), left.pop(f"{name}.bias", None)
        if kind == "dense":
            return Dense(weight, bias)
        return Conv(weight, bias, _sizes(part["stride"]), _sizes(part["padding"]))
    if kind == "pool":
        kernel, stride, padding = (_sizes(part[key]) for key in ("kernel", "stride", "padding"))
        if not isinstance(part["count_padding"], bool):
            raise ValueError(f"count_padding {part['count_padding']!r}, not true or false")
        return AveragePool(kernel, stride, padding, part["count_padding"])
    if kind == "residual":
        return Residual(
            tuple(_item(inner, f"{name}.{k}", left) for k, inner in enumerate(part["body"]))  # type: ignore[arg-type]
        )
    simple = {"relu": Relu, "identity": Identity}
    if kind == "leaky":
        return LeakyRelu(part["slope"])
    return simple[kind]()


def _sizes(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(left: dict[str, np.ndarray], refuse: Refuse) -> tuple[Dense, ...]:
    """Dense layers from arrays "<n>.weight" and "<n>.bias", in the order of n."""
    numbers: dict[int, dict[str, np.ndarray]] = {}
    for name, value in left.items():
        found = re.fullmatch(r"(0|[1-9]\d{0,5})\.(weight|bias)", name)
        if found is None:
            raise refuse(f"an array {name!r}, which no layer uses")
        numbers.setdefault(int(found[1]), {})[found[2]] = value
    for number, pair in numbers.items():
        if "weight" not in pair:
            raise refuse(f"no array '{number}.weight'")
    if not numbers:
        raise refuse("no layers")
    return tuple(Dense(pair["weight"], pair.get("bias")) for _, pair in sorted(numbers.items()))


def dense_of(
    tensors: Mapping[str, np.ndarray], sizes: list[int], between: list[Item | None], refuse: Refuse
) -> DeepNetwork:
    """Dense layers of stated sizes from the tensors of a state.

    Args:
        tensors: as for `layers_of`.
        sizes: numbers of inputs and of every layer's outputs.
        between: what stands after each layer; None: nothing.
    """
    shapes = [(after, before) for before, after in pairwise(sizes)]
    items: list[Item] = []
    for (weight, bias), after in zip(layers_of(tensors, shapes, refuse), between, strict=True):
        items.append(Dense(weight, bias))
        if after is not None:
            items.append(after)
    if not any(isinstance(item, Relu | LeakyRelu) for item in items):
        items.insert(1, Identity())
    return DeepNetwork(tuple(items))


def numbers_in(name: str) -> list[tuple[int, str]]:
    """The numbers in a name as what sorts like them: how many digits, and the digits. A file's
    names may hold more than Python makes integers of."""
    bare = (digits.lstrip("0") for digits in re.findall("[0-9]+", name))
    return [(len(digits), digits) for digits in bare]


def layers_of(
    tensors: Mapping[str, np.ndarray], shapes: Sequence[tuple[int, ...]], refuse: Refuse
) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """The weight and bias of each layer of an architecture that is stated by the weights' shapes.

    A state does not say in what order its layers are used. Layers of different shapes are told
    apart by them; those of one shape only if their names differ in nothing but numbers that grow
    from each to the next.

    Args:
        tensors: "<anything>weight" and perhaps "<the same>bias" [out] for each layer.
        shapes: of the weights in the order of their use.
    """
    left = dict(tensors)
    stems = [name.removesuffix("weight") for name in tensors if name.endswith("weight")]
    if len(stems) != len(shapes):
        raise refuse(f"{len(stems)} weights for {len(shapes)} stated layers")
    alike: dict[tuple[int, ...], list[str]] = {}
    for stem in stems:
        alike.setdefault(left[f"{stem}weight"].shape, []).append(stem)
    for group in alike.values():
        numbers = [numbers_in(stem) for stem in group]
        templates = {re.sub("[0-9]+", "#", stem) for stem in group}
        if len(templates) > 1 or any(one >= other for one, other in pairwise(numbers)):
            raise refuse(
                f"weights of one shape in no stated order ({', '.join(group[:3])}); pass "
                "like=module, a torch module with these names"
            )
    found: list[tuple[np.ndarray, np.ndarray | None]] = []
    for shape in shapes:
        if not alike.get(shape):
            shapes_left = [key for key, group in alike.items() if group]
            raise refuse(f"weights of shape {shapes_left} where the architecture has {shape}")
        stem = alike[shape].pop(0)
        found.append((left.pop(f"{stem}weight"), left.pop(f"{stem}bias", None)))
    if left:
        raise refuse(f"an array {sorted(left)[0]!r}, which no layer uses")
    return found
