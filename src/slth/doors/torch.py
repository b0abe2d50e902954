"""torch: any module that can be traced into the layers that slth knows, in; modules out."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.chain import Chain, unlike
from slth.doors.kernels import whole_kernel
from slth.doors.normalise import batch_normalised
from slth.errors import InvalidInput, MissingExtra
from slth.layers import (
    AveragePool,
    Conv,
    Dense,
    FloatArray,
    LeakyRelu,
    Relu,
    Residual,
    bias_of,
    output_shape,
    size_of,
    spelled_out,
)

# The read network is held against the module at this many random points; values of double
# precision agree to about 1e-12 of their size.
_COMPARED, _AGREES = 16, 1e-6


def from_torch(module: Any, input_shape: Sequence[int] | None = None) -> DeepNetwork:
    """The network of a torch module, exactly.

    The module is traced symbolically (torch.fx): own modules, functional calls, nested, subclassed
    and repeated modules, residual sums, `torch.nn.utils.prune` masks and parametrizations are read
    as what they compute. The result is held against the module's own values at random points.

    Args:
        module: Linear, Conv2d, AvgPool2d, AdaptiveAvgPool2d(1), BatchNorm (eval mode), ReLU,
            LeakyReLU, Flatten, Dropout (eval mode), Identity, sums h + body(h), a last Softmax or
            Sigmoid.
        input_shape: of one input; needed where no Linear layer comes first.

    Raises:
        MissingExtra: torch is not installed.
        InvalidInput: anything else, named; hooks, meta or quantised tensors, training mode where it
            changes the function.
    """
    torch = _torch("Reading a torch module")
    if not isinstance(module, torch.nn.Module):
        raise unlike("torch object", type(module).__name__, "a torch.nn.Module")
    for name, part in module.named_modules():
        _require_plain(torch, name, part)
    shape = _input_shape(torch, module) if input_shape is None else tuple(input_shape)
    try:
        graph = torch.fx.symbolic_trace(module)
    except Exception as error:
        # The module's own code runs with symbols in place of numbers and may raise anything.
        raise unlike(
            f"module {type(module).__name__}",
            f"a forward that cannot be traced ({str(error).splitlines()[0][:200]})",
            "a forward without branches on values",
        ) from error
    network = _Walk(torch, graph, shape).network()
    _require_same_values(torch, module, network, shape)
    return network


def _require_plain(torch: Any, name: str, part: Any) -> None:
    """Nothing that changes what the module computes behind its layers' backs."""
    where = f"module {name or type(part).__name__}"
    masks = torch.nn.utils.prune.BasePruningMethod
    hooks = [*part._forward_hooks.values(), *part._forward_pre_hooks.values()]
    strange = [hook for hook in hooks if not isinstance(hook, masks)]
    if strange:
        raise unlike(where, "a forward hook", "no hooks but those of torch.nn.utils.prune")
    for kind, tensor in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
        if tensor is None:
            continue
        if tensor.is_meta or tensor.is_quantized or tensor.is_complex():
            raise unlike(f"{where}, {kind}", "a meta, quantised or complex tensor", "real weights")


def _input_shape(torch: Any, module: Any) -> tuple[int, ...]:
    """(d,) of a module whose first layer with weights is a Linear one."""
    for part in module.modules():
        if isinstance(part, torch.nn.Linear):
            return (int(part.in_features),)
        if isinstance(part, torch.nn.BatchNorm1d):
            return (int(part.num_features),)
        if isinstance(part, torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.Conv3d):
            break
    weights = [value for _, value in module.named_parameters(recurse=False) if value.ndim == 2]
    if weights:
        return (int(weights[0].shape[1]),)
    raise InvalidInput(
        "input shape of a torch module is not known",
        got=type(module).__name__,
        expected="a Linear layer first, or input_shape=(channels, height, width)",
        fix="slth.as_network(module, input_shape=(1, 28, 28)).",
    )


