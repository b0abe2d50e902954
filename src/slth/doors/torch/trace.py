"""Reading a torch module: its symbolic trace (torch.fx), node by node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from slth.deep import DeepNetwork
from slth.doors.graph_value import GraphValue, unlike
from slth.doors.torch.calls import Call, constant_of
from slth.doors.torch.held import require_same_values
from slth.doors.torch.layers import layer_applied
from slth.doors.torch.library import torch_for
from slth.doors.torch.plain import require_plain
from slth.doors.torch.tracer import traced_copy
from slth.errors import InvalidInput, require_count


def from_torch(module: Any, input_shape: Sequence[int] | None = None) -> DeepNetwork:
    """The network of a torch module, exactly.

    The module is traced symbolically (torch.fx): own modules, functional calls, nested, subclassed
    and repeated modules, residual sums, `torch.nn.utils.prune` masks and parametrizations are read
    as what they compute. The result is held against the module's own values at random points.

    Args:
        module: Linear, Conv2d, AvgPool2d, AdaptiveAvgPool2d(1), BatchNorm (eval mode), ReLU,
            LeakyReLU, Flatten, Dropout (eval mode), Identity, sums, differences, products and
            quotients with constants, sums h + body(h), a last Softmax or Sigmoid.
        input_shape: of one input; needed where no Linear layer comes first.

    Raises:
        MissingExtra: torch is not installed.
        InvalidInput: anything else, named; hooks, meta or quantised tensors, training mode where it
            changes the function.
    """
    torch = torch_for("Reading a torch module")
    if not isinstance(module, torch.nn.Module):
        raise unlike("torch object", type(module).__name__, "a torch.nn.Module")
    require_plain(torch, module)
    name = f"module {type(module).__name__}"
    traced = traced_copy(torch, module)
    shape = _input_shape(torch, name, traced) if input_shape is None else _stated(input_shape)
    try:
        network = _walked(torch, traced, (1, *shape))
    except InvalidInput:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise unlike(
            name, f"an operation used in another way ({error})", "its usual use"
        ) from error
    require_same_values(torch, module, traced, network, shape)
    return network


def _stated(shape: Any) -> tuple[int, ...]:
    """The input shape that was passed."""
    if not isinstance(shape, Iterable) or isinstance(shape, str | bytes):
        raise InvalidInput(
            "input_shape is no shape",
            got=repr(shape),
            expected="a tuple of sizes",
            fix="For example input_shape=(1, 28, 28), or (4,) for vectors.",
        )
    return tuple(require_count("input_shape", size, least=1) for size in shape)


def _input_shape(torch: Any, name: str, traced: Any) -> tuple[int, ...]:
    """(d,) of a module whose first layer with weights is a Linear one."""
    nn = torch.nn
    parts: dict[Any, Any] = dict(traced.named_modules())
    constants: dict[str, Any] = {}
    for node in traced.graph.nodes:
        part: Any = parts.get(node.target) if node.op == "call_module" else None
        if ".quantized." in type(part).__module__:
            kind = f"{type(part).__module__}.{type(part).__name__}"
            raise unlike(f"torch call_module {node.target}", kind, "real weights")
        if isinstance(part, nn.Linear):
            return (int(part.in_features),)
        if isinstance(part, nn.BatchNorm1d):
            return (int(part.num_features),)
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.BatchNorm2d):
            break
        call = Call(torch, constants, node, name)
        if node.op == "get_attr":
            constants[node.name] = constant_of(traced, node)
        if node.op == "call_function" and node.target is nn.functional.linear:
            weight = call.argument("weight", 1)
            if not isinstance(weight, torch.Tensor):
                break
            return (int(weight.shape[1]),)
    raise InvalidInput(
        "input shape of a torch module is not known",
        got=name,
        expected="a Linear layer first, or input_shape=(channels, height, width)",
        fix="slth.as_network(module, input_shape=(1, 28, 28)).",
    )


def _walked(torch: Any, traced: Any, shape: tuple[int, ...]) -> DeepNetwork:
    """The network of a graph for an input of that shape, a batch of one included."""
    parts = dict(traced.named_modules())
    values: dict[str, Any] = {}
    inputs = 0
    for node in traced.graph.nodes:
        where = f"torch {node.op} {node.target if isinstance(node.target, str) else node.name}"
        call = Call(torch, values, node, where)
        match node.op:
            case "placeholder":
                inputs += 1
                if inputs == 1:
                    values[node.name] = GraphValue.start(shape)
                elif node.users:
                    raise unlike(where, "several inputs", "one input")
            case "get_attr":
                values[node.name] = constant_of(traced, node)
            case "call_module":
                part = parts[node.target]
                where = f"{where} ({type(part).__name__})"
                value = call.chain(call.argument("input", 0))
                values[node.name] = layer_applied(torch, part, value, where)
            case "call_function" | "call_method":
                values[node.name] = call.result()
            case "output":
                (result,) = node.args
                if isinstance(result, tuple | list | dict):
                    raise unlike(where, "several results", "one tensor")
                return call.chain(result).network()
    raise unlike("torch graph", "no output", "a module that returns a tensor")
