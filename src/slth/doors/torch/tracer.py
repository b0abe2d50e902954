"""Symbolic traces of modules (torch.fx) that keep what happens in place."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slth.doors.graph_value import unlike
from slth.doors.torch.plain import settled_copy

# What Python writes as `h += g`. torch.fx would record a new value, and the old one unchanged.
_IN_PLACE = {
    "__iadd__": operator.iadd,
    "__isub__": operator.isub,
    "__imul__": operator.imul,
    "__itruediv__": operator.itruediv,
}
# Operations whose result may be the tensor that was passed, or a view of it.
_VIEWS = {
    "view", "reshape", "flatten", "contiguous", "detach", "dropout",
    "Flatten", "Identity", "Dropout", "Dropout1d", "Dropout2d",
}  # fmt: skip
# Where functions take `inplace` if it is not named.
_INPLACE_PLACES = {"relu": 1, "leaky_relu": 2, "dropout": 3}


def traced_copy(torch: Any, module: Any) -> Any:
    """The graph of a copy of the module, with the weights that its next call would use.

    Raises:
        InvalidInput: a module that cannot be copied or traced, or one that changes a value in place
            and then reads it by another name, which the graph does not show.
    """
    name = f"module {type(module).__name__}"
    copied = settled_copy(torch, module)
    try:
        tracer = _tracer(torch)
        with torch.no_grad(), _taken_for_tensors(torch):
            traced = torch.fx.GraphModule(copied, tracer.trace(copied))
    except Exception as error:
        # The module's own code runs with symbols in place of numbers and may raise anything.
        text = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise unlike(
            name,
            f"a forward that cannot be traced ({text})",
            "a forward without branches on values",
        ) from error
    _require_no_stale_values(traced)
    return traced


@contextmanager
def _taken_for_tensors(torch: Any) -> Iterator[None]:
    """Within, `isinstance` says of a symbol that it is a tensor, so that a forward that asks takes
    the way of tensors.

    A symbol with the `__class__` of tensors would say so to torch's own code too, which reads
    memory of it that only tensors have.
    """
    asked = builtins.isinstance

    def answered(value: Any, kinds: Any) -> bool:
        symbol = issubclass(type(value), torch.fx.Proxy)
        return asked(value, kinds) or (symbol and issubclass(torch.Tensor, kinds))

    builtins.isinstance = answered
    try:
        yield
    finally:
        builtins.isinstance = asked


def _tracer(torch: Any) -> Any:
    class Value(torch.fx.Proxy):
        """A symbol whose changes in place are recorded as such."""

    def recorded(function: Any) -> Any:
        return lambda self, other: self.tracer.create_proxy(
            "call_function", function, (self, other), {}
        )

    for name, function in _IN_PLACE.items():
        setattr(Value, name, recorded(function))

    class Tracer(torch.fx.Tracer):
        def proxy(self, node: Any) -> Any:
            return Value(node, self)

        def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: Any) -> Any:
            # Constants as they are: what the module makes of them is worked out by its own code,
            # in their own precision.
            return attr_val

        def create_arg(self, a: Any) -> Any:
            return a.node if issubclass(type(a), torch.fx.Proxy) else super().create_arg(a)

    return Tracer()


def _require_no_stale_values(traced: Any) -> None:
    """No value that was changed in place is read later but through the change's own result."""
    parts = dict(traced.named_modules())
    # The names under which each node's storage may be read.
    shared: dict[Any, set[Any]] = {}
    changed: dict[Any, Any] = {}
    for node in traced.graph.nodes:
        for read in node.all_input_nodes:
            if read in changed:
                raise unlike(
                    f"torch {node.op} {node.name}",
                    f"{read.name}, which {changed[read].name} has changed in place",
                    "an in-place operation on a value that is not used again",
                )
        first = node.all_input_nodes[0] if node.all_input_nodes else None
        if first is not None and _changes(node, parts):
            if first.op == "get_attr":
                raise unlike(
                    f"torch {node.op} {node.name}",
                    f"{first.target}, which it changes in place",
                    "a forward that leaves the module's own numbers alone",
                )
            changed.update(dict.fromkeys(shared[first], node))
            shared[node] = {node}
        elif first is not None and kind_of(node, parts) in _VIEWS:
            shared[first].add(node)
            shared[node] = shared[first]
        else:
            shared[node] = {node}


def kind_of(node: Any, parts: dict[str, Any]) -> str:
    """What a node does: a module's class, a function's or method's name."""
    if node.op == "call_module":
        return type(parts[node.target]).__name__
    if node.op in ("placeholder", "get_attr", "output"):
        return node.op
    target = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", repr(target))


def _changes(node: Any, parts: dict[str, Any]) -> bool:
    """Whether the node writes into its first argument."""
    if node.op == "call_module":
        return bool(getattr(parts[node.target], "inplace", False))
    if node.op not in ("call_function", "call_method"):
        return False
    name = kind_of(node, parts)
    place = _INPLACE_PLACES.get(name)
    named = node.kwargs.get("inplace", False)
    placed = place is not None and len(node.args) > place and node.args[place]
    own = name.endswith("_") and not name.endswith("__")
    return bool(named or placed or own or node.target in _IN_PLACE.values())