class _Walk:
    """A traced graph, node by node."""

    def __init__(self, torch: Any, traced: Any, shape: tuple[int, ...]) -> None:
        self.torch, self.traced, self.shape = torch, traced, shape
        self.parts = dict(traced.named_modules())
        self.values: dict[str, Any] = {}

    def network(self) -> DeepNetwork:
        inputs = 0
        for node in self.traced.graph.nodes:
            where = f"torch {node.op} {node.target if isinstance(node.target, str) else node.name}"
            match node.op:
                case "placeholder":
                    inputs += 1
                    if inputs > 1 and not node.users:
                        continue
                    if inputs > 1:
                        raise unlike(where, "several inputs", "one input")
                    self.values[node.name] = Chain(None, None, self.shape)
                case "get_attr":
                    self.values[node.name] = _attribute(self.traced, node.target)
                case "call_module":
                    (value,) = node.args
                    part = self.parts[node.target]
                    self.values[node.name] = self._module(part, self.chain(value, where), where)
                case "call_function" | "call_method":
                    self.values[node.name] = self._call(node, where)
                case "output":
                    (result,) = node.args
                    return self.chain(result, where).network(self.shape)
        raise unlike("torch graph", "no output", "a module that returns a tensor")

    def chain(self, node: Any, where: str) -> Chain:
        value = self.values.get(getattr(node, "name", ""))
        if not isinstance(value, Chain):
            raise unlike(where, f"{node!r}", "a value that depends on the input")
        return value

    def tensor(self, node: Any, where: str) -> FloatArray | None:
        """A constant of the graph."""
        if node is None:
            return None
        value = self.values.get(getattr(node, "name", ""), node)
        if isinstance(value, int | float):
            return np.asarray(float(value))
        if not isinstance(value, self.torch.Tensor):
            raise unlike(where, f"{node!r}", "constant weights")
        return array_of(value)

    def _module(self, part: Any, value: Chain, where: str) -> Chain:
        nn = self.torch.nn
        kind = type(part)
        where = f"{where} ({kind.__name__})"
        if kind is nn.Linear:
            return _linear(value, _weight(part), _bias(part), where)
        if kind is nn.Conv2d:
            return _convolution(value, part, where)
        if kind in (nn.BatchNorm1d, nn.BatchNorm2d):
            return _batch_norm(value, part, where)
        if kind is nn.ReLU:
            return value.then(Relu(), where)
        if kind is nn.LeakyReLU:
            return value.then(LeakyRelu(float(part.negative_slope)), where)
        if kind is nn.Flatten:
            return _flattened(value, part.start_dim, part.end_dim, where)
        if kind is nn.Identity:
            return value
        if kind in (nn.Dropout, nn.Dropout1d, nn.Dropout2d):
            return _dropped(value, part.p, part.training, where)
        if kind is nn.AvgPool2d:
            return _pooled(value, part, where)
        if kind is nn.AdaptiveAvgPool2d and part.output_size in (1, (1, 1)):
            return value.then(AveragePool(), where)
        if kind is nn.Softmax:
            return _softmax(value, part.dim, where)
        if kind is nn.Sigmoid:
            return value.ended("sigmoid", where)
        raise unlike(where, kind.__name__, "a layer that slth knows")

    def _call(self, node: Any, where: str) -> Any:
        torch, functional = self.torch, self.torch.nn.functional
        target = node.target
        if target == "size" or (target is getattr and node.args[1] == "shape"):
            whole = len(node.args) == 1 or target is getattr
            return _Size(self.chain(node.args[0], where).shape if whole else None)
        if target is operator.getitem and isinstance(self.values.get(node.args[0].name), _Size):
            return _Size(None)
        if target in (operator.add, operator.iadd, torch.add, "add", "add_"):
            return self._sum(node, where)
        if target in (functional.linear,):
            names = ("input", "weight", "bias")
            given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
            weight = self.tensor(given["weight"], where)
            assert weight is not None
            bias = self.tensor(given.get("bias"), where)
            return _linear(self.chain(given["input"], where), weight, bias, where)
        value = self.chain(node.args[0] if node.args else node.kwargs.get("input"), where)
        rest, options = list(node.args[1:]), dict(node.kwargs)
        if target in (functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_"):
            return value.then(Relu(), where)
        if target in (functional.leaky_relu, functional.leaky_relu_):
            slope = options.get("negative_slope", rest[0] if rest else 0.01)
            return value.then(LeakyRelu(float(slope)), where)
        if target in (torch.flatten, "flatten"):
            begin = options.get("start_dim", rest[0] if rest else 0)
            end = options.get("end_dim", rest[1] if len(rest) > 1 else -1)
            return _flattened(value, begin, end, where)
        if target in ("view", "reshape", torch.reshape):
            shape = options.get("shape", rest)
            known = self.values.get(getattr(shape[0], "name", "")) if len(shape) == 1 else None
            if isinstance(known, _Size) and known.shape is not None:
                return value.reshaped(known.shape, where)
            return _viewed(value, shape, where)
        if target in (functional.dropout,):
            rate = options.get("p", rest[0] if rest else 0.5)
            training = options.get("training", rest[1] if len(rest) > 1 else True)
            return _dropped(value, rate, training, where)
        if target in (functional.softmax, torch.softmax, "softmax"):
            return _softmax(value, options.get("dim", rest[0] if rest else None), where)
        if target in (torch.sigmoid, functional.sigmoid, "sigmoid"):
            return value.ended("sigmoid", where)
        if target in ("contiguous", "clone", "detach"):
            return value
        name = target if isinstance(target, str) else getattr(target, "__name__", repr(target))
        raise unlike(where, name, "an operation that slth knows")

    def _sum(self, node: Any, where: str) -> Chain:
        if node.kwargs.get("alpha", 1) != 1:
            raise unlike(where, "a scaled sum", "alpha = 1")
        left, right = node.args
        known = [self.values.get(getattr(side, "name", "")) for side in (left, right)]
        sides = [isinstance(value, Chain) for value in known]
        if all(sides):
            return self.chain(left, where).plus(self.chain(right, where), where)
        value, constant = (left, right) if sides[0] else (right, left)
        shift = self.tensor(constant, where)
        assert shift is not None
        return self.chain(value, where).shifted(shift, where)


@dataclass(frozen=True)
class _Size:
    """A size of a value, which only shapes are made of. shape: all of it; None: one axis."""

    shape: tuple[int, ...] | None


def _linear(value: Chain, weight: FloatArray, bias: FloatArray | None, where: str) -> Chain:
    if size_of(value.shape) != value.shape[-1]:
        raise unlike(where, f"a Linear layer on a value of shape {value.shape}", "a flat value")
    return value.then(Dense(weight, bias), where)


def _convolution(value: Chain, part: Any, where: str) -> Chain:
    if part.padding_mode != "zeros" or (isinstance(part.padding, str) and part.padding != "valid"):
        raise unlike(where, f"padding {part.padding} ({part.padding_mode})", "numbers of zeros")
    padding = (0, 0) if isinstance(part.padding, str) else part.padding
    kernel = whole_kernel(_weight(part), part.groups, part.dilation)
    strides = tuple(int(step) for step in part.stride)
    return value.then(Conv(kernel, _bias(part), strides, tuple(padding)), where)  # type: ignore[arg-type]


def _batch_norm(value: Chain, part: Any, where: str) -> Chain:
    if part.training or part.running_mean is None:
        raise unlike(where, "training mode or no statistics", "eval mode: call module.eval()")
    channels = part.num_features
    gain = np.ones(channels) if part.weight is None else array_of(part.weight)
    shift = np.zeros(channels) if part.bias is None else array_of(part.bias)
    mean, variance = array_of(part.running_mean), array_of(part.running_var)
    return batch_normalised(value, gain, shift, mean, variance, float(part.eps), where)


def _pooled(value: Chain, part: Any, where: str) -> Chain:
    if part.ceil_mode or part.divisor_override is not None:
        raise unlike(where, "ceil_mode or divisor_override", "a plain average pool")
    pool = AveragePool(part.kernel_size, part.stride, part.padding, bool(part.count_include_pad))
    return value.then(pool, where)


def _flattened(value: Chain, begin: int, end: int, where: str) -> Chain:
    if begin not in (0, 1) or end not in (-1, len(value.shape)):
        raise unlike(where, f"flatten from {begin} to {end}", "all axes but the batch")
    return value.reshaped((size_of(value.shape),), where)


def _viewed(value: Chain, shape: Any, where: str) -> Chain:
    sizes = list(shape)
    if len(shape) == 1 and isinstance(shape[0], list | tuple):
        sizes = list(shape[0])
    # The first is the batch: a size of the input, -1 or a number.
    rest = [size for size in sizes[1:] if isinstance(size, int)]
    if len(rest) != len(sizes) - 1 or sum(size < 0 for size in rest) > 1:
        raise unlike(where, f"a view as {sizes}", "fixed sizes behind the batch")
    known = size_of(tuple(size for size in rest if size > 0))
    full = [size if size > 0 else size_of(value.shape) // max(1, known) for size in rest]
    return value.reshaped(tuple(full), where)


def _dropped(value: Chain, rate: float, training: bool, where: str) -> Chain:
    if training and rate != 0.0:
        raise unlike(where, "Dropout in training mode, which is random", "call module.eval() first")
    return value


def _softmax(value: Chain, axis: int | None, where: str) -> Chain:
    if len(value.shape) != 1 or axis not in (-1, 1):
        raise unlike(where, f"a softmax over axis {axis} of {value.shape}", "over all outputs")
    return value.ended("softmax", where)


def _weight(part: Any) -> FloatArray:
    # A mask of torch.nn.utils.prune is multiplied in anew: the attribute may be stale.
    if hasattr(part, "weight_orig") and hasattr(part, "weight_mask"):
        return array_of(part.weight_orig) * array_of(part.weight_mask)
    return array_of(part.weight)


def _bias(part: Any) -> FloatArray | None:
    if hasattr(part, "bias_orig") and hasattr(part, "bias_mask"):
        return array_of(part.bias_orig) * array_of(part.bias_mask)
    return None if part.bias is None else array_of(part.bias)


def _attribute(owner: Any, path: str) -> Any:
    for name in path.split("."):
        owner = getattr(owner, name)
    return owner


def array_of(tensor: Any) -> FloatArray:
    """A tensor's numbers as float64; half, bfloat16 and single precision exactly."""
    return np.asarray(tensor.detach().cpu().double().numpy())


def _require_same_values(
    torch: Any, module: Any, network: DeepNetwork, shape: tuple[int, ...]
) -> None:
    """The network computes what the module does, at random points in double precision."""
    double = copy.deepcopy(module).double().cpu()
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (_COMPARED, *shape))
    with torch.no_grad():
        values = double(torch.from_numpy(points)).numpy().reshape(_COMPARED, -1)
    mine = network(points)
    size = max(1.0, float(np.abs(values).max(initial=0.0)))
    if mine.shape != values.shape or not (np.abs(mine - values) <= _AGREES * size).all():
        raise InvalidInput(
            "module computes something else than its layers say",
            got=f"values that differ from {network!r}",
            expected="a module that is what its trace shows",
            fix="Look for state that changes between calls; report the module if there is none.",
        )


def read_state(state: Any, like: Any, name: str) -> DeepNetwork:
    """The network of a state_dict, filled into a module of its architecture.

    Args:
        state: names to tensors, or a checkpoint that holds one.
        like: a torch module with these names.
    """
    torch = _torch("Reading a state_dict")
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
    torch = _torch("Reading a .pt file")
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
    torch = _torch("Reading a state_dict")
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


def to_torch(network: DeepNetwork, dtype: Any = None) -> Any:
    """A torch.nn.Sequential that computes the network; flat outputs.

    Args:
        network: any network.
        dtype: of the weights; default torch.float64. Weights that it does not hold are an error.

    Raises:
        MissingExtra: torch is not installed.
        InvalidInput: weights that are known up to rounding only, or that dtype does not hold.
    """
    torch = _torch("Making a torch module")
    dtype = torch.float64 if dtype is None else dtype
    shape = network.shape
    modules = _modules(torch, network.items, shape, dtype)
    modules.append(torch.nn.Flatten())
    ends = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid}
    if network.last == "softmax":
        modules.append(torch.nn.Softmax(dim=-1))
    elif network.last is not None:
        modules.append(ends[network.last]())
    return torch.nn.Sequential(*modules)


def _modules(torch: Any, items: Any, shape: tuple[int, ...], dtype: Any) -> list[Any]:
    modules: list[Any] = []
    for item in spelled_out(items):
        if isinstance(item, Residual):
            body = torch.nn.Sequential(*_modules(torch, item.body, shape, dtype))
            modules.append(_residual(torch, body))
            continue
        if isinstance(item, Dense | Conv):
            modules += _affine(torch, item, shape, dtype)
        elif isinstance(item, AveragePool):
            modules += _average(torch, item, shape)
        elif isinstance(item, LeakyRelu):
            modules.append(torch.nn.LeakyReLU(item.slope))
        else:
            modules.append(torch.nn.ReLU())
        if isinstance(item, Dense | Conv | AveragePool):
            shape = output_shape(item, shape)
    return modules


def _affine(torch: Any, layer: Dense | Conv, before: tuple[int, ...], dtype: Any) -> list[Any]:
    outs, ins = layer.weight.shape[:2]
    made: list[Any] = []
    if isinstance(layer, Dense):
        if len(before) != 1:
            made.append(torch.nn.Flatten())
        made.append(torch.nn.Linear(ins, outs, dtype=dtype))
    else:
        window = layer.window
        top, left, bottom, right = window.padding
        padding = (top, left)
        if (top, left) != (bottom, right):
            made.append(torch.nn.ZeroPad2d((left, right, top, bottom)))
            padding = (0, 0)
        kernel = tuple(int(size) for size in window.kernel)
        made.append(torch.nn.Conv2d(ins, outs, kernel, window.stride, padding, dtype=dtype))
    with torch.no_grad():
        for name, values in (("weight", layer.weight), ("bias", bias_of(layer))):
            if getattr(layer, f"{name}_rounding") is not None:
                raise unlike("layer", "weights that are known up to rounding", "exact weights")
            parameter = getattr(made[-1], name)
            parameter.copy_(torch.from_numpy(values.copy()))
            if not np.array_equal(array_of(parameter), values):
                raise unlike("layer", f"weights that {dtype} does not hold", "dtype=torch.float64")
    return made


def _average(torch: Any, pool: AveragePool, before: tuple[int, ...]) -> list[Any]:
    window = pool.window(before)
    top, left, bottom, right = window.padding
    if (top, left) != (bottom, right):
        raise unlike("AveragePool", f"padding {window.padding}", "the same on opposite sides")
    kernel = tuple(int(size) for size in window.kernel)
    options = {"count_include_pad": pool.count_padding}
    return [torch.nn.AvgPool2d(kernel, window.stride, (top, left), **options)]


def _residual(torch: Any, body: Any) -> Any:
    class Skip(torch.nn.Module):
        """h + body(h)."""

        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, h: Any) -> Any:
            return h + self.body(h).reshape(h.shape)

    return Skip()


def _torch(purpose: str) -> Any:
    try:
        import torch
        import torch.fx
        import torch.nn.utils.prune
    except ImportError as error:
        raise MissingExtra("torch", "torch", purpose) from error
    return torch
